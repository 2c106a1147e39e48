//! Passwords of key material: from a file, from a person at a terminal, or generated. Never from an argument, never
//! shown.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::files;
use super::words;
use crate::cli::ask;
use crate::cli::output::Output;
use crate::cli::signals::stop_on_signal;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::pki;
use crate::pki::Opened;
use crate::pki::PkiError;
use crate::ports::CertTool as _;
use crate::run::explain;
use crate::secret::Secret;

/// Opening a file takes this long at most, whatever it asks for inside its encrypted part.
const DEADLINE: Duration = Duration::from_secs(60);

/// A password for something new.
pub struct NewPassword {
    /// It.
    pub value: Secret,
    /// Whether nobody knows it yet, so that it must be written beside what it opens.
    pub generated: bool,
}

/// The password of `what` ("PFX"): the file's, a person's, or a generated one.
pub async fn for_new(out: &Output, file: Option<&Path>, what: &str) -> Result<NewPassword, Error> {
    if let Some(file) = file {
        return Ok(NewPassword { value: from_file(file)?, generated: false });
    }
    if out.can_ask_password() {
        let (_, woken) = stop_on_signal();
        let value = ask::password(&format!("{what} password (leave empty to generate one): "), &woken).await?;
        if !value.is_empty() {
            let again = ask::password("Once more: ", &woken).await?;
            if again.expose() != value.expose() {
                return Err(Error::new(Class::Usage, "K016", "the two passwords differ; nothing was written")
                    .help("run the command again, or use --password-file"));
            }
            return Ok(NewPassword { value, generated: false });
        }
    }
    let value = pki::Tool.generate_password().map_err(|error| explain::explain(&error, "generate a password"))?;
    Ok(NewPassword { value, generated: true })
}

/// The password in a file of its own.
pub fn from_file(file: &Path) -> Result<Secret, Error> {
    let value = config::secret_file(file).map_err(|why| {
        Error::new(Class::Data, "F010", format!("cannot read the password file {}", file.display()))
            .why(why)
            .help("the file holds the password alone; a line end after it does not count")
    })?;
    if value.is_empty() {
        return Err(Error::new(Class::Data, "K016", format!("the password file {} is empty", file.display()))
            .help("write the password into it, without a line before it"));
    }
    Ok(value)
}

/// Opens a file, asking for its password only when it needs one and none was given.
pub async fn open(out: &Output, path: &Path, password_file: Option<&Path>) -> Result<Opened, Error> {
    let password = password_file.map(from_file).transpose()?.map(Arc::new);
    open_bytes(out, Arc::new(files::read(path)?), password, path).await
}

/// The same for bytes that are called `path`.
pub async fn open_bytes(
    out: &Output,
    bytes: Arc<Secret>,
    password: Option<Arc<Secret>>,
    path: &Path,
) -> Result<Opened, Error> {
    let given = password.is_some();
    match work(Arc::clone(&bytes), password).await {
        Err(PkiError::EncryptedKey | PkiError::WrongPassword) if !given => {
            if !out.can_ask_password() {
                return Err(Error::new(Class::Usage, "K024", format!("{} needs a password", path.display()))
                    .why("no password file was given, and there is no terminal to ask on")
                    .help("put the password into a file of mode 0600 and name it: --password-file FILE"));
            }
            let (_, woken) = stop_on_signal();
            let asked = ask_for(path, &woken).await?;
            work(bytes, Some(Arc::new(asked))).await
        }
        opened => opened,
    }
    .map_err(|error| words::explain(&error, path))
}

async fn ask_for(path: &Path, woken: &Notify) -> Result<Secret, Error> {
    ask::password(&format!("Password of {}: ", path.display()), woken).await
}

async fn work(bytes: Arc<Secret>, password: Option<Arc<Secret>>) -> Result<Opened, PkiError> {
    let opening = tokio::task::spawn_blocking(move || pki::open(bytes.expose(), password.as_deref()));
    match tokio::time::timeout(DEADLINE, opening).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(_)) => Err(PkiError::Unrecognised),
        Err(_) => Err(PkiError::TooMuch(format!("opening it takes longer than {} s", DEADLINE.as_secs()))),
    }
}
