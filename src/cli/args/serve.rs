//! Arguments of `serve` and `enable`.

use std::net::SocketAddr;

use clap::Args;
use clap::ValueEnum;

/// `serve`
#[derive(Args, Debug)]
pub struct DaemonArgs {
    /// One cycle with the schedule respected, proofs waited for, then end (for cron, CI and Kubernetes)
    #[arg(long, env = "EVERKEY_ONCE")]
    pub once: bool,
    /// Answer /healthz and /readyz there (default: `listen` of [serve], else nowhere)
    #[arg(long, env = "EVERKEY_LISTEN", value_name = "ADDR", conflicts_with = "once")]
    pub listen: Option<SocketAddr>,
    /// Begin with an empty store although another one works on this tenant, or the place does not last
    #[arg(long, env = "EVERKEY_NEW_STORE")]
    pub new_store: bool,
    /// Form of the log on standard error
    #[arg(long, env = "EVERKEY_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Form of the daemon's log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// A line per event.
    Text,
    /// A JSON object per line.
    Json,
}

/// `enable`
#[derive(Args, Debug)]
pub struct EnableArgs {
    /// Integration
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Do not ask
    #[arg(short, long, env = "EVERKEY_YES")]
    pub yes: bool,
}
