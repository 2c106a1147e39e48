//! The systemd drop-in for the policies at hand: the shipped unit may write nowhere but in its own state.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::Settings;
use crate::model::SinkTarget;
use crate::policy::Policy;
use crate::policy::SecretSource;

/// The text of `everkey-files.conf`.
pub fn drop_in(settings: &Settings, policies: &[Policy]) -> String {
    let mut places: BTreeSet<String> = BTreeSet::new();
    let mut owners: BTreeSet<&str> = BTreeSet::new();
    let mut commands: BTreeSet<String> = BTreeSet::new();
    for sink in policies.iter().flat_map(|policy| &policy.credentials).flat_map(|spec| &spec.sinks) {
        let (path, owner, after) = match &sink.target {
            SinkTarget::Files(spec) => (&spec.directory, &spec.owner, &spec.after),
            SinkTarget::JsonFile(spec) => (&spec.path, &spec.owner, &spec.after),
            _ => continue,
        };
        // Both are swapped by renames beside the old one.
        let above = Path::new(path).parent().unwrap_or(Path::new("/"));
        places.insert(quoted(&above.display().to_string()));
        owners.extend(owner.as_deref());
        if !after.is_empty() {
            commands.insert(after.join(" "));
        }
    }
    let mut text = "# everkey-files.conf, from `everkey doctor --systemd-drop-in`: lets everkey write where its policies deliver.\n\
                    # Put it into /etc/systemd/system/everkey.service.d/ and run `systemctl daemon-reload`.\n\
                    # Make it anew when a policy delivers to another place.\n\
                    [Service]\n\
                    # A user that stays: files keep their owner, and the places below can be given to it.\n\
                    DynamicUser=no\nUser=everkey\nGroup=everkey\n"
        .to_owned();
    if places.is_empty() {
        text.push_str("# No policy delivers to files of this machine: nothing else is needed.\n");
    } else {
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        text.push_str("# The user everkey needs the right to write there (owner, group or setfacl).\n");
        text.push_str(&format!("ReadWritePaths={}\n", places.join(" ")));
    }
    if !owners.is_empty() {
        let owners: Vec<&str> = owners.into_iter().collect();
        text.push_str(&format!(
            "# Files are given to {}: that needs CAP_CHOWN, the call itself, and users that are the host's.\n\
             PrivateUsers=no\nCapabilityBoundingSet=CAP_CHOWN\nAmbientCapabilities=CAP_CHOWN\nSystemCallFilter=@chown\n",
            owners.join(", ")
        ));
    }
    for command in commands {
        text.push_str(&format!(
            "# After a delivery everkey runs `{command}`: a polkit rule must allow it to User=everkey.\n"
        ));
    }
    for (name, source) in credentials(settings) {
        if let SecretSource::Credential(credential) = source {
            text.push_str(&format!("# {name}\nLoadCredential={credential}:/etc/everkey/secrets/{credential}\n"));
        }
    }
    text
}

/// What everkey reads from systemd's credential directory.
fn credentials(settings: &Settings) -> Vec<(&'static str, &SecretSource)> {
    let seal = settings.tool.seal.as_ref().map(|seal| ("The seal key", &seal.key));
    let mail = settings.tool.mail.as_ref().and_then(|mail| Some(("The mail password", mail.password.as_ref()?)));
    seal.into_iter().chain(mail).collect()
}

/// A path as systemd reads it: `%` begins a specifier, blanks divide.
fn quoted(path: &str) -> String {
    let path = path.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    if path.contains([' ', '\t', '"', '\\']) { format!("\"{path}\"") } else { path }
}
