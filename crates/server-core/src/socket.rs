//! The server's end of a connection: detects half-closed clients, clients that left, and clients that do not read.
//!
//! A client that shuts down its sending side may still read: RFC 9112, section 9.6, keeps its request valid, and
//! Go and nginx answer it. The server can distinguish it from a client that closed the connection only by writing:
//! the latter's system then resets the connection. After `PROBE_AFTER` the server therefore writes the interim
//! response `100 Continue`, which clients MUST be able to parse, expected or not (RFC 9110, section 15.2).
//!
//! Invariant: the interim response is written only between two replies: after all bytes of the previous ones, and
//! before any byte of the one that is being computed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::http::Version;
use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::Sleep;

use crate::parse_errors;

/// The time after which the server probes whether a half-closed client still reads. Most reads are answered
/// before.
const PROBE_AFTER: Duration = Duration::from_secs(1);

/// The interim response of the probe. Some clients take any other one for the final response.
const PROBE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The interval of checks for a reset after the probe.
const PROBED_PAUSE: Duration = Duration::from_millis(100);

/// Minimum number of bytes that a client must read within `--send-wait-max`.
///
/// Otherwise a client that reads a byte now and then would hold its reply in memory for ever.
const TAKEN_MIN: usize = 64 << 10;

/// The interval of checks of a connection whose client already sent its next request: its socket is always
/// readable, so that waiting for readability would spin.
const PIPELINED_PAUSE: Duration = Duration::from_secs(1);

/// The socket of a connection, which hyper reads and writes.
#[derive(Debug)]
pub struct Socket {
    read: Arc<OwnedReadHalf>,
    write: OwnedWriteHalf,
    send_wait_max: Duration,
    /// The timer that runs while the client does not read.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Bytes that the client read since `stalled` was set.
    taken: usize,
    on_stall: OnStall,
    /// Whether the system has all bytes of the replies so far; shared with the [`Peer`].
    flushed: Arc<AtomicBool>,
    head_max: usize,
    /// A rejection of hyper's parser that is being written with a body.
    explaining: Option<Explaining>,
}

/// A reply that is written in place of another one.
#[derive(Debug)]
struct Explaining {
    bytes: Vec<u8>,
    written: usize,
    /// The length of the reply that it replaces.
    of: usize,
}

/// Counts connections that are closed because their client did not read.
pub type OnStall = prometheus_client::metrics::counter::Counter;

impl Socket {
    /// Splits a connection into its socket and a handle that reports the presence of its client.
    pub fn new(
        stream: TcpStream,
        send_wait_max: Duration,
        on_stall: OnStall,
        head_max: usize,
    ) -> (Self, Peer) {
        let (read, write) = stream.into_split();
        let (read, flushed) = (Arc::new(read), Arc::new(AtomicBool::new(true)));
        let peer =
            Peer { read: Arc::clone(&read), flushed: Arc::clone(&flushed), reads_interim: false };
        let (stalled, taken, explaining) = (None, 0, None);
        let socket = Self {
            read,
            write,
            send_wait_max,
            stalled,
            taken,
            on_stall,
            flushed,
            head_max,
            explaining,
        };
        (socket, peer)
    }

    /// Writes the replacement of a reply. At its end, returns the length of the replaced reply as written.
    fn poll_explain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while let Some(Explaining { bytes, written, of }) = &mut self.explaining {
            let rest = bytes.get(*written..).unwrap_or_default();
            if rest.is_empty() {
                let of = *of;
                self.explaining = None;
                return Poll::Ready(Ok(of));
            }
            *written += ready!(Pin::new(&mut self.write).poll_write(context, rest))?;
        }
        Poll::Ready(Ok(0))
    }

    /// Replaces `parts` if they are a rejection of hyper's parser, which has no body.
    fn explain(&mut self, parts: &[io::IoSlice<'_>]) {
        let of: usize = parts.iter().map(|part| part.len()).sum();
        if self.explaining.is_none()
            && (1..=parse_errors::HEAD_MAX).contains(&of)
            && parts
                .iter()
                .find(|part| !part.is_empty())
                .is_some_and(|part| part.starts_with(b"HTTP/"))
            && let Some(bytes) = parse_errors::explain(&join(parts), self.head_max)
        {
            self.explaining = Some(Explaining { bytes, written: 0, of });
        }
    }

    /// Tracks the progress of writes. Fails once the client read less than `TAKEN_MIN` within `send_wait_max`.
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
                let error = "the client did not read its reply within --send-wait-max";
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
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.flushed.store(false, Ordering::Relaxed);
        self.explain(parts);
        let written = if self.explaining.is_some() {
            self.poll_explain(context)
        } else {
            Pin::new(&mut self.write).poll_write_vectored(context, parts)
        };
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.write.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes when it has nothing left to write: the client read everything.
        self.stalled = None;
        self.flushed.store(true, Ordering::Relaxed);
        Pin::new(&mut self.write).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_shutdown(context)
    }
}

fn join(parts: &[io::IoSlice<'_>]) -> Vec<u8> {
    parts.iter().flat_map(|part| part.iter().copied()).collect()
}

/// The presence of the client of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It can send more.
    Open,
    /// It shut down its sending side; it may still read.
    HalfClosed,
    /// It closed the connection.
    Gone,
}

/// A handle on a connection that reports the presence of its client.
#[derive(Clone, Debug)]
pub struct Peer {
    read: Arc<OwnedReadHalf>,
    flushed: Arc<AtomicBool>,
    /// Whether its client accepts interim responses.
    reads_interim: bool,
}

impl Peer {
    /// Returns the handle for a request of `version`. Clients of HTTP/1.0 do not accept interim responses.
    #[must_use]
    pub fn for_version(&self, version: Version) -> Self {
        Self { reads_interim: version == Version::HTTP_11, ..self.clone() }
    }

    fn stream(&self) -> &TcpStream {
        (*self.read).as_ref()
    }

    /// Probes whether a half-closed client still reads. If it does not, its presence becomes [`Presence::Gone`]
    /// soon after.
    ///
    /// MUST be called by the request's own task, before its reply begins, so that no byte of a reply is written at
    /// the same time.
    fn probe(&self) {
        if self.reads_interim && self.flushed.load(Ordering::Relaxed) {
            // An error means a full buffer: a client that does not read, which `--send-wait-max` limits.
            let _ = self.stream().try_write(PROBE);
        }
    }

    /// Returns the presence of the client as far as the system has reported it. Costs no system call.
    pub fn presence(&self) -> Presence {
        match self.stream().ready(Interest::READABLE | Interest::WRITABLE).now_or_never() {
            Some(Ok(ready)) if ready.is_write_closed() => Presence::Gone,
            Some(Ok(ready)) if ready.is_read_closed() => Presence::HalfClosed,
            Some(Err(_)) => Presence::Gone,
            _ => Presence::Open,
        }
    }

    /// Waits until the client shuts down its sending side, or closes the connection.
    pub async fn half_closed(&self) {
        loop {
            match self.stream().ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => tokio::time::sleep(PIPELINED_PAUSE).await,
                _ => return,
            }
        }
    }

    /// Waits until the client closes the connection. Returns about `PROBE_AFTER` later, because only the probe
    /// reveals it.
    pub async fn left(&self) {
        self.half_closed().await;
        if self.presence() != Presence::Gone {
            tokio::time::sleep(PROBE_AFTER).await;
            self.probe();
        }
        while self.presence() != Presence::Gone {
            tokio::time::sleep(PROBED_PAUSE).await;
        }
    }
}

/// Detects the departure of a client between two parts of a computation for it.
#[derive(Debug, Default)]
pub struct Departure {
    half_closed_since: Option<Instant>,
    probed: bool,
}

impl Departure {
    /// Whether the client closed the connection, as in [`Peer::left`]. MUST be called again for the probe to have
    /// an effect.
    pub fn client_left(&mut self, peer: &Peer, now: Instant) -> bool {
        match peer.presence() {
            Presence::Open => false,
            Presence::Gone => true,
            Presence::HalfClosed => {
                let since = *self.half_closed_since.get_or_insert(now);
                if !self.probed && now.saturating_duration_since(since) >= PROBE_AFTER {
                    self.probed = true;
                    peer.probe();
                }
                false
            }
        }
    }
}
