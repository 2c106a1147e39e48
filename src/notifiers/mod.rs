//! Mail over SMTP and the templates it is made of.

mod failure;
mod message;
mod smtp;
pub mod templates;

pub use message::preview;
pub use smtp::Smtp;
pub use smtp::SmtpOptions;
pub use smtp::SmtpTls;
