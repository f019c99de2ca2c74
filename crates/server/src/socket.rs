//! The server's end of a connection: half-closed clients, clients that left, clients that do not read.
//!
//! A client that shuts its sending side down may still read: RFC 9112, section 9.6, leaves its request
//! valid, and Go and nginx answer it. From a client that closed its connection it differs only once
//! the server writes. So both count as [`Presence::HalfClosed`], and work for them has
//! [`HALF_CLOSED_MAX`] left.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::Sleep;

/// How long a read may still compute after its client shut its sending side down.
pub(crate) const HALF_CLOSED_MAX: Duration = Duration::from_secs(1);

/// Bytes that a client must take within `--send-wait-max`.
///
/// A client that takes a byte now and then would hold its answer for ever otherwise.
const TAKEN_MIN: usize = 64 << 10;

/// How often a connection is looked at whose client sent its next request already: its socket is
/// readable all the time, so that waiting for it would spin.
const PIPELINED_PAUSE: Duration = Duration::from_secs(1);

/// A connection's socket, as the protocol reads and writes it.
#[derive(Debug)]
pub(crate) struct Socket {
    read: Arc<OwnedReadHalf>,
    write: OwnedWriteHalf,
    send_wait_max: Duration,
    /// Set while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Bytes that the client took since `stalled` was set.
    taken: usize,
    on_stall: OnStall,
}

/// Counts a connection that is closed because its client did not read.
pub(crate) type OnStall = prometheus_client::metrics::counter::Counter;

impl Socket {
    /// Splits a connection into its socket and a handle that knows whether its client is there.
    pub(crate) fn new(
        stream: TcpStream,
        send_wait_max: Duration,
        on_stall: OnStall,
    ) -> (Self, Peer) {
        let (read, write) = stream.into_split();
        let read = Arc::new(read);
        let peer = Peer(Arc::clone(&read));
        (Self { read, write, send_wait_max, stalled: None, taken: 0, on_stall }, peer)
    }

    /// Notes the outcome of a write: an error once the client took too little for too long.
    fn watch(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.taken = self.taken.saturating_add(bytes);
                if self.taken >= TAKEN_MIN {
                    self.stalled = None;
                }
                Poll::Ready(Ok(bytes))
            }
            Poll::Pending => {
                let stalled = match &mut self.stalled {
                    Some(stalled) => stalled,
                    none => {
                        self.taken = 0;
                        none.insert(Box::pin(tokio::time::sleep(self.send_wait_max)))
                    }
                };
                ready!(stalled.as_mut().poll(context));
                self.on_stall.inc();
                let error = "the client did not read its answer within --send-wait-max";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, error)))
            }
            failed @ Poll::Ready(_) => failed,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream: &TcpStream = (*self.read).as_ref();
        loop {
            ready!(stream.poll_read_ready(context))?;
            match stream.try_read(buffer.initialize_unfilled()) {
                Ok(bytes) => {
                    buffer.advance(bytes);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.write).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.write).poll_write_vectored(context, parts);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.write.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The protocol flushes when it has nothing left to write: the client took all there was.
        self.stalled = None;
        Pin::new(&mut self.write).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_shutdown(context)
    }
}

/// Whether the client of a connection is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It may send more.
    Open,
    /// It sends nothing more; it may still read.
    HalfClosed,
    /// It reads nothing more either.
    Gone,
}

/// A handle on a connection that knows whether its client is there.
#[derive(Clone, Debug)]
pub(crate) struct Peer(Arc<OwnedReadHalf>);

impl Peer {
    /// Returns whether the client is there, as far as the system reported it. Costs no system call.
    pub(crate) fn presence(&self) -> Presence {
        let stream: &TcpStream = (*self.0).as_ref();
        match stream.ready(Interest::READABLE | Interest::WRITABLE).now_or_never() {
            Some(Ok(ready)) if ready.is_write_closed() => Presence::Gone,
            Some(Ok(ready)) if ready.is_read_closed() => Presence::HalfClosed,
            Some(Err(_)) => Presence::Gone,
            _ => Presence::Open,
        }
    }

    /// Waits until the client sends nothing more.
    pub(crate) async fn half_closed(&self) {
        let stream: &TcpStream = (*self.0).as_ref();
        loop {
            match stream.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => tokio::time::sleep(PIPELINED_PAUSE).await,
                _ => return,
            }
        }
    }

    /// Waits until a read of the client is not worth an answer any more: [`HALF_CLOSED_MAX`] after
    /// it shut its sending side down, or at once when it reads nothing more.
    pub(crate) async fn left(&self) {
        self.half_closed().await;
        if self.presence() != Presence::Gone {
            tokio::time::sleep(HALF_CLOSED_MAX).await;
        }
    }
}

/// Looks, between two parts of a computation, whether its client is still worth the rest.
#[derive(Debug, Default)]
pub(crate) struct Departure {
    half_closed_since: Option<Instant>,
}

impl Departure {
    /// Whether the client left, as [`Peer::left`] defines it.
    pub(crate) fn is_over(&mut self, peer: &Peer, now: Instant) -> bool {
        match peer.presence() {
            Presence::Open => false,
            Presence::Gone => true,
            Presence::HalfClosed => {
                let since = *self.half_closed_since.get_or_insert(now);
                now.saturating_duration_since(since) >= HALF_CLOSED_MAX
            }
        }
    }
}
