//! Arguments of `recover`.

use clap::Args;

/// `recover`
#[derive(Args, Debug)]
pub struct RecoverArgs {
    /// Only these integrations
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Adopt and rotate this integration without asking (again for more)
    #[arg(long, env = "EVERKEY_CONFIRM", value_name = "NAME")]
    pub confirm: Vec<String>,
    /// A lost store, where the tenant shows tags of several (the six characters in their tags; again for more)
    #[arg(long, env = "EVERKEY_LOST", value_name = "STORE")]
    pub lost: Vec<String>,
    /// Set the store aside whose seal key is lost, and begin with a new one
    #[arg(long, env = "EVERKEY_KEY_LOST")]
    pub key_lost: bool,
    /// Who answers for it (default: the user of this machine)
    #[arg(long, env = "EVERKEY_BY", value_name = "WHO")]
    pub by: Option<String>,
}
