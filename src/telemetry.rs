//! Tracing set-up: to standard error, only on request. What may be logged: methods, paths without queries,
//! status codes, request ids, ids of the journal. Never bodies, headers, values.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Starts logging to standard error. `level` counts `-v`: 0 is off, 1 info, 2 debug, 3 and more trace.
pub fn start(level: u8) {
    let filter = match level {
        0 => return,
        1 => "everkey=info",
        2 => "everkey=debug,reqwest=info,lettre=info",
        _ => "trace",
    };
    let subscriber = fmt().with_env_filter(EnvFilter::new(filter)).with_writer(std::io::stderr).finish();
    // A second call keeps the first subscriber: nothing to do about it.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
