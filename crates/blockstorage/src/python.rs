//! Values as Python writes them: in error texts, and in the query parameters of lists.
//!
//! The reference is written in Python and shows it: `metadata={'k':'v'}` is how its clients filter,
//! and `'1x' does not match` is how it refuses. JSON is understood in the same places.
//!
//! Limits: [`NESTING_MAX`] levels, so that nothing recurses further on input.

use std::fmt::Write as _;

use serde_json::Value;

/// The most levels of lists and dictionaries that are read in a literal.
const NESTING_MAX: u32 = 8;

/// The most characters of a value that an error text repeats.
const SHOWN_MAX: usize = 2048;

/// A value as `repr` writes it, cut off when it is long.
pub(crate) fn repr(value: &Value) -> String {
    let mut out = String::new();
    write_repr(&mut out, value);
    cut(out)
}

/// A value as `str` writes it: a text without quotes.
pub(crate) fn str(value: &Value) -> String {
    match value {
        Value::String(text) => cut(text.clone()),
        other => repr(other),
    }
}

fn cut(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(SHOWN_MAX) {
        text.truncate(at);
    }
    text
}

// serde_json reads at most 128 levels, and so this recurses no further.
fn write_repr(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::String(text) => write_quoted(out, text),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                write_repr(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (at, (key, item)) in members.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                write_quoted(out, key);
                out.push_str(": ");
                write_repr(out, item);
            }
            out.push('}');
        }
    }
}

/// A text in single quotes, or in double ones when it has single ones itself.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_quoted(&mut out, text);
    out
}

fn write_quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// What a query parameter says when it is read as a literal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    None,
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Literal>),
    Dict(Vec<(Literal, Literal)>),
}

impl Literal {
    /// The text that the literal would be as a value of metadata.
    pub(crate) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Int(number) => Some(number.to_string()),
            Self::Bool(true) => Some("True".into()),
            Self::Bool(false) => Some("False".into()),
            Self::None | Self::List(_) | Self::Dict(_) => None,
        }
    }
}

/// Reads a literal of Python or JSON; `None` when the text is neither.
pub(crate) fn literal(text: &str) -> Option<Literal> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    reader.blanks();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, c: char) -> bool {
        self.blanks();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: u32) -> Option<Literal> {
        if depth > NESTING_MAX {
            return None;
        }
        self.blanks();
        match self.rest.chars().next()? {
            '\'' | '"' => self.text().map(Literal::Text),
            '[' => self.list(']', depth).map(Literal::List),
            '(' => self.list(')', depth).map(Literal::List),
            '{' => self.dict(depth),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Option<Literal> {
        let end = self.rest.find([',', ']', ')', '}', ':', ' ']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end)?;
        let value = match word {
            "None" | "null" => Literal::None,
            "True" | "true" => Literal::Bool(true),
            "False" | "false" => Literal::Bool(false),
            // Python reads no number with zeros before it.
            digits => {
                let bare = digits.strip_prefix(['-', '+']).unwrap_or(digits);
                if bare.len() > 1 && bare.starts_with('0') {
                    return None;
                }
                Literal::Int(digits.parse().ok()?)
            }
        };
        self.rest = rest;
        Some(value)
    }

    fn text(&mut self) -> Option<String> {
        let mut chars = self.rest.chars();
        let quote = chars.next()?;
        let mut text = String::new();
        loop {
            match chars.next()? {
                c if c == quote => break,
                '\\' => text.push(match chars.next()? {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    c => c,
                }),
                c => text.push(c),
            }
        }
        self.rest = chars.as_str();
        Some(text)
    }

    fn list(&mut self, end: char, depth: u32) -> Option<Vec<Literal>> {
        self.skip();
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.value(depth + 1)?);
            if !self.take(',') {
                return self.take(end).then_some(items);
            }
        }
        Some(items)
    }

    fn dict(&mut self, depth: u32) -> Option<Literal> {
        self.skip();
        let mut pairs = Vec::new();
        while !self.take('}') {
            let key = self.value(depth + 1)?;
            if !self.take(':') {
                return None;
            }
            pairs.push((key, self.value(depth + 1)?));
            if !self.take(',') {
                return self.take('}').then_some(Literal::Dict(pairs));
            }
        }
        Some(Literal::Dict(pairs))
    }

    /// Goes past the bracket that was looked at.
    fn skip(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Literal {
        Literal::Text(text.into())
    }

    #[test]
    fn literals_of_python_and_json() {
        assert_eq!(literal("2"), Some(Literal::Int(2)));
        assert_eq!(literal("None"), Some(Literal::None));
        assert_eq!(literal("['a', \"b\",]"), Some(Literal::List(vec![text("a"), text("b")])));
        let dict = Literal::Dict(vec![(text("k"), text("it's")), (text("n"), Literal::Bool(true))]);
        assert_eq!(literal(r#"{'k': 'it\'s', "n": True}"#), Some(dict));
        assert_eq!(literal("{}"), Some(Literal::Dict(vec![])));
        for junk in ["junk", "available", "'a", "{'a'}", "[1", "01", "a-b", "", "{'a':1} x"] {
            assert_eq!(literal(junk), None, "{junk}");
        }
        assert_eq!(literal(&"[".repeat(100_000)), None);
    }

    #[test]
    fn values_look_like_python() {
        let value = serde_json::json!({"a": [1, 1.5, null, true, "x'y"], "b": "z"});
        assert_eq!(repr(&value), r#"{'a': [1, 1.5, None, True, "x'y"], 'b': 'z'}"#);
        assert_eq!(str(&Value::from("1x")), "1x");
    }
}
