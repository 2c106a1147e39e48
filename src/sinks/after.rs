//! The command that tells a consumer about its new credential. It gets no secret: none is in its arguments, its
//! environment or its standard input.

use std::time::Duration;

use super::error::Result;
use super::error::SinkError;
use crate::process;
use crate::process::Job;

/// How long the command may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Checks what can be checked of `argv` without running it.
pub(super) fn check(argv: &[String]) -> Result<()> {
    process::check("after", argv).map_err(SinkError::refused)
}

/// Runs `argv` and waits for it; nothing to run is success.
pub(super) async fn run(argv: &[String]) -> Result<()> {
    let Some(program) = argv.first() else { return Ok(()) };
    let failed = |why: String| SinkError::After { command: program.clone(), why };
    process::run(Job { argv, input: None, limit: LIMIT, output: 0 }).await.map(drop).map_err(failed)
}
