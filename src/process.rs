//! Child processes, the floor of the adapters that start one: argv and never a shell, an environment of its own,
//! bounded in time and in what is kept of its words.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signal::killpg;
use nix::unistd::Pid;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

/// How long after its end its words may still be read: a child of its own may hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How much of the end of standard error is kept.
const KEPT_BYTES: usize = 1024;

/// Everkey's own environment may hold secrets, so the command gets this one instead.
const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C.UTF-8")];

/// What is run. Nothing of it may be secret: others on this machine see the arguments of every process.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Program and arguments; empty runs nothing.
    pub argv: &'a [String],
    /// Standard input; closed at once without one.
    pub input: Option<&'a [u8]>,
    /// How long it may take.
    pub limit: Duration,
    /// How much of standard output is kept; more is a failure. Nought throws it away unread.
    pub output: usize,
}

/// Checks what can be checked of `argv` without running it. `key` is its name in the policy.
///
/// # Errors
/// A sentence for the user.
pub fn check(key: &str, argv: &[String]) -> Result<(), String> {
    let Some(program) = argv.first() else { return Ok(()) };
    if program.is_empty() || argv.iter().any(|word| word.contains('\0')) {
        return Err(format!("`{key}` must be a program and its arguments"));
    }
    if program.contains('/') && !program.starts_with('/') {
        return Err(format!("`{key}`: write `{program}` with its full path"));
    }
    Ok(())
}

/// Runs `job` from `/`, waits for it, and gives its standard output.
///
/// # Errors
/// Why it failed, with the end of what it said on standard error; printable, one line.
pub async fn run(job: Job<'_>) -> Result<Vec<u8>, String> {
    let Some((program, arguments)) = job.argv.split_first() else { return Ok(Vec::new()) };
    let piped = |wanted: bool| if wanted { Stdio::piped() } else { Stdio::null() };
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(ENVIRONMENT)
        .current_dir("/")
        .stdin(piped(job.input.is_some()))
        .stdout(piped(job.output > 0))
        .stderr(Stdio::piped())
        // A group of its own, so that its children end with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let words = child.stderr.take().map(|pipe| tokio::spawn(tail(pipe)));
    let output = child.stdout.take().map(|pipe| tokio::spawn(head(pipe, job.output)));
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), job.input) {
        let input = input.to_vec();
        // A command that does not read it is judged by its exit status.
        tokio::spawn(async move {
            let _ = pipe.write_all(&input).await;
        });
    }

    let ended = timeout(job.limit, child.wait()).await;
    if ended.is_err()
        && let Some(group) = group
    {
        // Not there any more is as good.
        let _ = killpg(group, Signal::SIGKILL);
    }
    let said = last_words(words).await.unwrap_or_default();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    match ended {
        Ok(Ok(status)) if status.success() => match last_words(output).await {
            Some(output) if output.len() > job.output => Err(format!("wrote more than {} bytes", job.output)),
            Some(output) => Ok(output),
            None if job.output == 0 => Ok(Vec::new()),
            None => Err("ended, and something else still holds its standard output".into()),
        },
        Ok(Ok(status)) => Err(format!("{}{said}", describe(status))),
        Ok(Err(error)) => Err(format!("cannot be waited for: {error}")),
        Err(_) => Err(format!("did not end within {} s and was killed{said}", job.limit.as_secs())),
    }
}

/// What a reader of a pipe has; `None` when the pipe stays open.
async fn last_words<T>(reader: Option<tokio::task::JoinHandle<T>>) -> Option<T> {
    let mut reader = reader?;
    if let Ok(read) = timeout(LAST_WORDS, &mut reader).await {
        return read.ok();
    }
    reader.abort();
    None
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

/// Reads to the end and keeps the first bytes, one more than `most` where there are more.
async fn head(mut pipe: impl AsyncRead + Unpin, most: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        let room = (most + 1).saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&buffer[..room]);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    async fn shell(script: &str, input: Option<&[u8]>, output: usize) -> Result<Vec<u8>, String> {
        let argv = argv(&["sh", "-c", script]);
        run(Job { argv: &argv, input, limit: Duration::from_secs(30), output }).await
    }

    #[tokio::test]
    async fn success_is_silent_and_nothing_to_run_is_success() {
        let nothing = Job { argv: &[], input: None, limit: Duration::from_secs(1), output: 0 };
        assert_eq!(run(nothing).await.unwrap(), b"");
        assert_eq!(shell("echo unheard", None, 0).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn input_goes_in_and_a_bounded_output_comes_out() {
        let long = vec![b'x'; 300_000];
        assert_eq!(shell("cat", Some(&long), 400_000).await.unwrap(), long);
        assert!(shell("cat", Some(&long), 1000).await.unwrap_err().contains("more than 1000 bytes"));
        assert_eq!(shell("echo done", Some(&long), 1000).await.unwrap(), b"done\n", "input that nobody reads");
        assert!(shell("sleep 600 & echo done", None, 1000).await.unwrap_err().contains("still holds"));
    }

    #[tokio::test]
    async fn failure_tells_status_and_the_end_of_standard_error() {
        let script = "yes noise | head -c 300000 >&2; printf 'unit not\\033[31m found\\n' >&2; exit 5";
        let error = shell(script, None, 0).await.unwrap_err();
        assert!(error.contains("exit status 5"), "{error}");
        assert!(error.contains("unit not") && error.ends_with("found"), "{error}");
        assert!(!error.chars().any(char::is_control) && error.len() < 1200, "{error}");
        let missing = argv(&["/nonexistent/program"]);
        let job = Job { argv: &missing, input: None, limit: Duration::from_secs(1), output: 0 };
        assert!(run(job).await.unwrap_err().contains("cannot be started"));
    }

    #[tokio::test]
    async fn the_environment_of_everkey_does_not_reach_it() {
        let script = "test -z \"$HOME$USER$CARGO_TARGET_DIR$CARGO_MANIFEST_DIR\"";
        shell(script, None, 0).await.unwrap();
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let argv = argv(&["sh", "-c", &script]);
        let job = Job { argv: &argv, input: None, limit: Duration::from_secs(1), output: 0 };
        let error = run(job).await.unwrap_err();
        assert!(error.contains("was killed"), "{error}");
        let pid = std::fs::read_to_string(&file).unwrap();
        // Gone, or a zombie that its new parent has not collected yet; the kernel may take a moment.
        for _ in 0..100 {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            if stat.is_err() || stat.unwrap().contains(") Z ") {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the child survived");
    }

    #[test]
    fn relative_programs_are_refused() {
        assert!(check("after", &argv(&["./reload.sh"])).is_err());
        assert!(check("after", &argv(&["", "x"])).is_err());
        assert!(check("after", &argv(&["systemctl", "reload", "x"])).is_ok());
    }
}
