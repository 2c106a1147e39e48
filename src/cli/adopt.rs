//! `everkey adopt`: a policy file for an application that is there already. Changes nothing in Entra; the key ids that
//! somebody adopts are recorded with their name (`rotation.md` I5).

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::OK;
use super::adopted::Adopted;
use super::args::AdoptArgs;
use super::args::Cli;
use super::output::Output;
use super::output::clean;
use super::policy_file;
use super::reader;
use super::reader::Known;
use super::reader::Reader;
use crate::assemble;
use crate::config;
use crate::config::Settings;
use crate::error::Class;
use crate::error::Error;
use crate::model::Adoption;
use crate::model::ClientId;
use crate::model::Entry;
use crate::model::Holder;
use crate::model::HolderKind;
use crate::model::ListedKind;
use crate::model::Removal;
use crate::policy::permissions::is_guid;
use crate::policy::suggest;
use crate::ports::Commit;
use crate::ports::Mark;
use crate::run::explain;
use crate::run::inventory;

/// Runs it.
pub async fn run(cli: &Cli, args: &AdoptArgs, out: &Output) -> Result<u8, Error> {
    if let Some(key_id) = &args.take_back {
        return take_back(cli, args, key_id, out).await;
    }
    let expiring = args.expiring.as_deref().map(super::rows::duration).transpose()?;
    let settings = reader::settings(cli)?;
    let reader = Reader::open(cli, &args.place).await?;
    // Without knowing what has a policy, a second one could be written.
    let known = reader.known.as_ref().map_err(Clone::clone)?;
    let taken = inventory::take(reader.directory.as_ref(), &mut ()).await;
    let taken = taken.map_err(|error| explain::explain(&error, "read the applications of the tenant"))?;
    let now = taken.date.unwrap_or_else(|| reader.clock.now());
    let job =
        Job { args, settings: settings.as_ref(), reader: &reader, known, policies: cli.global.policy.clone(), now };
    let chosen = match &args.name {
        Some(name) => vec![job.named(name, &taken.holders).await?],
        None => {
            let ends = |holder: &Holder| {
                expiring.is_none_or(|within| holder.listed().iter().any(|one| one.end.duration_since(now) <= within))
            };
            let free = |holder: &&Holder| holder.kind == HolderKind::Application && job.is_free(&holder.client_id);
            taken.holders.iter().filter(free).filter(|holder| ends(holder)).cloned().collect()
        }
    };
    let (mut results, mut refused) = (Vec::new(), None);
    for holder in &chosen {
        match job.adopt(holder, out).await {
            Ok(document) => results.push(document),
            // By name there is one, and its error is the command's.
            Err(error) if args.name.is_some() => return Err(error),
            Err(error) => {
                out.say(&format!(
                    "not adopted: {} ({}): {}",
                    clean(&holder.display_name),
                    holder.client_id,
                    error.what
                ));
                results
                    .push(json!({"application": holder.display_name, "client_id": holder.client_id, "error": error}));
                refused = Some(error);
            }
        }
    }
    let done = results.iter().filter(|result| result["file"].is_string()).count();
    match (done, &args.name) {
        (0, None) => out.print("Nothing to adopt.\n"),
        (_, None) => out.print(&format!("{done} of {} adopted.\n", chosen.len())),
        _ => {}
    }
    if done > 0 {
        out.say("`everkey plan` shows no change until you fill them in.");
    }
    out.document(&json!({"schema": "everkey.adopt/v1", "tenant": reader.tenant, "results": results}));
    Ok(if refused.is_some() { Class::Partly.exit_code() } else { OK })
}

struct Job<'a> {
    args: &'a AdoptArgs,
    settings: Option<&'a Settings>,
    reader: &'a Reader,
    known: &'a Known,
    policies: Option<PathBuf>,
    now: Timestamp,
}

impl Job<'_> {
    /// Neither everkey's own application nor one that has a policy.
    fn is_free(&self, client_id: &ClientId) -> bool {
        let own = self.settings.and_then(|settings| settings.tenant.client_id.as_ref()) == Some(client_id);
        !own && !self.known.clients.contains_key(client_id)
    }

    /// The application that `name` means: a client id, or the one that is called so.
    async fn named(&self, name: &str, holders: &[Holder]) -> Result<Holder, Error> {
        let applications = || holders.iter().filter(|holder| holder.kind == HolderKind::Application);
        let means = |holder: &&Holder| holder.client_id.as_str().eq_ignore_ascii_case(name);
        let called = |holder: &&Holder| holder.display_name.to_lowercase() == name.to_lowercase();
        let mut found: Vec<&Holder> = applications().filter(means).collect();
        if found.is_empty() {
            found = applications().filter(called).collect();
        }
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] if is_guid(name) => self.without_credentials(name).await,
            [] => {
                let names = applications().map(|holder| holder.display_name.as_str());
                let near = suggest::did_you_mean(name, names).unwrap_or_else(|| "see `everkey inventory`".to_owned());
                Err(Error::new(Class::Usage, "U031", format!("no application with credentials is called {name:?}"))
                    .help(near))
            }
            several => {
                let ids: Vec<&str> = several.iter().map(|holder| holder.client_id.as_str()).collect();
                Err(Error::new(Class::Usage, "U032", format!("{} applications are called {name:?}", several.len()))
                    .help(format!("name one by its client id: {}", ids.join(", "))))
            }
        }
    }

    /// One that the inventory does not keep, because it holds nothing yet.
    async fn without_credentials(&self, id: &str) -> Result<Holder, Error> {
        let client_id = ClientId(id.to_ascii_lowercase());
        let explained = |error| explain::explain(&error, "read the application");
        let directory = &self.reader.directory;
        let app = directory.find_application(&client_id).await.map_err(explained)?;
        let holder = match &app {
            Some(app) => directory.holder(HolderKind::Application, &app.object_id).await.map_err(explained)?,
            None => None,
        };
        holder.ok_or_else(|| {
            Error::new(Class::Usage, "U031", format!("no application of this tenant has the client id {id}"))
                .help("of others' applications only the service principal is here: see `everkey inventory`, WHERE sp")
        })
    }

    async fn adopt(&self, holder: &Holder, out: &Output) -> Result<Value, Error> {
        if let Some(policy) = self.known.clients.get(&holder.client_id) {
            return Err(Error::new(
                Class::Usage,
                "U033",
                format!("{:?} has a policy already: {policy}", clean(&holder.display_name)),
            )
            .help(format!("everkey plan --only {policy}")));
        }
        let read = self.reader.directory.application(&holder.object_id).await;
        let app = read.map_err(|error| explain::explain(&error, "read the application"))?.value;
        let dir = policy_file::directory(self.args.out.as_deref(), self.settings, self.policies.as_deref());
        let mut name = policy_file::slug(&holder.display_name);
        // Many applications may share a name; the first one gets it.
        if self.args.all && dir.join(format!("{name}.toml")).exists() {
            name = format!("{}-{:.6}", name.chars().take(50).collect::<String>(), holder.client_id.as_str());
        }
        let path = dir.join(format!("{name}.toml"));
        let adopted = Adopted {
            name: &name,
            holder,
            app: &app,
            tenant: self.settings.map(|settings| settings.tenant_name.as_str()),
            owner: self.args.owner.as_deref().or(holder.owner_mail()),
            pm: self.args.pm.as_deref(),
            now: self.now,
        };
        policy_file::check(&path, &adopted.text(), self.settings)?;
        // The record first: one without a file does nothing, and adopting again writes it again.
        let recorded = self.record(&adopted).await?;
        policy_file::write(&path, &adopted.text(), self.settings)?;
        out.print(&format!("Wrote {} (3 lines marked TODO: impact, deliver, people.vendor).\n", path.display()));
        if !recorded {
            out.say("note: without a configuration nobody is recorded as having adopted its credentials");
        }
        let key_ids: Vec<_> = adoptable(holder).map(|one| one.key_id).collect();
        Ok(json!({
            "application": holder.display_name, "client_id": holder.client_id, "policy": name, "file": path,
            "todo": ["impact", "deliver", "people.vendor"], "key_ids": key_ids, "recorded": recorded,
        }))
    }

    /// ADOPT {keyId, who, when}, with the history's word; whether there is a store to write it into.
    async fn record(&self, adopted: &Adopted<'_>) -> Result<bool, Error> {
        let Some(settings) = self.settings.filter(|settings| settings.tool.seal.is_some()) else { return Ok(false) };
        let (holder, name) = (adopted.holder, adopted.name);
        let slots = adopted.slots();
        let user = config::os_user();
        let by = self.args.by.clone().unwrap_or_else(|| user.clone());
        let failed = |error| explain::store(&error);
        let store = assemble::store(settings).await?;
        let fence = store.acquire(&config::holder(), config::real_now()).await.map_err(failed)?;
        let mut commit = Commit::new(self.now, by.clone());
        for one in adoptable(holder) {
            let slot = slots.iter().find(|(listed, _)| listed.key_id == one.key_id).and_then(|(_, slot)| slot.clone());
            let adoption = Adoption {
                key_id: one.key_id.clone(),
                by: by.clone(),
                os_user: user.clone(),
                at: self.now,
                integration: name.into(),
                credential: one.kind,
                end: one.end,
                thumbprint: one.thumbprint.clone(),
                hint: one.hint.clone(),
                slot,
            };
            let body = serde_json::to_value(&adoption).unwrap_or_default();
            let record = Adoption::record(&holder.object_id, &one.key_id);
            commit.marks.push(Mark { name: record, body: Some(body.to_string()) });
            let hint = one.hint.as_deref().map(|hint| format!(" hint {hint:?},")).unwrap_or_default();
            commit.entries.push(Entry {
                integration: Some(name.into()),
                rotation: None,
                kind: "adopt".into(),
                text: format!("adopted {} {},{hint} to {}", one.kind.word(), one.key_id, one.end.strftime("%Y-%m-%d")),
                body,
            });
        }
        let committed = store.commit(fence, commit).await.map_err(failed);
        store.release(fence).await.map_err(failed)?;
        committed.map(|()| true)
    }
}

/// What a policy can speak of: SAML certificates have no policy.
fn adoptable(holder: &Holder) -> impl Iterator<Item = crate::model::Listed> {
    holder.listed().into_iter().filter(|one| one.kind != ListedKind::Saml)
}

/// Undoes one adoption, as long as its removal is not intended (I5, D5).
async fn take_back(cli: &Cli, args: &AdoptArgs, key_id: &str, out: &Output) -> Result<u8, Error> {
    let settings = reader::settings(cli)?;
    let Some(settings) = settings.as_ref().filter(|settings| settings.tool.seal.is_some()) else {
        return Err(Error::new(Class::Usage, "U035", "without a configuration and its store nothing was adopted")
            .help("name the configuration with -C FILE"));
    };
    let failed = |error| explain::store(&error);
    let store = assemble::store(settings).await?;
    let fence = store.acquire(&config::holder(), config::real_now()).await.map_err(failed)?;
    let done = async {
        let marks = store.marks("adopt/").await.map_err(failed)?;
        let suffix = format!("/{}", key_id.to_ascii_lowercase());
        let Some(mark) = marks.into_iter().find(|mark| mark.name.ends_with(&suffix)) else {
            return Err(Error::new(Class::Usage, "U035", format!("{} is not adopted", clean(key_id)))
                .help("`everkey history` has who adopted what; `everkey plan` notes what is adopted"));
        };
        let adoption: Option<Adoption> = mark.body.as_deref().and_then(|body| serde_json::from_str(body).ok());
        let integration = adoption.map(|adoption| adoption.integration);
        let removed = |removal: &Removal| suffix.ends_with(removal.key_id.as_str());
        if let Some(name) = &integration
            && let Some(r) =
                store.rotations(name).await.map_err(failed)?.iter().find(|r| r.removals.iter().any(removed))
        {
            return Err(Error::new(Class::Failed, "U036", format!("rotation {} is removing {key_id}", r.id))
                .why("what is intended is decided: a removal that was sent may still land")
                .help(format!("everkey history show {}", r.id)));
        }
        let user = config::os_user();
        let by = args.by.clone().unwrap_or_else(|| user.clone());
        let now = config::real_now();
        let mut commit = Commit::new(now, by.clone());
        commit.marks.push(Mark { name: mark.name, body: None });
        commit.entries.push(Entry {
            integration: integration.clone(),
            rotation: None,
            kind: "adopt".into(),
            text: format!("took back {}: it is somebody else's again", key_id.to_ascii_lowercase()),
            body: json!({"by": by, "os_user": user}),
        });
        store.commit(fence, commit).await.map_err(failed)?;
        Ok(integration)
    }
    .await;
    store.release(fence).await.map_err(failed)?;
    let integration = done?;
    out.print(&format!("{} is no longer adopted: everkey leaves it alone.\n", key_id.to_ascii_lowercase()));
    out.document(&json!({
        "schema": "everkey.adopt/v1", "tenant": settings.tenant_name, "results": [],
        "taken_back": {"key_id": key_id.to_ascii_lowercase(), "policy": integration},
    }));
    Ok(OK)
}
