//! The rows of this crate's tables, as directories record them.

use statehold_nomad::schema;

/// The shapes of the stored rows. A row type that changes MUST get a new version and a migration;
/// its line here changes with both.
const RECORDED: &str = include_str!("shapes.txt");

include!("../../../../testdata/shapes.rs");
