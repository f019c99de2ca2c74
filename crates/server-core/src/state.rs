//! What both APIs share: the store, transactions, bodies, and how much of each there is at a time.
//!
//! A write runs in one transaction, on a thread that may wait for the disk.
//!
//! Invariant: queries that may take long wait for turns, which callers share fairly, and none of them
//! runs on a thread that serves sockets, so that a crowd of woken readers delays no other caller. What is
//! bounded, such as one row or one chunk of a list, runs where it is: moving it would cost more.

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

/// The media type of what Prometheus reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How many times too large a body may be to be read to its end.
const PASSED_MAX: usize = 16;

/// Bytes of a refused body that are read between two pauses of [`DISCARD_PAUSE`].
///
/// Refused bodies are read at 5 MiB a second, because the sending and reading of bytes that are of no use at the
/// speed of the network takes processors and memory from all other callers.
const DISCARDED_AT_ONCE: usize = 256 << 10;

/// The time between two pieces of a refused body.
const DISCARD_PAUSE: Duration = Duration::from_millis(50);

/// Bytes of a body from which on a write counts as large. Large writes wait for small ones and have one
/// turn together, because a transaction of thousands of rows takes seconds.
const LARGE_WRITE: usize = 64 << 10;

/// The state that both APIs share, for one caller.
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
    /// A turn for each query that may run at the same time.
    queries: Turns,
    /// A permit for each write that may be in progress at the same time.
    writes: Pool,
    writing: WriteQueue,
    bodies: Pool,
    unsent: Pool,
    parked: Pool,
}

/// The request that something runs for: its caller, its connection, its body's size.
#[derive(Clone, Debug)]
pub struct Requester(Arc<RequesterInner>);

#[derive(Debug)]
struct RequesterInner {
    key: CallerKey,
    peer: Option<Peer>,
    body_len: AtomicUsize,
    /// The turns of other requests at computing that it waited for at most.
    waited: AtomicU64,
    /// The body and the values parsed from it count until the request is answered.
    body: Mutex<Option<Charge>>,
}

impl Requester {
    /// Creates a request of `key` on the connection of `peer`.
    pub fn new(key: CallerKey, peer: Option<Peer>) -> Self {
        let body = Mutex::new(None);
        let (body_len, waited) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self(Arc::new(RequesterInner { key, peer, body_len, waited, body }))
    }

    /// The server itself.
    fn own() -> Self {
        Self::new(CallerKey::Server, None)
    }

    /// Returns the caller that limits and turns are counted for.
    pub fn key(&self) -> CallerKey {
        self.0.key
    }

    fn peer(&self) -> Option<&Peer> {
        self.0.peer.as_ref()
    }

    /// Notes the turns that its computation waited for.
    pub fn note_waited(&self, meter: &Meter) {
        self.0.waited.fetch_max(meter.waited(), Ordering::Relaxed);
    }

    /// Returns the turns of other requests at computing that it waited for at most.
    pub fn waited(&self) -> u64 {
        self.0.waited.load(Ordering::Relaxed)
    }

    /// Whether its body has thousands of rows.
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
            // One more than a caller may have, so that another caller always finds one; and beside it the
            // caller leaves a core free, or its threads would slow the other caller's down.
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

    /// The same for an API that is known by the names of `site`.
    #[must_use]
    pub fn with_site(&self, site: Site) -> Self {
        Self { site: Arc::new(site), ..self.clone() }
    }

    /// The same for the request of `requester`.
    #[must_use]
    pub fn for_request(&self, requester: Requester) -> Self {
        Self { requester, ..self.clone() }
    }

    /// Notes a request of `caller`: others leave room for it from now on.
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

    /// The names that the API is known by.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Returns the metrics of the server.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Returns the metrics of refused and cancelled requests.
    pub fn edge(&self) -> &EdgeMetrics {
        &self.shared.edge
    }

    /// Returns the store.
    pub fn store(&self) -> &Store {
        self.shared.writing.store()
    }

    /// Answers that are not sent yet.
    pub fn unsent(&self) -> &Pool {
        &self.shared.unsent
    }

    /// Notes how many requests wait for turns, for the metrics.
    pub fn note_queued(&self) {
        let queued = self.shared.queries.waiting() + self.shared.writing.waiting();
        self.shared.edge.queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
    }

    /// Returns the metrics as Prometheus reads them, as the reply of an endpoint.
    pub fn metrics_reply(&self) -> Result<Response<Body>, Rejection> {
        self.note_queued();
        // A disk that hangs would hold up all that the thread serves.
        let text = tokio::task::block_in_place(|| self.metrics().render(self.store()));
        let text = text.map_err(|error| Rejection::internal(&error))?;
        let mut reply = Response::new(Body::from(text));
        let open_metrics = HeaderValue::from_static(OPEN_METRICS);
        reply.headers_mut().insert(header::CONTENT_TYPE, open_metrics);
        Ok(reply)
    }

    /// Returns the address of the client that sent a request: that of its connection, or the one that a trusted
    /// proxy names.
    pub fn client(&self, head: &Parts) -> IpAddr {
        let connection = head.extensions.get::<SocketAddr>().map(SocketAddr::ip);
        let connection = connection.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        self.site().client(&head.headers, connection)
    }

    /// Charges the caller for a request that waits for a change and holds `bytes`.
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

    /// A meter for a read whose answer is given up once its client left.
    pub fn meter(&self) -> Meter {
        let peer = self.requester.peer().cloned();
        Meter::new(Allowed::from(self.limits()), self.edge().clone(), peer)
    }

    /// A meter for a part of an answer that is being sent: a half-closed client still reads.
    pub fn meter_for_part(&self) -> Meter {
        Meter::new(Allowed::from(self.limits()), self.edge().clone(), None)
    }

    /// Waits for a turn at computing.
    ///
    /// # Errors
    /// The client left meanwhile.
    pub async fn turn(&self, urgency: Urgency) -> Result<Turn, Rejection> {
        let left = async {
            match self.requester.peer() {
                Some(peer) => peer.left().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            turn = self.shared.queries.take(self.requester.key(), urgency) => turn.ok_or_else(closed),
            () = left => Err(meter::client_left(self.edge())),
        }
    }

    /// Waits for a turn at computing a part of an answer that is being sent.
    pub async fn turn_for_part(&self) -> Result<Turn, Rejection> {
        let turn = self.shared.queries.take(self.requester.key(), Urgency::Now).await;
        turn.ok_or_else(closed)
    }

    /// Waits until the client sends nothing more.
    ///
    /// # Errors
    /// It reads nothing more either.
    pub async fn half_closed(&self) -> Result<(), Rejection> {
        let Some(peer) = self.requester.peer() else { return std::future::pending().await };
        peer.half_closed().await;
        match peer.presence() {
            Presence::Gone => Err(meter::client_left(self.edge())),
            _ => Ok(()),
        }
    }

    /// Runs a computation that takes a processor for a while, with the caller's turn: the runtime's other
    /// tasks leave this thread.
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

    /// Runs work on the body of a request or on its reply, which is as large. Of a large one it waits for a
    /// turn at computing, because thousands of rows take a processor for tens of milliseconds.
    pub async fn process_body<R>(&self, run: impl FnOnce() -> R) -> R {
        if !self.requester.is_large() {
            return run();
        }
        let turn = self.shared.queries.take(self.requester.key(), Urgency::Later).await;
        let done = tokio::task::block_in_place(run);
        drop(turn);
        done
    }

    /// Runs `write` in one transaction and returns its result as `after` renders it in the state as of the commit, with
    /// the index of the commit. An error leaves nothing behind.
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
        // A large transaction takes a while: small ones go first, and callers take turns.
        let write = |txn: &mut WriteTxn<'_>, now| write(txn, now).map_err(NotWritten::Refused);
        let (committed, done) =
            self.writer().write_async(write).await.map_err(NotWritten::into_error)?;
        drop(permit);
        Ok((self.process_body(|| after(&committed, done)).await?, committed.index()))
    }

    /// Like [`ServerState::write`], on a thread that may block: returns the state as of the commit and the result of
    /// `write`.
    pub fn write_blocking<T, E: From<Rejection>>(
        &self,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, E>,
    ) -> Result<(Snapshot, T), E> {
        let write = |txn: &mut WriteTxn<'_>, now| write(txn, now).map_err(NotWritten::Refused);
        self.writer().write(write).map_err(NotWritten::into_error)
    }

    /// The caller's writes.
    pub fn writer(&self) -> Writer {
        self.shared.writing.writer(self.requester.key(), self.requester.write_urgency())
    }

    /// The whole body of a request, if it is not larger than the limit and comes in time.
    /// `expects_continue`: whether the client sent `Expect: 100-continue`.
    pub async fn body(&self, body: Body, expects_continue: bool) -> Result<Vec<u8>, Rejection> {
        self.body_within(self.shared.limits.body_max, body, expects_continue).await
    }

    /// The same, if the body is not larger than `max` either.
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
        // A client that waits for 100 sends nothing; of one that announces far too much, reading it to
        // its end would take longer than a client waits.
        if least > max && (expects_continue || least > max.saturating_mul(PASSED_MAX)) {
            return Err(too_large());
        }
        let mut charge = self.shared.bodies.charge(self.requester.key());
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

/// The reason why a write of [`ServerState::write`] left nothing behind.
enum NotWritten<E> {
    /// Its own rules refused it.
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

/// The queues of turns are never closed while requests are served.
fn closed() -> Rejection {
    Rejection::internal(&"a queue of turns was closed")
}

/// The outcome of reading a body.
enum BodyRead {
    Whole(Vec<u8>),
    TooLarge,
    NoRoom,
}

/// Reads a body of up to `max` bytes and charges the bytes that come. The rest of one that is refused is read and
/// dropped, unless it is far too large: a client that is still sending when the connection is closed
/// never reads why. The client sends that rest slowly, because the server pauses between its pieces.
async fn read_body(body: Body, max: usize, charge: &mut Charge) -> Result<BodyRead, axum::Error> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut body = body.into_data_stream();
    // Room for all of it, so that it is never there twice. The system gives memory as it comes.
    let mut kept = Vec::with_capacity(announced.min(max));
    let (mut len, mut refused, mut discarded) = (0_usize, None, 0);
    while let Some(bytes) = body.next().await {
        let bytes = bytes?;
        len = len.saturating_add(bytes.len());
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
    if len > max {
        return Ok(BodyRead::TooLarge);
    }
    Ok(refused.unwrap_or(BodyRead::Whole(kept)))
}
