//! TCP connections that can be cut: a fault resets the line, and the client learns nothing of what became
//! of its request.

use std::collections::HashMap;
use std::future::Ready;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use axum_server::accept::Accept;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

/// All open connections by the client's address. Also the acceptor that makes them.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<HashMap<SocketAddr, Arc<AtomicBool>>>>);

/// One connection.
#[derive(Debug)]
pub struct Line {
    cut: Arc<AtomicBool>,
    lines: Lines,
    peer: SocketAddr,
    stream: TcpStream,
}

impl Lines {
    /// Cuts a connection: nothing is written to it any more, and it is reset as soon as something would be.
    pub fn cut(&self, peer: SocketAddr) {
        if let Some(line) = self.lock().get(&peer) {
            line.store(true, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Arc<AtomicBool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, stream: TcpStream) -> io::Result<Line> {
        stream.set_nodelay(true)?;
        let peer = stream.peer_addr()?;
        let cut = Arc::new(AtomicBool::new(false));
        self.lock().insert(peer, Arc::clone(&cut));
        Ok(Line { cut, lines: self.clone(), peer, stream })
    }
}

impl<S> Accept<TcpStream, S> for Lines {
    type Future = Ready<io::Result<(Line, S)>>;
    type Service = S;
    type Stream = Line;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.open(stream).map(|line| (line, service)))
    }
}

impl Line {
    /// Fails once the line is cut; closing it then sends a reset instead of a polite end.
    fn check(&self) -> io::Result<()> {
        if !self.cut.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.stream.set_zero_linger()?;
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.lines.lock().remove(&self.peer);
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
