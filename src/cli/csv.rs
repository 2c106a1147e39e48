//! Comma-separated values for spreadsheets; no cell can become a formula.

use crate::error::Class;
use crate::error::Error;

/// The rows as CSV, the heading first.
pub fn write(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<String, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(heading).map_err(failed)?;
    for row in rows {
        writer.write_record(row.iter().map(|cell| inert(cell))).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    String::from_utf8(bytes).map_err(failed)
}

/// A cell that a spreadsheet would compute gets an apostrophe before it; control characters are escaped.
fn inert(cell: &str) -> String {
    let computes = cell.trim_start_matches(' ').starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%']);
    let shown: String =
        cell.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect();
    if computes { format!("'{shown}") } else { shown }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(Class::Failed, "F010", "cannot write CSV").why(error).help("report this defect")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_compute_is_text() {
        let nasty = ["=1+1", "+cmd", "-2", "@SUM(A1)", "\tx", "\r=x", "  =1", "|calc", "a,b\"c", "two\nlines", "plain"];
        let rows = nasty.iter().map(|cell| vec![(*cell).to_owned()]);
        let text = write(&["what"], rows).unwrap();
        let cells: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            cells,
            [
                "'=1+1",
                "'+cmd",
                "'-2",
                "'@SUM(A1)",
                "'\\tx",
                "'\\r=x",
                "'  =1",
                "'|calc",
                "\"a,b\"\"c\"",
                "two\\nlines",
                "plain"
            ]
        );
    }
}
