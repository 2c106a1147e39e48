//! Arguments of `revoke`.

use std::path::PathBuf;

use clap::Args;

/// `revoke`
#[derive(Args, Debug)]
pub struct RevokeArgs {
    /// Integration whose credential is in the wrong hands
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Replace it now and remove the old one without overlap
    #[arg(long, env = "EVERKEY_EMERGENCY")]
    pub emergency: bool,
    /// Why, for the history and the evidence
    #[arg(long, env = "EVERKEY_REASON", value_name = "TEXT")]
    pub reason: Option<String>,
    /// Which credential, where the integration has several
    #[arg(long, env = "EVERKEY_SLOT", value_name = "SLOT")]
    pub slot: Option<String>,
    /// Accept that people are without access until they have the new one
    #[arg(long, env = "EVERKEY_EMERGENCY_NOW")]
    pub now: bool,
    /// Remove this credential of somebody else as well, by its key id
    #[arg(long, env = "EVERKEY_ALSO", value_name = "KEYID", value_delimiter = ',')]
    pub also: Vec<String>,
    /// Go on although the new one cannot be proven by sign-in
    #[arg(long, env = "EVERKEY_EMERGENCY_FORCE")]
    pub force: bool,
    /// Disable sign-in of the application once the old one is gone: nobody gets a token any more
    #[arg(long, env = "EVERKEY_DISABLE_SIGN_IN", conflicts_with = "enable_sign_in")]
    pub disable_sign_in: bool,
    /// Enable sign-in that an emergency disabled
    #[arg(long, env = "EVERKEY_ENABLE_SIGN_IN", conflicts_with = "emergency")]
    pub enable_sign_in: bool,
    /// Who enables it, for the history (default: the user of this machine)
    #[arg(long, env = "EVERKEY_BY", value_name = "EMAIL")]
    pub by: Option<String>,
    /// Write the evidence here; without --emergency, of the latest one
    #[arg(long, env = "EVERKEY_EVIDENCE", value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// The integration's name again, instead of typing it
    #[arg(long, env = "EVERKEY_CONFIRM", value_name = "NAME")]
    pub confirm: Option<String>,
    /// Ask no yes or no; the name is wanted all the same
    #[arg(short, long, env = "EVERKEY_YES")]
    pub yes: bool,
}
