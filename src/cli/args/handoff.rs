//! Arguments of `handoff`.

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

/// `handoff`
#[derive(Args, Debug)]
pub struct HandoffArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: HandoffCommand,
}

/// `handoff …`
#[derive(Debug, Subcommand)]
pub enum HandoffCommand {
    /// List hand-offs
    #[command(after_long_help = "Examples:\n  everkey handoff list\n  everkey handoff list --all -o json")]
    List {
        /// Finished ones too
        #[arg(long, env = "EVERKEY_ALL")]
        all: bool,
    },
    /// Show the sheet of a hand-off; no secret is in it
    #[command(after_long_help = "Examples:\n  everkey handoff show h-0001\n  everkey handoff show h-0001 -o json")]
    Show {
        /// Hand-off (`h-0001`)
        id: String,
    },
    /// Show the sealed value, once
    #[command(
        after_long_help = "Examples:\n  everkey handoff open h-0001 --by priya.shah@contoso.example\n  everkey handoff open h-0004 --out ./handover"
    )]
    Open {
        /// Hand-off
        id: String,
        /// Who opens it (e-mail address; default: the doer)
        #[arg(long, env = "EVERKEY_BY", value_name = "EMAIL")]
        by: Option<String>,
        /// Write the values into this new directory (mode 0600) instead of showing them
        #[arg(long, env = "EVERKEY_OUT", value_name = "DIR")]
        out: Option<PathBuf>,
        /// Show them although standard output is not a terminal
        #[arg(long, env = "EVERKEY_REVEAL")]
        reveal: bool,
    },
    /// Say that the recipient uses it
    #[command(
        after_long_help = "Examples:\n  everkey handoff confirm h-0001\n  everkey handoff confirm h-0001 --by priya.shah@contoso.example"
    )]
    Confirm {
        /// Hand-off
        id: String,
        /// Who says so (e-mail address; default: the doer)
        #[arg(long, env = "EVERKEY_BY", value_name = "EMAIL")]
        by: Option<String>,
    },
    /// A new hand-off for the same value, or with --fresh for a new one
    #[command(
        after_long_help = "Examples:\n  everkey handoff reissue h-0001\n  everkey handoff reissue h-0001 --fresh"
    )]
    Reissue {
        /// Hand-off
        id: String,
        /// Who asks (e-mail address; default: the doer)
        #[arg(long, env = "EVERKEY_BY", value_name = "EMAIL")]
        by: Option<String>,
        /// Make a new value; the lost one leaves under the guard
        #[arg(long, env = "EVERKEY_FRESH")]
        fresh: bool,
    },
}
