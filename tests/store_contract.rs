//! What every store promises, run on each of them; then what SQLite and PostgreSQL each promise alone, and how it takes crashes.

#[path = "support/campaign.rs"]
mod campaign_ledger;
#[path = "store_contract/care.rs"]
mod care;
#[path = "store_contract/contract.rs"]
#[macro_use]
mod contract;
#[path = "store_contract/crash.rs"]
mod crash;
#[path = "store_contract/cuts.rs"]
mod cuts;
#[path = "support/eio.rs"]
mod eio;
#[path = "store_contract/failing.rs"]
mod failing;
#[path = "store_contract/faults.rs"]
mod faults;
#[path = "store_contract/memory.rs"]
mod memory;
#[path = "store_contract/migrations.rs"]
mod migrations;
#[path = "store_contract/moving.rs"]
mod moving;
#[path = "support/postgres.rs"]
mod pg;
#[path = "store_contract/postgres.rs"]
mod postgres;
#[path = "support/proxy.rs"]
mod proxy;
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

/// The contract on SQLite.
mod contract_on_sqlite {
    on_every_case!(crate::sqlite::Place::new());
}

/// The contract on PostgreSQL.
mod contract_on_postgres {
    on_every_case!(crate::postgres::Place::new());
}

/// The contract in memory.
mod contract_in_memory {
    on_every_case!(crate::memory::Place::new(), in one step);
}
