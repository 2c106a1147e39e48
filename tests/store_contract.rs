//! What every store promises, run on each of them; then what SQLite promises alone, and how it takes crashes.

#[path = "store_contract/care.rs"]
mod care;
#[path = "store_contract/contract.rs"]
#[macro_use]
mod contract;
#[path = "store_contract/crash.rs"]
mod crash;
#[path = "support/eio.rs"]
mod eio;
#[path = "store_contract/failing.rs"]
mod failing;
#[path = "store_contract/faults.rs"]
mod faults;
#[path = "store_contract/records.rs"]
mod records;
#[path = "store_contract/samples.rs"]
mod samples;
#[path = "store_contract/silence.rs"]
mod silence;
#[path = "store_contract/sqlite.rs"]
mod sqlite;
#[path = "store_contract/tampering.rs"]
mod tampering;

/// The contract on SQLite. Another store joins with one more line of this kind.
mod contract_on_sqlite {
    on_every_case!(crate::sqlite::Place::new());
}
