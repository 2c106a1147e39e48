//! Where the server is and how it is spoken to: encrypted, unless it is on this machine.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::PgPool;
use sqlx::Row as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::postgres::PgSslMode;

use crate::ports::StoreError;
use crate::secret::Secret;
use crate::store::fault;
use crate::store::sql;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A database on a server.
#[derive(Clone)]
pub struct Server {
    options: PgConnectOptions,
    place: String,
}

impl Server {
    /// Reads `url` (`postgres://USER@HOST:PORT/DATABASE?sslmode=…&sslrootcert=…`), which holds no password.
    ///
    /// # Errors
    /// [`StoreError::Address`] when it is none, or would send the journal over a network in the clear.
    pub fn new(url: &str, password: Option<&Secret>) -> Result<Self, StoreError> {
        let mut options = PgConnectOptions::from_str(url)
            .map_err(|_| StoreError::Address("the address is no postgres://USER@HOST/DATABASE".to_owned()))?;
        if !is_here(&options) {
            let chosen = ["sslmode=", "ssl-mode="].iter().any(|key| url.contains(key));
            if !chosen {
                options = options.ssl_mode(PgSslMode::VerifyFull);
            } else if !matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
                return Err(StoreError::Address(
                    "a server on another machine must prove who it is: use sslmode=verify-full".to_owned(),
                ));
            }
        }
        if let Some(password) = password {
            let text = password.expose_text().map(str::trim_end);
            let text = text.ok_or_else(|| StoreError::Address("the password is not text".to_owned()))?;
            options = options.password(text);
        }
        // A holder that is stopped in the middle of a transaction must not keep the lease's row for ever, nor one that
        // has vanished from the network.
        let options = options.application_name("everkey").options([
            ("synchronous_commit", "on"),
            // No word about a rollback where there is nothing to roll back.
            ("client_min_messages", "error"),
            ("idle_in_transaction_session_timeout", "20s"),
            ("lock_timeout", "30s"),
            ("statement_timeout", "30s"),
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ]);
        let place = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        let place = format!("{database} on {place}");
        Ok(Self { options, place })
    }

    /// How to connect. Holds the password.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// A pool of one connection, made when it is needed and again when it was cut.
    pub(super) fn pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT_WITHIN)
            .idle_timeout(None)
            .max_lifetime(None)
            // A BEGIN that was cancelled on its way leaves a transaction open that sqlx does not know of, and everything
            // after it would never be committed. This round trip takes the place of sqlx's ping. A server that has become
            // a standby is left: the name may stand for another one by now.
            .test_before_acquire(false)
            .before_acquire(|connection, _| {
                Box::pin(async move {
                    let row = sqlx::raw_sql(sql::PG_ROLLBACK).fetch_one(connection).await?;
                    Ok(!row.try_get::<bool, _>(0)?)
                })
            })
            .connect_lazy_with(self.options.clone())
    }

    /// Connects once, for an error that says why not, and asks whether the server keeps what it acknowledges.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        let connecting = tokio::time::timeout(CONNECT_WITHIN, self.options.connect()).await;
        let mut connection = connecting
            .map_err(|_| StoreError::Unreachable(format!("{} does not answer", self.place)))?
            .map_err(fault::failed)?;
        let (fsync, synchronous, standby): (String, String, bool) =
            sqlx::query_as(sql::PG_SERVER).fetch_one(&mut connection).await.map_err(fault::failed)?;
        connection.close().await.map_err(fault::failed)?;
        let refused = |why: &str| Err(StoreError::Failed(format!("{}: {why}", self.place)));
        if fsync != "on" || synchronous == "off" {
            return refused("fsync is off: the server may lose what it acknowledged; turn it on");
        }
        if standby {
            return refused("the server is a standby that takes no writes; name the primary");
        }
        Ok(())
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.place)
    }
}

/// Whether nothing leaves this machine.
fn is_here(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<PgSslMode, String> {
        Server::new(url, None).map(|server| server.options.get_ssl_mode()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_server_elsewhere_must_prove_who_it_is() {
        assert!(matches!(mode("postgres://e@db.contoso.example/e"), Ok(PgSslMode::VerifyFull)));
        assert!(matches!(mode("postgres://e@db.contoso.example/e?sslmode=verify-ca"), Ok(PgSslMode::VerifyCa)));
        for weak in ["disable", "allow", "prefer", "require"] {
            let said = mode(&format!("postgres://e@db.contoso.example/e?sslmode={weak}")).unwrap_err();
            assert!(said.contains("verify-full"), "{said}");
        }
        for here in ["127.0.0.1", "[::1]", "localhost"] {
            assert!(mode(&format!("postgres://e@{here}/e?sslmode=disable")).is_ok(), "{here}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        let password = Secret::from_text("Q3z8Q~canary".into());
        let server = Server::new("postgres://e@127.0.0.1:5433/everkey", Some(&password)).unwrap();
        assert_eq!(server.to_string(), "everkey on 127.0.0.1:5433");
        assert!(!format!("{server:?}").contains("canary"));
    }
}
