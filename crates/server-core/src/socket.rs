//! The server's end of a connection: half-closed clients, clients that left, clients that do not read.
//!
//! A client that shuts its sending side down may still read: RFC 9112, section 9.6, leaves its request
//! valid, and Go and nginx answer it. From a client that closed its connection it differs only once
//! the server writes: the system of the latter then resets the connection. So after `PROBE_AFTER` the
//! server writes the interim answer `100 Continue`, which a client reads past, expected or not (RFC 9110,
//! section 15.2).
//!
//! Invariant: the interim answer is written between two answers only: before any byte of the one that is
//! computed, and after all bytes of those before it.

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

/// The time after which it is found out whether a client that sends nothing more still reads: most reads
/// are answered before.
const PROBE_AFTER: Duration = Duration::from_secs(1);

/// The interim answer that finds it out. Clients exist that take any other one for the answer.
const PROBE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How often it is looked whether the probe was answered by a reset.
const PROBED_PAUSE: Duration = Duration::from_millis(100);

/// Bytes that a client must take within `--send-wait-max`.
///
/// A client that takes a byte now and then would hold its answer for ever otherwise.
const TAKEN_MIN: usize = 64 << 10;

/// How often a connection is looked at whose client sent its next request already: its socket is
/// readable all the time, so that waiting for it would spin.
const PIPELINED_PAUSE: Duration = Duration::from_secs(1);

/// A connection's socket, as the protocol reads and writes it.
#[derive(Debug)]
pub struct Socket {
    read: Arc<OwnedReadHalf>,
    write: OwnedWriteHalf,
    send_wait_max: Duration,
    /// Set while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Bytes that the client took since `stalled` was set.
    taken: usize,
    on_stall: OnStall,
    /// Shared with the [`Peer`]: whether the system has all bytes of the answers so far.
    flushed: Arc<AtomicBool>,
    head_max: usize,
    /// A refusal of the protocol's parser that is being written with a body.
    explaining: Option<Explaining>,
}

/// An answer that is written in place of another one.
#[derive(Debug)]
struct Explaining {
    bytes: Vec<u8>,
    written: usize,
    /// The length of the other one.
    of: usize,
}

/// Counts a connection that is closed because its client did not read.
pub type OnStall = prometheus_client::metrics::counter::Counter;

impl Socket {
    /// Splits a connection into its socket and a handle that knows whether its client is there.
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

    /// Writes the answer in place of another one, of which all bytes count as written at its end.
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

    /// Begins to write an answer in place of `parts`, if they are one without a body that should have one.
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
        // The protocol flushes when it has nothing left to write: the client took all there was.
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

/// Whether the client of a connection is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It may send more.
    Open,
    /// It sends nothing more; it may still read.
    HalfClosed,
    /// It reads nothing more either.
    Gone,
}

/// A handle on a connection that knows whether its client is there.
#[derive(Clone, Debug)]
pub struct Peer {
    read: Arc<OwnedReadHalf>,
    flushed: Arc<AtomicBool>,
    /// Whether its client reads past interim answers.
    reads_interim: bool,
}

impl Peer {
    /// The same for a request of this version: clients of HTTP/1.0 know no interim answers.
    #[must_use]
    pub fn for_version(&self, version: Version) -> Self {
        Self { reads_interim: version == Version::HTTP_11, ..self.clone() }
    }

    fn stream(&self) -> &TcpStream {
        (*self.read).as_ref()
    }

    /// Finds out whether a half-closed client still reads: if it does not, it is gone soon after.
    ///
    /// MUST be called by the request's own task, before its answer begins: no byte of an answer can then
    /// be written at the same time.
    fn probe(&self) {
        if self.reads_interim && self.flushed.load(Ordering::Relaxed) {
            // A full buffer means a client that does not read, which has a limit of its own.
            let _ = self.stream().try_write(PROBE);
        }
    }

    /// Returns whether the client is there, as far as the system reported it. Costs no system call.
    pub fn presence(&self) -> Presence {
        match self.stream().ready(Interest::READABLE | Interest::WRITABLE).now_or_never() {
            Some(Ok(ready)) if ready.is_write_closed() => Presence::Gone,
            Some(Ok(ready)) if ready.is_read_closed() => Presence::HalfClosed,
            Some(Err(_)) => Presence::Gone,
            _ => Presence::Open,
        }
    }

    /// Waits until the client sends nothing more.
    pub async fn half_closed(&self) {
        loop {
            match self.stream().ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => tokio::time::sleep(PIPELINED_PAUSE).await,
                _ => return,
            }
        }
    }

    /// Waits until the client reads nothing more. One that closed its connection is found out about
    /// `PROBE_AFTER` later.
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

/// Looks, between two parts of a computation, whether its client is still worth the rest.
#[derive(Debug, Default)]
pub struct Departure {
    half_closed_since: Option<Instant>,
    probed: bool,
}

impl Departure {
    /// Whether the client left, as [`Peer::left`] defines it.
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
