//! What the one store of a data directory holds: the tables of both domains, whichever is served.

use statehold_store::Schema;

/// All tables.
pub(crate) fn schema() -> Schema {
    statehold_volumes::schema().and(statehold_blockstorage::schema())
}
