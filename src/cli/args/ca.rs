//! Arguments of `ca`.

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use super::KeyKind;

/// `ca`
#[derive(Args, Debug)]
pub struct CaArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CaCommand,
}

/// `ca …`
#[derive(Debug, Subcommand)]
pub enum CaCommand {
    /// Make a local CA that signs requests: certificate and encrypted key
    #[command(
        after_long_help = "Examples:\n  everkey ca init --name team-ca --out ./ca\n  everkey ca init --name team-ca --subject CN=Team-CA,O=Contoso --days 1825 --out ./ca --password-file pw.txt"
    )]
    Init(CaInitArgs),
}

/// `ca init`
#[derive(Args, Debug)]
pub struct CaInitArgs {
    /// Name of the CA: stem of the file names, and NAME in [ca.NAME]
    #[arg(long, env = "EVERKEY_NAME", value_name = "NAME")]
    pub name: String,
    /// Directory to write into; made (0700) when missing
    #[arg(long, env = "EVERKEY_OUT", value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    /// Subject (default: CN=NAME)
    #[arg(long, env = "EVERKEY_SUBJECT", value_name = "DN")]
    pub subject: Option<String>,
    /// Kind of key
    #[arg(long, env = "EVERKEY_KEY_TYPE", value_enum, default_value_t = KeyKind::Rsa3072)]
    pub key: KeyKind,
    /// Days of validity
    #[arg(long, env = "EVERKEY_DAYS", value_name = "D", default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=9131))]
    pub days: u32,
    /// File with the password of the key; without one it is asked for, or generated into NAME.key.password (0600)
    #[arg(long, env = "EVERKEY_PASSWORD_FILE", value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long, env = "EVERKEY_FORCE")]
    pub force: bool,
    /// Who does this, for the history (default: the user of this machine)
    #[arg(long, env = "EVERKEY_BY", value_name = "EMAIL")]
    pub by: Option<String>,
}
