//! Serves HTTP/1 connections, and limits how many one client address may open.

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;

use crate::edge_metrics::RefusalReason;
use crate::limits::ConnectionLimits;
use crate::limits::PerClient;
use crate::metrics::Metrics;
use crate::socket::Socket;

/// The body of the 429 on a connection over the limit.
// Nomad: command/agent/http.go answers with the `HTTPConnStateFuncWithDefault429Handler` of hashicorp/go-connlimit,
// whose text this is.
const TOO_MANY: &str =
    "Your IP is issuing too many concurrent connections, please rate limit your calls\n";

/// Serves the connections of one API.
#[derive(Debug)]
pub struct Connections {
    router: Router,
    protocol: http1::Builder,
    per_client: PerClient,
    send_wait_max: Duration,
    head_max: usize,
    metrics: Arc<Metrics>,
    graceful: GracefulShutdown,
}

impl Connections {
    /// Creates the server of `router`, with no open connection.
    pub fn new(router: Router, limits: &ConnectionLimits, metrics: Arc<Metrics>) -> Self {
        let mut protocol = http1::Builder::new();
        protocol
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_wait_max)
            .half_close(true)
            // The buffer alone is no limit: a head that arrives in one piece passes it.
            .max_header_size(limits.head_max)
            .max_buf_size(limits.head_max);
        let per_client = PerClient::new(limits.connections_per_client_max);
        let send_wait_max = limits.send_wait_max;
        let (head_max, graceful) = (limits.head_max, GracefulShutdown::new());
        Self { router, protocol, per_client, send_wait_max, head_max, metrics, graceful }
    }

    /// Returns the server of another API with the same limits. A client's connections to both are counted together.
    #[must_use]
    pub fn with_router(&self, router: Router) -> Self {
        Self {
            router,
            protocol: self.protocol.clone(),
            per_client: self.per_client.clone(),
            send_wait_max: self.send_wait_max,
            head_max: self.head_max,
            metrics: Arc::clone(&self.metrics),
            graceful: GracefulShutdown::new(),
        }
    }

    /// Serves a connection in its own task. Drops `permit` when the connection is closed.
    pub fn serve(&self, socket: TcpStream, client: SocketAddr, permit: impl Send + 'static) {
        let open = (permit, self.metrics.connected());
        let edge = self.metrics.edge();
        let (socket, peer) =
            Socket::new(socket, self.send_wait_max, edge.stalled.clone(), self.head_max);
        let Some(counted) = self.per_client.enter(client.ip()) else {
            edge.refused(RefusalReason::Connections);
            // Answered, not just closed: the client can tell the limit from a network failure.
            let mut once = self.protocol.clone();
            let refused = once.keep_alive(false).serve_connection(
                TokioIo::new(socket),
                service_fn(|_| ready(Ok::<_, Infallible>(refuse()))),
            );
            tokio::spawn(run(self.graceful.watch(refused), open));
            return;
        };
        let router = TowerToHyperService::new(self.router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(client);
            let peer = peer.for_version(request.version());
            request.extensions_mut().insert(peer);
            hyper::service::Service::call(&router, request)
        });
        let served = self.protocol.serve_connection(TokioIo::new(socket), service);
        tokio::spawn(run(self.graceful.watch(served), (open, counted)));
    }

    /// Waits until every connection has sent the reply to its request in flight, and closes it.
    pub async fn drain(self) {
        self.graceful.shutdown().await;
    }
}

/// Runs a connection until it is closed, holding its permits.
async fn run(connection: impl Future<Output = hyper::Result<()>>, held: impl Send) {
    // Not a warning, because a client can cause each of these errors.
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection ended");
    }
    drop(held);
}

fn refuse() -> Response<Body> {
    let mut reply = Response::new(Body::from(TOO_MANY));
    *reply.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, text);
    reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    reply
}
