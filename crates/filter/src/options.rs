//! How an expression is to be read.

use crate::limits::Limits;

/// The language an expression is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// What go-bexpr accepts, with the same answers.
    #[default]
    Bexpr,
    /// All of that with the same answers, and order, lists, quantities, fields on both sides and comments.
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

/// What a selector means that goes on behind something absent, as `a.b` where `a` is null or a key that is not there.
///
/// It concerns data without a schema only; behind an absent `Option` or key of a typed row a value is always missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Absent {
    /// The value is missing: `==` is false, `!=` is true.
    #[default]
    Missing,
    /// The row has no answer, as in go-bexpr.
    Error,
}

/// How an expression is to be read; the default suits almost everybody.
///
/// # Examples
/// ```
/// use serde_json::{Value, json};
/// use statehold_filter::{Filter, Limits, Absent, Options};
///
/// let options = Options::new().absent(Absent::Error).limits(Limits { nodes: 8, ..Limits::default() });
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
    /// [`Dialect::Bexpr`], default [`Limits`], [`Absent::Missing`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the language.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sets what an expression may cost.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets what lies behind something absent.
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
