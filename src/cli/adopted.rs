//! The text of an adopted policy: what Entra shows of an application, and TODO where only a person knows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::policy_file::quoted;
use crate::model::AppObserved;
use crate::model::Audience;
use crate::model::GRAPH_APP_ID;
use crate::model::Holder;
use crate::model::Listed;
use crate::model::ListedKind;
use crate::model::PermissionKind;
use crate::model::SlotName;
use crate::policy::permissions::EXCHANGE_APP_ID;
use crate::policy::permissions::Resource;

/// More slots than this are a sign that nobody knows what they are for.
const MOST_SLOTS: usize = 5;

/// The first slot.
const PRIMARY: &str = "primary";

/// What is known.
pub struct Adopted<'a> {
    /// Name of the policy.
    pub name: &'a str,
    /// The application with its credentials.
    pub holder: &'a Holder,
    /// The application with its permissions.
    pub app: &'a AppObserved,
    /// Tenant, a name of the configuration.
    pub tenant: Option<&'a str>,
    /// Who gets the technical mails.
    pub owner: Option<&'a str>,
    /// Project manager.
    pub pm: Option<&'a str>,
    /// When.
    pub now: Timestamp,
}

impl Adopted<'_> {
    /// Its credentials, each with the slot that the file describes for it.
    pub fn slots(&self) -> Vec<(Listed, Option<SlotName>)> {
        slots(self.holder, self.audience().is_some_and(Audience::is_capped), self.now)
    }

    fn audience(&self) -> Option<Audience> {
        let all = [Audience::Single, Audience::Multi, Audience::MultiAndPersonal, Audience::Personal];
        all.into_iter().find(|audience| audience.graph_name() == self.app.audience)
    }

    /// The file.
    pub fn text(&self) -> String {
        let mut text = format!(
            "#:schema https://everkey.example/schema/policy.v1.json\n\
             # Written by `everkey adopt` on {day}, from what Entra shows. With mode = \"alert\" nothing is changed in Entra:\n\
             # people hear in time. Fill in the lines marked TODO, then: everkey enable {name}\n\
             version = 1\n\
             name = {quoted_name}\n\
             title = {title}\n\
             # TODO impact = \"What stops, in one plain sentence for a project manager.\"\n\
             mode = \"alert\"\n",
            day = self.now.strftime("%Y-%m-%d"),
            name = self.name,
            quoted_name = quoted(self.name),
            title = quoted(&self.app.display_name),
        );
        if let Some(tenant) = self.tenant {
            let _ = writeln!(text, "tenant = {}", quoted(tenant));
        }
        let _ = write!(
            text,
            "\n[app]\napp_id = {}\ndisplay_name = {}\n",
            quoted(self.app.client_id.as_str()),
            quoted(&self.app.display_name)
        );
        let audience = self.audience();
        let word = audience.and_then(|audience| serde_json::to_value(audience).ok());
        if let Some(word) = word.as_ref().and_then(serde_json::Value::as_str) {
            let _ = writeln!(text, "audience = {}", quoted(word));
        }
        self.permissions(&mut text);
        self.credentials(&mut text, audience.is_some_and(Audience::is_capped));
        text.push_str("\n[people]\n");
        for (key, address) in [("owner", self.owner), ("pm", self.pm)] {
            if let Some(address) = address {
                let _ = writeln!(text, "{key} = {}", quoted(address));
            }
        }
        text.push_str("# TODO vendor = \"Whom to ask on the other side\"\n");
        text
    }

    /// As they are requested in Entra; consent is not everkey's business until somebody says so.
    fn permissions(&self, text: &mut String) {
        let mut by_resource: BTreeMap<&str, [Vec<String>; 2]> = BTreeMap::new();
        let mut unnamed = Vec::new();
        for permission in &self.app.permissions {
            let (key, resource) = match permission.resource.as_str() {
                GRAPH_APP_ID => ("graph", Resource::Graph),
                EXCHANGE_APP_ID => ("exchange", Resource::Exchange),
                other => (other, Resource::Other(permission.resource.clone())),
            };
            let offered = resource.offered().iter().find(|one| one.id == permission.id && one.kind == permission.kind);
            let name = match (&resource, offered) {
                (_, Some(offered)) => offered.name.to_owned(),
                (Resource::Other(_), None) => permission.id.clone(),
                (_, None) => {
                    unnamed.push(format!(
                        "# {key}: everkey has no name for {}; it stays as it is\n",
                        quoted(&permission.id)
                    ));
                    continue;
                }
            };
            let lists = by_resource.entry(key).or_default();
            lists[usize::from(permission.kind == PermissionKind::Scope)].push(quoted(&name));
        }
        for (key, [application, delegated]) in &mut by_resource {
            let _ =
                writeln!(text, "\n[permissions.{}]", if key.contains('-') { quoted(key) } else { (*key).to_owned() });
            for (word, names) in [("application", application), ("delegated", delegated)] {
                if !names.is_empty() {
                    names.sort();
                    names.dedup();
                    let _ = writeln!(text, "{word} = [{}]", names.join(", "));
                }
            }
        }
        text.extend(unnamed);
        text.push_str("\n[consent]\ngrant = \"none\"\n");
    }

    /// A slot for each that is valid; those that ended are named, so that whoever reads knows them.
    fn credentials(&self, text: &mut String, capped: bool) {
        let slots = slots(self.holder, capped, self.now);
        for (one, slot) in &slots {
            let Some(slot) = slot else {
                let _ = write!(text, "\n# also there: {}", described(one));
                continue;
            };
            let kind = if one.kind == ListedKind::Certificate { "certificate" } else { "client-secret" };
            let _ = write!(
                text,
                "\n# in Entra: {}[[credential]]\nname = {}\nkind = \"{kind}\"\n",
                described(one),
                quoted(slot.as_str())
            );
            if let Some(name) = one.name.as_deref().filter(|name| !name.is_empty()) {
                let _ = writeln!(text, "description = {}", quoted(name));
            }
            if slot.as_str() == PRIMARY {
                text.push_str("# TODO deliver: where a new value goes, see `[[credential.deliver]]` in docs/reference/policy.md\n");
            }
        }
        if slots.is_empty() {
            text.push_str("\n# no credential in Entra yet\n# TODO deliver: describe one, see `[[credential]]` in docs/reference/policy.md\n");
        }
    }
}

/// A slot for each that is valid; those that ended get one only where nothing else is there.
fn slots(holder: &Holder, capped: bool, now: Timestamp) -> Vec<(Listed, Option<SlotName>)> {
    let mut all: Vec<Listed> = holder.listed();
    all.retain(|one| one.kind != ListedKind::Saml);
    all.sort_by_key(|one| std::cmp::Reverse(one.end));
    let (valid, ended): (Vec<Listed>, Vec<Listed>) = all.into_iter().partition(|one| one.end > now);
    let ended = ended.into_iter().take(usize::from(valid.is_empty()));
    let mut taken = 0;
    let mut slot = |one: &Listed| {
        let second_of_capped = capped && one.kind == ListedKind::Secret && taken > 0;
        if taken == MOST_SLOTS || second_of_capped {
            return None;
        }
        taken += 1;
        Some(if taken == 1 { PRIMARY.into() } else { format!("number-{taken}").into() })
    };
    valid.into_iter().chain(ended).map(|one| (slot(&one), one)).map(|(slot, one)| (one, slot)).collect()
}

fn described(one: &Listed) -> String {
    let hint = one.hint.as_deref().map(|hint| format!(", hint {}", quoted(hint))).unwrap_or_default();
    let thumbprint = one.thumbprint.as_ref().map(|it| format!(", thumbprint {it}")).unwrap_or_default();
    format!("{} {}{hint}{thumbprint}, ends {}\n", one.kind.word(), one.key_id, one.end.strftime("%Y-%m-%d"))
}
