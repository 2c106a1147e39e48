//! Arguments of `store copy` and `store claim`.

use std::path::PathBuf;

use clap::Args;

/// `store copy`
#[derive(Args, Debug)]
pub struct CopyArgs {
    /// New file or empty database (`sqlite:///PATH` or `postgres://USER@HOST/DATABASE`, without a password)
    #[arg(long, env = "EVERKEY_TO", value_name = "URL")]
    pub to: String,
    /// File that holds the password of that database
    #[arg(long, env = "EVERKEY_TO_PASSWORD_FILE", value_name = "FILE", conflicts_with = "to_password_env")]
    pub to_password_file: Option<PathBuf>,
    /// Variable that holds it
    #[arg(long, env = "EVERKEY_TO_PASSWORD_ENV", value_name = "NAME")]
    pub to_password_env: Option<String>,
}

/// `store claim`
#[derive(Args, Debug)]
pub struct ClaimArgs {
    /// Do not ask
    #[arg(short, long, env = "EVERKEY_YES")]
    pub yes: bool,
}
