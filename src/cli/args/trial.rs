//! Arguments of `demo`, `drill` and `token`.

use std::path::PathBuf;

use clap::Args;

/// `demo`
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Keep everything in this directory (default: a temporary one, deleted at the end)
    #[arg(long, env = "EVERKEY_KEEP", value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Break one promise, to see that the figures notice (test builds only)
    #[cfg(feature = "mutants")]
    #[arg(long, env = "EVERKEY_SABOTAGE", value_enum)]
    pub sabotage: Option<crate::world::Sabotage>,
}

/// `drill`
#[derive(Args, Debug)]
pub struct DrillArgs {
    /// Integration whose application is drilled
    #[arg(value_name = "NAME", required_unless_present = "sandbox")]
    pub name: Option<String>,
    /// Make an application for it: issue and rotate a secret and a certificate there, then delete it (about 20 minutes)
    #[arg(long, env = "EVERKEY_SANDBOX", conflicts_with = "name")]
    pub sandbox: bool,
    /// Empty the tenant's bin of the sandbox afterwards
    #[arg(long, env = "EVERKEY_PURGE", requires = "sandbox")]
    pub purge: bool,
    /// Begin with an empty store although another one works on this tenant, or the place does not last
    #[arg(long, env = "EVERKEY_NEW_STORE")]
    pub new_store: bool,
    /// Do not ask
    #[arg(short, long, env = "EVERKEY_YES")]
    pub yes: bool,
}

/// `token`
#[derive(Args, Debug)]
pub struct TokenArgs {
    /// Integration, or `NAME/CREDENTIAL`
    #[arg(value_name = "NAME", required_unless_present = "as_everkey")]
    pub name: Option<String>,
    /// everkey's own identity instead
    #[arg(long, env = "EVERKEY_AS_EVERKEY", conflicts_with = "name")]
    pub as_everkey: bool,
    /// Also while a rotation watches who signs in
    #[arg(long, env = "EVERKEY_FORCE")]
    pub force: bool,
}
