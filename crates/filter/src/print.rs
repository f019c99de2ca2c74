//! Expressions back to text.

use std::fmt::{self, Display, Formatter, Write};

use crate::ast::{Clause, Expr, ExprKind, Names, Operator, Part, Quantifier, Selector, Value};
use crate::parse::{is_ident, is_index};

/// Writes `text` as a quoted value that can be put into an expression as it is.
///
/// Use it wherever a program builds an expression, so that no value can end the text or add a clause.
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
            char if char.is_control() => write!(out, "\\u{:04x}", u32::from(char))?,
            char => out.write_char(char)?,
        }
    }
    out.write_char('"')
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::And(operands) => join(f, operands, " and ", |operand| {
                matches!(operand.kind, ExprKind::And(_) | ExprKind::Or(_))
            }),
            ExprKind::Or(operands) => {
                join(f, operands, " or ", |operand| matches!(operand.kind, ExprKind::Or(_)))
            }
            ExprKind::Not(operand) => {
                let group = !matches!(operand.kind, ExprKind::Clause(_) | ExprKind::Quantifier(_));
                f.write_str("not ")?;
                write_operand(f, operand, group)
            }
            ExprKind::Clause(clause) => clause.fmt(f),
            ExprKind::Quantifier(quantifier) => quantifier.fmt(f),
        }
    }
}

fn join(
    f: &mut Formatter<'_>,
    operands: &[Expr],
    between: &str,
    group: impl Fn(&Expr) -> bool,
) -> fmt::Result {
    for (index, operand) in operands.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        write_operand(f, operand, group(operand))?;
    }
    Ok(())
}

fn write_operand(f: &mut Formatter<'_>, operand: &Expr, group: bool) -> fmt::Result {
    if group { write!(f, "({operand})") } else { operand.fmt(f) }
}

impl Display for Clause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.selector.fmt(f)?;
        f.write_str(match (self.operator, self.negated) {
            (Operator::Equal, false) => " == ",
            (Operator::Equal, true) => " != ",
            (Operator::Contains, false) => " contains ",
            (Operator::Contains, true) => " not contains ",
            (Operator::Matches, false) => " matches ",
            (Operator::Matches, true) => " not matches ",
            (Operator::Empty, false) => " is empty",
            (Operator::Empty, true) => " is not empty",
            (Operator::Nil, false) => " is nil",
            (Operator::Nil, true) => " is not nil",
        })?;
        self.value.as_ref().map_or(Ok(()), |value| value.fmt(f))
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
    /// What stands before the body.
    pub(crate) fn head(&self) -> String {
        let mut head = String::new();
        // Writing to a string does not fail.
        let _ = self.write_head(&mut head);
        head
    }

    fn write_head(&self, f: &mut impl Write) -> fmt::Result {
        let word = if self.all { "all" } else { "any" };
        write!(f, "{word} {} as ", self.selector)?;
        match &self.names {
            Names::One(name) => f.write_str(&name.text)?,
            Names::Both(index, value) => write!(f, "{}, {}", index.text, value.text)?,
            Names::Index(index) => write!(f, "{}, _", index.text)?,
            Names::Value(value) => write!(f, "_, {}", value.text)?,
        }
        Ok(())
    }
}

impl Display for Quantifier {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write_head(f)?;
        write!(f, " {{ {} }}", self.body)
    }
}
