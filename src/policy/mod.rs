//! Policy files and `everkey.toml`: TOML or JSON in, valid values out, all problems at once with their place.
//!
//! A file becomes a `tree` of values with places, is compared with the JSON schema of its wire type
//! (`shape`), becomes that wire type, and is checked rule by rule (`check`) on its way to a [`Policy`] or a
//! [`ToolConfig`]. Everything wrong on the way is a [`Diagnostic`]; nothing stops at the first.

pub mod calendar;
pub mod diagnostics;
pub mod edit;
pub mod exchange;
pub mod gate;
pub mod permissions;
pub mod schedule;
pub mod suggest;
pub mod tool;
pub mod values;

mod check;
mod codes;
mod documents;
mod fires;
mod holidays;
mod load;
mod places;
mod read;
mod read_tool;
mod render;
mod reroot;
mod secrets;
mod shape;
mod tool_certs;
mod tool_parts;
mod tree;
mod types;
mod wire;

pub use check::asks::Ask;
pub use check::asks::asks;
pub use check::asks::times_a_year;
pub use check::people::person_name;
pub use codes::Code;
pub use codes::codes;

pub use diagnostics::Diagnostic;
pub use diagnostics::Position;
pub use diagnostics::Severity;
pub use holidays::holidays;
pub use load::load_dir;
pub use load::load_file;
pub use places::Placed;
pub use places::places;
pub use read::read_policies;
pub use read_tool::read_tool;
pub use reroot::reroot;
pub use schedule::Schedule;
pub use tool::*;
pub use types::*;
pub use wire::schema_policy;
pub use wire::schema_tool;
