//! Errors, one enum for each operation. Every text says what to do next.

mod commit;
mod open;
mod read;
mod row;
mod schema;
mod write;

pub use commit::{CloseError, CommitError};
pub use open::{OpenError, ReopenError};
pub use read::{CatalogError, FeedError, WatchError};
pub use row::{RecordError, RowError};
pub use schema::SchemaError;
pub use write::{BeginError, Expect, WriteError};
