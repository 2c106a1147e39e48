//! What `emulator serve` is told of faults: the file of `--faults`, and every `--quirk`.

use super::args::ServeArgs;
use crate::emulator::FaultPlan;
use crate::emulator::PlanError;
use crate::error::Class;
use crate::error::Error;

/// Code, title, explanation, what to do; as [`crate::run::codes::CODES`].
pub const CODES: &[(&str, &str, &str, &str)] = &[
    (
        "U050",
        "the file of faults cannot be read",
        "--faults names a file that is not there or may not be read. The emulator was not started.",
        "Correct the name or the rights of the file.",
    ),
    (
        "U051",
        "the file of faults is not understood",
        "It is not TOML (or, with the ending .json, not JSON), or it has a field or an effect that does not exist. The \
         message names the line. The emulator was not started.",
        "Compare it with `Faults and switches` in docs/reference/emulator.md.",
    ),
    (
        "U052",
        "a fault that makes no sense",
        "A rule of the file could never do what it says: a count of 0, a status that HTTP does not have, a redirect \
         that is none. The emulator was not started.",
        "Correct the rule that the message names by its number.",
    ),
    (
        "U053",
        "no such quirk, or no such value",
        "--quirk takes NAME=VALUE: a standing condition of the emulator and its setting.",
        "See the names in docs/reference/emulator-switches.md, or GET /_emulator/quirks.",
    ),
];

/// The faults of the file, and its quirks with those of the command line over them.
pub fn plan(args: &ServeArgs) -> Result<FaultPlan, Error> {
    let mut plan = match &args.faults {
        Some(file) => FaultPlan::read(file).map_err(unfit)?,
        None => FaultPlan::default(),
    };
    let mut quirks = plan.quirks.unwrap_or_default();
    for assignment in &args.quirks {
        quirks.assign(assignment).map_err(|why| {
            Error::new(Class::Usage, "U053", format!("--quirk {assignment:?} cannot be set"))
                .why(why)
                .help("everkey explain U053")
        })?;
    }
    plan.quirks = Some(quirks);
    Ok(plan)
}

/// A file of faults that cannot be followed.
fn unfit(error: PlanError) -> Error {
    let code = match &error {
        PlanError::Read { .. } => "U050",
        PlanError::Shape { .. } => "U051",
        PlanError::Meaning { .. } => "U052",
    };
    let said = Error::new(Class::Usage, code, error.to_string()).help(format!("everkey explain {code}"));
    match std::error::Error::source(&error) {
        Some(source) => said.why(source),
        None => said,
    }
}
