//! The clock is stepped through whole renewals; what people get is compared with the table of `mail.md`.

mod emergency;
mod fixture;
mod ladder;
mod promises;
mod words;
