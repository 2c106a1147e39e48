//! Delivery to this machine: atomic, private from the first instant, and never at the expense of what was there.
//!
//! Needs `openssl`, `keytool`, `strace`, and for the disks that fail `unshare` with user namespaces; a tool that is missing
//! is a failure.

mod crash;
mod disks;
#[path = "../support/eio.rs"]
mod eio;
mod failing;
mod files;
mod files_guarded;
mod json_edit;
mod json_file;
mod marks;
mod stages;
mod stores;
mod stores_ready;
mod stores_switches;
mod support;
