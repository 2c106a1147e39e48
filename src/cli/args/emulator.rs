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
        after_long_help = "Examples:\n  everkey emulator serve --dir ./emu\n  everkey emulator serve --listen 127.0.0.1:8443 --clock 2026-11-20T09:00:00Z --dir ./emu\n  everkey emulator serve --seed-apps 5000 --seed 7 --dir ./large\n  everkey emulator serve --dir ./emu --faults faults.toml --quirk read_lag=20s\n  everkey emulator serve --imds 127.0.0.1:8444 --dir ./emu"
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
    /// Seconds its clock advances in each real second; everkey beside it runs along
    #[arg(long, env = "EVERKEY_CLOCK_RATE", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub clock_rate: u32,
    /// Fill a new tenant with so many applications, their owners and credentials
    #[arg(long, env = "EVERKEY_SEED_APPS", value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub seed_apps: u32,
    /// Make ids, dates and secrets repeat; 0 draws new ones (who knows the seed knows the secrets)
    #[arg(long, env = "EVERKEY_SEED", value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// File of faults to follow, TOML or JSON
    #[arg(long, env = "EVERKEY_FAULTS", value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// A standing condition, such as read_lag=20s; may be repeated
    #[arg(long = "quirk", env = "EVERKEY_QUIRK", value_name = "NAME=VALUE", value_delimiter = ';')]
    pub quirks: Vec<String>,
}
