//! What Nomad's reads and writes share beyond [`ServerState`]: blocking, the node, who may do what.
//!
//! A read runs on a tracked snapshot, so that any of them can block.

use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use serde::Serialize;
use statehold_filter::Options;
use statehold_store::{Attempt, QueryResult, Tracked, WriteTxn};
use tokio::sync::watch;

use crate::acl::CurrentAcl;
use crate::acl::access::Access;
use crate::api::Reply;
use crate::api::filters::Filters;
use crate::api::params::{Query, Read};
use crate::api::reply;
use crate::api::reply::Meta;
use crate::error::ApiError;
use crate::node::local::LocalNode;
use crate::node::turns::Subject;
use crate::request::NomadRequest;
use statehold_server_core::edge_metrics::RefusalReason;
use statehold_server_core::limits::{Counted, PerClient};
use statehold_server_core::meter::Meter;
use statehold_server_core::state::{Requester, ServerState};
use statehold_server_core::turns::Urgency;

/// Bytes that are charged for a request that waits, beside its parameters and its filter: its task, its
/// headers, the ranges that it watches.
pub(crate) const PARKED_BYTES: usize = 4 << 10;

/// The state that handlers share, for one caller.
#[derive(Clone, Debug)]
pub struct NomadState {
    shared: Arc<Shared>,
    base: ServerState,
    /// What the caller may do.
    access: Access,
}

#[derive(Debug)]
struct Shared {
    node: LocalNode,
    acl: CurrentAcl,
    /// True when the server is to stop.
    stopped: watch::Receiver<bool>,
    /// Requests of each client that wait in blocking queries.
    parked: PerClient,
    filters: Filters,
    /// Where the API is served, once that is known.
    address: OnceLock<SocketAddr>,
}

impl Deref for NomadState {
    type Target = ServerState;

    fn deref(&self) -> &ServerState {
        &self.base
    }
}

impl NomadState {
    /// Creates the state of an API for the node of this machine. Blocking queries end when `stopped` becomes true.
    pub fn new(
        base: ServerState,
        node: LocalNode,
        acl: CurrentAcl,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let parked = PerClient::new(base.limits().parked_per_client_max);
        let filters = Filters::new(Options::new().limits(base.limits().for_filters()));
        let address = OnceLock::new();
        let shared = Arc::new(Shared { node, acl, stopped, parked, filters, address });
        Self { shared, base, access: Access::Open }
    }

    /// The same for the request of `requester`, who may do what `access` allows.
    pub(crate) fn of(&self, requester: Requester, access: Access) -> Self {
        Self { shared: Arc::clone(&self.shared), base: self.base.for_request(requester), access }
    }

    /// Sets the address that the API is served at; the first one stays.
    pub fn serve_at(&self, address: SocketAddr) {
        self.shared.address.get_or_init(|| address);
    }

    /// The address that the API is served at; unspecified before it is.
    pub(crate) fn address(&self) -> SocketAddr {
        let unspecified = || SocketAddr::from(([0, 0, 0, 0], 0));
        self.shared.address.get().copied().unwrap_or_else(unspecified)
    }

    /// The compiled filters of lists.
    pub(crate) fn filters(&self) -> &Filters {
        &self.shared.filters
    }

    /// What it shares with the other API.
    pub(crate) fn base(&self) -> ServerState {
        self.base.clone()
    }

    /// What the caller may do who sends these headers, out of which the token is taken.
    pub(crate) fn access(&self, headers: &mut HeaderMap) -> Result<Access, ApiError> {
        self.shared.acl.get().access(headers, jiff::Timestamp::now())
    }

    /// Refuses a caller whose token expired, was revoked or was changed since it was admitted.
    pub(crate) fn still_admits(&self) -> Result<(), ApiError> {
        self.shared.acl.still_admits(&self.access, jiff::Timestamp::now())
    }

    /// The node that this machine is.
    pub(crate) fn node(&self) -> &LocalNode {
        &self.shared.node
    }

    /// Answers a read: at once, or when something that `query` reads has an index above the
    /// client's, or when the client's wait is over. While it waits it holds `bytes`.
    ///
    /// A client that shuts its sending side down while it waits gets the present state at once: it may
    /// have closed its connection, which only an answer can show.
    pub(crate) async fn read<R>(
        &self,
        read: &Read,
        client: IpAddr,
        bytes: usize,
        query: impl FnMut(&Tracked, &mut Meter) -> Result<R, ApiError>,
    ) -> Result<QueryResult<R>, ApiError> {
        self.read_that(Takes::Long, read, client, bytes, query).await
    }

    /// Like [`NomadState::read`], for a query that looks at few rows.
    pub(crate) async fn read_few<R>(
        &self,
        read: &Read,
        client: IpAddr,
        bytes: usize,
        query: impl FnMut(&Tracked, &mut Meter) -> Result<R, ApiError>,
    ) -> Result<QueryResult<R>, ApiError> {
        self.read_that(Takes::Short, read, client, bytes, query).await
    }

    async fn read_that<R>(
        &self,
        takes: Takes,
        read: &Read,
        client: IpAddr,
        bytes: usize,
        mut query: impl FnMut(&Tracked, &mut Meter) -> Result<R, ApiError>,
    ) -> Result<QueryResult<R>, ApiError> {
        let mut min_index = read.min_index;
        let mut timeout = pin!(self.timeout(read.wait));
        let mut refused = pin!(self.shared.acl.refuses(&self.access));
        let (mut counted, mut woken) = (None, false);
        let mut meter = self.meter();
        let answer = loop {
            // A refusal of this kind answers: waiting would run the query into it again and again.
            let mut ending = None;
            let mut run = |meter: &mut Meter| {
                self.store().try_blocking(min_index, |view| {
                    query(view, meter).map_err(|reject| {
                        if reject.is_ending() {
                            ending = Some(reject);
                            return ApiError::too_many("the query ended early");
                        }
                        reject
                    })
                })
            };
            let attempt = match takes {
                Takes::Short => run(&mut meter),
                Takes::Long => {
                    let urgency = if woken { Urgency::Later } else { Urgency::Now };
                    let turn = self.turn(urgency).await?;
                    let ran;
                    (ran, meter) = ServerState::compute(meter, turn, run);
                    self.requester().note_waited(&meter);
                    ran
                }
            };
            if let Some(ending) = ending {
                return Err(ending);
            }
            let attempt = attempt.map_err(|error| {
                self.edge().refused(RefusalReason::Parked);
                ApiError::too_many(error.to_string())
            })?;
            if woken {
                self.metrics().ran_again(matches!(attempt, Attempt::Ready(_)));
            }
            match attempt {
                Attempt::Ready(answer) => break answer,
                Attempt::Parked(changed) => {
                    if counted.is_none() {
                        counted = Some((self.count_parked(client)?, self.charge_parked(bytes)?));
                    }
                    woken = tokio::select! {
                        biased;
                        // Before news, which the caller may not see any more.
                        reject = &mut refused => return Err(reject),
                        () = changed => true,
                        () = &mut timeout => false,
                        half_closed = self.half_closed() => {
                            half_closed?;
                            false
                        }
                    };
                    // One more run, which answers with whatever there is.
                    if !woken || meter.is_spent() {
                        min_index = 0;
                    }
                }
            }
        };
        drop(counted);
        let index = answer.index;
        let value = answer.value.map_err(|reject| reject.at(index))?;
        Ok(QueryResult { value, index })
    }

    fn count_parked(&self, client: IpAddr) -> Result<Counted, ApiError> {
        self.shared.parked.enter(client).ok_or_else(|| {
            self.edge().refused(RefusalReason::Parked);
            ApiError::too_many(format!(
                "{} requests of your address wait for a change already, the limit set by \
                 --parked-per-client-max; try again later",
                self.limits().parked_per_client_max
            ))
        })
    }

    /// Answers a read of one object, which `query` renders.
    pub(crate) async fn object(
        &self,
        call: &NomadRequest,
        read: &Read,
        mut query: impl FnMut(&Tracked, Render) -> Result<Vec<u8>, ApiError>,
    ) -> Reply {
        self.object_that(Takes::Short, call, read, |view, render, _| query(view, render)).await
    }

    /// The same, of an object for which any number of rows may have to be read. `query` asks
    /// [`Meter::goes_on`] for each of them, and ends early when that is `false`.
    pub(crate) async fn large_object(
        &self,
        call: &NomadRequest,
        read: &Read,
        query: impl FnMut(&Tracked, Render, &mut Meter) -> Result<Vec<u8>, ApiError>,
    ) -> Reply {
        self.object_that(Takes::Long, call, read, query).await
    }

    async fn object_that(
        &self,
        takes: Takes,
        call: &NomadRequest,
        read: &Read,
        mut query: impl FnMut(&Tracked, Render, &mut Meter) -> Result<Vec<u8>, ApiError>,
    ) -> Reply {
        let render = Render { pretty: call.query.pretty() };
        let query = |view: &Tracked, meter: &mut Meter| {
            let answer = query(view, render, meter);
            // An answer that was cut off looks complete.
            meter.take_refusal().map_or(answer, |refusal| Err(refusal.into()))
        };
        let bytes = PARKED_BYTES + call.query.bytes();
        let answer = self.read_that(takes, read, call.client, bytes, query).await?;
        Ok(reply::json_body(answer.value, &Meta::at(answer.index)))
    }

    /// Ends when a blocking query has waited long enough, or the server is to stop. Up to a
    /// sixteenth is added, so that clients that came together don't come back together.
    async fn timeout(&self, wait: Duration) {
        let wait = statehold_store::jittered(wait, fastrand::u32(..));
        let mut stopped = self.shared.stopped.clone();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }

    /// Runs `ask` on a thread that may wait for the providers of `plugins`, when no other request
    /// works with any of `subjects`. It runs to its end even if its client goes away.
    pub(crate) async fn ask<'p, R: Send + 'static>(
        &self,
        subjects: impl IntoIterator<Item = Subject> + Send,
        plugins: impl IntoIterator<Item = &'p str> + Send,
        ask: impl FnOnce(&Self) -> Result<R, ApiError> + Send + 'static,
    ) -> Result<R, ApiError> {
        let Some(turns) = self.node().turns().take(subjects, plugins).await else {
            return Err(ApiError::too_many("the storage provider is busy; try again later"));
        };
        // The turns may have taken as long as another request waited for its provider.
        self.still_admits()?;
        let app = self.clone();
        let job = move || {
            let done = ask(&app);
            drop(turns);
            done
        };
        tokio::task::spawn_blocking(job).await.map_err(|error| ApiError::internal(&error))?
    }

    /// Runs a write whose reply has no body.
    pub(crate) async fn write_silently(
        &self,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<(), ApiError> + Send + 'static,
    ) -> Reply {
        let ((), index) = self.write(write, |_, ()| Ok(())).await?;
        Ok(reply::empty(&Meta::at(index)))
    }

    /// Runs a write whose reply is its index.
    pub(crate) async fn write_for_index(
        &self,
        query: &Query,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<(), ApiError> + Send + 'static,
    ) -> Reply {
        let ((), index) = self.write(write, |_, ()| Ok(())).await?;
        written(index, query)
    }
}

/// How long a query takes.
#[derive(Clone, Copy, Debug)]
enum Takes {
    /// As long as a row and what belongs to it take.
    Short,
    /// As long as all rows together may take.
    Long,
}

/// How a client wants its JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Render {
    pretty: bool,
}

impl Render {
    pub(crate) fn json(self, value: &impl Serialize) -> Result<Vec<u8>, ApiError> {
        reply::render(value, self.pretty)
    }
}

/// The reply of a write that is its index.
pub(crate) fn written(index: u64, query: &Query) -> Result<Response<Body>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Written {
        index: u64,
    }
    let body = reply::render(&Written { index }, query.pretty())?;
    Ok(reply::json_body(body, &Meta::at(index)))
}
