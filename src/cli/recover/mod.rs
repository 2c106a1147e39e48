//! `everkey recover`: the store or its seal key is lost. Lists what carries the tags of the lost store, and for each
//! integration that a person confirms adopts that and makes a new credential beside it. Nothing is removed here: what was
//! adopted leaves by its own rules (`rotation.md` I5).

mod found;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::OK;
use crate::cli::apply::Job;
use crate::cli::args::Cli;
use crate::cli::args::Form;
use crate::cli::args::RecoverArgs;
use crate::cli::ask;
use crate::cli::context::Context;
use crate::cli::guard;
use crate::cli::output::Output;
use crate::cli::output::count;
use crate::cli::signals::stop_on_signal;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::model::Adoption;
use crate::model::CredentialStatus;
use crate::model::Entry;
use crate::model::IntegrationName;
use crate::model::IntegrationRecord;
use crate::policy::Mode;
use crate::policy::Policy;
use crate::policy::StoreUrl;
use crate::ports::Commit;
use crate::ports::Mark;
use crate::run::Pace;
use crate::run::RunError;
use crate::run::explain;
use crate::store;

use found::Remains;

/// Code, title, explanation, what to do; as [`crate::run::codes::CODES`].
pub const CODES: &[(&str, &str, &str, &str)] = &[
    (
        "U080",
        "nothing to recover there",
        "`recover` was given the name of an integration on whose application nothing of the lost store was found.",
        "See what was found: everkey recover",
    ),
    (
        "U081",
        "tags of several stores",
        "Applications of the policies carry tags of more than one other store. One of them may still be at work: what it made \
         must be left to it.",
        "Name the one that is lost: everkey recover --lost STORE",
    ),
    (
        "U082",
        "the store is not lost",
        "The store opens with the seal key that is configured: there is nothing to set aside.",
        "Leave out --key-lost.",
    ),
    (
        "R090",
        "the application cannot be told for certain",
        "The policy names no app_id, and more than one application may be the one that the lost store managed.",
        "Write its client id into the policy: app_id = \"…\"; then run `everkey recover` again.",
    ),
    (
        "R091",
        "the store is in a database",
        "A store in PostgreSQL whose seal key is lost is not set aside by everkey.",
        "Name a new, empty database in `store`, and run `everkey recover` again.",
    ),
];

/// No store comes to more rotations; a tag with a greater number is somebody's joke.
const MOST_SKIPPED: u64 = 10_000;

/// Runs it.
pub async fn run(cli: &Cli, args: &RecoverArgs, out: &Output) -> Result<u8, Error> {
    if args.key_lost {
        set_aside(cli).await?;
    }
    let context = Context::open(cli).await?;
    let policies = context.only(&args.names)?;
    let (mut all, unclear) = found::gather(&context, &policies).await?;
    let lost = lost_ones(args, &all)?;
    for one in &mut all {
        let before = one.tagged.len();
        one.tagged.retain(|(_, tag)| lost.contains(&tag.instance));
        one.others += before - one.tagged.len();
    }
    let again = interrupted(&context, args, &all).await?;
    all.retain(|one| !one.tagged.is_empty() || again.contains(&one.policy.name));
    if all.is_empty() && args.confirm.is_empty() {
        out.print("Nothing to recover: no application of the policies carries the tag of another store.\n");
        found::tell_unclear(&unclear, out);
        out.document(&found::document(&context, &lost, &[], &unclear, &BTreeMap::new()));
        return Ok(OK);
    }
    let used = found::last_used(&context).await;
    for name in &args.confirm {
        if !all.iter().any(|one| one.policy.name.as_str() == name) {
            return Err(Error::new(Class::Usage, "U080", format!("nothing of a lost store was found for {name:?}"))
                .help("see what was found: everkey recover"));
        }
    }
    let now = context.assembled.ports.clock.now();
    if args.confirm.is_empty() {
        out.print(&found::list(&all, &used, now));
        found::tell_unclear(&unclear, out);
        if !out.is_interactive() || out.form() != Form::Table {
            out.print("\nNothing was changed. One by one: everkey recover --confirm NAME\n");
            out.document(&found::document(&context, &lost, &all, &unclear, &used));
            return Ok(OK);
        }
        return one_by_one(&context, args, &all, out).await;
    }
    let chosen: Vec<&Remains> =
        all.iter().filter(|one| args.confirm.iter().any(|name| one.policy.name.as_str() == name)).collect();
    begin(&context, args, &chosen, out).await
}

/// Of those to be recovered: what an earlier run adopted everything of, and did not replace yet.
async fn interrupted(context: &Context, args: &RecoverArgs, all: &[Remains]) -> Result<Vec<IntegrationName>, Error> {
    let own = context.assembled.ports.store.credentials(None).await.map_err(|error| explain::store(&error))?;
    let is_replaced = |name: &IntegrationName| {
        own.iter().any(|own| own.integration == *name && own.status == CredentialStatus::Current)
    };
    let named = |one: &&Remains| args.confirm.iter().any(|name| one.policy.name.as_str() == name);
    let begun = all.iter().filter(named).filter(|one| one.tagged.is_empty() && one.is_begun);
    Ok(begun.map(|one| one.policy.name.clone()).filter(|name| !is_replaced(name)).collect())
}

/// Asks for each by its name.
async fn one_by_one(context: &Context, args: &RecoverArgs, all: &[Remains], out: &Output) -> Result<u8, Error> {
    let mut worst = OK;
    for one in all {
        let name = one.policy.name.as_str();
        let (_, woken) = stop_on_signal();
        let question = format!("\nType {name} to adopt and rotate it, or Enter to leave it: ");
        if ask::answer(&question, &woken).await.map_err(RunError::into_error)? == name {
            worst = worst.max(begin(context, args, &[one], out).await?);
        } else {
            out.say(&format!("{name} is left as it is."));
        }
    }
    Ok(worst)
}

/// Adopts what is left of `chosen`, and makes a new credential beside it.
async fn begin(context: &Context, args: &RecoverArgs, chosen: &[&Remains], out: &Output) -> Result<u8, Error> {
    if let Some(one) = chosen.iter().find(|one| one.policy.mode != Mode::Rotate) {
        let name = &one.policy.name;
        return Err(Error::new(Class::Failed, "R043", format!("{name} is not rotated: its mode is not \"rotate\""))
            .why("everkey changes nothing in Entra for it")
            .help(format!("let it: everkey enable {name}")));
    }
    guard::recovering(context).await?;
    let failed = |error| explain::store(&error);
    let store = &context.assembled.ports.store;
    let fence = store.acquire(&config::holder(), config::real_now()).await.map_err(failed)?;
    // Places remember the number of what they hold, and take nothing older: the new numbers go on from the lost ones.
    let numbers = chosen.iter().flat_map(|one| &one.tagged).map(|(_, tag)| tag.rotation.0);
    let last = numbers.filter(|number| *number <= MOST_SKIPPED).max().unwrap_or(0);
    while last > 0 && store.next_rotation(fence).await.map_err(failed)?.0 < last {}
    let committed = store.commit(fence, adoption(context, args, chosen)).await.map_err(failed);
    store.release(fence).await.map_err(failed)?;
    committed?;
    for one in chosen.iter().filter(|one| !one.tagged.is_empty()) {
        let what = count(one.tagged.len(), "credential", "credentials");
        out.say(&format!("Adopted {what} of {}: they keep working, and leave by their own rules.", one.policy.name));
    }
    let policies: Vec<Policy> = chosen.iter().map(|one| one.policy.clone()).collect();
    let asked: Vec<IntegrationName> = policies.iter().map(|policy| policy.name.clone()).collect();
    let job = Job {
        out,
        policies: &policies,
        asked: &asked,
        yes: true,
        max_changes: None,
        pace: Pace::Now,
        command: "recover",
    };
    job.run(context, None).await
}

/// The records of the applications, ADOPT {keyId, who, when} for each credential, and the history's word.
fn adoption(context: &Context, args: &RecoverArgs, chosen: &[&Remains]) -> Commit {
    let user = config::os_user();
    let by = args.by.clone().unwrap_or_else(|| user.clone());
    let now = context.assembled.ports.clock.now();
    let mut commit = Commit::new(now, by.clone());
    for one in chosen {
        let name = &one.policy.name;
        commit.integrations.push(IntegrationRecord { name: name.clone(), app: one.app.clone(), consented: None });
        for (listed, tag) in &one.tagged {
            let adoption = Adoption {
                key_id: listed.key_id.clone(),
                by: by.clone(),
                os_user: user.clone(),
                at: now,
                integration: name.clone(),
                credential: listed.kind,
                end: listed.end,
                thumbprint: listed.thumbprint.clone(),
                hint: listed.hint.clone(),
                slot: None,
            };
            let body = serde_json::to_value(&adoption).unwrap_or_default();
            let record = Adoption::record(&one.app.object_id, &listed.key_id);
            commit.marks.push(Mark { name: record, body: Some(body.to_string()) });
            commit.entries.push(Entry {
                integration: Some(name.clone()),
                rotation: None,
                kind: "adopt".into(),
                text: format!(
                    "adopted {} {} of the lost store {} ({}), to {}",
                    listed.kind.word(),
                    listed.key_id,
                    tag.instance,
                    tag.rotation,
                    listed.end.strftime("%Y-%m-%d")
                ),
                body,
            });
        }
    }
    commit
}

/// The stores whose tags these are: those that were named, or the only one.
fn lost_ones(args: &RecoverArgs, all: &[Remains]) -> Result<Vec<String>, Error> {
    if !args.lost.is_empty() {
        return Ok(args.lost.clone());
    }
    let instances: BTreeSet<String> =
        all.iter().flat_map(|one| one.tagged.iter().map(|(_, tag)| tag.instance.clone())).collect();
    let instances: Vec<String> = instances.into_iter().collect();
    if instances.len() > 1 {
        return Err(Error::new(Class::Usage, "U081", format!("tags of several stores: {}", instances.join(", ")))
            .why("one of them may still be at work")
            .help("name the one that is lost: everkey recover --lost STORE (again for more)"));
    }
    Ok(instances)
}

/// Sets a store aside that nobody can open any more.
async fn set_aside(cli: &Cli) -> Result<(), Error> {
    let global = &cli.global;
    let settings = config::load(&global.config, global.policy.as_deref(), global.tenant.as_deref())?;
    let StoreUrl::Sqlite(path) = &settings.tool.store else {
        return Err(Error::new(Class::Config, "R091", "the store is in a database, and everkey does not set it aside")
            .help("name a new, empty database in `store`, and run `everkey recover` without --key-lost"));
    };
    match crate::assemble::care(&settings).await {
        Err(error) if error.code == "T016" && path.exists() => {}
        Err(error) => return Err(error),
        Ok(_) => {
            return Err(Error::new(Class::Usage, "U082", "the store opens with this seal key: it is not lost")
                .help("leave out --key-lost"));
        }
    }
    // A key that cannot be read opens no store, and could seal no new one.
    crate::assemble::seal_key(&settings)?;
    let kept = store::set_aside(path, &config::holder(), config::real_now()).map_err(|error| explain::store(&error))?;
    crate::cli::output::note(&format!("The store that cannot be opened is kept as {}", kept.display()));
    Ok(())
}
