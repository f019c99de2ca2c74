//! OpenStack's Block Storage API on [`statehold_cinder`], and the work that it queues.
//!
//! `api` has the endpoints: its table of routes is the list of all of them. `auth` knows callers by their token, and
//! the `policy` in force decides what they may do. Handlers parse, call the domain and render, in one transaction.
//! `worker` takes what they queue to the `backend`s, whose scheduler chooses the place of a volume. Backups are in the
//! repository of `backup`.

mod api;
mod auth;
mod backend;
mod backup;
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
