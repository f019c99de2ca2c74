//! The parts of a server on [`statehold_store`] that every API needs.
//!
//! [`ServerState`] holds the store, the limits and the queues that callers share fairly; a request runs for a
//! [`Requester`]. [`connection`] serves sockets, [`observe`] logs and counts requests, [`gzip`] compresses
//! replies, [`fs`] has the files that an API keeps beside the store.

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
