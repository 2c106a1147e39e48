//! Arguments of `inventory`.

use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;

/// `inventory`
#[derive(Args, Debug)]
pub struct InventoryArgs {
    /// Only what ends within this time, or has ended (`90d`)
    #[arg(long, env = "EVERKEY_WITHIN", value_name = "DUR")]
    pub within: Option<String>,
    /// Where the tenant is, without a configuration
    #[command(flatten)]
    pub place: Place,
}

/// Where the tenant of the signed-in Azure CLI is; only without a configuration.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// Cloud of the tenant; only without a configuration
    #[arg(long, env = "EVERKEY_CLOUD", value_enum, default_value_t = CloudName::Public)]
    pub cloud: CloudName,
    /// Address of Microsoft Graph instead of the cloud's; only without a configuration
    #[arg(long, env = "EVERKEY_GRAPH_URL", value_name = "URL")]
    pub graph_url: Option<String>,
    /// PEM file of the authority to trust with --graph-url
    #[arg(long, env = "EVERKEY_CA_FILE", value_name = "FILE", requires = "graph_url")]
    pub ca_file: Option<PathBuf>,
}

/// A cloud of Microsoft's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum CloudName {
    /// 21Vianet
    China,
    /// Global, GCC included
    Public,
    /// US Government L4 (GCC High)
    Usgov,
    /// US Government L5 (DoD)
    UsgovDod,
}
