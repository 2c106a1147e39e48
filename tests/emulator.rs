//! The emulator as a client meets it: over https, with a certificate authority of its own, by whatever
//! HTTP client. One file per part; each test starts an emulator of its own.

#[path = "emulator/support.rs"]
mod support;

#[path = "emulator/login.rs"]
mod login;

#[path = "emulator/applications.rs"]
mod applications;
#[path = "emulator/batches.rs"]
mod batches;
#[path = "emulator/consent.rs"]
mod consent;
#[path = "emulator/credentials.rs"]
mod credentials;
#[path = "emulator/crowd.rs"]
mod crowd;
#[path = "emulator/curl.rs"]
mod curl;
#[path = "emulator/faults.rs"]
mod faults;
#[path = "emulator/federated.rs"]
mod federated;
#[path = "emulator/hostile.rs"]
mod hostile;
#[path = "emulator/mail.rs"]
mod mail;
#[path = "emulator/persistence.rs"]
mod persistence;
#[path = "emulator/policies.rs"]
mod policies;
#[path = "emulator/queries.rs"]
mod queries;
#[path = "emulator/refusals.rs"]
mod refusals;
#[path = "emulator/send_mail.rs"]
mod send_mail;
#[path = "emulator/standing.rs"]
mod standing;
