//! Arguments of `init`, `config`, `completions` and `man`.

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;

/// `init`
#[derive(Args, Debug)]
pub struct InitArgs {
    /// Name of the tenant in everkey.toml
    #[arg(long, env = "EVERKEY_NAME", value_name = "NAME", default_value = "contoso")]
    pub name: String,
    /// Directory (tenant) id
    #[arg(long, env = "EVERKEY_TENANT_ID", value_name = "ID")]
    pub tenant_id: Option<String>,
    /// Client id of everkey's own app registration
    #[arg(long, env = "EVERKEY_CLIENT_ID", value_name = "ID")]
    pub client_id: Option<String>,
    /// Sign in with this certificate, PEM
    #[arg(long, env = "EVERKEY_CERTIFICATE_FILE", value_name = "FILE", default_value = "everkey.pem")]
    pub certificate_file: PathBuf,
    /// Its private key, PEM (default: the same file)
    #[arg(long, env = "EVERKEY_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Sign in with the client secret in this file instead
    #[arg(long, env = "EVERKEY_SECRET_FILE", value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// The store
    #[arg(long, env = "EVERKEY_STORE", value_name = "FILE", default_value = "/var/lib/everkey/everkey.db")]
    pub store: PathBuf,
    /// New seal key (default: beside everkey.toml, or below ~/.config/everkey when that is in git)
    #[arg(long, env = "EVERKEY_SEAL_KEY", value_name = "FILE")]
    pub seal_key: Option<PathBuf>,
    /// Time zone of the schedule
    #[arg(long, env = "EVERKEY_TIMEZONE", value_name = "ZONE", default_value = "UTC")]
    pub timezone: String,
}

/// `config`
#[derive(Args, Debug)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// `config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every setting in effect: flag beats environment beats file beats default
    #[command(
        after_long_help = "Examples:\n  everkey config show --origin\n  everkey config show --effective reapit-lead-imports"
    )]
    Show {
        /// With where each comes from (always shown)
        #[arg(long, env = "EVERKEY_ORIGIN", conflicts_with = "effective")]
        origin: bool,
        /// One policy with every default filled in
        #[arg(long, env = "EVERKEY_EFFECTIVE", value_name = "NAME")]
        effective: Option<String>,
    },
}

/// `completions`
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// A shell.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Shell {
    /// Bash.
    Bash,
    /// Elvish.
    Elvish,
    /// Fish.
    Fish,
    /// PowerShell.
    Powershell,
    /// Zsh.
    Zsh,
}

impl Shell {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Elvish => "elvish",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
            Self::Zsh => "zsh",
        }
    }
}

/// `man`
#[derive(Args, Debug)]
pub struct ManArgs {
    /// Write a page for each command into this directory (default: everkey(1) to standard output)
    #[arg(long, env = "EVERKEY_DIR", value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
