//! Asking a person yes or no; a signal ends the question.

use tokio::sync::Notify;

use super::output::Output;
use crate::error::Class;
use crate::error::Error;
use crate::run::RunError;

/// Asks `question`; `Ok` is yes.
///
/// # Errors
/// `U003` where nobody can be asked, `U004` for no, and the signal.
pub async fn yes(out: &Output, question: &str, woken: &Notify) -> Result<(), RunError> {
    if !out.is_interactive() {
        return Err(Error::new(Class::Usage, "U003", "this needs a yes, and there is nobody to ask")
            .help("look at what it would do, then add --yes (a plan can be saved with `everkey plan --out FILE`)")
            .into());
    }
    super::output::raw(&format!("{question} [y/N] "), true);
    // Reading blocks: on a thread of its own, so that Ctrl-C ends the question.
    let reading = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = tokio::select! {
        answer = reading => answer.map_err(std::io::Error::other).flatten(),
        () = woken.notified() => {
            super::output::raw("\n", true);
            return Err(RunError::Stopped);
        }
    };
    let cancelled = |what: &str| {
        Error::new(Class::Cancelled, "U004", what).help("run the command again and answer y, or add --yes")
    };
    match answer {
        Ok(answer) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        Ok(_) => Err(cancelled("cancelled; nothing was changed").into()),
        Err(error) => Err(cancelled("no answer; nothing was changed").why(error).into()),
    }
}
