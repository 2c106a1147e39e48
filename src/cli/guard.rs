//! Guards around the store: an empty one where another everkey works, or in a place that does not last, is refused;
//! credentials that carry its tag and that its journal does not know are found.

use std::collections::BTreeMap;

use super::context::Context;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::model::AppObserved;
use crate::model::Entry;
use crate::model::KeyId;
use crate::policy::Policy;
use crate::policy::StoreUrl;
use crate::ports::Commit;
use crate::ports::Directory;
use crate::ports::PortError;
use crate::ports::Store;
use crate::rotation::tag;
use crate::rotation::tag::Tag;
use crate::run::explain;
use crate::store;

/// Refuses to begin with an empty store where that is most likely a mistake; `allowed` is `--new-store`, and then the
/// history begins with what was waived.
pub async fn new_store(context: &Context, allowed: bool) -> Result<(), Error> {
    if !is_empty(context.assembled.ports.store.as_ref()).await? {
        return Ok(());
    }
    match fit_to_begin(context).await {
        // What cannot be looked at now fails by itself later.
        Err(error) if allowed && matches!(error.code.as_str(), "T014" | "T015") => {
            waived(context, &error, "with --new-store").await
        }
        Err(_) if allowed => Ok(()),
        other => other,
    }
}

/// A new store in the place of a lost one, on the word of the person who recovers: not where it does not last, either.
pub async fn recovering(context: &Context) -> Result<(), Error> {
    if !is_empty(context.assembled.ports.store.as_ref()).await? {
        return Ok(());
    }
    match fit_to_begin(context).await {
        Err(error) if error.code == "T014" => waived(context, &error, "by `recover`").await,
        other => other,
    }
}

async fn waived(context: &Context, error: &Error, how: &str) -> Result<(), Error> {
    let failed = |error| explain::store(&error);
    let store = &context.assembled.ports.store;
    let user = config::os_user();
    let fence = store.acquire(&config::holder(), config::real_now()).await.map_err(failed)?;
    let mut commit = Commit::new(context.assembled.ports.clock.now(), user.clone());
    commit.entries.push(Entry {
        integration: None,
        rotation: None,
        kind: "store".into(),
        text: format!("began {how} although {} ({})", error.what, error.code),
        body: serde_json::json!({"code": error.code, "why": error.why, "os_user": user}),
    });
    let committed = store.commit(fence, commit).await.map_err(failed);
    store.release(fence).await.map_err(failed)?;
    committed
}

/// T015 where it does not last, T014 where another everkey's tags are.
async fn fit_to_begin(context: &Context) -> Result<(), Error> {
    let ports = &context.assembled.ports;
    let store = ports.store.as_ref();
    // An emulator is for trying out: its store may lie anywhere.
    if !context.settings.tenant.emulator
        && let StoreUrl::Sqlite(path) = &context.settings.tool.store
        && let Some(kind) = store::unfit_file_system(path)
    {
        return Err(Error::new(Class::Config, "T015", format!("the store is new and lies on {kind}"))
            .why(format!("{} does not last, or is not locked reliably; secrets in it would be lost", path.display()))
            .help("set `store` in everkey.toml to a local disk or volume; to go on all the same: --new-store"));
    }
    let others = others(ports.directory.as_ref(), store, &context.policies).await?;
    let Some((instance, names)) = others.first_key_value() else { return Ok(()) };
    let shown: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    let more = names.len().saturating_sub(3);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(Error::new(Class::Config, "T014", "the store is new, but another everkey works in this tenant")
        .why(format!("tags of store {instance} are on {}{more}", shown.join(", ")))
        .help(
            "use that store, or put its backup back: everkey store restore FILE\n\
             if it is gone for good: everkey recover; if both are meant: --new-store",
        ))
}

/// Whether nothing was ever done with it.
async fn is_empty(store: &dyn Store) -> Result<bool, Error> {
    let failed = |error| explain::store(&error);
    // One that only watches has neither slots nor integrations; it remembers what it saw.
    Ok(store.slots().await.map_err(failed)?.is_empty()
        && store.integrations().await.map_err(failed)?.is_empty()
        && store.marks("").await.map_err(failed)?.is_empty())
}

/// Names of applications with tags of other stores, by store.
async fn others(
    directory: &dyn Directory,
    store: &dyn Store,
    policies: &[Policy],
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let own = store.instance();
    let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for app in applications(directory, policies).await? {
        for (_, tag) in tags(&app) {
            let names = others.entry(tag.instance.clone()).or_default();
            if tag.instance != own && !names.contains(&app.display_name) {
                names.push(app.display_name.clone());
            }
        }
    }
    others.retain(|_, names| !names.is_empty());
    others.values_mut().for_each(|names| names.sort());
    Ok(others)
}

/// All applications; where the list is denied, those that the policies adopt.
async fn applications(directory: &dyn Directory, policies: &[Policy]) -> Result<Vec<AppObserved>, Error> {
    let failed = |error: PortError| explain::explain(&error, "look for another everkey's tags");
    match directory.applications().await {
        Ok(all) => return Ok(all),
        Err(PortError::Denied(_)) => {}
        Err(error) => return Err(failed(error)),
    }
    let mut found = Vec::new();
    for client_id in policies.iter().filter_map(|policy| policy.app.client_id.as_ref()) {
        if let Some(app) = directory.find_application(client_id).await.map_err(failed)? {
            found.push(directory.application(&app.object_id).await.map_err(failed)?.value);
        }
    }
    Ok(found)
}

pub fn tags(app: &AppObserved) -> impl Iterator<Item = (&KeyId, Tag)> {
    let secrets = app.secrets.iter().map(|entry| (&entry.key_id, entry.display_name.as_deref()));
    let certificates = app.certificates.iter().map(|entry| (&entry.key_id, entry.display_name.as_deref()));
    secrets.chain(certificates).filter_map(|(key_id, name)| Some((key_id, tag::parse(name?)?)))
}

/// A credential in Entra with this store's tag that the journal does not know.
pub struct Stray {
    /// The application.
    pub application: String,
    /// Its key id.
    pub key_id: KeyId,
    /// Its tag.
    pub tag: Tag,
}

/// All strays of the tenant.
///
/// # Errors
/// When the tenant cannot be listed.
pub async fn strays(directory: &dyn Directory, store: &dyn Store) -> Result<Vec<Stray>, Error> {
    let own = store.instance();
    let all = directory.applications().await.map_err(|error| explain::explain(&error, "list the applications"))?;
    let mut strays = Vec::new();
    for app in &all {
        for (key_id, tag) in tags(app).filter(|(_, tag)| tag.instance == own) {
            let rotation = store.rotation(tag.rotation).await.map_err(|error| explain::store(&error))?;
            let is_known = rotation.is_some_and(|r| r.attempts.iter().any(|attempt| attempt.number == tag.attempt));
            if !is_known {
                strays.push(Stray { application: app.display_name.clone(), key_id: key_id.clone(), tag });
            }
        }
    }
    Ok(strays)
}
