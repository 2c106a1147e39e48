//! `[people]`, and the words people read: name, title, impact.

use crate::model::People;
use crate::policy::Mode;
use crate::policy::ToolConfig;
use crate::policy::diagnostics::Report;
use crate::policy::tree::At;
use crate::policy::wire::policy::PolicyFile;

use super::plain;

/// Words a project manager must not need to know.
const JARGON: &[&str] = &["secret", "certificate", "token", "credential"];

/// Who is told; without an owner the tool's fallback address.
pub(crate) fn people(file: &PolicyFile, tool: &ToolConfig, at: At<'_>, report: &mut Report<'_>) -> People {
    let at = at.key("people");
    let wire = file.people.as_ref();
    let named =
        |pick: fn(&crate::policy::wire::policy::People) -> &Option<String>| wire.and_then(|wire| pick(wire).clone());
    let (owner, pm, backup) = (named(|wire| &wire.owner), named(|wire| &wire.pm), named(|wire| &wire.backup));
    for (key, address) in [("owner", &owner), ("pm", &pm), ("backup", &backup)] {
        if let Some(address) = address {
            plain::address(address, at.key(key), report);
        }
    }
    if pm.is_some() && backup.is_none() {
        report
            .warning("P032", at.key("pm").span(), "this project manager has no backup")
            .help("name one: `backup = \"...\"` hears when the project manager is away");
    }
    if pm.is_some() && pm == backup {
        report.error("P050", at.key("backup").span(), "the backup is the project manager").help("name another person");
    }
    let owner = owner.or_else(|| tool.alerts.fallback_to.clone());
    if owner.is_none() && !at.is_broken() {
        report
            .error("P048", at.span(), "nobody hears of this integration")
            .help("set `people.owner`, or `alerts.fallback_to` in everkey.toml");
    }
    People { owner: owner.unwrap_or_default(), pm, backup, vendor: named(|wire| &wire.vendor) }
}

/// The integration's name must be its file's stem, and plain.
pub(crate) fn name(file: &PolicyFile, stem: &str, at: At<'_>, report: &mut Report<'_>) -> String {
    let Some(name) = file.name.clone() else { return stem.to_owned() };
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 64;
    if !plain {
        report
            .error("P008", at.key("name").span(), "a name has lower-case letters, digits and `-`, at most 64")
            .help("it is used in file names, commands and tags");
    } else if name != stem {
        report
            .error("P008", at.key("name").span(), format!("the file is called `{stem}`, the integration `{name}`"))
            .help("make them equal: rename one of them");
    }
    name
}

/// The impact sentence: required for `rotate`, 10 to 120 characters, no jargon.
pub(crate) fn impact(file: &PolicyFile, mode: Mode, at: At<'_>, report: &mut Report<'_>) -> String {
    const HELP: &str = "say what stops, for a project manager: `New portal leads stop arriving in Reapit.`";
    let here = at.key("impact");
    let Some(impact) = file.impact.clone() else {
        if mode == Mode::Rotate && !at.is_broken() {
            report.error("P020", at.span(), "`impact` is missing; `mode = \"rotate\"` needs it").help(HELP);
        }
        return String::new();
    };
    let length = impact.chars().count();
    if !(10..=120).contains(&length) || impact.chars().any(char::is_control) {
        let summary = format!("`impact` has {length} characters; it is one line of 10 to 120");
        report.error("P020", here.span(), summary).help(HELP);
    }
    let word = |word: &str| {
        let bare = word.to_lowercase();
        JARGON.iter().find(|jargon| bare == **jargon || bare == format!("{jargon}s")).copied()
    };
    if let Some(word) = impact.split(|c: char| !c.is_alphanumeric()).find_map(word) {
        report
            .error("P020", here.span(), format!("`impact` says \"{word}\", which a project manager need not know"))
            .help(HELP);
    }
    impact
}

/// `priya.shah@contoso.example` as a person's name: `Priya Shah`; a single letter gets its full stop.
pub fn person_name(address: &str) -> String {
    let local = address.split('@').next().unwrap_or_default();
    let part = |part: &str| {
        let mut letters = part.chars();
        let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
        let rest = letters.as_str();
        if rest.is_empty() { format!("{first}.") } else { first + rest }
    };
    local.split(['.', '_']).filter(|text| !text.is_empty()).map(part).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_addresses() {
        assert_eq!(person_name("priya.shah@contoso.example"), "Priya Shah");
        assert_eq!(person_name("d.okoro@contoso.example"), "D. Okoro");
        assert_eq!(person_name("platform@contoso.example"), "Platform");
    }
}
