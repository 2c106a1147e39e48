//! Tracing set-up: to standard error; the daemon always, the other commands on request. What may be logged: methods,
//! paths without queries, status codes, request ids, ids and one-line texts of the journal. Never bodies, headers,
//! values.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Starts logging to standard error. `level` counts `-v`: 0 is off, 1 info, 2 debug, 3 and more trace.
pub fn start(level: u8) {
    if level == 0 {
        return;
    }
    set(fmt().with_env_filter(filter(level)).with_writer(std::io::stderr).finish());
}

/// The daemon's log, a line per event: text, or a JSON object each.
pub fn daemon(json: bool, level: u8) {
    let lines = fmt().with_env_filter(filter(level)).with_writer(std::io::stderr);
    if json {
        set(lines.json().flatten_event(true).with_current_span(false).with_span_list(false).finish());
    } else {
        set(lines.with_target(level > 0).with_ansi(false).finish());
    }
}

fn filter(level: u8) -> EnvFilter {
    EnvFilter::new(match level {
        0 => "everkey=warn,everkey::daemon=info,everkey::cli=info",
        1 => "everkey=info",
        2 => "everkey=debug,reqwest=info,lettre=info",
        _ => "trace",
    })
}

fn set(subscriber: impl tracing::Subscriber + Send + Sync) {
    // A second call keeps the first subscriber: nothing to do about it.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
