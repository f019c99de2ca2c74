//! The parts of a server on [`statehold_store`] that every API shares.
//!
//! [`ServerState`] holds the store, the limits and the fair queues; a request runs for a [`Requester`].
//! [`connection`] serves sockets, [`observe`] logs and counts requests, [`gzip`] compresses replies, [`fs`]
//! writes the files that an API keeps beside the store.
//!
//! Invariant: no module here knows a domain. Both API crates depend on this one, never the reverse.

pub mod byte_budget;
pub mod caller;
pub mod clock;
pub mod connection;
pub mod duration;
pub mod edge_metrics;
pub mod fs;
pub mod gzip;
pub mod host;
pub mod keyed_mutex;
pub mod limits;
pub mod logging;
pub mod meter;
pub mod metrics;
pub mod observe;
mod parse_errors;
mod present;
pub mod recovery;
pub mod rejection;
pub mod router;
pub mod site;
pub mod socket;
pub mod start_work;
pub mod state;
pub mod turns;
pub mod unsent;
pub mod write_queue;

pub use limits::Limits;
pub use metrics::Metrics;
pub use rejection::Rejection;
pub use start_work::StartWork;
pub use state::{Requester, ServerState};
pub use write_queue::{WriteFault, WriteQueue};
