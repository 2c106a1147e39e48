//! The binary: arguments in, exit code out; nothing else lives here.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(everkey::cli::run(std::env::args_os()))
}
