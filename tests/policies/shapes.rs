//! The forms a person and a machine see: golden text, the JSON document, SARIF, schemas, effective defaults, scripts.

use std::path::Path;
use std::path::PathBuf;

use everkey::policy;
use everkey::policy::diagnostics;

/// Compares with `tests/policies/golden/NAME`; `UPDATE_GOLDEN=1` writes it instead.
#[track_caller]
fn golden(name: &str, actual: &str) {
    let path = super::root().join("tests/policies/golden").join(name);
    if option_env!("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "{} differs:\n{actual}", path.display());
}

/// Two mistakes of `product.md` in shipped files: a misspelt permission, and mail without a limit.
fn two_mistakes() -> Vec<(PathBuf, String)> {
    let mut files = super::files();
    for (path, text) in &mut files {
        if path.ends_with("reapit-lead-imports.toml") {
            *text = text.replace("[\"Mail.ReadWrite\"]", "[\"Mail.Reed\"]");
        }
        if path.ends_with("securends-office365.toml") {
            *text = text.replace("\"Directory.Read.All\"]\n", "\"Mail.ReadWrite\"]\n");
        }
    }
    files
}

#[test]
fn people_see_the_line_the_place_and_the_next_step() {
    let files = two_mistakes();
    let read = policy::read_policies(&files, &super::tool());
    let mut text = diagnostics::render(&read.diagnostics, &files, false);
    text += "\n\n";
    text += &diagnostics::tally(files.len(), read.value.len(), &read.diagnostics);
    text.push('\n');
    golden("validate.txt", &text);
    assert!(diagnostics::render(&read.diagnostics, &files, true).contains("\u{1b}["), "colour on request");
}

#[test]
fn machines_see_the_document_of_the_contract() {
    let files = two_mistakes();
    let read = policy::read_policies(&files, &super::tool());
    golden("validate.json", &(diagnostics::to_json(&read.diagnostics) + "\n"));
    let sarif: serde_json::Value = serde_json::from_str(&diagnostics::to_sarif(&read.diagnostics)).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "P012");
    assert_eq!(sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startColumn"], 16);
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.iter().all(|rule| rule["help"]["text"].is_string()));
}

#[test]
fn nothing_wrong_is_a_valid_document() {
    let document =
        r#"{"schema":"everkey.validate/v1","valid":true,"error_count":0,"warning_count":0,"diagnostics":[]}"#;
    assert_eq!(diagnostics::to_json(&[]), document);
}

/// Every default of the five, so that a changed one is seen.
#[test]
fn effective_defaults_of_the_five() {
    let mut five = super::five();
    for policy in &mut five {
        // Comments of a policy may change without changing what it means.
        policy.digest = "…".into();
    }
    golden("effective.json", &(serde_json::to_string_pretty(&five).unwrap() + "\n"));
}

#[test]
fn exchange_scripts() {
    let (client, principal) =
        ("2b61e0f4-0000-4000-8000-00000000c0de".into(), "51c0aa10-0000-4000-8000-0000000000ab".into());
    for policy in super::five() {
        let script = policy::exchange::script(&policy, &client, &principal);
        match policy.name.as_str() {
            name @ ("reapit-lead-imports" | "enate-graph-mail") => golden(&format!("{name}.ps1"), &script.unwrap()),
            _ => assert_eq!(script, None),
        }
    }
}

/// Whatever stands in a policy that got past the rules cannot leave its quotes.
#[test]
fn a_script_holds_no_code_from_a_policy() {
    let hostile = "x'; Remove-Mailbox *; $(Remove-Mailbox *) \n Remove-Mailbox * \u{2019}; Remove-Mailbox * #";
    let mut policy = super::five().into_iter().find(|policy| policy.name.as_str() == "enate-graph-mail").unwrap();
    policy.title = hostile.into();
    policy.name = hostile.into();
    let mailboxes = policy.mailboxes.as_mut().unwrap();
    mailboxes.allow = vec![hostile.into()];
    mailboxes.delegates = vec![hostile.into()];
    mailboxes.permissions = vec![hostile.into()];
    mailboxes.group = hostile.into();
    mailboxes.denied = Some(hostile.into());
    let script = policy::exchange::script(&policy, &hostile.into(), &hostile.into()).unwrap();
    assert!(script.contains("Remove-Mailbox"));
    for line in script.lines() {
        assert!(line.starts_with('#') || !outside_quotes(line).contains("Remove-Mailbox"), "{line}");
    }
}

/// What PowerShell reads as code: everything outside single-quoted strings, by its own rule for quotes.
fn outside_quotes(line: &str) -> String {
    let is_quote = |c: char| matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}');
    let mut code = String::new();
    let mut letters = line.chars().peekable();
    let mut inside = false;
    while let Some(letter) = letters.next() {
        if !is_quote(letter) {
            if !inside {
                code.push(letter);
            }
        } else if inside && letters.peek().copied().is_some_and(is_quote) {
            letters.next();
        } else {
            inside = !inside;
        }
    }
    code
}

/// Keys of `text` that the schema does not know.
fn unknown_keys(schema: &serde_json::Value, text: &str) -> Vec<String> {
    fn walk(
        root: &serde_json::Value,
        schema: &serde_json::Value,
        value: &toml::Value,
        path: &str,
        bad: &mut Vec<String>,
    ) {
        let schema = match schema["$ref"].as_str() {
            Some(name) => root.pointer(&name[1..]).unwrap(),
            None => schema,
        };
        match value {
            toml::Value::Table(table) => {
                let to = table.get("to").and_then(toml::Value::as_str);
                let branches = schema["oneOf"].as_array().into_iter().flatten();
                let branch = branches.into_iter().find(|branch| branch["properties"]["to"]["const"].as_str() == to);
                let schema = branch.unwrap_or(schema);
                for (key, value) in table {
                    let path = format!("{path}.{key}");
                    let of = &schema["properties"][key];
                    let of = if of.is_null() { &schema["additionalProperties"] } else { of };
                    if of.is_object() { walk(root, of, value, &path, bad) } else { bad.push(path) }
                }
            }
            toml::Value::Array(items) => items.iter().for_each(|item| walk(root, &schema["items"], item, path, bad)),
            _ => {}
        }
    }
    let mut bad = Vec::new();
    walk(schema, schema, &toml::Value::Table(text.parse().unwrap()), "", &mut bad);
    bad
}

#[test]
fn every_key_of_the_policies_is_in_the_schema() {
    let schema = policy::schema_policy();
    for (path, text) in super::files() {
        assert_eq!(unknown_keys(&schema, &text), [""; 0], "{}", path.display());
    }
    assert_eq!(unknown_keys(&schema, "[app]\ndisplay_nam = \"x\""), [".app.display_nam"], "the test can fail");
    assert_eq!(unknown_keys(&policy::schema_tool(), super::TOOL), [""; 0]);
}

#[test]
fn the_schema_is_one_that_editors_take() {
    for schema in [policy::schema_policy(), policy::schema_tool()] {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["additionalProperties"], false);
        assert!(!schema.to_string().contains("null"), "TOML has no null");
    }
}

#[test]
fn the_same_policy_as_json() {
    let (path, text) = super::files().remove(2);
    let value: serde_json::Value = serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap();
    let json = path.with_extension("json");
    let files = [(json.clone(), serde_json::to_string_pretty(&value).unwrap())];
    let read = policy::read_policies(&files, &super::tool());
    assert_eq!(diagnostics::render(&read.diagnostics, &files, false), "");
    let mut from_json = read.value.into_iter().next().unwrap();
    let from_toml = super::five().remove(2);
    (from_json.file, from_json.digest) = (from_toml.file.clone(), from_toml.digest.clone());
    assert_eq!(from_json, from_toml);

    let wrong = [(json, files[0].1.replace("\"Mail.ReadWrite\"", "\"Mail.Reed\""))];
    let read = policy::read_policies(&wrong, &super::tool());
    let line = wrong[0].1.lines().position(|line| line.contains("Mail.Reed")).unwrap() + 1;
    assert_eq!((read.diagnostics[0].code, read.diagnostics[0].start.line), ("P012", line));
}

#[test]
fn sinks_move_below_an_emulators_root() {
    let mut five = super::five();
    let notes: Vec<String> =
        five.iter_mut().flat_map(|policy| policy::reroot(policy, Path::new("/emu/sinks"))).collect();
    assert_eq!(
        notes,
        [
            "enate-graph-mail/primary: `/var/lib/enate/credential` is written to `/emu/sinks/var/lib/enate/credential`",
            "lexzur-email-engine/primary: `/srv/lexzur/application/config/integrations.json` is written to \
             `/emu/sinks/srv/lexzur/application/config/integrations.json`",
            "lexzur-email-engine/primary: owner `www-data:www-data` of \
             `/srv/lexzur/application/config/integrations.json` is left out",
            "lexzur-email-engine/primary: `systemctl reload lexzur-email` is not run after writing \
             `/srv/lexzur/application/config/integrations.json`",
        ]
    );
    let text = serde_json::to_string(&five).unwrap();
    assert!(text.contains("/emu/sinks/srv/lexzur") && !text.contains("systemctl") && !text.contains("www-data"));
    assert!(text.contains("\"id\":\"json-file:/srv/lexzur"), "ids stay");
}
