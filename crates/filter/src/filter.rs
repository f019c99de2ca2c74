//! The compiled filter, the main type of the crate.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::ast::Expr;
use crate::budget::{Budget, literal_steps};
use crate::check::{Checked, check};
use crate::conjunct::{self, Conjunct};
use crate::datum::Filterable;
use crate::error::{CompileError, EvalError, EvalErrorKind};
use crate::eval::Evaluation;
use crate::explain::{self, Plan};
use crate::options::{Absent, Dialect, Options};
use crate::parse::parse_with;
use crate::program::{Fields, Node};
use crate::size;
use crate::span::Span;
use crate::warning::Warning;

/// An expression compiled for rows of type `T`.
///
/// Compile once, evaluate often: evaluation does not allocate ([except for large
/// patterns](crate#cost)), hash or look up field names. Clones share the program, and threads may
/// share a filter.
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
///     "no field is named `Sice`\n  Sice == 3\n  ^^^^\nhelp: did you mean `Size`?"
/// );
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
pub struct Filter<T: ?Sized> {
    program: Arc<Compiled>,
    /// Covariant, so that a filter for `Row<'static>` accepts rows that borrow from anything.
    rows: PhantomData<fn() -> T>,
}

#[derive(Debug)]
struct Compiled {
    text: Arc<str>,
    expr: Expr,
    checked: Checked,
    absent: Absent,
    row_steps: u64,
    call_steps: u64,
    /// The steps that each row takes from a shared budget, whatever its data.
    base_steps: u64,
}

impl<T: Filterable + ?Sized> Filter<T> {
    /// Compiles an expression with the default [`Options`].
    ///
    /// # Errors
    /// [`CompileError`] if the text is not an expression, or has selectors, values or operators
    /// that do not fit the known fields of `T`.
    pub fn compile(text: &str) -> Result<Self, CompileError> {
        Self::compile_with(text, &Options::default())
    }

    /// Compiles an expression in a chosen dialect, with chosen limits.
    ///
    /// # Errors
    /// As [`compile`](Self::compile).
    pub fn compile_with(text: &str, options: &Options) -> Result<Self, CompileError> {
        let expr = parse_with(text, options)?;
        let limits = options.get_limits();
        let checked = check(text, &expr, T::KIND, limits)?;
        let base_steps = 1 + literal_steps(&checked.root);
        let program = Compiled {
            text: text.into(),
            expr,
            checked,
            absent: options.get_absent(),
            row_steps: limits.row_steps,
            call_steps: limits.call_steps,
            base_steps,
        };
        Ok(Self { program: Arc::new(program), rows: PhantomData })
    }

    /// Compiles a tree, as created by [`build`](crate::build), in the extended dialect with the
    /// default limits.
    ///
    /// The tree is printed and parsed again, so that errors have a source range.
    ///
    /// # Errors
    /// As [`compile`](Self::compile); also for a tree that cannot be printed, such as an empty
    /// `and`.
    pub fn compile_expr(expr: &Expr) -> Result<Self, CompileError> {
        let options = Options::default().dialect(Dialect::Extended);
        Self::compile_with(&expr.to_string(), &options)
    }

    /// Returns whether the row satisfies the expression.
    ///
    /// A row that cannot be evaluated does not match: JSON or a [`Value`](crate::Value) that the
    /// expression does not fit, and a row that needs more than
    /// [`Limits::row_steps`](crate::Limits::row_steps). [`try_matches`](Self::try_matches) returns
    /// these as errors. Servers MUST use [`matches_within`](Self::matches_within) for expressions
    /// of their clients, because a list without such rows looks complete.
    #[inline]
    pub fn matches(&self, row: &T) -> bool {
        match &self.program.checked.root {
            // The form of most filters: visits the row as its own type.
            Node::Field(leaf) => row.accept(Fields(std::slice::from_ref(leaf))),
            Node::Fields(leaves) => row.accept(Fields(leaves)),
            root => {
                let run = Evaluation::new(row.datum(), self.program.absent, self.program.row_steps);
                run.answer(root).unwrap_or(false)
            }
        }
    }

    /// Returns whether the row satisfies the expression.
    ///
    /// # Errors
    /// [`EvalError`] if a selector, value or operator does not fit the row, which is impossible
    /// when the schema of `T` is known, or if the row needs more than
    /// [`Limits::row_steps`](crate::Limits::row_steps).
    pub fn try_matches(&self, row: &T) -> Result<bool, EvalError> {
        let steps = self.program.row_steps;
        let run = Evaluation::new(row.datum(), self.program.absent, steps);
        run.answer(&self.program.checked.root).map_err(|_| self.reason(&run, steps, false))
    }

    /// Like [`try_matches`](Self::try_matches), but takes the steps of evaluation from a budget
    /// shared with other rows.
    ///
    /// For servers: one [`Budget`] for all rows of a request bounds the request, however many rows
    /// there are. Cost beyond that of [`matches`](Self::matches): a subtraction for each row.
    ///
    /// # Errors
    /// As [`try_matches`](Self::try_matches), and [`EvalErrorKind::TooCostly`] with `shared: true`
    /// once the budget is empty.
    ///
    /// # Examples
    /// ```
    /// use statehold_filter::{EvalErrorKind, Filter, Filterable};
    ///
    /// #[derive(Filterable)]
    /// struct Node {
    ///     tags: Vec<String>,
    /// }
    ///
    /// let nodes = [Node { tags: vec!["web".to_owned(); 1_000] }];
    /// // 1,000 to the power of four steps: some hours.
    /// let text = "any tags as a { any tags as b { any tags as c { any tags as d { d == x } } } }";
    /// let filter = Filter::<Node>::compile(text)?;
    /// let mut budget = filter.budget();
    /// let found = nodes.iter().map(|node| filter.matches_within(node, &mut budget));
    /// let found = found.collect::<Result<Vec<bool>, _>>();
    /// assert!(matches!(found.unwrap_err().kind(), EvalErrorKind::TooCostly { .. }));
    /// # Ok::<(), statehold_filter::CompileError>(())
    /// ```
    #[inline]
    pub fn matches_within(&self, row: &T, budget: &mut Budget) -> Result<bool, EvalError> {
        let program = &*self.program;
        let leaves = match &program.checked.root {
            Node::Field(leaf) => std::slice::from_ref(leaf),
            Node::Fields(leaves) => leaves,
            root => return self.evaluate_within(root, row, budget),
        };
        // Taken before the evaluation: the budget bounds the work even if the row fails.
        let steps = program.base_steps.saturating_add(leaves.len() as u64);
        if !budget.take(steps) {
            return Err(self.too_costly(budget.steps(), true, Span::default()));
        }
        Ok(row.accept(Fields(leaves)))
    }

    fn evaluate_within(
        &self,
        root: &Node,
        row: &T,
        budget: &mut Budget,
    ) -> Result<bool, EvalError> {
        let program = &*self.program;
        if !budget.take(program.base_steps) {
            return Err(self.too_costly(budget.steps(), true, Span::default()));
        }
        // The stricter limit applies, and the error names it.
        let steps = program.row_steps.min(budget.left());
        let shared = steps < program.row_steps;
        let run = Evaluation::new(row.datum(), program.absent, steps);
        let answer = run.answer(root).map_err(|_| {
            let max = if shared { budget.steps() } else { steps };
            self.reason(&run, max, shared)
        });
        // After too many steps none are left, so the budget is charged in full.
        budget.take(steps - run.steps_left());
        answer
    }

    /// Creates the budget for the rows of one call, of
    /// [`Limits::call_steps`](crate::Limits::call_steps).
    pub fn budget(&self) -> Budget {
        Budget::new(self.program.call_steps)
    }

    #[cold]
    fn reason(&self, run: &Evaluation<'_>, max: u64, shared: bool) -> EvalError {
        match run.reason() {
            (EvalErrorKind::TooCostly { .. }, span) => self.too_costly(max, shared, span),
            (kind, span) => EvalError::new(kind, Arc::clone(&self.program.text), span),
        }
    }

    #[cold]
    fn too_costly(&self, max: u64, shared: bool, span: Span) -> EvalError {
        // Connectives have no span of their own: the error covers the whole expression.
        let whole = Span::new(0, self.program.text.len());
        let span = if span.is_empty() { whole } else { span };
        let kind = EvalErrorKind::TooCostly { max, shared };
        EvalError::new(kind, Arc::clone(&self.program.text), span)
    }

    /// Returns conditions that an index can serve, each satisfied by every row that this filter
    /// matches, in order of appearance.
    ///
    /// Computed on each call; cost: linear in the length of the expression.
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
    /// let text = "(zone == a or zone == b) and web in tags and zone != c";
    /// let filter = Filter::<Node>::compile(text)?;
    /// let conjuncts: Vec<String> = filter.conjuncts().iter().map(ToString::to_string).collect();
    /// assert_eq!(conjuncts, [r#"zone in ["a", "b"]"#, r#"tags contains "web""#]);
    ///
    /// // Covered by an index alone.
    /// let filter = Filter::<Node>::compile("zone == a")?;
    /// assert_eq!(filter.conjuncts()[0].cover(), Cover::Filter);
    /// # Ok::<(), statehold_filter::CompileError>(())
    /// ```
    pub fn conjuncts(&self) -> Vec<Conjunct> {
        conjunct::conjuncts(&self.program.expr, T::KIND)
    }

    /// Returns the plan of this filter, as a tree that prints indented.
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
    /// Returns the source text.
    pub fn text(&self) -> &str {
        &self.program.text
    }

    /// Returns the selectors that are read from a row, without duplicates, in order of appearance.
    pub fn selectors(&self) -> impl Iterator<Item = &str> {
        self.program.checked.selectors.iter().map(|selector| &**selector)
    }

    /// Returns the estimated number of bytes held, with clones counted once: tree, program and
    /// compiled patterns.
    ///
    /// Excludes the overhead of the allocator and the caches that threads keep for patterns too
    /// large for one table (see
    /// [the cost of `matches`](crate#cost)). Computed on each call; cost: linear in the length of
    /// the expression.
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

    /// Returns the warnings: valid parts of the expression that are probably mistakes.
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
