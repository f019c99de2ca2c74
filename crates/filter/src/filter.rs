//! A compiled filter: what users of the crate hold.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::ast::Expr;
use crate::check::{Checked, check};
use crate::conjunct::{self, Conjunct};
use crate::datum::Filterable;
use crate::error::{CompileError, EvalError};
use crate::eval::Run;
use crate::explain::{self, Plan};
use crate::options::{Absent, Dialect, Options};
use crate::parse::parse_with;
use crate::program::{Fields, Node};
use crate::size;
use crate::warning::Warning;

/// An expression compiled for rows of type `T`.
///
/// Compile once, ask often: asking does not allocate ([but for large patterns](crate#cost)), hash or look up names of fields. A clone shares the program, and threads
/// may share a filter.
///
/// # Examples
/// ```
/// use statehold_filter::{Filter, Filterable};
///
/// #[derive(Filterable)]
/// #[filterable(rename_all = "PascalCase")]
/// struct Volume {
///     name: String,
///     tags: Vec<String>,
///     size: u64,
/// }
///
/// let filter = Filter::<Volume>::compile(r#"Name matches "^web-[0-9]+$" and prod in Tags"#)?;
/// let row = Volume { name: "web-1".to_owned(), tags: vec!["prod".to_owned()], size: 3 };
/// assert!(filter.matches(&row));
///
/// let error = Filter::<Volume>::compile("Sice == 3").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "no field is called `Sice`\n  Sice == 3\n  ^^^^\nhelp: did you mean `Size`?"
/// );
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
pub struct Filter<T: ?Sized> {
    program: Arc<Compiled>,
    /// Covariant, so that a filter for `Row<'static>` filters rows that borrow from anything.
    rows: PhantomData<fn() -> T>,
}

#[derive(Debug)]
struct Compiled {
    text: Arc<str>,
    expr: Expr,
    checked: Checked,
    absent: Absent,
}

impl<T: Filterable + ?Sized> Filter<T> {
    /// Compiles an expression with the default [`Options`].
    ///
    /// # Errors
    /// [`CompileError`] for text that is no expression, and, as far as the fields of `T` are known, for
    /// selectors, values and operators that do not fit them.
    pub fn compile(text: &str) -> Result<Self, CompileError> {
        Self::compile_with(text, &Options::default())
    }

    /// Compiles an expression in a chosen dialect, with chosen limits.
    ///
    /// # Errors
    /// As [`compile`](Self::compile).
    pub fn compile_with(text: &str, options: &Options) -> Result<Self, CompileError> {
        let expr = parse_with(text, options)?;
        let checked = check(text, &expr, T::KIND, options.get_limits())?;
        let program = Compiled { text: text.into(), expr, checked, absent: options.get_absent() };
        Ok(Self { program: Arc::new(program), rows: PhantomData })
    }

    /// Compiles a tree, as [`build`](crate::build) makes it, in the extended dialect with the default limits.
    ///
    /// It is printed and read again, so that it has a text, and errors have a place in it.
    ///
    /// # Errors
    /// As [`compile`](Self::compile); also for a tree that has no text form, such as an `and` of nothing.
    pub fn compile_expr(expr: &Expr) -> Result<Self, CompileError> {
        let options = Options::default().dialect(Dialect::Extended);
        Self::compile_with(&expr.to_string(), &options)
    }

    /// Whether the row satisfies the expression.
    ///
    /// Always answered for data with a schema. A row of JSON or [`Value`](crate::Value) that has no answer does
    /// not match; [`try_matches`](Self::try_matches) tells it apart.
    #[inline]
    pub fn matches(&self, row: &T) -> bool {
        match &self.program.checked.root {
            // Asked of the type itself, which is what most filters need.
            Node::Field(leaf) => row.all_hold(Fields(std::slice::from_ref(leaf))),
            Node::Fields(leaves) => row.all_hold(Fields(leaves)),
            root => Run::new(row.datum(), self.program.absent).answer(root).unwrap_or(false),
        }
    }

    /// Whether the row satisfies the expression, or why there is no answer.
    ///
    /// # Errors
    /// [`EvalError`] where a selector, value or operator does not fit what the row holds. It can't happen
    /// where the schema of `T` is known.
    pub fn try_matches(&self, row: &T) -> Result<bool, EvalError> {
        let run = Run::new(row.datum(), self.program.absent);
        run.answer(&self.program.checked.root).map_err(|_| {
            let (kind, span) = run.reason();
            EvalError::new(kind, Arc::clone(&self.program.text), span)
        })
    }

    /// What an index could serve: conditions that every row satisfies which this filter matches, in order of appearance.
    ///
    /// Worked out on each call; cost: the length of the expression.
    ///
    /// # Examples
    /// ```
    /// use statehold_filter::{Cover, Filter, Filterable};
    ///
    /// #[derive(Filterable)]
    /// struct Node {
    ///     zone: String,
    ///     tags: Vec<String>,
    /// }
    ///
    /// let filter = Filter::<Node>::compile("(zone == a or zone == b) and web in tags and zone != c")?;
    /// let conjuncts: Vec<String> = filter.conjuncts().iter().map(ToString::to_string).collect();
    /// assert_eq!(conjuncts, [r#"zone in ["a", "b"]"#, r#"tags contains "web""#]);
    ///
    /// // Here an index has the last word.
    /// let filter = Filter::<Node>::compile("zone == a")?;
    /// assert_eq!(filter.conjuncts()[0].cover(), Cover::Filter);
    /// # Ok::<(), statehold_filter::CompileError>(())
    /// ```
    pub fn conjuncts(&self) -> Vec<Conjunct> {
        conjunct::conjuncts(&self.program.expr, T::KIND)
    }

    /// What this filter does, as a tree that prints as an indented plan.
    ///
    /// # Examples
    /// ```
    /// use statehold_filter::{Filter, Filterable};
    ///
    /// #[derive(Filterable)]
    /// struct Node {
    ///     zone: String,
    ///     cores: u32,
    /// }
    ///
    /// let plan = Filter::<Node>::compile(r#"cores == 8 and zone matches "^eu-.*-1$""#)?.explain();
    /// assert_eq!(
    ///     plan.to_string(),
    ///     r#"and  [search]
    ///   cores == 8  (unsigned integer) [field] indexable: cores == 8
    ///   zone matches "^eu-.*-1$"  (text) [search] indexable: zone starts with "eu-"
    /// "#
    /// );
    /// # Ok::<(), statehold_filter::CompileError>(())
    /// ```
    pub fn explain(&self) -> Plan {
        explain::explain(&self.program.expr, T::KIND)
    }
}

impl<T: ?Sized> Filter<T> {
    /// The text it was compiled from.
    pub fn text(&self) -> &str {
        &self.program.text
    }

    /// The selectors it reads from a row, each once, in order of appearance.
    pub fn selectors(&self) -> impl Iterator<Item = &str> {
        self.program.checked.selectors.iter().map(|selector| &**selector)
    }

    /// How many bytes it holds, clones counted once: tree, program and compiled patterns.
    ///
    /// Left out are what the allocator adds, and what threads keep for the few patterns that are too large to be one table
    /// (see [the cost of `matches`](crate#cost)). Worked out on each call; cost: the length of the expression.
    ///
    /// # Examples
    /// ```
    /// use statehold_filter::Filter;
    /// let small = Filter::<serde_json::Value>::compile("a == 1")?;
    /// let large = Filter::<serde_json::Value>::compile("a matches `^[0-9]+$`")?;
    /// assert!(small.bytes_estimated() < large.bytes_estimated());
    /// # Ok::<(), statehold_filter::CompileError>(())
    /// ```
    pub fn bytes_estimated(&self) -> usize {
        let Compiled { text, expr, checked, .. } = &*self.program;
        size_of::<Compiled>() + text.len() + size::of_expr(expr) + size::of_checked(checked)
    }

    pub(crate) fn shared_text(&self) -> Arc<str> {
        Arc::clone(&self.program.text)
    }

    /// What is valid in it, but hardly meant.
    pub fn warnings(&self) -> &[Warning] {
        &self.program.checked.warnings
    }
}

impl<T: ?Sized> Clone for Filter<T> {
    fn clone(&self) -> Self {
        Self { program: Arc::clone(&self.program), rows: PhantomData }
    }
}

impl<T: ?Sized> fmt::Debug for Filter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.text()).finish()
    }
}

impl<T: ?Sized> fmt::Display for Filter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
