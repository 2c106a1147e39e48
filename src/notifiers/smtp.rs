//! The notifier: one pooled, encrypted connection to one SMTP server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lettre::AsyncSmtpTransport;
use lettre::AsyncTransport;
use lettre::Message;
use lettre::Tokio1Executor;
use lettre::address::Address;
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::Certificate;
use lettre::transport::smtp::client::CertificateStore;
use lettre::transport::smtp::client::Tls;
use lettre::transport::smtp::client::TlsParameters;

use crate::clock::Clock;
use crate::error::Class;
use crate::error::Error;
use crate::model::Notice;
use crate::ports::Notifier;
use crate::ports::PortError;
use crate::secret::Secret;

use super::failure::Failures;
use super::message;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SmtpTls {
    /// TLS from the first byte (port 465).
    Implicit,
    /// No protection; only to a loopback address.
    None,
    /// STARTTLS (port 587), required: a server that does not offer it gets no mail and no password.
    StartTls,
}

/// The `[mail]` table.
pub struct SmtpOptions {
    /// `Name <address>` or an address.
    pub from: String,
    /// Server name, also the name its certificate must carry.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Protection.
    pub tls: SmtpTls,
    /// User name; without it nobody signs in.
    pub username: Option<String>,
    /// Password; text.
    pub password: Option<Secret>,
    /// Certificates of a private CA, PEM; then they are the only roots. Otherwise those of the system.
    pub ca_pem: Option<Vec<u8>>,
    /// Limit of each network operation, real time.
    pub timeout: Duration,
    /// Gives the `Date` header.
    pub clock: Arc<dyn Clock>,
}

/// Sends notices over SMTP. Connections are kept and used again for mails in a row.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    clock: Arc<dyn Clock>,
    failures: Failures,
}

impl Smtp {
    /// Prepares the transport; connects to nothing yet.
    ///
    /// # Errors
    /// `M001` sender address, `M002` no protection beyond this machine, `M003` CA or TLS set-up, `M004` password.
    pub fn new(options: SmtpOptions) -> Result<Self, Error> {
        let from = message::mailbox(&options.from).map_err(|error| {
            Error::new(Class::Config, "M001", "the sender of mails is not an address")
                .why(error)
                .help("set `from` in [mail] to \"Name <everkey@your.domain>\"")
        })?;
        let tls = match options.tls {
            SmtpTls::Implicit => Tls::Wrapper(parameters(&options)?),
            SmtpTls::StartTls => Tls::Required(parameters(&options)?),
            SmtpTls::None if is_loopback(&options.host) => Tls::None,
            SmtpTls::None => {
                let what = format!("mail to {} would go unprotected", options.host);
                return Err(Error::new(Class::Config, "M002", what).help("set `tls = \"starttls\"` in [mail]"));
            }
        };
        let failures =
            Failures::new(&options.host, options.port, options.username.as_deref(), options.password.as_ref());
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&options.host)
            .port(options.port)
            .tls(tls)
            .timeout(Some(options.timeout))
            .pool_config(PoolConfig::new().max_size(2));
        if let (Some(username), Some(password)) = (&options.username, &options.password) {
            let Some(password) = password.expose_text() else {
                return Err(Error::new(Class::Config, "M004", "the mail password is not text"));
            };
            builder = builder.credentials(Credentials::new(username.clone(), password.to_owned()));
        }
        Ok(Self { transport: builder.build(), from, clock: options.clock, failures })
    }

    /// Connects, protects the connection and signs in, sending nothing.
    ///
    /// # Errors
    /// As [`Notifier::notify`].
    pub async fn check(&self) -> Result<(), PortError> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.failures.unready()),
            Err(error) => Err(self.failures.classify(&error)),
        }
    }

    /// Sends to everybody at once. When the server refuses a recipient, each gets the mail alone, so that one dead
    /// address among the copies silences nobody.
    async fn send(&self, notice: &Notice, message: &Message) -> Result<(), PortError> {
        let raw = message.formatted();
        let error = match self.transport.send_raw(message.envelope(), &raw).await {
            Ok(_) => return Ok(()),
            Err(error) => self.failures.classify(&error),
        };
        let recipients = message.envelope().to();
        if !matches!(error, PortError::Refused(_)) || recipients.len() < 2 {
            return Err(error);
        }
        let (to, cc) = recipients.split_at(notice.to.len().min(recipients.len()));
        let mut reached = 0;
        for address in to {
            reached += usize::from(self.send_alone(notice, address, &raw).await.is_ok());
        }
        if reached == 0 {
            return Err(error);
        }
        for address in cc {
            // Already logged; the people the mail is for have it.
            let _ = self.send_alone(notice, address, &raw).await;
        }
        Ok(())
    }

    async fn send_alone(&self, notice: &Notice, address: &Address, raw: &[u8]) -> Result<(), PortError> {
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![address.clone()])
            .map_err(|error| message::refused(error.to_string()))?;
        self.transport.send_raw(&envelope, raw).await.map(|_| ()).map_err(|error| {
            let error = self.failures.classify(&error);
            tracing::warn!(key = %notice.key, recipient = %address, %error, "a recipient of a notice was refused");
            error
        })
    }
}

#[async_trait]
impl Notifier for Smtp {
    /// # Errors
    /// [`PortError::Unreachable`]: no connection, or no TLS on it. [`PortError::Denied`]: the sign-in was refused.
    /// [`PortError::Throttled`]: 4xx, try later. [`PortError::Refused`]: 5xx, or a server without STARTTLS.
    /// [`PortError::Unsure`]: the connection broke, so the mail may have been taken; its `Message-ID` stays.
    async fn notify(&self, notice: &Notice) -> Result<(), PortError> {
        let message = message::compose(notice, &self.from, self.clock.now())?;
        self.send(notice, &message).await
    }
}

fn parameters(options: &SmtpOptions) -> Result<TlsParameters, Error> {
    let problem = |error: lettre::transport::smtp::Error| {
        Error::new(Class::Config, "M003", "TLS to the mail server cannot be set up").why(error)
    };
    let mut builder = TlsParameters::builder(options.host.clone());
    if let Some(pem) = &options.ca_pem {
        let root = Certificate::from_pem(pem).map_err(problem)?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(root);
    }
    builder.build().map_err(problem)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
