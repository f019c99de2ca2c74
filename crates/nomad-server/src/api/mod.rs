//! The endpoints.
//!
//! [`routes`] is the table of all endpoints; [`dispatch`] checks the caller's permission and calls the handler of the
//! table. Handlers parse, call the domain and render. [`crate::state`] has the common parts of reads and writes, and
//! [`list`] those of lists.

pub(crate) mod agent;
mod dispatch;
mod feed;
pub(crate) mod filters;
mod group_claims;
mod host_volumes;
mod jobs;
mod list;
mod metrics;
mod namespaces;
mod nodes;
mod openapi;
mod operator;
mod parameter;
pub(crate) mod params;
mod plugins;
mod pools;
mod provided;
pub(crate) mod reply;
pub(crate) mod route;
pub(crate) mod routes;
mod search;
mod status;
mod stream;
mod volumes;

use axum::body::Body;
use axum::http::Response;

pub use dispatch::router;

use crate::error::ApiError;

/// The result of a handler.
pub(crate) type Reply = Result<Response<Body>, ApiError>;
