//! `everkey store copy` and `store claim`: the store moves to another database, and which one is the live one.

use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;

use serde_json::json;

use super::OK;
use super::args::ClaimArgs;
use super::args::CopyArgs;
use super::ask;
use super::output::Output;
use super::progress::Display;
use super::signals::stop_on_signal;
use super::store::now;
use crate::assemble;
use crate::config;
use crate::config::Settings;
use crate::error::Error;
use crate::model::Entry;
use crate::policy::SecretSource;
use crate::ports::StoreError;
use crate::run::RunError;
use crate::run::explain;
use crate::store;
use crate::store::Care;
use crate::store::Copying;
use crate::store::Options;
use crate::store::Postgres;
use crate::store::Server;
use crate::store::Sqlite;
use crate::store::Stage;
use crate::store::Standing;

/// Copies it, compares, and makes the copy the live one.
pub async fn copy(settings: &Settings, args: &CopyArgs, out: &Output) -> Result<u8, Error> {
    let failed = |error: StoreError| explain::store(&error);
    let from = assemble::care(settings).await?;
    let to = target(settings, args).await?;
    let (user, holder) = (config::os_user(), config::holder());
    let display = Display::new(out, false);
    let progress = |stage: Stage<'_>| match stage {
        Stage::Copying(table, rows) => display.wait(&format!("copying {table}: {rows} rows")),
        Stage::Comparing => display.wait("comparing, row for row"),
        Stage::Switching => display.wait("making the copy the live one"),
    };
    let copied = store::copy(Copying {
        from: from.as_ref(),
        to: to.as_ref(),
        id: uuid::Uuid::new_v4().to_string(),
        actor: &user,
        holder: &holder,
        now: now(settings).await,
        real: config::real_now(),
        progress: &progress,
    })
    .await;
    display.rest();
    let copied = copied.map_err(failed)?;
    let (source, target) = (from.place(), to.place());
    if copied.resumed {
        out.say("An earlier copy was stopped on its way; it is finished now.");
    }
    out.print(&format!(
        "Moved {} entries of history and {} sealed values from {source} to {target}, compared row for row.\n",
        copied.entries, copied.sealed
    ));
    out.print(&format!(
        "Out of use from now on: {source}. It is kept as it was; every command on it says where it went.\n"
    ));
    out.print(&format!("Now set in everkey.toml:\n{}", lines(args)));
    out.document(&json!({
        "schema": "everkey.store-copy/v1", "from": source, "to": target, "resumed": copied.resumed,
        "entries": copied.entries, "head": copied.head, "sealed": copied.sealed, "rows": copied.rows,
    }));
    Ok(OK)
}

/// What the configuration says from now on.
fn lines(args: &CopyArgs) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name} = {}", toml::Value::from(value));
    };
    match file(&args.to) {
        Some(path) => line("store", &format!("sqlite://{}", absolute(path).display())),
        None => line("store", &args.to),
    }
    if let Some(path) = &args.to_password_file {
        line("store_password_file", &absolute(path).display().to_string());
    }
    if let Some(name) = &args.to_password_env {
        line("store_password_env", name);
    }
    text
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The path of `sqlite:…`.
fn file(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    (!path.is_empty() && !path.contains('?')).then_some(Path::new(path))
}

async fn target(settings: &Settings, args: &CopyArgs) -> Result<Box<dyn Care>, Error> {
    let failed = |error: StoreError| explain::store(&error);
    let seal = assemble::seal_key(settings)?;
    if let Some(path) = file(&args.to) {
        let options = Options { any_standing: true, ..Options::default() };
        return Ok(Box::new(Sqlite::open(path, seal, options).await.map_err(failed)?));
    }
    let address = |why: &str| failed(StoreError::Address(why.to_owned()));
    let Some((_, rest)) = args.to.split_once("://").filter(|(scheme, _)| scheme.starts_with("postgres")) else {
        return Err(address("--to is neither sqlite:///… nor postgres://USER@HOST/DATABASE"));
    };
    let user = rest.split(['/', '?']).next().and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    if user.is_some_and(|user| user.contains(':')) || rest.contains("password=") {
        return Err(address("--to holds a password, which others can see: use --to-password-file"));
    }
    let source = match (&args.to_password_file, &args.to_password_env) {
        (Some(path), _) => Some(SecretSource::File(path.clone())),
        (None, Some(name)) => Some(SecretSource::Environment(name.clone())),
        (None, None) => None,
    };
    let password = source.map(|source| config::secret(&source, "the password of the new place")).transpose()?;
    let server = Server::new(&args.to, password.as_ref()).map_err(failed)?;
    Ok(Box::new(Postgres::open_any(&server, seal).await.map_err(failed)?))
}

/// Makes the store that the configuration names the live one, on a person's word.
pub async fn claim(settings: &Settings, args: &ClaimArgs, out: &Output) -> Result<u8, Error> {
    let failed = |error: StoreError| explain::store(&error);
    let store = assemble::care(settings).await?;
    let found = store.examined().await.map_err(failed)?;
    let (standing, place) = (store.standing().await.map_err(failed)?, store.place());
    let (was, other) = match &standing {
        Standing::Moved(to) => ("moved", format!("It moved to {} on {}.", to.place, to.at.strftime("%Y-%m-%d"))),
        Standing::Arriving(from) => ("arriving", format!("It is a copy of {} that was not finished.", from.place)),
        Standing::Live(_) => {
            ("live", "It is the live one; claim it when it was put back from an older state.".to_owned())
        }
    };
    out.print(&format!(
        "{place}: store {}, {} entries of history. {other}\nClaimed, it is the live one, and {} numbers are left out. No other \
         database may be in use as this store: everything would be rotated twice.\n",
        store.instance(),
        found.entries,
        store::SKIPPED
    ));
    if !args.yes {
        let (_, woken) = stop_on_signal();
        ask::confirm(out, "Is no other one in use?", &woken).await.map_err(RunError::into_error)?;
    }
    if !found.is_sound() {
        return Err(failed(StoreError::Failed(format!("{place} is not sound: see `everkey store check`"))));
    }
    let user = config::os_user();
    let fence = store.acquire(&config::holder(), config::real_now()).await.map_err(failed)?;
    let entry = Entry {
        integration: None,
        rotation: None,
        kind: "store".to_owned(),
        text: format!("claimed as the live store; {} numbers are left out", store::SKIPPED),
        body: json!({"event": "store-claimed", "was": standing_json(&standing), "os_user": user}),
    };
    let claimed = store.claim(fence, store::SKIPPED, now(settings).await, &user, &entry).await;
    let released = store.release(fence).await;
    claimed.map_err(failed)?;
    released.map_err(failed)?;
    out.print("Claimed. Look before it goes on: everkey plan\n");
    out.document(&json!({
        "schema": "everkey.store-claim/v1", "store": place, "instance": store.instance(), "was": was,
        "skipped": store::SKIPPED,
    }));
    Ok(OK)
}

fn standing_json(standing: &Standing) -> serde_json::Value {
    match standing {
        Standing::Arriving(from) => json!({"arriving": from}),
        Standing::Live(from) => json!({"live": from}),
        Standing::Moved(to) => json!({"moved": to}),
    }
}
