//! The rows of the volumes' tables, as a directory records them.

use statehold_nomad::schema;

/// The shapes of the rows that stores hold. A row type that changes needs a new version and a migration; its
/// line here changes with both.
const RECORDED: &str = include_str!("shapes.txt");

include!("../../../../testdata/shapes.rs");
