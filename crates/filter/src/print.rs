//! Prints expressions in canonical form.

use std::fmt::{self, Display, Formatter, Write};

use crate::ast::{
    Clause, Comparison, Expr, ExprKind, Names, Operand, Operator, Part, Quantifier, Selector, Value,
};
use crate::lex::{is_ident, is_index};

/// Quotes `text` as a value that can be inserted into an expression.
///
/// A program that builds an expression MUST quote its values, so that no value can end the quotes
/// or add a clause.
///
/// # Examples
/// ```
/// use statehold_filter::{Filter, quote};
///
/// let name = r#"a "b" \ c"#;
/// let text = format!("name == {}", quote(name));
/// assert_eq!(text, r#"name == "a \"b\" \\ c""#);
///
/// let filter = Filter::<serde_json::Value>::compile(&text)?;
/// assert!(filter.matches(&serde_json::json!({ "name": name })));
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    // Writing to a string does not fail.
    let _ = write_quoted(&mut quoted, text);
    quoted
}

fn write_quoted(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for char in text.chars() {
        match char {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            // Control characters would not survive a terminal; `parse` reads the escape back.
            char if char.is_control() => write!(out, "\\u{:04x}", u32::from(char))?,
            char => out.write_char(char)?,
        }
    }
    out.write_char('"')
}

/// A part of an expression that is not printed yet.
enum Piece<'e> {
    Expr(&'e Expr),
    Text(&'static str),
}

/// Keeps the pending parts on an explicit stack, so trees of any depth can be printed.
impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut pending = vec![Piece::Expr(self)];
        while let Some(piece) = pending.pop() {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Expr(expr) => write_expr(f, expr, &mut pending)?,
            }
        }
        Ok(())
    }
}

/// Prints the beginning of an expression and pushes the rest on `pending`, last first.
fn write_expr<'e>(
    f: &mut Formatter<'_>,
    expr: &'e Expr,
    pending: &mut Vec<Piece<'e>>,
) -> fmt::Result {
    match &expr.kind {
        ExprKind::And(operands) => {
            join(operands, " and ", pending, |operand| {
                matches!(operand.kind, ExprKind::And(_) | ExprKind::Or(_))
            });
            Ok(())
        }
        ExprKind::Or(operands) => {
            join(operands, " or ", pending, |operand| matches!(operand.kind, ExprKind::Or(_)));
            Ok(())
        }
        ExprKind::Not(operand) => {
            // Without parentheses the parser would cancel a double negation and bind `and` and `or`
            // differently.
            let group =
                matches!(operand.kind, ExprKind::And(_) | ExprKind::Or(_) | ExprKind::Not(_));
            push_operand(operand, group, pending);
            f.write_str("not ")
        }
        ExprKind::Clause(clause) => clause.fmt(f),
        ExprKind::Comparison(comparison) => comparison.fmt(f),
        ExprKind::Quantifier(quantifier) => {
            pending.push(Piece::Text(" }"));
            pending.push(Piece::Expr(&quantifier.body));
            write_head(f, quantifier)?;
            f.write_str(" { ")
        }
    }
}

fn join<'e>(
    operands: &'e [Expr],
    between: &'static str,
    pending: &mut Vec<Piece<'e>>,
    group: impl Fn(&Expr) -> bool,
) {
    // Reversed, because the stack is popped from its end.
    for (index, operand) in operands.iter().enumerate().rev() {
        push_operand(operand, group(operand), pending);
        if index > 0 {
            pending.push(Piece::Text(between));
        }
    }
}

fn push_operand<'e>(operand: &'e Expr, group: bool, pending: &mut Vec<Piece<'e>>) {
    if group {
        pending.extend([Piece::Text(")"), Piece::Expr(operand), Piece::Text("(")]);
    } else {
        pending.push(Piece::Expr(operand));
    }
}

/// Prints `left` and an operator.
///
/// `<` and the other operators of order have no negated form, so `not` precedes the clause.
fn write_left(
    f: &mut Formatter<'_>,
    left: impl Display,
    operator: Operator,
    negated: bool,
) -> fmt::Result {
    match (operator, negated) {
        (_, false) => write!(f, "{left} {operator}"),
        (Operator::Equal, _) => write!(f, "{left} !="),
        (Operator::EqualFold, _) => write!(f, "{left} !=*"),
        (Operator::Empty, _) => write!(f, "{left} is not empty"),
        (Operator::Nil, _) => write!(f, "{left} is not nil"),
        (Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual, _) => {
            write!(f, "not {left} {operator}")
        }
        _ => write!(f, "{left} not {operator}"),
    }
}

impl Display for Clause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_left(f, &self.selector, self.operator, self.negated)?;
        self.value.as_ref().map_or(Ok(()), |value| write!(f, " {value}"))
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { selector, operator, negated, .. } = self;
        match &self.with {
            Operand::Count(value) => {
                write_left(f, format_args!("count({selector})"), *operator, *negated)?;
                write!(f, " {value}")
            }
            Operand::Field(other) => {
                write_left(f, format_args!("@{selector}"), *operator, *negated)?;
                write!(f, " @{other}")
            }
            Operand::Range(low, high) => {
                write_left(f, selector, *operator, *negated)?;
                write!(f, " {low} and {high}")
            }
            Operand::List(values) => {
                write_left(f, selector, *operator, *negated)?;
                f.write_str(" [")?;
                for (index, value) in values.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    value.fmt(f)?;
                }
                f.write_char(']')
            }
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.number { f.write_str(&self.text) } else { write_quoted(f, &self.text) }
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.parts.split_first() {
            // Bare, these could be read as operators.
            Some((first, [])) if matches!(&*first.text, "not" | "in" | "contains" | "matches") => {
                write_pointer(f, &self.parts)
            }
            Some((first, rest)) if is_ident(&first.text) => {
                f.write_str(&first.text)?;
                rest.iter().try_for_each(|part| write_part(f, part))
            }
            // The pointer of a single empty part is `""`: RFC 6901 would select the document,
            // go-bexpr a field.
            Some((first, [])) if first.text.is_empty() => f.write_str("\"\""),
            _ => write_pointer(f, &self.parts),
        }
    }
}

fn write_part(f: &mut Formatter<'_>, part: &Part) -> fmt::Result {
    if is_ident(&part.text) || is_index(&part.text) {
        write!(f, ".{}", part.text)
    } else {
        f.write_char('[')?;
        write_quoted(f, &part.text)?;
        f.write_char(']')
    }
}

fn write_pointer(f: &mut Formatter<'_>, parts: &[Part]) -> fmt::Result {
    f.write_char('"')?;
    for part in parts {
        f.write_char('/')?;
        for char in part.text.chars() {
            match char {
                '~' => f.write_str("~0")?,
                '/' => f.write_str("~1")?,
                char => f.write_char(char)?,
            }
        }
    }
    f.write_char('"')
}

impl Quantifier {
    /// Returns the quantifier without its body, for plans.
    pub(crate) fn head(&self) -> String {
        let mut head = String::new();
        // Writing to a string does not fail.
        let _ = write_head(&mut head, self);
        head
    }
}

/// Prints a quantifier up to its body's brace.
fn write_head(f: &mut impl Write, quantifier: &Quantifier) -> fmt::Result {
    let word = if quantifier.all { "all" } else { "any" };
    write!(f, "{word} {} as ", quantifier.selector)?;
    match &quantifier.names {
        Names::One(name) => f.write_str(&name.text),
        Names::Both(index, value) => write!(f, "{}, {}", index.text, value.text),
        Names::Index(index) => write!(f, "{}, _", index.text),
        Names::Value(value) => write!(f, "_, {}", value.text),
    }
}

impl Display for Quantifier {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_head(f, self)?;
        write!(f, " {{ {} }}", self.body)
    }
}
