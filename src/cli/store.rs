//! `everkey store`: check, backup, restore, reseal; `moving` has copy and claim.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::StoreArgs;
use super::args::StoreCommand;
use super::guard;
use super::moving;
use super::output::Output;
use crate::assemble;
use crate::config;
use crate::config::Settings;
use crate::error::Class;
use crate::error::Error;
use crate::model::Entry;
use crate::policy::SecretSource;
use crate::ports::StoreError;
use crate::run::explain;
use crate::store;
use crate::store::Options;
use crate::store::Restoring;
use crate::store::SealKey;
use crate::store::Sqlite;

/// A store that is missing is said to be missing, and not made.
const EXISTING: fn() -> Options = || Options { create: false, ..Options::default() };

/// Runs it.
pub async fn run(cli: &Cli, args: &StoreArgs, out: &Output) -> Result<u8, Error> {
    let settings = config::load(&cli.global.config, cli.global.policy.as_deref(), cli.global.tenant.as_deref())?;
    match &args.command {
        StoreCommand::Check => check(&settings, out).await,
        StoreCommand::Backup { file } => backup(&settings, file, out).await,
        StoreCommand::Restore { file, force } => restore(&settings, file, *force, out).await,
        StoreCommand::Copy(args) => moving::copy(&settings, args, out).await,
        StoreCommand::Claim(args) => moving::claim(&settings, args, out).await,
        StoreCommand::Reseal { new_key } => reseal(&settings, new_key, out).await,
    }
}

/// One line of an examination.
struct Line {
    id: &'static str,
    ok: bool,
    text: String,
}

async fn check(settings: &Settings, out: &Output) -> Result<u8, Error> {
    let failed = |error: StoreError| explain::store(&error);
    let store = assemble::care(settings).await?;
    let (found, instance, place) = (store.examined().await.map_err(failed)?, store.instance(), store.place());
    let standing = store.standing().await.map_err(failed)?;
    let mut lines = vec![
        Line {
            id: "database",
            ok: found.damage.is_empty(),
            text: match found.damage.first() {
                None => format!("{} bytes, intact", found.bytes),
                Some(first) => format!("{} problem(s): {first}", found.damage.len()),
            },
        },
        Line {
            id: "history",
            ok: found.broken_at.is_none(),
            text: match found.broken_at {
                None => format!("{} entries, head sha256:{}", found.entries, found.head),
                Some(seq) => format!("breaks at entry {seq} of {}", found.entries),
            },
        },
        Line {
            id: "seals",
            ok: found.unopened.is_empty(),
            text: match found.unopened.as_slice() {
                [] => format!("{} sealed values, all open", found.sealed),
                [first, ..] => format!("{} of {} do not open, the first {first}", found.unopened.len(), found.sealed),
            },
        },
    ];
    lines.extend(rights(settings));
    for line in &lines {
        out.print(&format!("{}  {:<10} {}\n", if line.ok { "ok  " } else { "FAIL" }, line.id, line.text));
    }
    let sound = lines.iter().all(|line| line.ok);
    let items: Vec<_> = lines
        .iter()
        .map(|line| json!({"id": line.id, "status": if line.ok { "ok" } else { "fail" }, "text": line.text}))
        .collect();
    out.document(&json!({
        "schema": "everkey.store-check/v1", "sound": sound, "store": place, "instance": instance, "live": standing.live().is_ok(),
        "entries": found.entries, "head": found.head, "sealed": found.sealed, "items": items,
    }));
    if sound {
        return standing.live().map(|()| OK).map_err(failed);
    }
    Err(Error::new(Class::Failed, "T017", "the store is not sound")
        .why(lines.iter().filter(|line| !line.ok).map(|line| line.id).collect::<Vec<_>>().join(", "))
        .help("put a backup back: everkey store restore FILE"))
}

/// Who else may read its files, or those of its key.
fn rights(settings: &Settings) -> Vec<Line> {
    let mut files: Vec<PathBuf> = Vec::new();
    let path = assemble::store_path(settings).ok();
    for (path, ending) in path.into_iter().flat_map(|path| ["", "-wal", "-shm"].map(|ending| (path, ending))) {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        files.push(name.into());
    }
    let sources = [settings.tool.seal.as_ref().map(|seal| &seal.key), settings.tool.store_password.as_ref()];
    for source in sources.into_iter().flatten() {
        if let SecretSource::File(file) = source {
            files.push(file.clone());
        }
    }
    let open: Vec<String> = files
        .iter()
        .filter_map(|file| Some((file, std::fs::metadata(file).ok()?.mode() & 0o777)))
        .filter(|(_, mode)| mode & 0o077 != 0)
        .map(|(file, mode)| format!("{} has mode {mode:04o}", file.display()))
        .collect();
    vec![Line {
        id: "rights",
        ok: open.is_empty(),
        text: if open.is_empty() { "open to its owner alone".to_owned() } else { open.join(", ") },
    }]
}

async fn backup(settings: &Settings, file: &Path, out: &Output) -> Result<u8, Error> {
    let store = assemble::open_store(settings, EXISTING()).await?;
    store.copy_to(file).await.map_err(|error| {
        Error::new(Class::Failed, "F010", format!("cannot write the backup {}", file.display()))
            .why(error)
            .help("name a new file on a disk with room; existing files are never overwritten")
    })?;
    // The copy itself is read, not what it was made from.
    let copy = opened_backup(settings, file).await?;
    let found = copy.examine().await.map_err(|error| explain::store(&error))?;
    copy.close().await;
    if !found.is_sound() {
        return Err(Error::new(Class::Failed, "T017", format!("the backup {} is not sound", file.display()))
            .help("so is the store, most likely: everkey store check"));
    }
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let entry = Entry {
        integration: None,
        rotation: None,
        kind: "store".to_owned(),
        text: format!("backed up as {name}, {} entries", found.entries),
        body: json!({"event": "store-backed-up", "entries": found.entries, "head": found.head, "by": by()}),
    };
    store.note(now(settings).await, &config::os_user(), &entry).await.map_err(|error| explain::store(&error))?;
    out.print(&format!(
        "Wrote {} (mode 0600): {} entries, {} sealed values, head sha256:{}\n",
        file.display(),
        found.entries,
        found.sealed,
        found.head
    ));
    out.say("It opens with the present seal key only: keep that elsewhere.");
    out.document(&json!({
        "schema": "everkey.store-backup/v1", "file": file, "entries": found.entries, "head": found.head,
        "sealed": found.sealed, "bytes": found.bytes,
    }));
    Ok(OK)
}

async fn opened_backup(settings: &Settings, file: &Path) -> Result<Sqlite, Error> {
    Sqlite::open(file, assemble::seal_key(settings)?, EXISTING()).await.map_err(|error| explain::store(&error))
}

async fn restore(settings: &Settings, file: &Path, force: bool, out: &Output) -> Result<u8, Error> {
    let path = assemble::store_path(settings)?;
    // Told with its own code before anything is looked at.
    assemble::seal_key(settings)?;
    let key = || assemble::seal_key(settings).map_err(|error| StoreError::Key(error.what));
    let user = config::os_user();
    let holder = config::holder();
    let restoring =
        Restoring { from: file, to: path, key: &key, force, actor: &user, holder: &holder, now: now(settings).await };
    let restored = store::restore(restoring).await.map_err(|error| explain::store(&error))?;
    out.print(&format!("Restored {} from {}: {} entries.\n", path.display(), file.display(), restored.entries));
    if let Some(kept) = &restored.kept {
        out.print(&format!("The store before it is kept as {}\n", kept.display()));
    }
    for own in &restored.forgotten {
        out.print(&format!(
            "Made after this backup: {} {} of {}, to {}. Its value is in the store that was kept.\n",
            own.word, own.key_id, own.integration, own.end
        ));
    }
    let strays = sweepable(settings).await;
    match &strays {
        Ok(strays) if strays.is_empty() => {
            out.print("Entra shows no credential of this store that the backup does not know.\n");
        }
        Ok(strays) => {
            out.print("In Entra, with this store's tag, and unknown to the backup. everkey will not touch them; when nobody\nuses them, remove them by hand:\n");
            for stray in strays {
                out.print(&format!("  {}  key id {}  ({})\n", stray.application, stray.key_id, stray.tag.rotation));
            }
        }
        Err(error) => out.print(&format!(
            "Entra could not be looked at ({}): `everkey doctor` tells later what the backup does not know.\n",
            error.what
        )),
    }
    let strays = strays.ok();
    out.document(&json!({
        "schema": "everkey.store-restore/v1", "store": path, "entries": restored.entries, "kept": restored.kept,
        "forgotten": restored.forgotten.iter().map(|own| json!({
            "integration": own.integration, "key_id": own.key_id, "not_after": own.end,
        })).collect::<Vec<_>>(),
        "unknown_in_entra": strays.map(|strays| strays.iter().map(|stray| json!({
            "application": stray.application, "key_id": stray.key_id, "rotation": stray.tag.rotation,
        })).collect::<Vec<_>>()),
    }));
    Ok(OK)
}

async fn sweepable(settings: &Settings) -> Result<Vec<guard::Stray>, Error> {
    let assembled = assemble::assemble_with(settings, None, crate::graph::Patience::NONE).await?;
    guard::strays(assembled.ports.directory.as_ref(), assembled.ports.store.as_ref()).await
}

async fn reseal(settings: &Settings, new_key: &Path, out: &Output) -> Result<u8, Error> {
    let given = config::secret(&SecretSource::File(new_key.to_path_buf()), "the new seal key")?;
    let new = SealKey::read(given).map_err(|error| explain::store(&error))?;
    let store = match assemble::care(settings).await {
        Ok(store) => store,
        // Killed after the commit: the store belongs to the new key already, and only the configuration is behind.
        Err(error) if error.code == "T016" => {
            let done = assemble::opens_under(settings, new).await;
            return if done { Ok(resealed(None, new_key, out)) } else { Err(error) };
        }
        Err(error) => return Err(error),
    };
    store.standing().await.and_then(|standing| standing.live()).map_err(|error| explain::store(&error))?;
    if store.is_sealed_under(&new) {
        return Ok(resealed(None, new_key, out));
    }
    let at = now(settings).await;
    let fence = store.acquire(&config::holder(), config::real_now()).await.map_err(|error| explain::store(&error))?;
    let entry = Entry {
        integration: None,
        rotation: None,
        kind: "store".to_owned(),
        text: format!("sealed under the new key {}", new.id()),
        body: json!({"event": "store-resealed", "key": new.id(), "by": by()}),
    };
    let sealed = store.reseal(fence, &new, at, &config::os_user(), &entry).await;
    let released = store.release(fence).await;
    let sealed = sealed.map_err(|error| explain::store(&error))?;
    released.map_err(|error| explain::store(&error))?;
    Ok(resealed(Some(sealed), new_key, out))
}

fn resealed(sealed: Option<usize>, new_key: &Path, out: &Output) -> u8 {
    match sealed {
        Some(sealed) => out.print(&format!("{sealed} sealed values are under the new key.\n")),
        None => out.print("The store is under that key already; nothing was to be done.\n"),
    }
    let new_key = std::path::absolute(new_key).unwrap_or_else(|_| new_key.to_path_buf());
    let quoted = toml::Value::from(new_key.display().to_string());
    out.print(&format!("Now set in everkey.toml:\n  [seal]\n  key_file = {quoted}\n"));
    out.say("Keep the former key as long as backups from before: they open with it alone.");
    out.document(&json!({"schema": "everkey.store-reseal/v1", "resealed": sealed, "key_file": new_key}));
    OK
}

/// The operating system vouches for this name.
fn by() -> serde_json::Value {
    json!({"claim": "os-user", "os_user": config::os_user()})
}

/// The tenant's time: an emulator's where it answers.
pub(super) async fn now(settings: &Settings) -> Timestamp {
    assemble::time(settings).await.unwrap_or_else(|_| config::real_now())
}
