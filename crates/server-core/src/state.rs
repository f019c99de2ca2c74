//! The state that both APIs share: the store, transactions, request bodies, and the limits of each.
//!
//! A write runs in one transaction, on a thread that may block on the disk.
//!
//! Invariant: a query that may take long waits for a turn, which callers share fairly, and never runs on a thread that
//! serves sockets, so that a crowd of woken readers delays no other caller. Bounded work, such as one row or one chunk
//! of a list, runs on the thread of its request: moving it would cost more.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use statehold_store::{Snapshot, Store, WriteTxn};

use crate::byte_budget::{Charge, Pool};
use crate::caller::CallerKey;
use crate::edge_metrics::{EdgeMetrics, RefusalReason};
use crate::limits::Limits;
use crate::meter;
use crate::meter::{Allowed, Meter};
use crate::metrics::Metrics;
use crate::rejection::Rejection;
use crate::site::Site;
use crate::socket::{Peer, Presence};
use crate::turns::{Turn, Turns, Urgency};
use crate::write_queue::{WriteFault, WriteQueue, Writer};

/// The media type of the metrics.
// https://github.com/prometheus/OpenMetrics, "Overall Structure".
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A rejected body is read to its end if it is at most this many times larger than the limit.
const PASSED_MAX: usize = 16;

/// Bytes of a rejected body that are read between two pauses of [`DISCARD_PAUSE`].
///
/// Rejected bodies are read at 5 MiB a second, because reading useless bytes at the speed of the network takes
/// processors and memory from all other callers.
const DISCARDED_AT_ONCE: usize = 256 << 10;

/// The pause between two pieces of a rejected body.
const DISCARD_PAUSE: Duration = Duration::from_millis(50);

/// A write with a larger body, in bytes, counts as large. Large writes wait for small ones and share one turn, because
/// a transaction of thousands of rows takes seconds.
const LARGE_WRITE: usize = 64 << 10;

/// The state that both APIs share, for the request of one caller. Clones share all but the request.
#[derive(Clone, Debug)]
pub struct ServerState {
    shared: Arc<ServerInner>,
    site: Arc<Site>,
    requester: Requester,
}

#[derive(Debug)]
struct ServerInner {
    limits: Limits,
    metrics: Arc<Metrics>,
    edge: EdgeMetrics,
    /// A turn for each query that may run in parallel.
    queries: Turns,
    /// A unit for each write that may be in progress.
    writes: Pool,
    writing: WriteQueue,
    bodies: Pool,
    unsent: Pool,
    parked: Pool,
}

/// The request that work is done for: its caller, its connection, the size of its body. Clones share it.
#[derive(Clone, Debug)]
pub struct Requester(Arc<RequesterInner>);

#[derive(Debug)]
struct RequesterInner {
    key: CallerKey,
    peer: Option<Peer>,
    body_len: AtomicUsize,
    /// Maximum number of other requests' turns at computing that it waited for.
    waited: AtomicU64,
    /// The charge for the body, held until the reply because the values parsed from the body live as long.
    body: Mutex<Option<Charge>>,
}

impl Requester {
    /// Creates a request of `key` on the connection of `peer`.
    pub fn new(key: CallerKey, peer: Option<Peer>) -> Self {
        let body = Mutex::new(None);
        let (body_len, waited) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self(Arc::new(RequesterInner { key, peer, body_len, waited, body }))
    }

    /// Creates the requester of the server itself.
    fn own() -> Self {
        Self::new(CallerKey::Server, None)
    }

    /// Returns the key that the caller's limits and turns are counted by.
    pub fn key(&self) -> CallerKey {
        self.0.key
    }

    fn peer(&self) -> Option<&Peer> {
        self.0.peer.as_ref()
    }

    /// Records the turns that a computation of the request waited for.
    pub fn note_waited(&self, meter: &Meter) {
        self.0.waited.fetch_max(meter.waited(), Ordering::Relaxed);
    }

    /// Returns the maximum number of other requests' turns at computing that the request waited for.
    pub fn waited(&self) -> u64 {
        self.0.waited.load(Ordering::Relaxed)
    }

    /// Returns whether the body is large enough for thousands of rows.
    fn is_large(&self) -> bool {
        self.0.body_len.load(Ordering::Relaxed) > LARGE_WRITE
    }

    fn write_urgency(&self) -> Urgency {
        if self.is_large() { Urgency::Later } else { Urgency::Now }
    }
}

impl ServerState {
    /// Creates the state of a server that writes through `writing`.
    pub fn new(writing: WriteQueue, limits: Limits, metrics: Arc<Metrics>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let edge = metrics.edge().clone();
        let shared = ServerInner {
            // One turn more than a caller may have, so that another caller always gets one. While another caller is
            // present, a caller leaves one core free, because its threads would otherwise slow down the other's.
            queries: Turns::with_shared_max(
                cores + 1,
                cores,
                cores - 1,
                cores,
                writing.present().clone(),
            ),
            writes: Pool::new(limits.writes_max, edge.writes.clone()),
            writing,
            bodies: Pool::new(limits.bodies_max, edge.bodies.clone()),
            unsent: Pool::new(limits.unsent_max, edge.unsent.clone()),
            parked: Pool::new(limits.parked_bytes_max, edge.parked.clone()),
            limits,
            metrics,
            edge,
        };
        Self { shared: Arc::new(shared), site: Arc::default(), requester: Requester::own() }
    }

    /// Returns the state for an API that is served under the names of `site`.
    #[must_use]
    pub fn with_site(&self, site: Site) -> Self {
        Self { site: Arc::new(site), ..self.clone() }
    }

    /// Returns the state for the request of `requester`.
    #[must_use]
    pub fn for_request(&self, requester: Requester) -> Self {
        Self { requester, ..self.clone() }
    }

    /// Records a request of `caller` now: while it counts as present, other callers have fewer turns.
    pub fn note_present(&self, caller: CallerKey) {
        self.shared.writing.present().note(caller, Instant::now());
    }

    /// Returns the request that this state is for; the server itself outside of requests.
    pub fn requester(&self) -> &Requester {
        &self.requester
    }

    /// Returns the limits in force.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Returns the names that the API is served under.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Returns the metrics of the server.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Returns the metrics of rejected and cancelled requests.
    pub fn edge(&self) -> &EdgeMetrics {
        &self.shared.edge
    }

    /// Returns the store.
    pub fn store(&self) -> &Store {
        self.shared.writing.store()
    }

    /// Returns the budget of bytes of unsent replies.
    pub fn unsent(&self) -> &Pool {
        &self.shared.unsent
    }

    /// Updates the metric of requests that wait for turns.
    pub fn note_queued(&self) {
        let queued = self.shared.queries.waiting() + self.shared.writing.waiting();
        self.shared.edge.queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
    }

    /// Returns the metrics in Prometheus' text format, as the reply of an endpoint.
    pub fn metrics_reply(&self) -> Result<Response<Body>, Rejection> {
        self.note_queued();
        // A disk that hangs would block every task of the thread.
        let text = tokio::task::block_in_place(|| self.metrics().render(self.store()));
        let text = text.map_err(|error| Rejection::internal(&error))?;
        let mut reply = Response::new(Body::from(text));
        let open_metrics = HeaderValue::from_static(OPEN_METRICS);
        reply.headers_mut().insert(header::CONTENT_TYPE, open_metrics);
        Ok(reply)
    }

    /// Returns the address of a request's client: that of the connection, or the one that a trusted proxy sent.
    pub fn client(&self, head: &Parts) -> IpAddr {
        let connection = head.extensions.get::<SocketAddr>().map(SocketAddr::ip);
        // A router that is mounted into another application may get requests without an address.
        let connection = connection.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        self.site().client(&head.headers, connection)
    }

    /// Charges `bytes` to the caller for a request that waits for a change.
    ///
    /// # Errors
    /// 429 if the pool, or the caller's half of it, lacks them.
    pub fn charge_parked(&self, bytes: usize) -> Result<Charge, Rejection> {
        self.shared.parked.take(self.requester.key(), bytes).ok_or_else(|| {
            self.edge().refused(RefusalReason::ParkedBytes);
            Rejection::too_many(format!(
                "the filters of waiting requests need {} bytes, the limit set by --parked-bytes-max of \
                 which one caller has at most half; wait with shorter filters, or try again later",
                self.shared.limits.parked_bytes_max
            ))
        })
    }

    /// Creates the meter of a read, which ends once the client disconnects.
    pub fn meter(&self) -> Meter {
        let peer = self.requester.peer().cloned();
        Meter::new(Allowed::from(self.limits()), self.edge().clone(), peer)
    }

    /// Creates the meter of a part of a reply that is being sent. It ignores the connection, because a half-closed
    /// client still reads.
    pub fn meter_for_part(&self) -> Meter {
        Meter::new(Allowed::from(self.limits()), self.edge().clone(), None)
    }

    /// Waits for a turn at computing.
    ///
    /// # Errors
    /// The client disconnected meanwhile.
    pub async fn turn(&self, urgency: Urgency) -> Result<Turn, Rejection> {
        let left = async {
            match self.requester.peer() {
                Some(peer) => peer.left().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The turn first, because dropping a granted one would waste it.
            biased;
            turn = self.shared.queries.take(self.requester.key(), urgency) => turn.ok_or_else(closed),
            () = left => Err(meter::client_left(self.edge())),
        }
    }

    /// Waits for a turn at computing a part of a reply that is being sent.
    pub async fn turn_for_part(&self) -> Result<Turn, Rejection> {
        // The connection is not observed here: hyper drops the reply's body, and this future, with it.
        let turn = self.shared.queries.take(self.requester.key(), Urgency::Now).await;
        turn.ok_or_else(closed)
    }

    /// Waits until the client shuts down its sending side.
    ///
    /// # Errors
    /// The client closed the connection completely.
    pub async fn half_closed(&self) -> Result<(), Rejection> {
        // Without a connection there is no client to observe.
        let Some(peer) = self.requester.peer() else { return std::future::pending().await };
        peer.half_closed().await;
        match peer.presence() {
            Presence::Gone => Err(meter::client_left(self.edge())),
            _ => Ok(()),
        }
    }

    /// Runs a long computation with the caller's turn, and moves the runtime's other tasks off this thread meanwhile.
    /// Returns the result and the meter.
    pub fn compute<R>(
        mut meter: Meter,
        turn: Turn,
        run: impl FnOnce(&mut Meter) -> R,
    ) -> (R, Meter) {
        meter.begin(Some(turn));
        let done = tokio::task::block_in_place(|| {
            let done = run(&mut meter);
            meter.end();
            done
        });
        (done, meter)
    }

    /// Runs work on the body of a request, or on its reply of a similar size. Waits for a turn at computing if the body
    /// is large, because thousands of rows occupy a processor for tens of milliseconds.
    pub async fn process_body<R>(&self, run: impl FnOnce() -> R) -> R {
        if !self.requester.is_large() {
            return run();
        }
        // Work without a turn, after the queue was closed, still runs: its request was accepted.
        let turn = self.shared.queries.take(self.requester.key(), Urgency::Later).await;
        let done = tokio::task::block_in_place(run);
        drop(turn);
        done
    }

    /// Runs `write` in one transaction. Returns its result, rendered by `after` with the state as of the commit, and
    /// the commit index. An error leaves no change.
    ///
    /// # Errors
    /// Those of `write` and `after`; 429 at `--writes-max`; 503 if the store takes no writes.
    pub async fn write<T, R, E: From<Rejection>>(
        &self,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, E>,
        after: impl FnOnce(&Snapshot, T) -> Result<R, E>,
    ) -> Result<(R, u64), E> {
        let permit = self.shared.writes.take(self.requester.key(), 1).ok_or_else(|| {
            self.edge().refused(RefusalReason::Writes);
            Rejection::too_many(format!(
                "{} writes may be in progress, the limit set by --writes-max of which one caller has at \
                 most half; try again later",
                self.shared.limits.writes_max
            ))
        })?;
        // The type keeps an error of the domain apart from one of the store.
        let write = |txn: &mut WriteTxn<'_>, now| write(txn, now).map_err(NotWritten::Refused);
        let (committed, done) =
            self.writer().write_async(write).await.map_err(NotWritten::into_error)?;
        // Rendering the reply does not occupy a write.
        drop(permit);
        Ok((self.process_body(|| after(&committed, done)).await?, committed.index()))
    }

    /// Like [`ServerState::write`], on a thread that may block. Returns the state as of the commit and the result of
    /// `write`.
    pub fn write_blocking<T, E: From<Rejection>>(
        &self,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, E>,
    ) -> Result<(Snapshot, T), E> {
        let write = |txn: &mut WriteTxn<'_>, now| write(txn, now).map_err(NotWritten::Refused);
        self.writer().write(write).map_err(NotWritten::into_error)
    }

    /// Returns the writer of the caller, whose large writes yield to small ones.
    pub fn writer(&self) -> Writer {
        self.shared.writing.writer(self.requester.key(), self.requester.write_urgency())
    }

    /// Reads the complete body of a request. `expects_continue`: whether the client sent `Expect: 100-continue`.
    ///
    /// # Errors
    /// 413 beyond `--body-max`, 408 after `--body-wait-max`, 429 at `--bodies-max`, 400 for an invalid encoding.
    pub async fn body(&self, body: Body, expects_continue: bool) -> Result<Vec<u8>, Rejection> {
        self.body_within(self.shared.limits.body_max, body, expects_continue).await
    }

    /// Like [`ServerState::body`], with `max` as an additional limit.
    pub async fn body_within(
        &self,
        max: usize,
        body: Body,
        expects_continue: bool,
    ) -> Result<Vec<u8>, Rejection> {
        let Limits { body_max, body_wait_max: wait, bodies_max, .. } = self.shared.limits;
        let max = max.min(body_max);
        let too_large = || {
            Rejection::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                // The flag is named only where raising it helps.
                if max == body_max {
                    format!(
                        "the request body is larger than {max} bytes, the limit set by --body-max"
                    )
                } else {
                    format!("the request body is larger than {max} bytes, the limit of this API")
                },
            )
        };
        let least = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        // A client that waits for `100 Continue` sends no body, and one that announces far too much would give up
        // before its body is read to the end.
        if least > max && (expects_continue || least > max.saturating_mul(PASSED_MAX)) {
            return Err(too_large());
        }
        let mut charge = self.shared.bodies.charge(self.requester.key());
        // One time limit for the complete body: a limit for each piece would let a slow client hold it for hours.
        match tokio::time::timeout(wait, read_body(body, max, &mut charge)).await {
            Ok(Ok(BodyRead::Whole(bytes))) => {
                self.requester.0.body_len.store(bytes.len(), Ordering::Relaxed);
                *self.requester.0.body.lock() = Some(charge);
                Ok(bytes)
            }
            Ok(Ok(BodyRead::TooLarge)) => Err(too_large()),
            Ok(Ok(BodyRead::NoRoom)) => {
                self.edge().refused(RefusalReason::Bodies);
                Err(Rejection::too_many(format!(
                    "request bodies of {bodies_max} bytes, the limit set by --bodies-max of which one \
                     caller has at most half, are in memory; try again later"
                )))
            }
            Ok(Err(error)) => Err(Rejection::bad_request(error.to_string())),
            Err(_) => Err(Rejection::new(
                StatusCode::REQUEST_TIMEOUT,
                format!(
                    "the request body did not come within {wait:?}, the limit set by --body-wait-max"
                ),
            )),
        }
    }
}

/// The reason why a write left no change.
enum NotWritten<E> {
    /// The closure rejected it.
    Refused(E),
    Fault(WriteFault),
}

impl<E: From<Rejection>> NotWritten<E> {
    fn into_error(self) -> E {
        match self {
            Self::Refused(error) => error,
            Self::Fault(fault) => Rejection::from(fault).into(),
        }
    }
}

impl<E> From<WriteFault> for NotWritten<E> {
    fn from(fault: WriteFault) -> Self {
        Self::Fault(fault)
    }
}

/// Returns the error of a closed queue of turns, which is a bug: queues stay open while requests are served.
fn closed() -> Rejection {
    Rejection::internal(&"a queue of turns was closed")
}

/// The outcome of reading a body.
enum BodyRead {
    Whole(Vec<u8>),
    TooLarge,
    NoRoom,
}

/// Reads a body of up to `max` bytes, and charges the bytes as they arrive.
///
/// Reads and discards the rest of a rejected body, unless it is far too large, because a client that is still sending
/// when the connection closes never reads the reply. Pauses between the pieces, which slows the client down.
async fn read_body(body: Body, max: usize, charge: &mut Charge) -> Result<BodyRead, axum::Error> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut body = body.into_data_stream();
    // The full capacity at once, because growing a vector copies it. The system provides pages as they are written.
    let mut kept = Vec::with_capacity(announced.min(max));
    let (mut len, mut refused, mut discarded) = (0_usize, None, 0);
    while let Some(bytes) = body.next().await {
        let bytes = bytes?;
        len = len.saturating_add(bytes.len());
        // The connection closes with the rest unread.
        if len > max.saturating_mul(PASSED_MAX) {
            break;
        }
        if refused.is_none() {
            if len > max {
                refused = Some(BodyRead::TooLarge);
            } else if !charge.grow(bytes.len()) {
                refused = Some(BodyRead::NoRoom);
            }
        }
        if refused.is_some() {
            // Releases the memory and the charge before the rest arrives slowly.
            kept = Vec::new();
            charge.clear();
            discarded += bytes.len();
            if discarded >= DISCARDED_AT_ONCE {
                discarded = 0;
                tokio::time::sleep(DISCARD_PAUSE).await;
            }
        } else {
            kept.extend_from_slice(&bytes);
        }
    }
    // Takes precedence: a body that passed the limit after it was rejected for lack of room can never succeed.
    if len > max {
        return Ok(BodyRead::TooLarge);
    }
    Ok(refused.unwrap_or(BodyRead::Whole(kept)))
}
