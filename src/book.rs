//! The examples of the book, compiled and run as documentation tests.
//!
//! The tutorial and the guide about Raft quote programs in `examples` instead, which the gate runs.

#[doc = include_str!("../docs/guides/indexes.md")]
pub struct Indexes;

#[doc = include_str!("../docs/guides/migrate.md")]
pub struct Migrate;

#[doc = include_str!("../docs/guides/filters.md")]
pub struct Filters;

#[doc = include_str!("../docs/guides/blocking.md")]
pub struct Blocking;

#[doc = include_str!("../docs/guides/testing.md")]
pub struct Testing;

#[doc = include_str!("../docs/guides/backup.md")]
pub struct Backup;
