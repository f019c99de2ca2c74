//! From a request to its handler, by the table of routes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use axum::middleware::Next;
use axum::response::IntoResponse;
use statehold_volumes::DEFAULT_NAMESPACE;

use super::Reply;
use super::access::Access;
use super::app::App;
use super::call::Call;
use super::params::Query;
use super::reject::Reject;
use super::route::{Route, Segments};

/// The only region there is.
const REGION: &str = "global";

/// The service that answers requests.
pub(crate) fn router(app: App) -> Router {
    Router::new().fallback(answer).layer(axum::middleware::from_fn(log)).with_state(app)
}

async fn answer(State(app): State<App>, request: Request) -> Response<Body> {
    match Route::find(request.uri().path()) {
        Ok(Some((route, segments))) => {
            run(app, request, route, segments).await.unwrap_or_else(IntoResponse::into_response)
        }
        // A path that nothing is at: 404 without a body.
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(reject) => reject.into_response(),
    }
}

/// Runs what the table has for the request: the method first, then the caller, then the rest.
async fn run(app: App, request: Request, route: &'static Route, segments: Segments) -> Reply {
    let (head, body) = request.into_parts();
    let query = Query::of(&head.uri);
    let operation = route.operation(&head.method, query.get("type"))?;
    let access = Access::Open;
    let namespace = segments.namespace().or_else(|| query.text("namespace"));
    access.demand(&operation.rule, namespace.unwrap_or(DEFAULT_NAMESPACE))?;
    if !operation.parameters.is_empty()
        && query.text("region").is_some_and(|region| region != REGION)
    {
        return Err(Reject::new(StatusCode::INTERNAL_SERVER_ERROR, "No path to region"));
    }
    let client = head.extensions.get::<SocketAddr>().map(SocketAddr::ip);
    let client = client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let (headers, body) = (head.headers, Mutex::new(body));
    let call = Call { app, query, headers, access, client, operation, segments, body };
    (operation.run)(call).await
}

/// Writes a line for every request that failed on our side. Paths only: queries may hold secrets.
async fn log(request: Request, next: Next) -> Response<Body> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let reply = next.run(request).await;
    let status = reply.status().as_u16();
    if reply.status().is_server_error() {
        tracing::error!(%method, path, status, "request failed");
    } else {
        tracing::debug!(%method, path, status, "request");
    }
    reply
}
