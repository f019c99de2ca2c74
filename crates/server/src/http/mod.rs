//! The HTTP API.
//!
//! [`routes`] is the table of everything that there is; [`dispatch`] sends each request to the
//! handler that the table names, if its caller may. Handlers parse, call the domain and render. What
//! all reads and writes have in common is in [`app`] and [`base`], what all lists have in [`list`].

mod access;
mod acl;
mod app;
mod base;
mod call;
mod dispatch;
mod duration;
mod feed;
mod group_claims;
mod host_volumes;
mod limits;
mod list;
mod metrics;
mod namespaces;
mod nodes;
mod observe;
mod openapi;
mod parameter;
mod params;
mod plugins;
mod provided;
mod reject;
mod reply;
mod route;
mod routes;
mod search;
mod status;
mod stream;
mod volumes;

use axum::body::Body;
use axum::http::Response;

pub(crate) use acl::{Acl, AclError, CurrentAcl};
pub(crate) use app::App;
pub(crate) use base::Base;
pub(crate) use dispatch::router;
pub(crate) use duration::parse as parse_duration;
pub(crate) use limits::{Limits, PerClient};
pub(crate) use observe::{RouteOf, request as observe};
pub(crate) use reject::Reject;

/// What a handler gives.
type Reply = Result<Response<Body>, Reject>;
