//! Builds expressions in a program, without concatenating strings.
//!
//! [`field`] names the left side, its methods are the operators, and `&`, `|` and `!` combine. The
//! result is an [`Expr`]: it compiles with [`Filter::compile_expr`](crate::Filter::compile_expr)
//! and prints with every value quoted where the grammar requires it. Operators of the extended
//! dialect print in that dialect.
//!
//! # Examples
//! ```
//! use statehold_filter::build::field;
//! use statehold_filter::{Filter, Filterable};
//!
//! #[derive(Filterable)]
//! #[filterable(rename_all = "PascalCase")]
//! struct Node {
//!     name: String,
//!     tags: Vec<String>,
//!     cores: u32,
//! }
//!
//! let name = r#"web" or Name != ""#;
//! let expr = field("Name").eq(name) & !field("Tags").contains("old") & field("Cores").ge(4);
//! assert_eq!(
//!     expr.to_string(),
//!     r#"Name == "web\" or Name != \"" and not Tags contains "old" and Cores >= 4"#
//! );
//!
//! let filter = Filter::<Node>::compile_expr(&expr)?;
//! assert!(!filter.matches(&Node { name: "web".to_owned(), tags: vec![], cores: 8 }));
//! # Ok::<(), statehold_filter::CompileError>(())
//! ```

mod subject;
mod term;

use std::ops::{BitAnd, BitOr, Not};

pub use self::subject::{Count, Subject, count, field};
pub use self::term::Term;
use crate::ast::{Expr, ExprKind};
use crate::span::Span;

/// The span of built nodes, which have no source text.
const NOWHERE: Span = Span::new(0, 0);

fn built(kind: ExprKind) -> Expr {
    Expr { kind, span: NOWHERE }
}

/// Requires both operands; keeps a chain flat.
impl BitAnd for Expr {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        built(ExprKind::And(chained(self, other, |kind| match kind {
            ExprKind::And(operands) => Some(operands),
            _ => None,
        })))
    }
}

/// Requires one operand; keeps a chain flat.
impl BitOr for Expr {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        built(ExprKind::Or(chained(self, other, |kind| match kind {
            ExprKind::Or(operands) => Some(operands),
            _ => None,
        })))
    }
}

/// Negates the operand; a second negation cancels the first.
impl Not for Expr {
    type Output = Self;
    fn not(mut self) -> Self {
        match &mut self.kind {
            ExprKind::Not(operand) => {
                // `Expr` implements `Drop`, so the operand cannot be moved out.
                let nothing = ExprKind::And(Vec::new());
                built(std::mem::replace(&mut operand.kind, nothing))
            }
            _ => built(ExprKind::Not(Box::new(self))),
        }
    }
}

/// Joins two operands, each of which may be a chain of the same connective.
fn chained(
    mut left: Expr,
    mut right: Expr,
    operands_of: fn(&mut ExprKind) -> Option<&mut Vec<Expr>>,
) -> Vec<Expr> {
    let mut operands = match operands_of(&mut left.kind) {
        Some(operands) => std::mem::take(operands),
        None => vec![left],
    };
    match operands_of(&mut right.kind) {
        Some(more) => operands.append(more),
        None => operands.push(right),
    }
    operands
}
