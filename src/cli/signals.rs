//! SIGINT and SIGTERM end what runs at the next safe point; SIGHUP makes the daemon read its files again.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;

use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::Notify;
use tokio::sync::mpsc;

use crate::daemon::Signal;
use crate::error::Class;
use crate::error::Error;

static SIGNAL: AtomicU8 = AtomicU8::new(0);

/// The exit code of the signal that ended the run.
pub fn signal_code() -> u8 {
    match SIGNAL.load(Ordering::Relaxed) {
        0 => Class::Failed.exit_code(),
        code => code,
    }
}

/// Makes SIGINT and SIGTERM end the run at the next safe point.
pub fn stop_on_signal() -> (Arc<AtomicBool>, Arc<Notify>) {
    let stop = Arc::new(AtomicBool::new(false));
    let woken = Arc::new(Notify::new());
    let (flag, notify) = (Arc::clone(&stop), Arc::clone(&woken));
    // Listening before this returns: a signal that comes at once must not find the default, which kills.
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return (stop, woken);
    };
    tokio::spawn(async move {
        let code = tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
        };
        SIGNAL.store(code, Ordering::Relaxed);
        flag.store(true, Ordering::Relaxed);
        notify.notify_one();
    });
    (stop, woken)
}

/// The same for a daemon, as messages; SIGHUP asks it to reload. The flag reaches into a cycle that runs.
///
/// # Errors
/// `R002` when the system does not let it listen: the default would kill it.
pub fn for_daemon() -> Result<(Arc<AtomicBool>, mpsc::Receiver<Signal>), Error> {
    let refused = |error: std::io::Error| Error::new(Class::Failed, "R002", "cannot listen for signals").why(error);
    let mut hang_up = signal(SignalKind::hangup()).map_err(refused)?;
    let (stop, woken) = stop_on_signal();
    // Several requests to reload while a cycle runs are one.
    let (send, receive) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = woken.notified() => {
                    // Full means that a reload waits; the flag ends the daemon before it.
                    let _ = send.send(Signal::Stop).await;
                    return;
                }
                _ = hang_up.recv() => {
                    let _ = send.try_send(Signal::Reload);
                }
            }
        }
    });
    Ok((stop, receive))
}
