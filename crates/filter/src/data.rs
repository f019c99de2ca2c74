//! [`Filterable`](crate::Filterable) for types of the standard library and of JSON.

mod computed;
mod exact;
mod json;
mod lists;
pub(crate) mod maps;
mod scalars;
mod sockets;
mod tuples;
mod value;

pub use computed::IntoDatum;
pub use exact::{Json, JsonError};
pub use maps::MapKey;
pub use value::Value;
