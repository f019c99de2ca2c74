//! Clone, equality, printing and drop of whole trees, with an explicit stack instead of recursion.

use std::fmt;
use std::mem;

use super::{Expr, ExprKind, Quantifier};
use crate::span::Span;

impl Expr {
    /// Returns the operands, or the body of a quantifier.
    pub(crate) fn children(&self) -> &[Self] {
        match &self.kind {
            ExprKind::And(operands) | ExprKind::Or(operands) => operands,
            ExprKind::Not(operand) => std::slice::from_ref(operand),
            ExprKind::Quantifier(quantifier) => std::slice::from_ref(&quantifier.body),
            ExprKind::Clause(_) | ExprKind::Comparison(_) => &[],
        }
    }

    /// Copies this node around `children`, which MUST be as many as the node has.
    fn with_children(&self, mut children: Vec<Self>) -> Self {
        let kind = match &self.kind {
            ExprKind::And(_) => ExprKind::And(children),
            ExprKind::Or(_) => ExprKind::Or(children),
            ExprKind::Not(_) => ExprKind::Not(boxed(children.pop())),
            ExprKind::Clause(clause) => ExprKind::Clause(clause.clone()),
            ExprKind::Comparison(comparison) => ExprKind::Comparison(comparison.clone()),
            ExprKind::Quantifier(Quantifier { all, selector, names, .. }) => {
                let (selector, names) = (selector.clone(), names.clone());
                let body = boxed(children.pop());
                ExprKind::Quantifier(Quantifier { all: *all, selector, names, body })
            }
        };
        Self { kind, span: self.span }
    }

    /// Returns whether two nodes are equal apart from their children, and have equally many.
    fn same_node(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (ExprKind::And(own), ExprKind::And(other))
            | (ExprKind::Or(own), ExprKind::Or(other)) => own.len() == other.len(),
            (ExprKind::Not(_), ExprKind::Not(_)) => true,
            (ExprKind::Clause(own), ExprKind::Clause(other)) => own == other,
            (ExprKind::Comparison(own), ExprKind::Comparison(other)) => own == other,
            (ExprKind::Quantifier(own), ExprKind::Quantifier(other)) => {
                own.all == other.all && own.selector == other.selector && own.names == other.names
            }
            _ => false,
        }
    }

    /// Moves the children that have children of their own into `into`.
    fn take_children(&mut self, into: &mut Vec<Self>) {
        match &mut self.kind {
            ExprKind::And(operands) | ExprKind::Or(operands) => into.append(operands),
            ExprKind::Not(operand) => into.extend(operand.take_content()),
            ExprKind::Quantifier(quantifier) => into.extend(quantifier.body.take_content()),
            ExprKind::Clause(_) | ExprKind::Comparison(_) => {}
        }
    }

    /// Takes the content out of a boxed operand; `None` for a clause, which drops without
    /// recursion.
    fn take_content(&mut self) -> Option<Self> {
        if matches!(self.kind, ExprKind::Clause(_) | ExprKind::Comparison(_)) {
            return None;
        }
        // An empty `and` stands in: it allocates nothing and its drop ends at once.
        let kind = mem::replace(&mut self.kind, ExprKind::And(Vec::new()));
        Some(Self { kind, span: self.span })
    }
}

/// Boxes the only child of a node.
fn boxed(child: Option<Expr>) -> Box<Expr> {
    // Unreachable with the right number of children; a stand-in instead of a panic.
    let nothing = || Expr { kind: ExprKind::And(Vec::new()), span: Span::default() };
    Box::new(child.unwrap_or_else(nothing))
}

impl Clone for Expr {
    fn clone(&self) -> Self {
        // Nodes being cloned, outermost first, each with the clones of its first children.
        let mut open: Vec<(&Self, Vec<Self>)> = Vec::new();
        let mut part = self;
        loop {
            let children = part.children();
            if let Some(first) = children.first() {
                open.push((part, Vec::with_capacity(children.len())));
                part = first;
                continue;
            }
            let mut cloned = part.with_children(Vec::new());
            loop {
                // The clone of the root has no parent left.
                let Some((parent, mut done)) = open.pop() else { return cloned };
                done.push(cloned);
                if let Some(next) = parent.children().get(done.len()) {
                    open.push((parent, done));
                    part = next;
                    break;
                }
                cloned = parent.with_children(done);
            }
        }
    }
}

/// By meaning: spans are ignored.
impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        let mut pending = vec![(self, other)];
        while let Some((own, other)) = pending.pop() {
            if !own.same_node(other) {
                return false;
            }
            pending.extend(own.children().iter().zip(other.children()));
        }
        true
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The derived form would recurse as deep as the tree.
        write!(f, "Expr({self})")
    }
}

impl Drop for Expr {
    fn drop(&mut self) {
        // The compiler's drop would recurse through the boxes.
        let mut pending = Vec::new();
        self.take_children(&mut pending);
        while let Some(mut child) = pending.pop() {
            child.take_children(&mut pending);
        }
    }
}
