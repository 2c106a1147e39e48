//! Arguments of `watch`, `adopt` and `new`.

use std::path::PathBuf;

use clap::Args;

use super::Place;

/// `watch`
#[derive(Args, Debug)]
pub struct WatchArgs {
    /// Every application and service principal that no policy describes
    #[arg(long, env = "EVERKEY_ALL", required = true)]
    pub all: bool,
    /// Who hears where Entra names no owner (default: `alerts.fallback_to`)
    #[arg(long, env = "EVERKEY_OWNER", value_name = "EMAIL")]
    pub owner: Option<String>,
    /// Client ids that nobody is told about
    #[arg(long, env = "EVERKEY_EXCEPT", value_name = "APP-ID")]
    pub except: Vec<String>,
}

/// `adopt`
#[derive(Args, Debug)]
pub struct AdoptArgs {
    /// Display name or client id of an application
    #[arg(value_name = "NAME|APP-ID", required_unless_present_any = ["all", "take_back"])]
    pub name: Option<String>,
    /// Every application with credentials that has no policy yet
    #[arg(long, env = "EVERKEY_ALL", conflicts_with = "name")]
    pub all: bool,
    /// With --all: only where a credential ends within this time (`90d`)
    #[arg(long, env = "EVERKEY_EXPIRING", value_name = "DUR", requires = "all")]
    pub expiring: Option<String>,
    /// Take the adoption of one credential back, before everkey removes it
    #[arg(long, env = "EVERKEY_TAKE_BACK", value_name = "KEY-ID", conflicts_with_all = ["all", "name"])]
    pub take_back: Option<String>,
    /// Project manager: gets the plain mails
    #[arg(long, env = "EVERKEY_PM", value_name = "EMAIL")]
    pub pm: Option<String>,
    /// Who gets the technical mails (default: the owner in Entra, else `alerts.fallback_to`)
    #[arg(long, env = "EVERKEY_OWNER", value_name = "EMAIL")]
    pub owner: Option<String>,
    /// Who adopts, for the history (default: this user of this machine)
    #[arg(long, env = "EVERKEY_BY", value_name = "WHO")]
    pub by: Option<String>,
    /// Directory to write into (default: the policies)
    #[arg(long, env = "EVERKEY_OUT", value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where the tenant is, without a configuration
    #[command(flatten)]
    pub place: Place,
}

/// `new`
#[derive(Args, Debug)]
pub struct NewArgs {
    /// Policy to copy: its name, or a file
    #[arg(long, env = "EVERKEY_FROM", value_name = "NAME|FILE")]
    pub from: String,
    /// Value to replace: `name=NAME`, `app.display_name=TEXT`, `credential.0.lifetime=90d`; `name` is required
    #[arg(long, env = "EVERKEY_SET", value_name = "KEY=VALUE", required = true)]
    pub set: Vec<String>,
    /// Directory to write into (default: the policies)
    #[arg(long, env = "EVERKEY_OUT", value_name = "DIR")]
    pub out: Option<PathBuf>,
}
