//! How an answer's bytes reach the client: whole, drop by drop, or not to their end.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::body::Bytes;
use hyper::body::Frame;
use tokio::time::Sleep;

/// How an answer's body is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// So many bytes at a time.
    Dripped {
        /// How many.
        bytes: usize,
        /// Milliseconds before each.
        interval_ms: u64,
    },
    /// Half of it, then the connection ends.
    Truncated {
        /// By chunks; otherwise with the Content-Length of the whole.
        chunked: bool,
    },
    /// All of it at once.
    Whole,
}

/// Time for what was sent to leave before the connection is dropped.
const FLUSH: Duration = Duration::from_millis(20);

impl Delivery {
    /// The body, and its announced length if one is to be announced by hand.
    pub fn body(self, bytes: Vec<u8>) -> (Body, Option<usize>) {
        let length = bytes.len();
        match self {
            Self::Whole => (Body::from(bytes), None),
            Self::Dripped { bytes: most, interval_ms } => {
                let drops = bytes.chunks(most.max(1)).map(Bytes::copy_from_slice).collect();
                let interval = Duration::from_millis(interval_ms);
                (Body::new(Slow { drops, ends: true, interval, wait: None }), Some(length))
            }
            Self::Truncated { chunked } => {
                let drops = VecDeque::from([Bytes::copy_from_slice(&bytes[..length / 2])]);
                let body = Body::new(Slow { drops, ends: false, interval: FLUSH, wait: None });
                (body, (!chunked).then_some(length))
            }
        }
    }
}

/// A body that takes its time, and may break off.
struct Slow {
    drops: VecDeque<Bytes>,
    /// Whether the end is reached in order.
    ends: bool,
    interval: Duration,
    wait: Option<Pin<Box<Sleep>>>,
}

impl hyper::body::Body for Slow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.drops.is_empty() && self.ends {
            return Poll::Ready(None);
        }
        let interval = self.interval;
        #[expect(clippy::disallowed_methods, reason = "a slow line is slow in real time, whatever the clock shows")]
        let wait = self.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep(interval)));
        if wait.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.wait = None;
        Poll::Ready(Some(match self.drops.pop_front() {
            Some(drop) => Ok(Frame::data(drop)),
            None => Err(io::ErrorKind::ConnectionReset.into()),
        }))
    }
}
