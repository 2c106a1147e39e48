//! Every code of this room, for `everkey explain`.

/// What `everkey explain CODE` says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Code {
    /// `P012`.
    pub code: &'static str,
    /// A few words.
    pub title: &'static str,
    /// What it means and why it is so.
    pub explanation: &'static str,
    /// What to do.
    pub help: &'static str,
}

/// Every code, in order.
pub fn codes() -> &'static [Code] {
    CODES
}

macro_rules! codes {
    ($($code:literal, $title:literal, $explanation:literal, $help:literal;)*) => {
        const CODES: &[Code] =
            &[$(Code { code: $code, title: $title, explanation: $explanation, help: $help }),*];
    };
}

codes! {
    "P001", "a file cannot be read",
        "A policy file, everkey.toml, or the directory of the policies cannot be opened, is larger than 1 MiB, or is not UTF-8 text.",
        "Check the path, its owner and its mode; `-C` and `-p` choose others.";
    "P002", "not valid TOML or JSON",
        "The file breaks the syntax of its format, so nothing in it can be used. Files that end in .json are JSON, all others TOML 1.0.",
        "Correct the marked place; the other problems of the file show once it can be parsed.";
    "P003", "unknown key",
        "A key that everkey does not know is refused, because a misspelt key would otherwise be a setting that silently does nothing.",
        "Use the suggested name, or remove the key. `everkey schema policy` lists all keys.";
    "P004", "a value of the wrong type",
        "The value has another type than the key takes; a date or duration, for example, is a string in quotes.",
        "Write the type the message names.";
    "P005", "something is missing",
        "A key without a default is not there.",
        "Add it.";
    "P006", "unknown word",
        "The key takes one of a few words, and this is none of them.",
        "Use one of the words listed.";
    "P007", "unknown version",
        "The file is written for another version of the format; this everkey cannot know what its keys mean.",
        "Write `version = 1`, or use the everkey the file was written for.";
    "P008", "a name that does not fit",
        "The name of an integration is the stem of its file, and a name has lower-case letters, digits and hyphens only: it occurs in file names, commands, tags in Entra and links.",
        "Rename the file or the integration. Renaming keeps the app and its credentials.";
    "P009", "a secret in a file",
        "A policy or everkey.toml never holds a secret: these files are reviewed, copied and committed. The value is not shown again.",
        "Name a file (`…_file`, or `credential:NAME` for systemd's credential directory) or a variable (`…_env`). If the value is real, revoke it: it has been written down.";
    "P010", "a duration that cannot be read",
        "Durations are written `30d`, `12h`, or in ISO 8601 (`P30D`). A day has 24 hours. Months and years have no fixed length.",
        "Write days or hours.";
    "P011", "a schedule that cannot be read",
        "A schedule has the five fields of crontab(5): minute, hour, day of month, month, weekday. Each is `*`, a value, a range, a list, or a step of `*` or of a range. Weekday 0 and 7 are Sunday; names have three letters.",
        "Correct the marked part, for instance `0 6 * * MON-FRI`.";
    "P012", "unknown permission",
        "Permissions are written by name, and the resource publishes none of this name.",
        "`everkey explain permissions --search WORD` lists names.";
    "P013", "a permission of the other kind",
        "The name exists, but only as an application permission (the app acts as itself) or only as a delegated one (it acts for a signed-in user).",
        "Move it to the other list, or choose the permission the app needs.";
    "P014", "everkey may not grant this",
        "`consent.grant = \"grant\"` lets everkey consent, but only to names that `permissions_allowed` of everkey.toml lists, so that a change of a policy alone never widens what an app may do.",
        "Add the name there after thought, or set `grant = \"link\"` and let an administrator click.";
    "P015", "unknown resource",
        "`[permissions.NAME]` knows `graph` (Microsoft Graph), `exchange` (Office 365 Exchange Online), and the app id of any other resource.",
        "Use one of these.";
    "P016", "not a GUID",
        "Ids of tenants, apps, keys, and permissions of other resources are GUIDs.",
        "Copy the id as Entra shows it.";
    "P017", "a schedule that never fires",
        "No date of the calendar fits (30 February), or no time of the schedule lies inside the window. No rotation would ever start.",
        "Change the schedule or the window.";
    "P018", "unknown time zone",
        "Time zones have IANA names. Abbreviations such as CET do not say when clocks change.",
        "Use a name such as `Europe/London`.";
    "P019", "a date or time that cannot be read",
        "A freeze is two inclusive local dates, a window two local times (it may pass midnight), a digest a weekday and a time.",
        "`2026-12-18/2027-01-04`, `06:00/10:00`, `Mon 08:30`.";
    "P020", "the impact sentence",
        "`impact` is what a project manager reads when something is about to stop: one line of 10 to 120 characters, without the words secret, certificate, token and credential. `mode = \"rotate\"` needs it.",
        "Say what stops and for whom: `New portal leads stop arriving in Reapit.`";
    "P021", "nowhere to deliver",
        "`mode = \"rotate\"` makes new credentials. Without a credential there is nothing to rotate, and without a sink nobody would get the new value while the old one ends.",
        "Add `[[credential]]` and `[[credential.deliver]]`, or use `mode = \"alert\"`.";
    "P022", "durations that cannot work together",
        "The next credential must be staged early enough for the hand-off's lead, the overlap and some failures; the overlap must outlast what consumers hold on to; and something of the lifetime must remain. The sum is spelled out.",
        "Change the duration named, or leave it out: the defaults fit together.";
    "P023", "the old one would stay too long",
        "With `retire = \"at-expiry\"` (the default where a person carries the value) the old credential stays to its own end. If the next rotation starts before that, two rotations would be open at once; so `rotate_before` is at most half of the lifetime.",
        "Raise `lifetime` or lower `rotate_before`.";
    "P024", "people would be asked often",
        "A credential that a person carries and that lives less than 120 days is a burden people learn to ignore.",
        "Raise `lifetime`, or say `accept_frequent_handoff = true` to mean it.";
    "P025", "evidence that does not fit the sink",
        "A hand-off is confirmed by a person's word or by the sign-in report; a sink that everkey can read back by a token obtained with what it holds, or by the report. Time alone is no evidence for either. A store that many may read (a vault, Kubernetes) shows by what it holds that it was delivered, never that it was read: there it is the report, or the overlap.",
        "Use `person` for hand-offs, `token-request` for files, `overlap` for vaults.";
    "P026", "a key Entra does not accept",
        "Entra accepts only RSA keys of 2048 bits and up for signing in with a certificate. An elliptic-curve certificate can be uploaded, and then every sign-in fails.",
        "Use `rsa-3072`.";
    "P027", "personal accounts only",
        "An app for personal Microsoft accounts only cannot use the client credentials flow, so no credential of it could ever be proven.",
        "Use `multi+personal` if personal accounts are needed.";
    "P028", "a PFX without its password",
        "A PFX is of no use without its password, so the password needs a way as well.",
        "In `files`: `password_to` (generated, written beside it) or `password_file` (yours). In a hand-off: a field with `value = \"pfx_password\"`.";
    "P029", "belongs to the other kind of credential",
        "A client secret has a value and an id; a certificate has files, a thumbprint, a subject and a key type.",
        "Remove it, or change `kind`.";
    "P030", "two policies on one app",
        "Two files that describe one app would undo each other's changes.",
        "Put the credentials in one file; or say `shared = true` in both and describe the app in exactly one.";
    "P031", "reaches every mailbox",
        "An application permission for mail, calendars or contacts holds for every mailbox of the tenant unless Exchange limits it.",
        "Add `[mailboxes]` with the mailboxes it needs; everkey writes the script.";
    "P032", "no backup",
        "A project manager who is on holiday is the usual reason why a hand-off is late.",
        "Name a `backup`.";
    "P033", "asks somebody often",
        "By lifetime and lead this person is asked more than four times a year.",
        "Raise `lifetime`, or lower `rotate_before` or `lead`.";
    "P034", "two grants that add up",
        "RBAC for Applications and an Entra grant of the same permission add up: as long as the tenant-wide grant stands, the scope limits nothing.",
        "Remove the permission from `[permissions.…]`, or use `method = \"access-policy\"`.";
    "P035", "listed twice",
        "Two entries mean the same thing, and one of them is probably a mistake.",
        "Remove or rename one.";
    "P036", "one secret slot only",
        "With personal accounts Entra allows two client secrets on an app, expired and foreign ones counted. A rotation needs both, so there is one slot.",
        "Use a certificate for the other, or an app of its own.";
    "P037", "not in this release",
        "The policy format describes it, this release of everkey cannot do it yet. It is refused rather than ignored.",
        "Use what the message suggests.";
    "P038", "accepted, not acted on",
        "The key is part of the format and is read, but nothing in this release acts on it.",
        "See what the message suggests; the policy can stay as it is.";
    "P039", "not an e-mail address",
        "People are named by their e-mail address, without a display name (`mail.from` alone may have one).",
        "`platform@contoso.example`";
    "P040", "a path, name, mode or command that does not fit",
        "Sinks have absolute paths, files in a directory plain names, JSON pointers start with `/`, modes are octal and keep others out, owners are `user:group`, commands are lists of words.",
        "Write it as the message shows.";
    "P041", "a redirect URI Entra refuses",
        "Entra takes https URIs (http only for this machine) of up to 256 characters, without fragment and wildcard.",
        "Change the URI.";
    "P042", "one name, two files",
        "Two files describe an integration of the same name, so neither can be selected.",
        "Rename one.";
    "P043", "signing in needs more",
        "The way of signing in that was chosen needs a file, a variable or an id that is not there.",
        "Add what the message names.";
    "P044", "cloud and emulator settings do not fit",
        "URLs belong to a custom cloud, an emulator is a custom cloud, and `sink_root` belongs to an emulator: a mixture could send real credentials to a test, or test credentials to a real place.",
        "Change what the message names.";
    "P045", "an address that cannot be read",
        "The store is `sqlite://PATH` or `postgres://…`; an address to listen on is `HOST:PORT` with a numeric host.",
        "`sqlite:///var/lib/everkey/everkey.db`, `127.0.0.1:8080`";
    "P047", "a weak PFX",
        "`legacy-3des` uses 3DES and SHA-1, which only Windows Server 2016 and older still need.",
        "Use `modern` where you can.";
    "P048", "nobody to tell",
        "Without an owner nobody hears when the integration is about to stop.",
        "Set `people.owner`, or `alerts.fallback_to` for all.";
    "P049", "unknown tenant",
        "A policy belongs to a tenant of everkey.toml.",
        "Use one of the names in `[tenants.NAME]`, or set `defaults.tenant`.";
    "P050", "keys that contradict each other",
        "Two keys say different things, or one belongs to another choice, so one of them would be ignored.",
        "Remove the one you do not mean.";
    "P051", "nothing of the credential goes there",
        "A sink that gets ids but neither the secret nor a private key leaves its consumer unable to sign in.",
        "Deliver the credential's value as well.";
    "P052", "mailboxes that limit nothing",
        "`[mailboxes]` names the mailboxes an app may reach and what it may do there.",
        "Add what the message names.";
    "P053", "retire on a person's word",
        "With `after-overlap` the old value of a hand-off leaves once a person says the new one is in use. A mistaken word then stops the integration; with `at-expiry` it costs nothing.",
        "Leave `retire` out.";
    "P054", "a number out of range",
        "The number is smaller or larger than can work.",
        "Use one in the range named.";
    "P055", "not an https URL",
        "Links and endpoints are https URLs without user name and password; http only for this machine.",
        "`https://everkey.contoso.example`";
    "P060", "watching a tenant",
        "A file with `[watch]` is about every application that no other policy describes: nothing is changed in Entra, people are told. So it has `all = true`, never rotates, describes no app of its own, and there is one for a tenant.",
        "Move what belongs to one application into a file of its own.";
    "P061", "still to be filled in",
        "`everkey adopt` marks with TODO what it cannot know: what stops, where a new credential goes, who the vendor is. Until then the policy only tells people in time.",
        "Fill the line in and take the mark away.";
    "P070", "a value that does not fit the place",
        "A Secret of type `kubernetes.io/tls` holds a certificate in `tls.crt` and its key in `tls.key`; nothing else can take their place.",
        "Use `type = \"Opaque\"`, or leave `values` out.";
    "P071", "a name that the place does not take",
        "Names in a vault or a cluster have rules of their own. A key vault is named, never given as a URL: the cloud of the tenant says its host, so that a token for vaults cannot be sent anywhere else.",
        "Write the name as the message shows.";
    "P072", "no way to sign in there",
        "HashiCorp Vault takes AppRole (`role_id` with `secret_id_file`) or a token from a file. A Kubernetes API server outside of the pod's own cluster takes a token from a file.",
        "Add what the message names.";
    "P081", "one place, two credentials",
        "Two credentials are delivered to the same name of a key vault, or to the same key of a secret in HashiCorp Vault or Kubernetes. Each would take the other's value away.",
        "Give each a name, a path or keys of its own. Different keys of one secret are fine.";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every string `"P…"` of the room's code outside this table.
    fn used() -> Vec<String> {
        let mut found = Vec::new();
        let mut dirs = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/policy")];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else if path.extension().is_some_and(|of| of == "rs") && !path.ends_with("codes.rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let code = text.split("#[cfg(test)]").next().unwrap();
                    found.extend(code.split("\"P").skip(1).filter_map(|rest| {
                        let digits = rest.get(..3).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
                        (rest.get(3..4) == Some("\"")).then(|| format!("P{digits}"))
                    }));
                }
            }
        }
        found.sort();
        found.dedup();
        found
    }

    #[test]
    fn every_used_code_is_explained_and_every_explained_code_is_used() {
        let known: Vec<&str> = codes().iter().map(|code| code.code).collect();
        assert_eq!(used(), known);
        assert!(codes().iter().all(|code| !code.help.is_empty() && !code.explanation.is_empty()));
    }
}
