//! Options of compilation.

use crate::limits::Limits;

/// The language an expression is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// The language of go-bexpr, with the same results.
    #[default]
    Bexpr,
    /// Adds order, lists, quantities, fields on both sides and comments; an expression of go-bexpr
    /// keeps its result.
    ///
    /// # Examples
    /// ```
    /// use serde_json::json;
    /// use statehold_filter::{Dialect, Filter, Options};
    ///
    /// let options = Options::new().dialect(Dialect::Extended);
    /// let text = r#"size >= 10GiB and name starts with "web-" # only the large ones"#;
    /// let filter = Filter::<serde_json::Value>::compile_with(text, &options)?;
    /// assert!(filter.matches(&json!({ "size": 10_737_418_240u64, "name": "web-1" })));
    /// # Ok::<(), statehold_filter::CompileError>(())
    /// ```
    Extended,
}

/// The meaning of a selector that continues behind an absent value, as `a.b` where `a` is null or
/// an absent key.
///
/// Applies to data without a schema only: behind an absent `Option` or key of a typed row a value
/// is always missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Absent {
    /// The value is missing: `==` is false, `!=` is true.
    #[default]
    Missing,
    /// Evaluation fails, as in go-bexpr.
    Error,
}

/// Options of compilation; the default fits most programs.
///
/// # Examples
/// ```
/// use serde_json::{Value, json};
/// use statehold_filter::{Filter, Limits, Absent, Options};
///
/// let limits = Limits { nodes: 8, ..Limits::default() };
/// let options = Options::new().absent(Absent::Error).limits(limits);
/// let filter = Filter::<Value>::compile_with("a.b != 1", &options)?;
/// assert!(filter.try_matches(&json!({ "a": null })).is_err());
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    dialect: Dialect,
    limits: Limits,
    absent: Absent,
}

impl Options {
    /// Creates options with [`Dialect::Bexpr`], default [`Limits`] and [`Absent::Missing`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the dialect.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sets the limits of an expression.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the meaning of a selector that continues behind an absent value.
    #[must_use]
    pub fn absent(mut self, absent: Absent) -> Self {
        self.absent = absent;
        self
    }

    pub(crate) fn get_dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) fn get_limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn get_absent(&self) -> Absent {
        self.absent
    }
}
