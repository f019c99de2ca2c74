//! Python's notation of values: in error messages, and in the query parameters of lists.
//!
//! The reference is written in Python, and it shows: clients filter with `metadata={'k':'v'}`, and
//! an error reads `'1x' does not match`. JSON is accepted in the same places.
//!
//! Limits: [`NESTING_MAX`] levels, so that input bounds the recursion.

use std::fmt::Write as _;

use serde_json::Value;

use crate::schema::printable::is_printable;

/// Maximum nesting of lists and dictionaries in a literal.
const NESTING_MAX: u32 = 8;

/// Maximum number of a value's characters in an error message.
const SHOWN_MAX: usize = 2048;

/// Returns the `repr` of a value, truncated if it is long.
pub(crate) fn repr(value: &Value) -> String {
    let mut out = String::new();
    write_repr(&mut out, value);
    truncate(out)
}

/// Returns the `str` of a value: a string without quotes.
pub(crate) fn str(value: &Value) -> String {
    match value {
        Value::String(text) => truncate(text.clone()),
        other => repr(other),
    }
}

fn truncate(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(SHOWN_MAX) {
        text.truncate(at);
    }
    text
}

// serde_json reads at most 128 levels, which bounds the recursion.
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

/// Returns a string in single quotes, or in double quotes if it contains single ones only.
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
            // Python escapes unprintable characters, and every blank but the space.
            c if u32::from(c) <= 0xffff
                && (!is_printable(c) || (c != ' ' && c.is_whitespace())) =>
            {
                let code = u32::from(c);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    _ => write!(out, "\\u{code:04x}"),
                };
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// A parsed literal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Literal>),
    Dict(Vec<(Literal, Literal)>),
}

impl Literal {
    /// Returns the string that the literal equals as a metadata value.
    pub(crate) fn into_text(self) -> Option<String> {
        // Cinder stores metadata as strings, so a number is compared by its `str`.
        match self {
            Self::Text(text) => Some(text),
            Self::Int(number) => Some(number.to_string()),
            // `str(2.0)` is `2.0` in Python.
            Self::Float(number) if number.fract() == 0.0 => Some(format!("{number:.1}")),
            Self::Float(number) => Some(number.to_string()),
            Self::Bool(true) => Some("True".into()),
            Self::Bool(false) => Some("False".into()),
            Self::None | Self::List(_) | Self::Dict(_) => None,
        }
    }
}

/// Parses a literal of Python or JSON; `None` if the text is neither.
pub(crate) fn parse_literal(text: &str) -> Option<Literal> {
    let mut parser = LiteralParser { rest: text };
    let value = parser.parse_value(0)?;
    parser.skip_blanks();
    parser.rest.is_empty().then_some(value)
}

struct LiteralParser<'t> {
    rest: &'t str,
}

impl LiteralParser<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, c: char) -> bool {
        self.skip_blanks();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn parse_value(&mut self, depth: u32) -> Option<Literal> {
        if depth > NESTING_MAX {
            return None;
        }
        self.skip_blanks();
        match self.rest.chars().next()? {
            '\'' | '"' => self.parse_string().map(Literal::Text),
            '[' => self.parse_list(']', depth).map(|(items, _)| Literal::List(items)),
            '(' => {
                self.parse_list(')', depth).map(|(mut items, comma)| match (items.pop(), comma) {
                    // Parentheses around one value without a comma are no tuple.
                    (Some(only), false) if items.is_empty() => only,
                    (last, _) => {
                        items.extend(last);
                        Literal::List(items)
                    }
                })
            }
            '{' => self.parse_braces(depth),
            _ if self.prefix().is_some() => self.parse_string().map(Literal::Text),
            _ => self.parse_word(),
        }
    }

    /// Returns the length of the prefix before a quote, and whether it makes the string raw:
    /// `u'x'`, `b'x'`, `Rb'x'`.
    fn prefix(&self) -> Option<(usize, bool)> {
        let mut start = self.rest.char_indices().take(3);
        let (letters, _) = start.find(|(_, c)| matches!(c, '\'' | '"'))?;
        let prefix = self.rest.get(..letters)?.to_ascii_lowercase();
        match &*prefix {
            "" | "u" | "b" => Some((letters, false)),
            "r" | "br" | "rb" => Some((letters, true)),
            _ => None,
        }
    }

    fn parse_word(&mut self) -> Option<Literal> {
        let end = self.rest.find([',', ']', ')', '}', ':', ' ']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end)?;
        let value = match word {
            "None" | "null" => Literal::None,
            "True" | "true" => Literal::Bool(true),
            "False" | "false" => Literal::Bool(false),
            digits => parse_number(digits)?,
        };
        self.rest = rest;
        Some(value)
    }

    /// Parses a string and the strings that follow it, which Python concatenates.
    fn parse_string(&mut self) -> Option<String> {
        let mut text = String::new();
        while let Some((letters, raw)) = self.prefix() {
            self.rest = self.rest.get(letters..)?;
            self.parse_quoted(&mut text, raw)?;
            self.skip_blanks();
        }
        Some(text)
    }

    fn parse_quoted(&mut self, text: &mut String, raw: bool) -> Option<()> {
        let quote = self.rest.get(..1)?;
        let triple = quote.repeat(3);
        let end = if self.rest.starts_with(&triple) { &*triple } else { quote };
        self.rest = self.rest.strip_prefix(end)?;
        loop {
            if let Some(rest) = self.rest.strip_prefix(end) {
                self.rest = rest;
                return Some(());
            }
            match self.next()? {
                // A raw string keeps its backslashes, even before a quote.
                '\\' if raw => {
                    text.push('\\');
                    text.push(self.next()?);
                }
                '\\' => self.parse_escape(text)?,
                // Only triple-quoted strings span lines.
                '\n' if end.len() == 1 => return None,
                c => text.push(c),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.advance();
        Some(c)
    }

    /// Parses an escape sequence, after its backslash.
    fn parse_escape(&mut self, text: &mut String) -> Option<()> {
        let c = match self.next()? {
            // A backslash at the end of a line joins the lines.
            '\n' => return Some(()),
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'v' => '\x0b',
            'x' => self.parse_code(2)?,
            'u' => self.parse_code(4)?,
            'U' => self.parse_code(8)?,
            first @ '0'..='7' => {
                let octal = |c: &char| c.is_digit(8);
                let more: String = self.rest.chars().take(2).take_while(octal).collect();
                self.rest = self.rest.get(more.len()..)?;
                char::from_u32(u32::from_str_radix(&format!("{first}{more}"), 8).ok()?)?
            }
            // JSON escapes `/`; Python does not.
            c @ ('\\' | '\'' | '"' | '/') => c,
            // Python keeps the backslash of an unknown escape.
            c => {
                text.push('\\');
                c
            }
        };
        text.push(c);
        Some(())
    }

    /// Parses a character code of `digits` hexadecimal digits. JSON encodes a code beyond 16 bits
    /// as a surrogate pair.
    fn parse_code(&mut self, digits: usize) -> Option<char> {
        let code = self.parse_hex(digits)?;
        if !(0xd800..0xdc00).contains(&code) {
            return char::from_u32(code);
        }
        self.rest = self.rest.strip_prefix("\\u")?;
        let low = self.parse_hex(4)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x10000 + ((code - 0xd800) << 10) + low)
    }

    fn parse_hex(&mut self, digits: usize) -> Option<u32> {
        let (text, rest) = self.rest.split_at_checked(digits)?;
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.rest = rest;
        u32::from_str_radix(text, 16).ok()
    }

    /// Parses values up to the closing bracket. Also returns whether a comma follows a value.
    fn parse_list(&mut self, end: char, depth: u32) -> Option<(Vec<Literal>, bool)> {
        self.advance();
        let (mut items, mut comma) = (Vec::new(), false);
        while !self.eat(end) {
            items.push(self.parse_value(depth + 1)?);
            if !self.eat(',') {
                return self.eat(end).then_some((items, comma));
            }
            comma = true;
        }
        Some((items, comma))
    }

    /// Parses a dictionary or a set: both begin with the same bracket.
    fn parse_braces(&mut self, depth: u32) -> Option<Literal> {
        self.advance();
        let mut pairs = Vec::new();
        if self.eat('}') {
            return Some(Literal::Dict(pairs));
        }
        let first = self.parse_value(depth + 1)?;
        if !self.eat(':') {
            return self.parse_set(first, depth).map(Literal::List);
        }
        pairs.push((first, self.parse_value(depth + 1)?));
        while self.eat(',') {
            if self.eat('}') {
                return Some(Literal::Dict(pairs));
            }
            let key = self.parse_value(depth + 1)?;
            if !self.eat(':') {
                return None;
            }
            pairs.push((key, self.parse_value(depth + 1)?));
        }
        self.eat('}').then_some(Literal::Dict(pairs))
    }

    /// Parses the rest of a set.
    fn parse_set(&mut self, first: Literal, depth: u32) -> Option<Vec<Literal>> {
        let mut items = vec![first];
        while self.eat(',') {
            if self.eat('}') {
                return Some(items);
            }
            items.push(self.parse_value(depth + 1)?);
        }
        self.eat('}').then_some(items)
    }

    /// Advances past the next character.
    fn advance(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }
}

/// Parses a number in Python's notation: `-5`, `0x1f`, `1_000`, `1.5e3`.
fn parse_number(text: &str) -> Option<Literal> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let bare = without_underscores(digits)?;
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = bare.to_ascii_lowercase().strip_prefix(prefix) {
            let whole = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            return i64::from_str_radix(digits, radix)
                .ok()
                .filter(|_| whole)
                .map(|n| Literal::Int(sign * n));
        }
    }
    if bare.bytes().all(|byte| byte.is_ascii_digit()) {
        // Python rejects leading zeros, except in a zero.
        let padded =
            bare.len() > 1 && bare.starts_with('0') && bare.bytes().any(|byte| byte != b'0');
        return bare.parse::<i64>().ok().filter(|_| !padded).map(|n| Literal::Int(sign * n));
    }
    // Rust parses `inf` and `nan`, which are names in Python.
    let plain = bare.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let value = bare.parse::<f64>().ok().filter(|_| plain)?;
    Some(Literal::Float(if sign < 0 { -value } else { value }))
}

/// Removes the underscores between digits; `None` if one is misplaced.
fn without_underscores(digits: &str) -> Option<String> {
    let misplaced = digits.starts_with('_') || digits.ends_with('_') || digits.contains("__");
    (!misplaced && !digits.is_empty()).then(|| digits.replace('_', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Literal {
        Literal::Text(text.into())
    }

    #[test]
    fn literals_of_python_and_json_are_parsed() {
        assert_eq!(parse_literal("2"), Some(Literal::Int(2)));
        assert_eq!(parse_literal("None"), Some(Literal::None));
        assert_eq!(parse_literal("['a', \"b\",]"), Some(Literal::List(vec![text("a"), text("b")])));
        let dict = Literal::Dict(vec![(text("k"), text("it's")), (text("n"), Literal::Bool(true))]);
        assert_eq!(parse_literal(r#"{'k': 'it\'s', "n": True}"#), Some(dict));
        assert_eq!(parse_literal("{}"), Some(Literal::Dict(vec![])));
        for junk in [
            "junk",
            "available",
            "'a",
            "{'a',:1}",
            "[1",
            "01",
            "a-b",
            "",
            "{'a':1} x",
            "2026-11-30",
        ] {
            assert_eq!(parse_literal(junk), None, "{junk}");
        }
        assert_eq!(parse_literal(&"[".repeat(100_000)), None);
    }

    #[test]
    fn prefixes_escapes_and_numbers_match_python() {
        let same = [
            ("u'k'", text("k")),
            ("b\"k\"", text("k")),
            (r"r'a\n'", text(r"a\n")),
            (r"Rb'\''", text(r"\'")),
            (r"'\x41\u00e9\101\q\/'", text("A\u{e9}A\\q/")),
            (r"'\U0001F600'", text("\u{1f600}")),
            (r#""\ud83d\ude00""#, text("\u{1f600}")),
            ("'a' \"b\"", text("ab")),
            ("'''it's'''", text("it's")),
            ("''", text("")),
            ("0x1f", Literal::Int(31)),
            ("-0b11", Literal::Int(-3)),
            ("1_000", Literal::Int(1000)),
            ("00", Literal::Int(0)),
            ("1.5e1", Literal::Float(15.0)),
            ("(1)", Literal::Int(1)),
            ("(1,)", Literal::List(vec![Literal::Int(1)])),
            ("()", Literal::List(Vec::new())),
            ("{1, 2}", Literal::List(vec![Literal::Int(1), Literal::Int(2)])),
        ];
        for (written, read) in same {
            assert_eq!(parse_literal(written), Some(read), "{written}");
        }
        let dict = Literal::Dict(vec![(text("k"), text("v"))]);
        assert_eq!(parse_literal("{u'k': u'v'}"), Some(dict));
        for junk in
            ["0x", "1__0", "_1", "nan", "inf", "0x-1", "x'k'", r"'\xzz'", r"'\ud800'", "'a\nb'"]
        {
            assert_eq!(parse_literal(junk), None, "{junk}");
        }
        assert_eq!(Literal::Float(2.0).into_text().as_deref(), Some("2.0"));
        assert_eq!(parse_literal(&"{".repeat(100_000)), None);
    }

    #[test]
    fn values_print_like_python() {
        let value = serde_json::json!({"a": [1, 1.5, null, true, "x'y"], "b": "z"});
        assert_eq!(repr(&value), r#"{'a': [1, 1.5, None, True, "x'y"], 'b': 'z'}"#);
        assert_eq!(str(&Value::from("1x")), "1x");
        let hidden = Value::from("\0\u{a0}\u{200b}\u{e9}\u{1f600}");
        assert_eq!(repr(&hidden), "'\\x00\\xa0\\u200b\u{e9}\u{1f600}'");
    }
}
