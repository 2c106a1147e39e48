//! Arguments of `check`, `store` and `history`.

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use super::ClaimArgs;
use super::CopyArgs;

/// `check`
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Only these integrations
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// WARNING from so little time left on
    #[arg(short, long, env = "EVERKEY_WARNING", value_name = "DUR", default_value = "30d")]
    pub warning: String,
    /// CRITICAL from so little time left on
    #[arg(short, long, env = "EVERKEY_CRITICAL", value_name = "DUR", default_value = "7d")]
    pub critical: String,
}

/// `doctor`
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Also look at Entra and the mail server
    #[arg(
        long,
        env = "EVERKEY_ONLINE",
        value_name = "BOOL",
        default_value_t = true,
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub online: bool,
    /// Quick and local, for a container's health check
    #[arg(long, env = "EVERKEY_HEALTH")]
    pub health: bool,
    /// Print the systemd drop-in that lets everkey write where the policies deliver
    #[arg(long, env = "EVERKEY_SYSTEMD_DROP_IN", conflicts_with = "health")]
    pub systemd_drop_in: bool,
}

/// `store`
#[derive(Args, Debug)]
pub struct StoreArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// `store …`
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Examine it: the database, the chain of the history, every sealed value, the rights
    #[command(after_long_help = "Examples:\n  everkey store check\n  everkey store check -o json")]
    Check,
    /// Copy it into a new file, also while everkey runs
    #[command(
        after_long_help = "Examples:\n  everkey store backup /backup/everkey.db\n  everkey store backup backup.db -o json\n\nThe secrets in it stay sealed: keep the seal key elsewhere, and keep it."
    )]
    Backup {
        /// New file
        file: PathBuf,
    },
    /// Put a backup in its place; the store before it is kept aside
    #[command(
        after_long_help = "Examples:\n  everkey store restore /backup/everkey.db\n  everkey store restore backup.db --force"
    )]
    Restore {
        /// Backup
        file: PathBuf,
        /// Also over a store that is newer, another one, or cannot be compared
        #[arg(long, env = "EVERKEY_FORCE")]
        force: bool,
    },
    /// Move it to another database, compared row for row; the one before is out of use afterwards
    #[command(
        after_long_help = "Examples:\n  everkey store copy --to postgres://everkey@db.contoso.example/everkey --to-password-file store.password\n  everkey store copy --to sqlite:///var/lib/everkey/everkey.db -o json\n\nThe place must be a new file or an empty database. Stopped on its way, run it again: it begins anew or finishes."
    )]
    Copy(CopyArgs),
    /// Say that this one is the live one: after pg_restore, or when the place it moved to is gone for good
    #[command(
        after_long_help = "Examples:\n  everkey store claim\n  everkey store claim --yes -o json\n\nNumbers given since it was saved are never given again."
    )]
    Claim(ClaimArgs),
    /// Seal every value under a new key, in one transaction
    #[command(
        after_long_help = "Examples:\n  everkey store reseal --new-key /etc/everkey/seal-2027.key\n  everkey store reseal --new-key new.key -o json\n\nThen name the new key in [seal] key_file. Backups made before open with the former key: keep it as long as them."
    )]
    Reseal {
        /// File of the new key (32 bytes as raw, hex or base64)
        #[arg(long, env = "EVERKEY_NEW_KEY", value_name = "FILE")]
        new_key: PathBuf,
    },
}

/// `history`
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct HistoryArgs {
    /// What else to do with it.
    #[command(subcommand)]
    pub command: Option<HistoryCommand>,
    /// Integration
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Only the last so many
    #[arg(short, long, env = "EVERKEY_COUNT", value_name = "N")]
    pub number: Option<usize>,
    /// Only from this day or instant on (`2026-11-01`)
    #[arg(long, env = "EVERKEY_SINCE", value_name = "DATE")]
    pub since: Option<String>,
    /// The same as `history verify`
    #[arg(long, env = "EVERKEY_VERIFY", hide = true)]
    pub verify: bool,
}

/// `history …`
#[derive(Debug, Subcommand)]
pub enum HistoryCommand {
    /// Check the hash chain
    #[command(
        after_long_help = "Examples:\n  everkey history verify\n  everkey history verify --anchor sha256:5f0c2d6e9b1a4c3f8e7d6c5b4a39281706f5e4d3c2b1a0998877665544332211"
    )]
    Verify {
        /// A head noted earlier; it must still be in the chain
        #[arg(long, env = "EVERKEY_ANCHOR", value_name = "HEAD")]
        anchor: Option<String>,
    },
    /// Everything about one rotation, hand-off or entry
    #[command(after_long_help = "Examples:\n  everkey history show r-0001\n  everkey history show h-0001 -o json")]
    Show {
        /// `r-0001`, `h-0001`, or the number of an entry
        what: String,
    },
    /// All of it for another program; -o csv, json or ndjson
    #[command(
        after_long_help = "Examples:\n  everkey history export -o csv\n  everkey history export --since 2026-01-01 -o ndjson"
    )]
    Export {
        /// Only from this day or instant on (`2026-11-01`)
        #[arg(long, env = "EVERKEY_SINCE", value_name = "DATE")]
        since: Option<String>,
    },
}
