//! Every event of a simulation, one a line.

use crate::cli::csv;
use crate::error::Error;
use crate::world::simulate::Simulation;

const HEADING: [&str; 8] = ["at", "integration", "what", "credential", "rotation", "handoff", "people", "text"];

/// As CSV.
pub fn csv(simulation: &Simulation) -> Result<String, Error> {
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let rows = simulation.events.iter().map(|one| {
        vec![
            one.at.to_string(),
            one.integration.clone(),
            one.what.word(),
            one.credential.clone().unwrap_or_default(),
            number(one.rotation),
            number(one.handoff),
            one.people.join(" "),
            one.text.clone(),
        ]
    });
    csv::write(&HEADING, rows)
}

/// As NDJSON.
pub fn lines(simulation: &Simulation) -> String {
    simulation.events.iter().filter_map(|one| serde_json::to_string(one).ok()).map(|line| line + "\n").collect()
}
