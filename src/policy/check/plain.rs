//! Rules of single values that occur in many places: durations, addresses, ids, paths, modes, commands.

use jiff::SignedDuration;

use crate::policy::diagnostics::Report;
use crate::policy::permissions::is_guid;
use crate::policy::tree::At;
use crate::policy::values;

/// A duration, when it is given and can be read.
pub(crate) fn duration(text: Option<&str>, at: At<'_>, report: &mut Report<'_>) -> Option<SignedDuration> {
    match values::duration(text?) {
        Ok(duration) => Some(duration),
        Err(reason) => {
            report.error("P010", at.span(), "this duration cannot be read").label(reason).help("for instance `180d`");
            None
        }
    }
}

/// Reports what cannot be an e-mail address.
pub(crate) fn address(text: &str, at: At<'_>, report: &mut Report<'_>) {
    if !values::is_address(text) {
        report
            .error("P039", at.span(), "this is not an e-mail address")
            .help("write it without a name, `platform@contoso.example`");
    }
}

/// A GUID in lower case.
pub(crate) fn guid(text: &str, at: At<'_>, report: &mut Report<'_>) -> String {
    if !is_guid(text) {
        report
            .error("P016", at.span(), "this is not a GUID")
            .help("32 hexadecimal digits as Entra shows them, `2b61e0f4-0000-4000-8000-00000000c0de`");
    }
    text.to_ascii_lowercase()
}

/// An absolute path without `..`: sinks never depend on where everkey was started.
pub(crate) fn absolute(path: &str, at: At<'_>, report: &mut Report<'_>) {
    let plain = path.starts_with('/') && !path.ends_with('/') && !path.split('/').any(|part| part == "..");
    if !plain || path.chars().any(char::is_control) {
        report
            .error("P040", at.span(), "a sink needs an absolute path without `..`")
            .help("for instance `/srv/app/config.json`");
    }
}

/// A plain file name within a directory.
pub(crate) fn file_name(name: &str, at: At<'_>, report: &mut Report<'_>) {
    let bad =
        name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) || name.chars().any(char::is_control);
    if bad {
        report
            .error("P040", at.span(), "this must be a plain file name within `directory`")
            .help("for instance `enate.pfx`");
    }
}

/// An octal mode that keeps others out.
pub(crate) fn mode(text: &str, at: At<'_>, report: &mut Report<'_>) -> Option<u32> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777 && text.len() >= 3);
    match mode {
        Some(mode) if mode & 0o007 == 0 => return Some(mode),
        Some(_) => {
            let found = report.error("P040", at.span(), "this mode lets everybody on the host read a credential");
            found.help("end it with 0: `0640`, `0600`");
        }
        None => {
            report.error("P040", at.span(), "a mode is written in octal").help("for instance `0640`");
        }
    }
    None
}

/// `user:group`.
pub(crate) fn owner(text: &str, at: At<'_>, report: &mut Report<'_>) {
    let name = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.$".contains(c));
    if !text.split_once(':').is_some_and(|(user, group)| name(user) && name(group)) {
        report.error("P040", at.span(), "an owner is `user:group`").help("for instance `www-data:www-data`");
    }
}

/// A command as argv.
pub(crate) fn argv(words: &[String], at: At<'_>, report: &mut Report<'_>) {
    let Some(program) = words.first() else { return };
    let shell_string = words.len() == 1 && program.trim().contains(' ');
    if program.trim().is_empty() || shell_string {
        report
            .error("P040", at.span(), "a command is a list of words, never a shell string")
            .help("for instance `[\"systemctl\", \"reload\", \"lexzur-email\"]`");
    }
}

/// An http or https URL with a host and without user information; https unless the host is this machine.
pub(crate) fn url(text: &str, at: At<'_>, report: &mut Report<'_>) {
    let fits = url::Url::parse(text).is_ok_and(|url| {
        let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        url.has_host() && url.username().is_empty() && (url.scheme() == "https" || (url.scheme() == "http" && local))
    });
    if !fits {
        report
            .error("P055", at.span(), "this must be an https URL")
            .help("for instance `https://everkey.contoso.example`");
    }
}
/// Reports each line of the kind that `everkey adopt` leaves for a person: `# TODO impact = "…"`.
pub(crate) fn todos(text: &str, report: &mut Report<'_>) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start();
        if let Some(rest) = bare.strip_prefix("# TODO ") {
            let from = start + line.len() - bare.len();
            let what: String = rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.')).collect();
            report
                .warning("P061", from..from + bare.trim_end().len(), format!("`{what}` is still to be filled in"))
                .help("fill it in and take `# TODO` away; until then the policy only tells people");
        }
        start += line.len();
    }
}
