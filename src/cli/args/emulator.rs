//! Arguments of `emulator`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

/// `emulator`
#[derive(Args, Debug)]
pub struct EmulatorArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: EmulatorCommand,
}

/// `emulator …`
#[derive(Debug, Subcommand)]
pub enum EmulatorCommand {
    /// Serve it on loopback until stopped
    #[command(
        after_long_help = "Examples:\n  everkey emulator serve --dir ./emu\n  everkey emulator serve --listen 127.0.0.1:8443 --clock 2026-11-20T09:00:00Z --dir ./emu\n  everkey emulator serve --imds 127.0.0.1:8444 --dir ./emu"
    )]
    Serve(ServeArgs),
}

/// `emulator serve`
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Loopback address (default: the one saved in --dir, else 127.0.0.1:8443)
    #[arg(long, env = "EVERKEY_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Loopback address of the managed identity endpoints, over plain http (default: none)
    #[arg(long, env = "EVERKEY_IMDS", value_name = "ADDR")]
    pub imds: Option<SocketAddr>,
    /// Directory of its state and of the operator's files
    #[arg(long, env = "EVERKEY_DIR", value_name = "DIR", default_value = "emulator")]
    pub dir: PathBuf,
    /// Where its clock starts: an RFC 3339 instant, or `real` (default: the saved instant, else real)
    #[arg(long, env = "EVERKEY_CLOCK", value_name = "TIME|real")]
    pub clock: Option<String>,
}
