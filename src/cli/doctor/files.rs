//! What lies on this machine: configuration, seal key, store and its backups.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use jiff::Timestamp;

use super::Finding;
use super::Status;
use crate::assemble;
use crate::config;
use crate::config::Settings;
use crate::error::Class;
use crate::error::Error;
use crate::policy::SecretSource;
use crate::policy::StoreUrl;
use crate::ports::Store as _;
use crate::run::explain;
use crate::store::Options;

/// A backup older than this is a warning.
const STALE_BACKUP_DAYS: i64 = 7;

/// The configuration itself: who can change it can make everkey write anywhere.
pub fn configuration(path: &Path) -> Finding {
    let mode = std::fs::metadata(path).map_or(0, |found| found.mode() & 0o777);
    let text = format!("{} (mode {mode:04o})", path.display());
    if mode & 0o022 == 0 {
        return Finding::ok("config", text);
    }
    Finding::new("config", Status::Fail, format!("{text}: others can change where secrets are written"))
        .fix(format!("chmod go-w {}", path.display()))
        .docs("reference/configuration.md")
}

/// Looks at the seal key and the store.
pub async fn look(settings: &Settings, findings: &mut Vec<Finding>) {
    match &settings.tool.store {
        StoreUrl::Postgres(_) => {
            seal_key(settings, None, findings);
            look_at_server(settings, findings).await;
        }
        StoreUrl::Sqlite(path) => {
            seal_key(settings, Some(path), findings);
            look_at_store(settings, path, findings).await;
        }
    }
}

fn seal_key(settings: &Settings, store: Option<&Path>, findings: &mut Vec<Finding>) {
    const PAGE: &str = "how-to/keep-the-store.md";
    if let Err(error) = assemble::seal_key(settings) {
        return findings.push(Finding::failed("seal key", &error).docs(PAGE));
    }
    let Some(seal) = &settings.tool.seal else { return };
    let SecretSource::File(path) = &seal.key else {
        return findings.push(Finding::ok("seal key", "from outside the file system"));
    };
    let mode = std::fs::metadata(path).map_or(0, |found| found.mode() & 0o777);
    let text = format!("{} (mode {mode:04o})", path.display());
    let warn = |why: &str, fix: String| Finding::new("seal key", Status::Warn, format!("{text}: {why}")).fix(fix);
    let finding = if mode & 0o077 != 0 {
        Finding::new("seal key", Status::Fail, format!("{text}: open to others, and it opens every secret"))
            .fix(format!("chmod 600 {}; consider `everkey store reseal`", path.display()))
    } else if config::is_in_git(&path.canonicalize().unwrap_or_else(|_| path.clone())) {
        warn("lies in a git work tree", "move it out before it is committed, and correct [seal] key_file".into())
    } else if store.is_some_and(|store| path.parent() == store.parent()) {
        warn(
            "beside the store: who copies the directory has both",
            "move it elsewhere and correct [seal] key_file".into(),
        )
    } else {
        Finding::ok("seal key", text.clone())
    };
    findings.push(finding.docs(PAGE));
    if seal.recovery_recipient.is_none() {
        findings.push(
            Finding::new(
                "escrow",
                Status::Warn,
                "nobody but this machine has the seal key: lost with it, backups stay shut",
            )
            .fix("keep a copy of the key in another place; recovery_recipient in [seal] then says whose")
            .docs(PAGE),
        );
    }
}

async fn look_at_server(settings: &Settings, findings: &mut Vec<Finding>) {
    let failed = |error: &Error| Finding::failed("store", error).docs("how-to/keep-the-store.md");
    let store = match assemble::store_if_there(settings).await {
        Ok(Some(store)) => store,
        Ok(None) => {
            let text = "the database holds no store yet; the first command makes it";
            return findings.push(Finding::new("store", Status::Skip, text));
        }
        Err(error) => return findings.push(failed(&error)),
    };
    match (store.history(None).await, store.verify_history().await) {
        (Ok(_), Ok(Some(seq))) => findings.push(broken(seq)),
        (Ok(history), Ok(None)) => {
            let text = format!("PostgreSQL, {} entries of history; its backups are the server's", history.len());
            findings.push(Finding::ok("store", text));
        }
        (Err(error), _) | (_, Err(error)) => findings.push(failed(&explain::store(&error))),
    }
}

fn broken(seq: u64) -> Finding {
    Finding::new("history", Status::Fail, format!("its chain breaks at entry {seq}"))
        .fix("everkey store check; compare with a backup")
        .docs("how-to/keep-the-store.md")
}

async fn look_at_store(settings: &Settings, path: &Path, findings: &mut Vec<Finding>) {
    const PAGE: &str = "how-to/keep-the-store.md";
    if let Some(kind) = crate::store::unfit_file_system(path).filter(|_| !settings.tenant.emulator) {
        findings.push(
            Finding::new("store", Status::Fail, format!("{} lies on {kind}", path.display()))
                .fix("set `store` to a local disk or volume that stays")
                .docs(PAGE),
        );
    }
    if !path.exists() {
        let text = format!("{} is not made yet; the first command does it", path.display());
        return findings.push(Finding::new("store", Status::Skip, text));
    }
    let store = match assemble::open_store(settings, Options { create: false, ..Options::default() }).await {
        Ok(store) => store,
        Err(error) => return findings.push(Finding::failed("store", &error).docs(PAGE)),
    };
    let (history, breaks) = match (store.history(None).await, store.verify_history().await) {
        (Ok(history), Ok(breaks)) => (history, breaks),
        (Err(error), _) | (_, Err(error)) => {
            return findings.push(Finding::failed("store", &explain::store(&error)).docs(PAGE));
        }
    };
    if let Some(seq) = breaks {
        findings.push(broken(seq));
    }
    let bytes = std::fs::metadata(path).map_or(0, |found| found.len());
    let text = format!("{}, {} KB, {} entries of history", path.display(), bytes / 1024, history.len());
    findings.push(Finding::ok("store", text));
    if history.is_empty() {
        return;
    }
    let made = history.iter().rfind(|entry| entry.entry.body["event"] == "store-backed-up").map(|entry| entry.at);
    findings.push(backup(made, history.last().map_or(Timestamp::UNIX_EPOCH, |last| last.at)).docs(PAGE));
}

/// Measured against the last entry, so that an emulator's clock does not matter.
fn backup(made: Option<Timestamp>, last: Timestamp) -> Finding {
    let fix = "everkey store backup FILE, every day";
    let Some(made) = made else {
        return Finding::new("backup", Status::Warn, "the store was never backed up").fix(fix);
    };
    let days = last.duration_since(made).as_hours().div_euclid(24);
    let text = format!("{}, {days} days before the last entry", made.strftime("%Y-%m-%d %H:%M UTC"));
    if days > STALE_BACKUP_DAYS {
        Finding::new("backup", Status::Warn, text).fix(fix)
    } else {
        Finding::ok("backup", text)
    }
}

/// Whether a process could work with the store: it opens, or could be made. Makes nothing.
pub async fn usable(settings: &Settings) -> Result<(), Error> {
    if assemble::store_if_there(settings).await?.is_some() {
        return Ok(());
    }
    assemble::seal_key(settings)?;
    let StoreUrl::Sqlite(path) = &settings.tool.store else { return Ok(()) };
    let above: PathBuf = path.ancestors().skip(1).find(|one| one.exists()).unwrap_or(Path::new(".")).to_path_buf();
    if config::is_writable_dir(&above) {
        return Ok(());
    }
    Err(Error::new(Class::Failed, "T010", "the store cannot be used")
        .why(format!("{} cannot be written", above.display()))
        .help("check the owner and mode of the directory of `store` in everkey.toml"))
}
