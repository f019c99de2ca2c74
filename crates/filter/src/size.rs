//! Estimates the heap bytes of a compiled filter, without the overhead of the allocator.

use crate::ast::{Comparison, Expr, ExprKind, Name, Names, Operand, Quantifier, Selector, Value};
use crate::check::Checked;
use crate::literal::{Literal, Scalar};
use crate::pattern::Pattern;
use crate::program::{
    Bound, Each, Extended, FieldLeaf, Leaf, Listed, ListedValue, Node, OpenList, Pair, Path,
    Points, Step, Test, Texts, Values,
};
use crate::schema::Key;
use crate::warning::Warning;

/// Returns the bytes of a tree, without its root node.
pub(crate) fn of_expr(expr: &Expr) -> usize {
    let (mut bytes, mut pending) = (0, vec![expr]);
    // An explicit stack: trees built by a program may be of any depth.
    while let Some(expr) = pending.pop() {
        bytes += match &expr.kind {
            ExprKind::And(operands) | ExprKind::Or(operands) => {
                operands.capacity() * size_of::<Expr>()
            }
            ExprKind::Not(_) => size_of::<Expr>(),
            ExprKind::Clause(clause) => {
                of_selector(&clause.selector) + clause.value.as_ref().map_or(0, of_value)
            }
            ExprKind::Comparison(comparison) => of_comparison(comparison),
            ExprKind::Quantifier(Quantifier { selector, names, .. }) => {
                size_of::<Expr>() + of_selector(selector) + of_names(names)
            }
        };
        pending.extend(expr.children());
    }
    bytes
}

fn of_selector(selector: &Selector) -> usize {
    let texts: usize = selector.parts.iter().map(|part| part.text.len()).sum();
    selector.parts.capacity() * size_of::<crate::ast::Part>() + texts
}

fn of_value(value: &Value) -> usize {
    value.text.len()
}

fn of_names(names: &Names) -> usize {
    let length = |name: &Name| name.text.len();
    match names {
        Names::One(name) | Names::Index(name) | Names::Value(name) => length(name),
        Names::Both(index, name) => length(index) + length(name),
    }
}

fn of_comparison(comparison: &Comparison) -> usize {
    let with = match &comparison.with {
        Operand::Count(value) => of_value(value),
        Operand::Field(selector) => of_selector(selector),
        Operand::List(values) => {
            values.capacity() * size_of::<Value>() + values.iter().map(of_value).sum::<usize>()
        }
        Operand::Range(low, high) => of_value(low) + of_value(high),
    };
    of_selector(&comparison.selector) + with
}

/// Returns the bytes of a checked expression.
pub(crate) fn of_checked(checked: &Checked) -> usize {
    let Checked { root, selectors, warnings } = checked;
    let texts: usize = selectors.iter().map(|text| text.len()).sum();
    of_node(root)
        + selectors.capacity() * size_of::<Box<str>>()
        + texts
        + warnings.capacity() * size_of::<Warning>()
}

/// Returns the bytes of a node; recurses no deeper than the source is nested.
fn of_node(node: &Node) -> usize {
    match node {
        // Boxes count the node they contain; slices count their items.
        Node::And(operands) | Node::Or(operands) => of_all(operands, of_node),
        Node::Fields(leaves) => of_all(leaves, of_field),
        Node::Field(leaf) => of_field(leaf),
        Node::Not(operand) => size_of::<Node>() + of_node(operand),
        Node::Leaf(Leaf { path, test, .. }) => of_path(path) + of_test(test),
        Node::Points(points) => {
            size_of::<Points>() + size_of_val(&*points.way) + of_texts(&points.texts)
        }
        Node::Each(each) => size_of::<Each>() + of_path(&each.path) + of_node(&each.body),
        Node::Pair(pair) => size_of::<Pair>() + of_path(&pair.left) + of_path(&pair.right),
    }
}

/// Returns the bytes of a slice and of the contents of its items.
fn of_all<T>(items: &[T], of_item: impl Fn(&T) -> usize) -> usize {
    size_of_val(items) + items.iter().map(of_item).sum::<usize>()
}

fn of_field(leaf: &FieldLeaf) -> usize {
    size_of_val(&*leaf.way) + leaf.key.as_ref().map_or(0, of_key) + of_scalar(&leaf.literal)
}

fn of_scalar(scalar: &Scalar) -> usize {
    if let Scalar::Text(text) = scalar { text.len() } else { 0 }
}

fn of_key(key: &Key) -> usize {
    if let Key::Text(text) = key { text.len() } else { 0 }
}

fn of_literal(literal: &Literal) -> usize {
    literal.text().len() + literal.decimal_bytes()
}

fn of_path(path: &Path) -> usize {
    of_all(&path.steps, |step| match step {
        Step::Part(part) => size_of::<Literal>() + of_literal(part),
        Step::Key(key) => of_key(key),
        Step::Field(_) | Step::Index(_) => 0,
    })
}

fn of_test(test: &Test) -> usize {
    match test {
        Test::Equal(scalar) | Test::Element(scalar) => of_scalar(scalar),
        Test::Substring(text) => text.len(),
        Test::HasKey(key) => of_key(key),
        Test::Empty | Test::Nil => 0,
        Test::Matches(pattern) => size_of::<Pattern>() + pattern.bytes(),
        Test::Dynamic(_, literal) => size_of::<Literal>() + of_literal(literal),
        Test::Extended(test) => size_of::<Extended>() + of_extended(test),
    }
}

fn of_extended(test: &Extended) -> usize {
    match test {
        Extended::Order(_, bound) => of_bound(bound),
        Extended::Between(low, high) => of_bound(low) + of_bound(high),
        Extended::Prefix(text) | Extended::Suffix(text) => text.len(),
        Extended::EqualFold(folded) | Extended::ContainsFold(folded) => folded.bytes(),
        Extended::Count(..) => 0,
        Extended::In(listed) | Extended::ContainsAny(listed) | Extended::ContainsAll(listed) => {
            of_listed(listed)
        }
    }
}

fn of_bound(bound: &Bound) -> usize {
    match bound {
        Bound::Scalar(scalar) => of_scalar(scalar),
        Bound::Literal(literal) => size_of::<Literal>() + of_literal(literal),
        Bound::Quantity(_) => 0,
    }
}

fn of_listed(listed: &Listed) -> usize {
    match listed {
        Listed::One(Values::Texts(texts)) => of_texts(texts),
        Listed::One(Values::Scalars(scalars)) | Listed::Each(scalars) => of_all(scalars, of_scalar),
        Listed::Parts(parts) => of_all(parts, |part| part.len()),
        Listed::Keys(keys) => of_all(keys, of_key),
        Listed::Open(open) => of_open(open),
    }
}

fn of_open(open: &OpenList) -> usize {
    let literals = of_all(&open.literals, |wanted| match wanted {
        ListedValue::Literal(literal) => of_literal(literal),
        ListedValue::Quantity(_) => 0,
    });
    literals + open.look_ups_bytes()
}

fn of_texts(texts: &Texts) -> usize {
    let held: usize = texts.iter().map(str::len).sum();
    held + texts.iter().len() * (size_of::<u64>() + size_of::<Box<str>>())
}
