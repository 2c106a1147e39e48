//! The command that tells a consumer about its new credential: argv, no shell, bounded in time and in what is
//! kept of its words. It gets no secret: none is in its arguments, its environment or its standard input.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signal::killpg;
use nix::unistd::Pid;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::error::Result;
use super::error::SinkError;

/// How long the command may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How long after its end its words may still be read: a child of its own may hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How much of the end of standard error is kept.
const KEPT_BYTES: usize = 1024;

/// Everkey's own environment may hold secrets, so the command gets this one instead.
const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C.UTF-8")];

/// Checks what can be checked of `argv` without running it.
pub(super) fn check(argv: &[String]) -> Result<()> {
    let Some(program) = argv.first() else { return Ok(()) };
    if program.is_empty() || argv.iter().any(|word| word.contains('\0')) {
        return Err(SinkError::refused("`after` must be a program and its arguments"));
    }
    if program.contains('/') && !program.starts_with('/') {
        return Err(SinkError::refused(format!("`after`: write `{program}` with its full path")));
    }
    Ok(())
}

/// Runs `argv` from `/` and waits for it; nothing to run is success.
pub(super) async fn run(argv: &[String]) -> Result<()> {
    run_within(argv, LIMIT).await
}

async fn run_within(argv: &[String], limit: Duration) -> Result<()> {
    let Some((program, arguments)) = argv.split_first() else { return Ok(()) };
    let failed = |why: String| SinkError::After { command: program.clone(), why };
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(ENVIRONMENT)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A group of its own, so that its children end with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let words = child.stderr.take().map(|pipe| tokio::spawn(tail(pipe)));

    let ended = timeout(limit, child.wait()).await;
    if ended.is_err()
        && let Some(group) = group
    {
        // Not there any more is as good.
        let _ = killpg(group, Signal::SIGKILL);
    }
    let said = match words {
        Some(mut task) => match timeout(LAST_WORDS, &mut task).await {
            Ok(said) => said.unwrap_or_default(),
            Err(_) => {
                task.abort();
                String::new()
            }
        },
        None => String::new(),
    };
    let said = if said.is_empty() { said } else { format!(": {said}") };
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(failed(format!("{}{said}", describe(status)))),
        Ok(Err(error)) => Err(failed(format!("cannot be waited for: {error}"))),
        Err(_) => Err(failed(format!("did not end within {} s and was killed{said}", limit.as_secs()))),
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("failed with exit status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "failed".into(),
    }
}

/// Reads to the end, so that the command never blocks on its words; keeps the last of them, printable.
async fn tail(mut pipe: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..count]);
        let surplus = kept.len().saturating_sub(KEPT_BYTES);
        kept.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&kept);
    let printable = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[tokio::test]
    async fn success_is_silent_and_nothing_to_run_is_success() {
        run(&[]).await.unwrap();
        run(&argv(&["true"])).await.unwrap();
    }

    #[tokio::test]
    async fn failure_tells_status_and_the_end_of_standard_error() {
        let script = "yes noise | head -c 300000 >&2; printf 'unit not\\033[31m found\\n' >&2; exit 5";
        let error = run(&argv(&["sh", "-c", script])).await.unwrap_err().to_string();
        assert!(error.contains("exit status 5"), "{error}");
        assert!(error.contains("unit not") && error.ends_with("found"), "{error}");
        assert!(!error.chars().any(char::is_control) && error.len() < 1200, "{error}");
        assert!(run(&argv(&["/nonexistent/program"])).await.unwrap_err().to_string().contains("cannot be started"));
    }

    #[tokio::test]
    async fn the_environment_of_everkey_does_not_reach_it() {
        let script = "test -z \"$HOME$USER$CARGO_TARGET_DIR$CARGO_MANIFEST_DIR\"";
        run(&argv(&["sh", "-c", script])).await.unwrap();
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let error = run_within(&argv(&["sh", "-c", &script]), Duration::from_secs(1)).await.unwrap_err();
        assert!(error.to_string().contains("was killed"), "{error}");
        let pid = std::fs::read_to_string(&file).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        // Gone, or a zombie that its new parent has not collected yet.
        assert!(stat.is_err() || stat.unwrap().contains(") Z "), "the child survived");
    }

    #[test]
    fn relative_programs_are_refused() {
        assert!(check(&argv(&["./reload.sh"])).is_err());
        assert!(check(&argv(&["", "x"])).is_err());
        assert!(check(&argv(&["systemctl", "reload", "x"])).is_ok());
    }
}
