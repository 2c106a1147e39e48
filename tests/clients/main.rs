//! The emulator as real third-party clients meet it: azure-cli, msal, azure-identity, msgraph-sdk and the Key Vault
//! libraries, each as published, over https with the emulator's own CA file. A client that needs a patch is a defect
//! of the emulator.
//!
//! Needs the two virtual environments that `tests/run` makes: `EVERKEY_TEST_CLIENTS` and `EVERKEY_TEST_AZ` name their
//! directories.

mod support;

mod azure_cli;
mod azure_identity;
mod identities;
mod key_vault;
mod msal;
mod msgraph_sdk;
