//! A far side within this process: a simulation's calls go through the whole client and never reach a network.

use std::sync::Arc;

use reqwest::RequestBuilder;
use reqwest::Response;

use crate::ports::PortError;

use super::client::cause;

/// A far side that is called without a socket.
pub trait Wire: Send + Sync {
    /// What it answers to one request.
    ///
    /// # Errors
    /// How the call failed, where nothing is answered.
    fn exchange(&self, request: reqwest::Request) -> Result<hyper::Response<Vec<u8>>, NoAnswer>;
}

/// Why a far side within this process gave no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoAnswer {
    /// The line was cut after the request was sent.
    Cut,
    /// There was no connection.
    Unreachable,
}

/// Sends one request along `wire`.
pub(super) fn exchange(wire: &Arc<dyn Wire>, outgoing: RequestBuilder, place: String) -> Result<Response, PortError> {
    let request = outgoing
        .build()
        .map_err(|error| PortError::Local(format!("cannot build a request to {place}: {}", cause(error))))?;
    wire.exchange(request).map(Response::from).map_err(|why| match why {
        NoAnswer::Cut => PortError::Unsure { place, why: "the connection was reset".into(), request_id: None },
        NoAnswer::Unreachable => PortError::Unreachable { place, why: "no connection".into() },
    })
}
