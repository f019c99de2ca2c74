//! The state of Nomad's API beyond [`ServerState`]: blocking queries, the local node, the ACL.
//!
//! Every read runs on a tracked snapshot, so that any of them can block.

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
use crate::node::provider_locks::Subject;
use crate::request::NomadRequest;
use statehold_server_core::edge_metrics::RefusalReason;
use statehold_server_core::limits::{Counted, PerClient};
use statehold_server_core::meter::Meter;
use statehold_server_core::state::{Requester, ServerState};
use statehold_server_core::turns::Urgency;

/// Bytes charged for a waiting request beside its parameters and its filter: its task, its headers, the ranges
/// that it watches.
pub(crate) const PARKED_BYTES: usize = 4 << 10;

/// The state that handlers share, with the grants of one caller. Clones share all but the grants.
#[derive(Clone, Debug)]
pub struct NomadState {
    shared: Arc<Shared>,
    base: ServerState,
    /// The grants of the caller.
    access: Access,
}

#[derive(Debug)]
struct Shared {
    node: LocalNode,
    acl: CurrentAcl,
    /// Becomes true when the server shuts down.
    stopped: watch::Receiver<bool>,
    /// The number of waiting blocking queries of each client.
    parked: PerClient,
    filters: Filters,
    /// The address of the API, set once its socket is bound.
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

    /// Returns the state for a request of `requester` with the grants `access`.
    pub(crate) fn for_request(&self, requester: Requester, access: Access) -> Self {
        Self { shared: Arc::clone(&self.shared), base: self.base.for_request(requester), access }
    }

    /// Sets the address of the API. The first call counts; later ones have no effect.
    pub fn serve_at(&self, address: SocketAddr) {
        self.shared.address.get_or_init(|| address);
    }

    /// Returns the address of the API, or the unspecified one before [`NomadState::serve_at`].
    pub(crate) fn address(&self) -> SocketAddr {
        let unspecified = || SocketAddr::from(([0, 0, 0, 0], 0));
        self.shared.address.get().copied().unwrap_or_else(unspecified)
    }

    /// Returns the cache of compiled list filters.
    pub(crate) fn filters(&self) -> &Filters {
        &self.shared.filters
    }

    /// Returns the state that both APIs share.
    pub(crate) fn base(&self) -> ServerState {
        self.base.clone()
    }

    /// Resolves the token in `headers` to the caller's grants, and removes it from them.
    ///
    /// # Errors
    /// 403 if the token is unknown or expired.
    pub(crate) fn access(&self, headers: &mut HeaderMap) -> Result<Access, ApiError> {
        self.shared.acl.get().access(headers, jiff::Timestamp::now())
    }

    /// Fails with 403 if the caller's token expired, was revoked or was changed since the request was admitted.
    pub(crate) fn still_admits(&self) -> Result<(), ApiError> {
        self.shared.acl.still_admits(&self.access, jiff::Timestamp::now())
    }

    /// Returns this machine's node.
    pub(crate) fn node(&self) -> &LocalNode {
        &self.shared.node
    }

    /// Runs a read that may scan any number of rows. Returns once an input of `query` has an index above the
    /// client's, or the client's wait is over. Charges `bytes` to the caller while the read waits.
    ///
    /// Returns the current state at once if the client shuts down its sending side while it waits: it may have
    /// closed the connection, which only a reply can show.
    ///
    /// # Errors
    /// The error of `query` with the index of the state that it read, 429 at a limit, and 403 once the caller's token
    /// is no longer valid.
    pub(crate) async fn read<R>(
        &self,
        read: &Read,
        client: IpAddr,
        bytes: usize,
        query: impl FnMut(&Tracked, &mut Meter) -> Result<R, ApiError>,
    ) -> Result<QueryResult<R>, ApiError> {
        self.run_query(Cost::Scan, read, client, bytes, query).await
    }

    /// Like [`NomadState::read`], for a query that reads few rows and so needs no turn.
    pub(crate) async fn read_few<R>(
        &self,
        read: &Read,
        client: IpAddr,
        bytes: usize,
        query: impl FnMut(&Tracked, &mut Meter) -> Result<R, ApiError>,
    ) -> Result<QueryResult<R>, ApiError> {
        self.run_query(Cost::Point, read, client, bytes, query).await
    }

    async fn run_query<R>(
        &self,
        cost: Cost,
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
            // An ending rejection is the reply: each further run would end in it, too.
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
            let attempt = match cost {
                Cost::Point => run(&mut meter),
                Cost::Scan => {
                    // A commit wakes many readers at once, and new requests MUST NOT queue behind them.
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
            // A useless rerun means that the commit changed a tracked range, but not the result's index.
            if woken {
                self.metrics().ran_again(matches!(attempt, Attempt::Ready(_)));
            }
            match attempt {
                Attempt::Ready(answer) => break answer,
                Attempt::Parked(changed) => {
                    // Counted once for all reruns: the request waits from its first park to its reply.
                    if counted.is_none() {
                        counted = Some((self.count_parked(client)?, self.charge_parked(bytes)?));
                    }
                    woken = tokio::select! {
                        biased;
                        // Before a change of the rows, which the caller may no longer see.
                        reject = &mut refused => return Err(reject),
                        () = changed => true,
                        () = &mut timeout => false,
                        half_closed = self.half_closed() => {
                            half_closed?;
                            false
                        }
                    };
                    // One more run, which returns the current state: 0 never waits.
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
                "{} requests of your address already wait for a change, the limit set by \
                 --parked-per-client-max; try again later",
                self.limits().parked_per_client_max
            ))
        })
    }

    /// Replies to a read of one object, which `query` renders.
    pub(crate) async fn object(
        &self,
        call: &NomadRequest,
        read: &Read,
        mut query: impl FnMut(&Tracked, Render) -> Result<Vec<u8>, ApiError>,
    ) -> Reply {
        self.render_object(Cost::Point, call, read, |view, render, _| query(view, render)).await
    }

    /// Like [`NomadState::object`], for an object that depends on any number of rows. `query` MUST call
    /// [`Meter::goes_on`] for each of them and stop once that returns `false`.
    pub(crate) async fn large_object(
        &self,
        call: &NomadRequest,
        read: &Read,
        query: impl FnMut(&Tracked, Render, &mut Meter) -> Result<Vec<u8>, ApiError>,
    ) -> Reply {
        self.render_object(Cost::Scan, call, read, query).await
    }

    async fn render_object(
        &self,
        cost: Cost,
        call: &NomadRequest,
        read: &Read,
        mut query: impl FnMut(&Tracked, Render, &mut Meter) -> Result<Vec<u8>, ApiError>,
    ) -> Reply {
        let render = Render { pretty: call.query.pretty() };
        let query = |view: &Tracked, meter: &mut Meter| {
            let answer = query(view, render, meter);
            // A result that was cut off looks complete: the client gets the rejection instead.
            meter.take_refusal().map_or(answer, |refusal| Err(refusal.into()))
        };
        let bytes = PARKED_BYTES + call.query.bytes();
        let answer = self.run_query(cost, read, call.client, bytes, query).await?;
        Ok(reply::json_body(answer.value, &Meta::at(answer.index)))
    }

    /// Waits for `wait` plus a random share of up to a sixteenth of it, or until the server shuts down. The share
    /// spreads clients that came at the same time.
    // Nomad: nomad/rpc.go, blockingRPC and structs.JitterFraction.
    async fn timeout(&self, wait: Duration) {
        let wait = statehold_store::jittered(wait, fastrand::u32(..));
        let mut stopped = self.shared.stopped.clone();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }

    /// Runs `work` on a thread that may block on the providers of `plugins`, once no other request holds any of
    /// `subjects`. `work` runs to its end even if the client disconnects.
    ///
    /// # Errors
    /// Those of `work`; 429 if the providers stay busy; 403 if the token became invalid while the request waited.
    pub(crate) async fn with_providers<'p, R: Send + 'static>(
        &self,
        subjects: impl IntoIterator<Item = Subject> + Send,
        plugins: impl IntoIterator<Item = &'p str> + Send,
        work: impl FnOnce(&Self) -> Result<R, ApiError> + Send + 'static,
    ) -> Result<R, ApiError> {
        let Some(locks) = self.node().provider_locks().lock(subjects, plugins).await else {
            return Err(ApiError::too_many("the storage provider is busy; try again later"));
        };
        // The wait may have been as long as another request's call of its provider.
        self.still_admits()?;
        let app = self.clone();
        let job = move || {
            let done = work(&app);
            drop(locks);
            done
        };
        tokio::task::spawn_blocking(job).await.map_err(|error| ApiError::internal(&error))?
    }

    /// Runs a write and replies without a body.
    pub(crate) async fn write_silently(
        &self,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<(), ApiError> + Send + 'static,
    ) -> Reply {
        let ((), index) = self.write(write, |_, ()| Ok(())).await?;
        Ok(reply::empty(&Meta::at(index)))
    }

    /// Runs a write and replies with its commit index.
    pub(crate) async fn write_for_index(
        &self,
        query: &Query,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<(), ApiError> + Send + 'static,
    ) -> Reply {
        let ((), index) = self.write(write, |_, ()| Ok(())).await?;
        written(index, query)
    }
}

/// The cost of a query, which decides whether it waits for a turn at computing.
#[derive(Clone, Copy, Debug)]
enum Cost {
    /// Reads a few rows by key.
    Point,
    /// May read every row of a table.
    Scan,
}

/// The JSON style that the client asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Render {
    pretty: bool,
}

impl Render {
    /// Renders a value as JSON.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<Vec<u8>, ApiError> {
        reply::render(value, self.pretty)
    }
}

/// Returns the reply of a write whose body is its commit index.
pub(crate) fn written(index: u64, query: &Query) -> Result<Response<Body>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Written {
        index: u64,
    }
    let body = reply::render(&Written { index }, query.pretty())?;
    Ok(reply::json_body(body, &Meta::at(index)))
}
