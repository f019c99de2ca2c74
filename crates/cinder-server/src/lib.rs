//! OpenStack's Block Storage API on [`statehold_cinder`], and the work that it queues.
//!
//! `api` has the endpoints: its table of routes lists all of them. `auth` identifies callers by their token, and the
//! `policy` in force grants them actions. Handlers parse, call the domain and render, in one transaction. `worker`
//! carries the queued work to the `backend`s, whose scheduler chooses the back end of a volume. Backups are in the
//! repository of `backup`.
//!
//! [`router`] returns the service for axum; a server MUST call [`Setup::prepare`] before it serves requests, and run
//! [`run_worker`] beside it, because nothing else carries queued work out.

mod api;
mod auth;
pub mod backend;
mod backup;
mod locked_dir;
mod metrics;
mod monitor;
mod policy;
mod request;
mod state;
mod worker;

pub use api::router;
pub use auth::{Auth, IdentityUrl, Keystone, KeystoneOptions};
pub use backend::{BackendFlags, Export, mount_options};
pub use metrics::CinderMetrics;
pub use policy::{CurrentPolicy, PolicyFileError, load as load_policy, show as show_policy};
pub use state::{CinderStartError, CinderState, Setup};
pub use worker::run as run_worker;
