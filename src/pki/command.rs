//! A CA with a command line: the request goes in on standard input, the certificate comes out on standard output.

use std::time::Duration;

use async_trait::async_trait;

use crate::ports::Issuer;
use crate::ports::Order;
use crate::ports::PortError;
use crate::process;
use crate::process::Job;

/// How long it may take: enterprise CAs answer slowly.
const LIMIT: Duration = Duration::from_secs(120);

/// More than any chain of certificates.
const MOST_BYTES: usize = 1024 * 1024;

/// Runs a program for each request. It is not given the environment of everkey, and no shell.
#[derive(Debug)]
pub struct CommandIssuer {
    argv: Vec<String>,
}

impl CommandIssuer {
    /// Program and arguments.
    pub fn new(argv: Vec<String>) -> Self {
        Self { argv }
    }
}

#[async_trait]
impl Issuer for CommandIssuer {
    async fn issue(&self, order: Order<'_>) -> Result<Vec<u8>, PortError> {
        process::check("issuer_command", &self.argv).map_err(PortError::Local)?;
        let input = Some(order.request.as_bytes());
        let job = Job { argv: &self.argv, input, limit: LIMIT, output: MOST_BYTES };
        let program = self.argv.first().map_or("", String::as_str);
        let given = process::run(job).await.map_err(|why| PortError::Local(format!("`{program}` {why}")))?;
        if given.is_empty() {
            return Err(PortError::Local(format!("`{program}` wrote nothing on standard output")));
        }
        Ok(given)
    }
}
