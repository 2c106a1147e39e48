//! The mails of `mail.md`, word for word, and what no mail may ever hold.

mod fixture;
mod hostile;
mod promises;
mod words;
