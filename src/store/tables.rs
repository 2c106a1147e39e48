//! Every table of the store and its columns: what goes along when a store moves to another database.

use super::sql;

/// What a column holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Bytes,
    Number,
    Text,
}

/// The content of one column of one row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cell {
    Bytes(Option<Vec<u8>>),
    Number(Option<i64>),
    Text(Option<String>),
}

/// A table that goes along. Its first column orders it and is never null.
#[derive(Debug)]
pub struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
}

impl Table {
    /// A page of it in its order, texts by their bytes (`collation` says how): `$1` rows after the first `$2`.
    pub(super) fn page(&self, collation: &str) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let (order, kind) = self.columns[0];
        let collation = if kind == Kind::Text { collation } else { "" };
        let which = if self.name == "meta" { sql::META_OF_STORE } else { "" };
        let (all, name) = (columns.join(", "), self.name);
        format!("SELECT {all} FROM {name} {which} ORDER BY {order} {collation} LIMIT $1 OFFSET $2")
    }

    /// Adds a row.
    pub(super) fn add(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let places: Vec<String> = (1..=columns.len()).map(|place| format!("${place}")).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", self.name, columns.join(", "), places.join(", "))
    }

    /// Empties it.
    pub(super) fn clear(&self) -> String {
        format!("DELETE FROM {}", self.name)
    }

    /// Counts its rows.
    pub(super) fn count(&self) -> String {
        format!("SELECT COUNT(*) FROM {}", self.name)
    }

    /// Whether the database numbers its rows, so that it must be told where to go on.
    pub(super) fn is_numbered(&self) -> bool {
        self.columns[0] == ("seq", Kind::Number) && self.name != "history"
    }

    /// PostgreSQL alone: goes on with the number after the last.
    pub(super) fn go_on(&self) -> String {
        sql::PG_GO_ON.replace("TABLE", self.name)
    }
}

use Kind::Bytes;
use Kind::Number;
use Kind::Text;

/// All but the lease, whose epochs are of one database, and the preflight's row, which is there for a moment.
pub(super) const TABLES: &[Table] = &[
    Table { name: "meta", columns: &[("name", Text), ("value", Text)] },
    Table { name: "counter", columns: &[("name", Text), ("value", Number)] },
    Table {
        name: "rotation",
        columns: &[
            ("id", Number),
            ("integration", Text),
            ("slot", Text),
            ("tenant_id", Text),
            ("object_id", Text),
            ("state", Text),
            ("version", Number),
            ("is_open", Number),
            ("finished", Number),
            ("body", Text),
        ],
    },
    Table {
        name: "credential",
        columns: &[
            ("seq", Number),
            ("tenant_id", Text),
            ("object_id", Text),
            ("key_id", Text),
            ("integration", Text),
            ("slot", Text),
            ("body", Text),
        ],
    },
    Table { name: "handoff", columns: &[("seq", Number), ("id", Text), ("body", Text)] },
    Table { name: "integration", columns: &[("name", Text), ("body", Text)] },
    Table { name: "acknowledgement", columns: &[("seq", Number), ("body", Text)] },
    Table { name: "sign_in", columns: &[("seq", Number), ("key_id", Text), ("at", Text), ("request_id", Text)] },
    Table {
        name: "outbox",
        columns: &[
            ("seq", Number),
            ("key", Text),
            ("created", Text),
            ("sent", Text),
            ("tries", Number),
            ("why", Text),
            ("body", Text),
        ],
    },
    Table { name: "sealed", columns: &[("id", Text), ("object_id", Text), ("body", Bytes)] },
    Table { name: "mark", columns: &[("name", Text), ("body", Text)] },
    Table {
        name: "history",
        columns: &[
            ("seq", Number),
            ("at", Text),
            ("actor", Text),
            ("integration", Text),
            ("rotation", Number),
            ("state", Text),
            ("version", Number),
            ("kind", Text),
            ("text", Text),
            ("body", Text),
            ("hash", Text),
            ("mac", Text),
        ],
    },
    Table { name: "history_head", columns: &[("id", Number), ("seq", Number), ("hash", Text)] },
];
