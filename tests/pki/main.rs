//! What everkey makes opens in other people's tools, and what they make opens in everkey.
//!
//! Needs `openssl`, `keytool` (a Java runtime) and Python with `cryptography` (`EVERKEY_TEST_PYTHON`, default
//! `python3`); a tool that is missing is a failure.

mod imports;
mod made;
mod read;
mod signing;
mod tools;
