//! What was issued, in the history: who, what, serial, thumbprint. Written before any file gets its name, so that no
//! certificate is in the world that the history does not know.

use serde_json::Value;
use serde_json::json;

use super::words;
use crate::assemble;
use crate::cli::args::Cli;
use crate::config;
use crate::error::Error;
use crate::model::Entry;
use crate::pki::CertificateFacts;
use crate::policy::StoreUrl;
use crate::ports::Commit;
use crate::ports::Fence;
use crate::ports::Store;
use crate::run::explain;

/// Kind of these entries in the history.
const KIND: &str = "certificate";

/// Whether something was recorded.
pub enum Recorded {
    /// Under this id (`s-0043`).
    As(String),
    /// Not, and why.
    Not(String),
}

impl Recorded {
    /// For people, a sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::As(id) => format!("Recorded in history as {id}."),
            Self::Not(why) => format!("Not recorded in a history: {why}."),
        }
    }

    /// For machines.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::As(id) => Some(id),
            Self::Not(_) => None,
        }
    }
}

/// What was done.
pub struct Deed<'a> {
    /// For people: `issued a self-signed certificate`.
    pub what: &'a str,
    /// For machines: `issue`.
    pub action: &'static str,
    /// Who says they did it; `None`: the user of this machine.
    pub by: Option<&'a str>,
    /// The certificate.
    pub certificate: &'a CertificateFacts,
    /// The profile.
    pub profile: &'a str,
}

/// Records a deed, when there is a configuration with a store.
///
/// # Errors
/// When there is one and it cannot be written: then nothing must be issued.
pub async fn add(cli: &Cli, deed: &Deed<'_>) -> Result<Recorded, Error> {
    let file = &cli.global.config;
    if !file.exists() {
        return Ok(Recorded::Not(format!("there is no configuration {}", file.display())));
    }
    let settings = config::load(file, cli.global.policy.as_deref(), cli.global.tenant.as_deref())?;
    if settings.tool.seal.is_none() {
        return Ok(Recorded::Not(format!("{} has no [seal], so there is no store", file.display())));
    }
    if matches!(settings.tool.store, StoreUrl::Postgres(_)) {
        return Ok(Recorded::Not("a PostgreSQL store is not in this release".to_owned()));
    }
    let store = assemble::store(&settings).await?;
    let fence = store.acquire(&config::holder(), config::real_now()).await.map_err(|error| explain::store(&error))?;
    let added = append(store.as_ref(), fence, deed).await;
    store.release(fence).await.map_err(|error| explain::store(&error))?;
    added.map(Recorded::As)
}

async fn append(store: &dyn Store, fence: Fence, deed: &Deed<'_>) -> Result<String, Error> {
    let failed = |error| explain::store(&error);
    // Under the fence nobody else adds one.
    let before = store.history(None).await.map_err(failed)?;
    let number = before.iter().filter(|recorded| recorded.entry.kind == KIND).count() + 1;
    let id = format!("s-{number:04}");
    let mut commit = Commit::new(config::real_now(), actor(deed.by));
    commit.entries.push(Entry {
        integration: None,
        rotation: None,
        kind: KIND.to_owned(),
        text: format!(
            "{id} {}: {}, serial {}, SHA-1 {}, to {}",
            deed.what,
            deed.certificate.subject,
            deed.certificate.serial,
            deed.certificate.thumbprint,
            words::day(deed.certificate.not_after)
        ),
        body: body(&id, deed),
    });
    store.commit(fence, commit).await.map_err(failed)?;
    Ok(id)
}

fn body(id: &str, deed: &Deed<'_>) -> Value {
    let certificate = deed.certificate;
    json!({
        "id": id, "action": deed.action, "subject": certificate.subject, "issuer": certificate.issuer,
        "serial": certificate.serial, "thumbprint_sha1": certificate.thumbprint,
        "thumbprint_sha256": certificate.thumbprint_sha256, "names": certificate.names,
        "not_before": certificate.not_before, "not_after": certificate.not_after, "profile": deed.profile,
        "stated_by": deed.by,
    })
}

/// A stated name goes beside the user of this machine, which is what is known.
pub fn actor(by: Option<&str>) -> String {
    let uid = nix::unistd::Uid::current();
    let user = nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
    by.map_or_else(|| format!("{user} (user of this machine)"), |by| format!("{by} (user {user})"))
}
