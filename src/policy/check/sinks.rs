//! `[[credential.deliver]]`: where a credential goes.

use std::collections::BTreeMap;

use crate::model::HandoffField;
use crate::model::HandoffSpec;
use crate::model::HandoffVia;
use crate::model::JsonFileSpec;
use crate::model::People;
use crate::model::SinkId;
use crate::model::SinkSpec;
use crate::model::SinkTarget;
use crate::model::ValueName;
use crate::policy::diagnostics::Report;
use crate::policy::tree::At;
use crate::policy::values::days;
use crate::policy::wire::sinks::Deliver;
use crate::policy::wire::sinks::Field;
use crate::policy::wire::sinks::Handoff;
use crate::policy::wire::sinks::JsonFile;
use crate::policy::wire::sinks::WriteWord;

use super::files;
use super::plain;

/// What the sinks of one credential need to know about it.
pub(crate) struct Sinks<'a> {
    pub certificate: bool,
    pub people: &'a People,
}

impl Sinks<'_> {
    /// Every sink, with its stable id.
    pub fn read(&self, wires: &[Deliver], at: At<'_>, report: &mut Report<'_>) -> Vec<SinkSpec> {
        let mut sinks: Vec<SinkSpec> = Vec::new();
        for (index, wire) in wires.iter().enumerate() {
            let here = at.item(index);
            let sink = self.sink(wire, here, report);
            if sinks.iter().any(|other| other.id == sink.id) {
                report
                    .error("P035", here.span(), format!("two sinks are the same place, `{}`", sink.id))
                    .help("remove one, or name another place or recipient");
            }
            sinks.push(sink);
        }
        sinks
    }

    fn sink(&self, wire: &Deliver, at: At<'_>, report: &mut Report<'_>) -> SinkSpec {
        let target = match wire {
            Deliver::AzureKeyVault(wire) => SinkTarget::AzureKeyVault(self.key_vault(wire, at, report)),
            Deliver::Files(wire) => SinkTarget::Files(files::files(wire, self.certificate, at, report)),
            Deliver::Handoff(wire) => SinkTarget::Handoff(self.handoff(wire, at, report)),
            Deliver::HashicorpVault(wire) => SinkTarget::HashicorpVault(self.vault_kv(wire, at, report)),
            Deliver::JsonFile(wire) => SinkTarget::JsonFile(self.json_file(wire, at, report)),
            Deliver::Kubernetes(wire) => SinkTarget::Kubernetes(self.kubernetes(wire, at, report)),
        };
        let (to, place) = target.described();
        SinkSpec { id: SinkId(format!("{to}:{place}")), target }
    }

    fn handoff(&self, wire: &Handoff, at: At<'_>, report: &mut Report<'_>) -> HandoffSpec {
        let Handoff { doer, recipient_name, place, via, lead, ticket_text, fields } = wire;
        if let Some(doer) = doer {
            plain::address(doer, at.key("doer"), report);
        }
        let usual_doer = || self.people.pm.clone().unwrap_or_else(|| self.people.owner.clone());
        let recipient = recipient_name.clone().or_else(|| self.people.vendor.clone());
        if recipient.is_none() && !at.is_broken() {
            let found = report.error("P005", at.span(), "`recipient_name` is missing from `credential.deliver`");
            found.help("who receives it, for instance `Reapit support`; or set `people.vendor`");
        }
        if place.is_none() && !at.is_broken() {
            let found = report.error("P005", at.span(), "`where` is missing from `credential.deliver`");
            found.help("a URL or a sentence: where the doer takes it");
        }
        let via = via.unwrap_or(HandoffVia::Command);
        if via != HandoffVia::Command {
            report
                .warning("P038", at.key("via").span(), "only `via = \"command\"` works in this release")
                .help("until then an operator opens it with `everkey handoff open`");
        }
        HandoffSpec {
            doer: doer.clone().unwrap_or_else(usual_doer),
            recipient_name: recipient.unwrap_or_default(),
            place: place.clone().unwrap_or_default(),
            via,
            lead: plain::duration(lead.as_deref(), at.key("lead"), report).unwrap_or(days(14)),
            ticket_text: ticket_text.clone(),
            fields: self.fields(fields, at, report),
        }
    }

    fn fields(&self, wires: &[Field], at: At<'_>, report: &mut Report<'_>) -> Vec<HandoffField> {
        let list = at.key("fields");
        if wires.is_empty() {
            return if list.is_broken() { Vec::new() } else { self.usual_fields() };
        }
        let mut values = Vec::new();
        for (index, field) in wires.iter().enumerate() {
            let here = list.item(index).key("value");
            values.extend(field.value);
            self.fits(field.value, here, report);
        }
        self.whole(&values, list, report);
        let field = |wire: &Field| HandoffField {
            label: wire.label.clone().unwrap_or_default(),
            value: wire.value,
            note: wire.note.clone(),
        };
        wires.iter().map(field).collect()
    }

    /// Tenant, client, and the credential: what every vendor's form asks for.
    fn usual_fields(&self) -> Vec<HandoffField> {
        let credential: &[(&str, ValueName)] = if self.certificate {
            &[
                ("PFX file", ValueName::Pfx),
                ("PFX password", ValueName::PfxPassword),
                ("Thumbprint", ValueName::Thumbprint),
            ]
        } else {
            &[("Client secret", ValueName::Secret)]
        };
        let ids = [("Directory (tenant) ID", ValueName::TenantId), ("Application (client) ID", ValueName::ClientId)];
        let field = |(label, value): &(&str, ValueName)| HandoffField {
            label: (*label).to_owned(),
            value: Some(*value),
            note: None,
        };
        ids.iter().chain(credential).map(field).collect()
    }

    fn json_file(&self, wire: &JsonFile, at: At<'_>, report: &mut Report<'_>) -> JsonFileSpec {
        let JsonFile { path, values, mode, owner, after, write } = wire;
        match path {
            Some(path) => plain::absolute(path, at.key("path"), report),
            None if at.is_broken() => {}
            None => {
                report
                    .error("P005", at.span(), "`path` is missing from `credential.deliver`")
                    .help("the file, absolute");
            }
        }
        self.pointers(values, at.key("values"), report);
        if let Some(owner) = owner {
            plain::owner(owner, at.key("owner"), report);
        }
        plain::argv(after, at.key("after"), report);
        JsonFileSpec {
            path: path.clone().unwrap_or_default(),
            values: values.iter().map(|(pointer, value)| (pointer.clone(), *value)).collect(),
            mode: mode.as_deref().and_then(|mode| plain::mode(mode, at.key("mode"), report)),
            owner: owner.clone(),
            after: after.clone(),
            in_place: *write == Some(WriteWord::InPlace),
        }
    }

    fn pointers(&self, values: &BTreeMap<String, ValueName>, at: At<'_>, report: &mut Report<'_>) {
        for (pointer, value) in values {
            let here = at.key(pointer);
            let escaped = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
            if !pointer.starts_with('/') || pointer.len() < 2 || !escaped {
                report
                    .error("P040", here.key_span(), "this is not a JSON pointer (RFC 6901)")
                    .help("for instance `/MS-OfficeMail-365/clientSecret`");
            }
            let covers =
                |other: &&String| other.strip_prefix(pointer.as_str()).is_some_and(|rest| rest.starts_with('/'));
            if let Some(inside) = values.keys().find(covers) {
                let summary = format!("`{inside}` lies inside `{pointer}`");
                report.error("P040", here.key_span(), summary).help("one value cannot hold another");
            }
            self.fits(Some(*value), here, report);
        }
        if !at.is_broken() {
            let values: Vec<ValueName> = values.values().copied().collect();
            self.whole(&values, at, report);
        }
    }

    /// Reports a value that this kind of credential does not have.
    pub(super) fn fits(&self, value: Option<ValueName>, at: At<'_>, report: &mut Report<'_>) {
        let of_secret = matches!(value, Some(ValueName::Secret | ValueName::SecretId));
        let of_certificate = matches!(
            value,
            Some(
                ValueName::Certificate
                    | ValueName::Pfx
                    | ValueName::PfxPassword
                    | ValueName::PrivateKey
                    | ValueName::Thumbprint
                    | ValueName::ThumbprintSha256
            )
        );
        if of_secret && self.certificate {
            report
                .error("P029", at.span(), "a certificate has no such value")
                .help("`pfx`, `private_key`, `certificate`, `thumbprint`");
        }
        if of_certificate && !self.certificate {
            report
                .error("P029", at.span(), "a client secret has no such value")
                .help("`secret`, `secret_id`, `expires`");
        }
    }

    /// Reports a sink that gets nothing of the credential, or a PFX without its password.
    pub(super) fn whole(&self, values: &[ValueName], at: At<'_>, report: &mut Report<'_>) {
        let has = |value| values.contains(&value);
        if has(ValueName::Pfx) && !has(ValueName::PfxPassword) {
            report
                .error("P028", at.span(), "the PFX goes there, its password does not")
                .help("add a field with `value = \"pfx_password\"`");
        }
        if !has(ValueName::Secret) && !has(ValueName::Pfx) && !has(ValueName::PrivateKey) {
            let what = if self.certificate { "`pfx` or `private_key`" } else { "`secret`" };
            report
                .error("P051", at.span(), "nothing of the credential goes there")
                .help(format!("deliver {what} as well"));
        }
    }
}
