//! The HTTP API.
//!
//! [`routes`] is the table of everything that there is; [`dispatch`] sends each request to the
//! handler that the table names, if its caller may. Handlers parse, call the domain and render. What
//! all reads and writes have in common is in [`app`] and [`base`], what all lists have in [`list`].

mod access;
mod acl;
mod agent;
mod answers;
mod app;
mod base;
mod call;
mod caller;
mod dispatch;
mod duration;
mod feed;
mod filters;
mod group_claims;
mod gzip;
mod host_volumes;
mod jobs;
mod limits;
mod list;
mod meter;
mod metrics;
mod namespaces;
mod nodes;
mod observe;
mod openapi;
mod operator;
mod parameter;
mod params;
mod plugins;
mod pool;
mod pools;
mod present;
mod provided;
mod reject;
mod reply;
mod route;
mod routes;
mod search;
mod site;
mod status;
mod stream;
mod turns;
mod volumes;
mod writing;

use axum::body::Body;
use axum::http::Response;

pub(crate) use acl::{Acl, AclError, CurrentAcl};
pub(crate) use agent::NOMAD_VERSION;
pub(crate) use answers::hold;
pub(crate) use app::App;
pub(crate) use base::{Asker, Base};
pub(crate) use caller::CallerKey;
pub(crate) use dispatch::{client, router};
pub(crate) use duration::parse as parse_duration;
pub(crate) use gzip::reply as compress;
pub(crate) use limits::{Limits, PerClient};
pub(crate) use meter::{FILTER_HELP, Meter};
pub(crate) use metrics::text as metrics_text;
pub(crate) use observe::{RouteOf, request as observe};
pub(crate) use reject::{ByCaller, Reject};
pub(crate) use site::{Links, PublicUrl, Site, allowed_host};
pub(crate) use turns::Urgency;
pub(crate) use writing::{WriteFault, WriteQueue, Writer};

/// What a handler gives.
type Reply = Result<Response<Body>, Reject>;
