//! Changes a person's policy file and leaves everything else in it as it is: comments, order, spaces.

use toml_edit::DocumentMut;
use toml_edit::Value;

/// `text` with `mode = "rotate"`.
///
/// # Errors
/// Why it cannot be edited; a file that was read as a policy can.
pub fn enabled(text: &str) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    let mode = Value::from("rotate");
    match document.get_mut("mode").and_then(|item| item.as_value_mut()) {
        Some(value) => {
            let decor = value.decor().clone();
            *value = mode;
            *value.decor_mut() = decor;
        }
        None => {
            document.insert("mode", toml_edit::value(mode));
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_mode_changes() {
        let text =
            "# ours\nversion = 1\nmode = \"alert\"   # until the drill\nname =   \"x\"\n\n# the app\n[app]\nx = 1\n";
        assert_eq!(enabled(text).unwrap(), text.replace("\"alert\"", "\"rotate\""));
    }

    #[test]
    fn a_file_without_a_mode_gets_one_before_its_tables() {
        let text = "version = 1\nname = \"x\"\n\n# the app\n[app]\nx = 1\n";
        let expected = "version = 1\nname = \"x\"\nmode = \"rotate\"\n\n# the app\n[app]\nx = 1\n";
        assert_eq!(enabled(text).unwrap(), expected);
        assert!(enabled("{\"version\": 1}").is_err());
    }
}
