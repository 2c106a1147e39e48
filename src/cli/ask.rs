//! Questions on a terminal. Reading blocks, so it happens on a thread of its own and Ctrl-C ends the question; what is
//! typed as a password is not shown, and the terminal shows letters again however the question ends.

use std::io::Error as IoError;

use nix::sys::termios;
use nix::sys::termios::LocalFlags;
use nix::sys::termios::SetArg;
use nix::sys::termios::Termios;
use tokio::sync::Notify;
use zeroize::Zeroize as _;

use super::args::Form;
use super::output;
use super::output::Output;
use crate::error::Class;
use crate::error::Error;
use crate::run::RunError;
use crate::secret::Secret;

/// Asks `question`; only a y is a yes.
///
/// # Errors
/// `U003` where nobody can be asked, `U004` for no, and the signal.
pub async fn confirm(out: &Output, question: &str, woken: &Notify) -> Result<(), RunError> {
    if !out.is_interactive() {
        return Err(Error::new(Class::Usage, "U003", "this needs a yes, and there is nobody to ask")
            .help("look at what it would do, then add --yes (a plan can be saved with `everkey plan --out FILE`)")
            .into());
    }
    output::raw(&format!("{question} [y/N] "), true);
    let cancelled = |what: &str| {
        Error::new(Class::Cancelled, "U004", what).help("run the command again and answer y, or add --yes")
    };
    match line(woken).await? {
        Ok(answer) if matches!(answer.expose_text().map(str::trim), Some("y" | "Y" | "yes")) => Ok(()),
        Ok(_) => Err(cancelled("cancelled; nothing was changed").into()),
        Err(error) => Err(cancelled("no answer; nothing was changed").why(error).into()),
    }
}

/// Asks for the name of what is at stake, letter by letter.
///
/// # Errors
/// `U073` where nobody can be asked, `U004` for anything but the name, and the signal.
pub async fn name(out: &Output, name: &str, price: &str, woken: &Notify) -> Result<(), RunError> {
    // Only the table shows what is confirmed.
    if !out.is_interactive() || out.form() != Form::Table {
        return Err(Error::new(
            Class::Usage,
            "U073",
            "the integration's name must be typed, and there is nobody to ask",
        )
        .help(format!("look at what it would do, then add --confirm {name}"))
        .into());
    }
    output::raw(&format!("Type the integration name to continue{price}: "), true);
    let cancelled =
        |what: &str| Error::new(Class::Cancelled, "U004", what).help(format!("run the command again and type {name}"));
    match line(woken).await? {
        Ok(answer) if answer.expose_text().map(str::trim) == Some(name) => Ok(()),
        Ok(_) => Err(cancelled("that is another name; nothing was changed").into()),
        Err(error) => Err(cancelled("no answer; nothing was changed").why(error).into()),
    }
}

/// Asks `question` where somebody can be asked; what was typed.
///
/// # Errors
/// The signal, and `U004` where nobody answers.
pub async fn answer(question: &str, woken: &Notify) -> Result<String, RunError> {
    output::raw(question, true);
    match line(woken).await? {
        Ok(answer) => Ok(answer.expose_text().map(str::trim).unwrap_or_default().to_owned()),
        Err(error) => Err(Error::new(Class::Cancelled, "U004", "no answer; nothing was changed").why(error).into()),
    }
}

/// Asks for a password; nothing of it appears.
pub async fn password(question: &str, woken: &Notify) -> Result<Secret, Error> {
    // Hidden before it is asked: who answers at once must not be seen, nor lose what they typed.
    let hidden = Hidden::start();
    output::raw(question, true);
    let answer = line(woken).await;
    drop(hidden);
    // The terminal did not show the Enter either.
    output::raw("\n", true);
    let answer = answer.map_err(RunError::into_error)?;
    answer.map_err(|error| Error::new(Class::Cancelled, "U004", "no answer; nothing was changed").why(error))
}

/// One line without its end, unless a signal comes first.
async fn line(woken: &Notify) -> Result<Result<Secret, IoError>, RunError> {
    let reading = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        let secret = Secret::from_text(answer.trim_end_matches(['\n', '\r']).to_owned());
        answer.zeroize();
        read.map(|_| secret)
    });
    tokio::select! {
        answer = reading => Ok(answer.map_err(IoError::other).flatten()),
        () = woken.notified() => {
            output::raw("\n", true);
            Err(RunError::Stopped)
        }
    }
}

/// A terminal that does not show what is typed, until this goes.
struct Hidden(Option<Termios>);

impl Hidden {
    /// Where standard input is no terminal there is nothing to hide.
    fn start() -> Self {
        let Ok(before) = termios::tcgetattr(std::io::stdin()) else { return Self(None) };
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        match termios::tcsetattr(std::io::stdin(), SetArg::TCSAFLUSH, &quiet) {
            Ok(()) => Self(Some(before)),
            Err(_) => Self(None),
        }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // A terminal that has gone shows nothing anyway.
            let _ = termios::tcsetattr(std::io::stdin(), SetArg::TCSANOW, before);
        }
    }
}
