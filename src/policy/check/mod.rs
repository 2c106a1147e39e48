//! The rules: wire types in, model types out. Each function reports everything it does not like and still
//! returns its best reading, so that the next rule has something to look at; a file with an error is dropped
//! as a whole at the end.

pub(crate) mod app;
pub(crate) mod asks;
pub(crate) mod claims;
pub(crate) mod confirm;
pub(crate) mod credential;
pub(crate) mod files;
pub(crate) mod mailboxes;
pub(crate) mod people;
pub(crate) mod permissions;
pub(crate) mod plain;
pub(crate) mod sinks;
pub(crate) mod timing;
pub(crate) mod vaults;
pub(crate) mod watch;
pub(crate) mod when;
