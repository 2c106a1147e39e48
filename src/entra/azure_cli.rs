//! Tokens of whoever is signed in to the Azure CLI: `az account get-access-token`, as a program with arguments, never
//! through a shell. What it prints is a secret; what it complains of is shown, one line of it.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use jiff::Timestamp;
use nix::sys::signal::Signal;
use nix::sys::signal::killpg;
use nix::unistd::Pid;
use serde::Deserialize;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::model::TenantId;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::ports::TokenSource;
use crate::secret::Secret;

use super::answer::secret;
use super::own::Cache;

/// The code of [`Refusal`] when there is no `az`.
pub const MISSING: &str = "AzureCliMissing";
/// The code when nobody is signed in, or `az` says no for another reason.
pub const REFUSED: &str = "AzureCliRefused";

/// How long `az` may take: it starts a Python and may renew the sign-in over the network.
const LIMIT: Duration = Duration::from_secs(60);
/// More than any answer.
const ANSWER_MAX_BYTES: u64 = 64 * 1024;
/// How much of a complaint is shown.
const COMPLAINT_MAX_CHARS: usize = 200;
/// A token is kept at least so long, whatever the clocks say, so that `az` is not run for every request...
const KEPT_LEAST: SignedDuration = SignedDuration::from_mins(10);
/// ... and at most so long; a 401 brings a new one at any time.
const KEPT_MOST: SignedDuration = SignedDuration::from_mins(60);

/// What `az` prints.
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "accessToken", deserialize_with = "secret")]
    access_token: Secret,
    /// Seconds since 1970; versions before 2.54 do not tell.
    expires_on: Option<i64>,
    tenant: Option<String>,
}

/// The Azure CLI as a source of everkey's own token.
pub struct AzureCli {
    /// The tenant to get a token for; the one signed in to when `None`.
    tenant: Option<TenantId>,
    clock: Arc<dyn Clock>,
    cache: Cache,
    /// Whom the token is for; Graph when `None`.
    resource: Option<String>,
    signed_in: OnceLock<TenantId>,
}

impl AzureCli {
    /// A source for `tenant`; runs nothing yet.
    pub fn new(tenant: Option<TenantId>, clock: Arc<dyn Clock>) -> Self {
        Self { tenant, clock, cache: Cache::default(), resource: None, signed_in: OnceLock::new() }
    }

    /// The same for another resource than Graph, such as `https://vault.azure.net`.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// The tenant that the token is for, once there was one.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.signed_in.get()
    }

    async fn ask(&self) -> Result<(Secret, SignedDuration), PortError> {
        let mut command = Command::new("az");
        command.args(["account", "get-access-token"]);
        match &self.resource {
            Some(resource) => command.args(["--resource", resource]),
            None => command.args(["--resource-type", "ms-graph"]),
        };
        command.args(["--output", "json"]);
        if let Some(tenant) = &self.tenant {
            command.args(["--tenant", tenant.as_str()]);
        }
        let said = run(command, LIMIT).await?;
        // serde's own message may quote the answer.
        let answer: Answer = serde_json::from_slice(said.expose())
            .map_err(|_| refused("it printed something else than a token; is `az` up to date?".into()))?;
        if let Some(tenant) = answer.tenant.as_deref().filter(|tenant| !tenant.is_empty()) {
            let tenant = TenantId(tenant.to_ascii_lowercase());
            if self.tenant.as_ref().is_some_and(|wanted| !wanted.as_str().eq_ignore_ascii_case(tenant.as_str())) {
                return Err(refused(format!("it gave a token for another tenant ({tenant})")));
            }
            // The first one stays: a later sign-in elsewhere must not mix two tenants.
            if *self.signed_in.get_or_init(|| tenant.clone()) != tenant {
                return Err(refused(format!("it is signed in to another tenant now ({tenant})")));
            }
        }
        let end = answer.expires_on.and_then(|second| Timestamp::from_second(second).ok());
        let life = end.map_or(KEPT_LEAST, |end| end.duration_since(self.clock.now()));
        Ok((answer.access_token, life.clamp(KEPT_LEAST, KEPT_MOST)))
    }
}

#[async_trait]
impl TokenSource for AzureCli {
    async fn token(&self) -> Result<Secret, PortError> {
        self.cache.token(self.clock.as_ref(), self.ask()).await
    }

    fn forget(&self) {
        self.cache.forget();
    }
}

/// Runs `command` to its end; what it printed.
async fn run(mut command: Command, limit: Duration) -> Result<Secret, PortError> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: `az` is a script that starts Python.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| refusal(MISSING, format!("`az` cannot be started: {error}")))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(refusal(MISSING, "`az` has no output".into()));
    };
    let ended = timeout(limit, async { tokio::join!(all(out), all(err), child.wait()) }).await;
    let Ok((out, err, status)) = ended else {
        if let Some(group) = group {
            // Not there any more is as good.
            let _ = killpg(group, Signal::SIGKILL);
        }
        let why = format!("it did not end within {} s and was killed", limit.as_secs());
        return Err(PortError::Unreachable { place: "az".into(), why });
    };
    match status {
        Ok(status) if status.success() => Ok(out),
        Ok(_) => Err(refused(complaint(&err))),
        Err(error) => Err(PortError::Unreachable { place: "az".into(), why: error.to_string() }),
    }
}

/// Everything up to the cap; the rest is read and dropped, so that the program never waits for us.
async fn all(pipe: impl AsyncRead + Unpin) -> Secret {
    let mut bytes = Vec::with_capacity(16 * 1024);
    let mut pipe = pipe;
    let _ = (&mut pipe).take(ANSWER_MAX_BYTES).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    Secret::new(bytes)
}

/// The first line that `az` marks as its error, printable and short.
fn complaint(err: &Secret) -> String {
    let text = String::from_utf8_lossy(err.expose()).into_owned();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("ERROR:")).unwrap_or_default();
    let line: String = line.trim().chars().filter(|c| !c.is_control()).take(COMPLAINT_MAX_CHARS).collect();
    if line.is_empty() { "it gave no reason".to_owned() } else { line }
}

fn refused(message: String) -> PortError {
    refusal(REFUSED, message)
}

fn refusal(code: &str, message: String) -> PortError {
    PortError::Denied(Refusal { status: 0, code: code.to_owned(), message, request_id: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn what_hangs_is_killed_with_its_children() {
        let error = run(shell("sleep 600 & wait"), Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(&error, PortError::Unreachable { why, .. } if why.contains("killed")), "{error}");
    }

    #[tokio::test]
    async fn its_complaint_is_one_line_and_its_output_never_shown() {
        let script = "echo canary-token; echo 'WARNING: x' >&2; echo \"ERROR: Please run 'az login'\" >&2; echo more >&2; exit 1";
        let error = run(shell(script), LIMIT).await.unwrap_err();
        let refusal = error.refusal().unwrap();
        assert_eq!((refusal.code.as_str(), refusal.message.as_str()), (REFUSED, "Please run 'az login'"));
        assert!(!format!("{error:?}").contains("canary"));
    }

    #[tokio::test]
    async fn endless_output_is_cut_and_does_not_block() {
        let out = run(shell("head -c 1000000 /dev/zero"), LIMIT).await.unwrap();
        assert_eq!(out.expose().len() as u64, ANSWER_MAX_BYTES);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told_apart() {
        let error = run(Command::new("/nowhere/az"), LIMIT).await.unwrap_err();
        assert_eq!(error.refusal().unwrap().code, MISSING);
    }
}
