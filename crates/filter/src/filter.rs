//! A compiled filter: what users of the crate hold.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::ast::Expr;
use crate::budget::{Budget, literal_steps};
use crate::check::{Checked, check};
use crate::conjunct::{self, Conjunct};
use crate::datum::Filterable;
use crate::error::{CompileError, EvalError, EvalErrorKind};
use crate::eval::Run;
use crate::explain::{self, Plan};
use crate::options::{Absent, Dialect, Options};
use crate::parse::parse_with;
use crate::program::{Fields, Node};
use crate::size;
use crate::span::Span;
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
    row_steps: u64,
    call_steps: u64,
    /// The steps that each row takes from a shared budget, whatever it holds.
    base_steps: u64,
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
    /// A row without an answer does not match: one of JSON or [`Value`](crate::Value) that the expression does not fit, and
    /// one that needs more than [`Limits::row_steps`](crate::Limits::row_steps). [`try_matches`](Self::try_matches) returns
    /// these as errors. Servers MUST use [`matches_within`](Self::matches_within) for expressions of their clients,
    /// because a list that leaves such rows out looks complete.
    #[inline]
    pub fn matches(&self, row: &T) -> bool {
        match &self.program.checked.root {
            // Asked of the type itself, which is what most filters need.
            Node::Field(leaf) => row.accept(Fields(std::slice::from_ref(leaf))),
            Node::Fields(leaves) => row.accept(Fields(leaves)),
            root => {
                let run = Run::new(row.datum(), self.program.absent, self.program.row_steps);
                run.answer(root).unwrap_or(false)
            }
        }
    }

    /// Whether the row satisfies the expression, or why there is no answer.
    ///
    /// # Errors
    /// [`EvalError`] where a selector, value or operator does not fit the row, which can't happen where the schema of `T` is
    /// known, and where the row needs more than [`Limits::row_steps`](crate::Limits::row_steps).
    pub fn try_matches(&self, row: &T) -> Result<bool, EvalError> {
        let steps = self.program.row_steps;
        let run = Run::new(row.datum(), self.program.absent, steps);
        run.answer(&self.program.checked.root).map_err(|_| self.reason(&run, steps, false))
    }

    /// Like [`try_matches`](Self::try_matches), taking the steps of evaluation from a budget that other rows share.
    ///
    /// For servers: with one [`Budget`] for all rows of a request, the request is bounded however many rows there are.
    /// Cost beyond that of [`matches`](Self::matches): a subtraction for each row.
    ///
    /// # Errors
    /// As [`try_matches`](Self::try_matches), and [`EvalErrorKind::TooCostly`] with `shared: true` once the budget is empty.
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
    /// // 1,000 to the power of four: some hours.
    /// let text = "any tags as a { any tags as b { any tags as c { any tags as d { d == x } } } }";
    /// let filter = Filter::<Node>::compile(text)?;
    /// let mut budget = filter.budget();
    /// let found = nodes.iter().try_for_each(|node| filter.matches_within(node, &mut budget).map(drop));
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
        let steps = program.row_steps.min(budget.left());
        let shared = steps < program.row_steps;
        let run = Run::new(row.datum(), program.absent, steps);
        let answer = run.answer(root).map_err(|_| {
            let max = if shared { budget.steps() } else { steps };
            self.reason(&run, max, shared)
        });
        budget.take(steps - run.steps_left());
        answer
    }

    /// Creates the budget for the rows of one call, of [`Limits::call_steps`](crate::Limits::call_steps).
    pub fn budget(&self) -> Budget {
        Budget::new(self.program.call_steps)
    }

    #[cold]
    fn reason(&self, run: &Run<'_>, max: u64, shared: bool) -> EvalError {
        match run.reason() {
            (EvalErrorKind::TooCostly { .. }, span) => self.too_costly(max, shared, span),
            (kind, span) => EvalError::new(kind, Arc::clone(&self.program.text), span),
        }
    }

    #[cold]
    fn too_costly(&self, max: u64, shared: bool, span: Span) -> EvalError {
        // Connectives have no place of their own: the whole expression is too costly.
        let whole = Span::new(0, self.program.text.len());
        let span = if span.is_empty() { whole } else { span };
        let kind = EvalErrorKind::TooCostly { max, shared };
        EvalError::new(kind, Arc::clone(&self.program.text), span)
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
