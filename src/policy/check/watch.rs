//! `[watch]`: all of a tenant, looked at and told about, never changed.

use crate::model::ClientId;
use crate::policy::Mode;
use crate::policy::Watch;
use crate::policy::diagnostics::Report;
use crate::policy::tree::At;
use crate::policy::wire::policy::PolicyFile;

use super::plain;

/// What the file watches, if it does.
pub(crate) fn watch(file: &PolicyFile, mode: Mode, at: At<'_>, report: &mut Report<'_>) -> Option<Watch> {
    let wire = file.watch.as_ref()?;
    let here = at.key("watch");
    if !wire.all {
        report
            .error("P060", here.span(), "`[watch]` needs `all = true`")
            .help("one application by itself has a policy of its own: `everkey adopt NAME`");
    }
    if mode == Mode::Rotate {
        report
            .error("P060", at.key("mode").span(), "a policy that watches the tenant never rotates")
            .help("write `mode = \"alert\"`, or `mode = \"watch\"` to hear of new credentials only");
    }
    for (key, there) in [
        ("app", file.app.is_some()),
        ("consent", file.consent.is_some()),
        ("credential", !file.credential.is_empty()),
        ("mailboxes", file.mailboxes.is_some()),
        ("permissions", !file.permissions.is_empty()),
    ] {
        if there {
            report
                .error(
                    "P060",
                    at.key(key).key_span(),
                    format!("`{key}` describes one application, `[watch]` all of them"),
                )
                .help("write it into a file of its own");
        }
    }
    let except = here.key("except");
    let id = |(index, id): (usize, &String)| ClientId(plain::guid(id, except.item(index), report));
    Some(Watch { except: wire.except.iter().enumerate().map(id).collect() })
}
