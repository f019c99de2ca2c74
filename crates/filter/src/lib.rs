//! Filter expressions for list endpoints: parsed, checked against your types, and evaluated for
//! each row.
//!
//! The language is that of the `filter` parameter of HashiCorp's APIs, so clients of those can keep
//! their expressions:
//!
//! ```text
//! PluginID == "p1" and (web in Tags or Name matches "^web-[0-9]+$")
//! any Topologies as t { t.Segments.zone == "us-1b" }
//! ```
//!
//! The grammar, and the operators of each kind, are listed [below](#grammar); programs create
//! expressions with [`build`].
//!
//! A [`Filter`] is compiled for a type of rows. For a struct with `#[derive(Filterable)]` a wrong
//! selector, value or operator is a [`CompileError`] with its source range; evaluating a compiled
//! filter never fails, never panics and does not allocate ([except for large patterns](#cost)).
//! JSON and the dynamic [`Value`] work without a schema.
//!
//! ```
//! use statehold_filter::{Filter, Filterable};
//!
//! #[derive(Filterable)]
//! #[filterable(rename_all = "PascalCase")]
//! struct Node {
//!     name: String,
//!     #[filterable(rename = "CPU")]
//!     cores: u32,
//! }
//!
//! let filter = Filter::<Node>::compile("CPU == 8 and Name != db")?;
//! assert!(filter.matches(&Node { name: "web".to_owned(), cores: 8 }));
//! # Ok::<(), statehold_filter::CompileError>(())
//! ```
//!
#![doc = include_str!("language.md")]

pub mod ast;
mod budget;
pub mod build;
mod cache;
mod check;
mod coerce;
mod complete;
mod conjunct;
mod data;
mod datum;
mod decimal;
mod error;
mod eval;
mod explain;
mod filter;
mod fold;
mod int128;
mod lex;
mod limits;
mod literal;
mod options;
mod parse;
mod pattern;
mod print;
mod program;
mod quantity;
mod reach;
mod schema;
mod size;
mod span;
mod steps;
mod warning;

pub use ast::Operator;
pub use budget::Budget;
pub use cache::{CacheLimits, FilterCache};
pub use complete::{CANDIDATES_MAX, Candidate, CandidateRole, complete};
pub use conjunct::{Conjunct, Constant, Cover, Sarg};
pub use data::{IntoDatum, Json, JsonError, MapKey, Value};
#[doc(hidden)]
pub use datum::RowVisitor;
pub use datum::{Datum, Filterable, List, Map, Record};
pub use decimal::Decimal;
pub use error::{CompileError, CompileErrorKind, EvalError, EvalErrorKind};
pub use explain::{Cost, Plan};
pub use filter::Filter;
pub use int128::{Int128, JsonInteger};
pub use limits::Limits;
pub use options::{Absent, Dialect, Options};
pub use parse::{parse, parse_with};
pub use print::quote;
pub use schema::{Field, Key, KeyKind, Kind, Schema, Unit};
pub use span::Span;
pub use statehold_derive::Filterable;
pub use warning::{Warning, WarningKind};

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
