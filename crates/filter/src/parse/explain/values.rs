//! Errors of values in brackets, in several words, or with the quotes and commas of other formats.

use super::words::CALLS;
use super::{GROUPS, IN_LIST, LIKE, LISTS, SEMICOLON};
use crate::ast::{Selector, Value};
use crate::error::{CompileError, CompileErrorKind};
use crate::lex::is_space;
use crate::parse::repair::{
    bare, bracketed, gap, is_sign, quantity_in_words, slashed, thousands, transcribed,
};
use crate::parse::{Parser, error_at, skip};
use crate::print::quote;
use crate::span::Span;

/// Maximum number of values of a list that a hint writes as clauses.
const CLAUSES_MAX: usize = 8;

impl<'t> Parser<'t> {
    /// Creates the error for a string that is directly followed by other text.
    pub(in crate::parse) fn expected_space(&self, at: &'t str, rest: &'t str) -> CompileError {
        // Doubled quotes, as in a cell of CSV, are read as an empty string.
        let doubled = ["\"\"\"", "\"\"", "```", "``"].into_iter().find_map(|quotes| {
            let inside = at.strip_prefix(quotes)?;
            let meant = &inside[..inside.find(quotes)?];
            (!meant.is_empty()).then(|| (meant, meant.len() + 2 * quotes.len()))
        });
        if let Some((meant, length)) = doubled {
            let found = at.chars().next().unwrap_or('"');
            let kind = CompileErrorKind::UnquotedValue { found };
            let help = format!("use double quotes: {}", quote(meant));
            return error_at(kind, self.offset_span(at, length)).with_help(help);
        }
        if rest.starts_with(':') {
            let kind = CompileErrorKind::UnknownOperator { found: ":".into() };
            let help = self.suggest_spaced(rest, 1, "==");
            return error_at(kind, self.first_char(rest)).with_help(help);
        }
        if rest.starts_with(';') && skip(&rest[1..]).is_empty() {
            let kind = CompileErrorKind::TrailingText;
            return error_at(kind, self.first_char(rest)).with_help(SEMICOLON);
        }
        for (operator, with) in [("&&", "and"), ("||", "or"), (",", "and"), (";", "and")] {
            if rest.starts_with(operator) && self.begins_clause(&rest[operator.len()..]) {
                let kind = CompileErrorKind::UnknownOperator { found: operator.into() };
                let span = self.offset_span(rest, operator.len());
                return error_at(kind, span).with_help(self.suggest_spaced(
                    rest,
                    operator.len(),
                    with,
                ));
            }
        }
        error_at(CompileErrorKind::ExpectedSpace, self.first_char(rest))
    }

    /// Recognises a value whose notation quotes would preserve, so that it would match nothing.
    pub(super) fn foreign_value(
        &self,
        at: &'t str,
        rest: &'t str,
        found: char,
    ) -> Option<CompileError> {
        let kind = CompileErrorKind::UnquotedValue { found };
        let before = self.text[..self.offset(at)].trim_end_matches(is_space);
        let value = bare(at);
        let replace = |with: &str| {
            let error = error_at(kind.clone(), self.offset_span(at, value.len()));
            Some(error.with_help(format!("write `{with}`")))
        };
        if found == '(' && rest.len() < at.len() {
            return Some(error_at(kind, self.first_char(rest)).with_help(CALLS));
        }
        if found == ';' && skip(&rest[1..]).is_empty() {
            return Some(error_at(kind, self.first_char(rest)).with_help(SEMICOLON));
        }
        if before.ends_with(['s', '*'])
            && before.trim_end_matches('*').ends_with("matches")
            && let Some(pattern) = slashed(value)
        {
            return replace(&quote(&pattern));
        }
        if let Some(number) = value.strip_suffix(['u', 'U', 'l', 'L', 'n', 'f'])
            // A suffix of a number type in C, Rust or JavaScript.
            && number.starts_with(|char: char| char.is_ascii_digit())
            && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            return replace(number);
        }
        match value {
            "!true" => return replace("false"),
            "!false" => return replace("true"),
            _ => {}
        }
        let operator = before.get(before.len().checked_sub(2)?..)?;
        let with = match operator {
            "==" => "is empty",
            "!=" => "is not empty",
            _ => return None,
        };
        // Comparing with an empty list or object is meant as `is empty`.
        if matches!(value, "[]" | "{" | "{}")
            && let Some(brackets) = bracketed(at).filter(|brackets| brackets.len() == 2)
        {
            let left = before.len() - operator.len();
            let span = Span::new(left, self.offset(at) + brackets.len());
            let gap = if self.text[..left].ends_with(is_space) { "" } else { " " };
            return Some(error_at(kind, span).with_help(format!("write `{gap}{with}`")));
        }
        if bracketed(at).is_some_and(|object| object.starts_with('{') && object.contains(':')) {
            let error = error_at(kind, self.first_char(at));
            return Some(error.with_help("select a key and compare it, as in `Meta.a == \"x\"`"));
        }
        // A part of a name with a star is a shell pattern.
        let glob = value.contains('*') && value.contains(char::is_alphanumeric);
        glob.then(|| error_at(kind, self.offset_span(at, value.len())).with_help(LIKE))
    }

    /// Recognises a quantity of several words at `at`.
    pub(super) fn in_words(&self, at: &'t str) -> Option<CompileError> {
        let (length, whole) = quantity_in_words(at)?;
        let found = gap(&at[at.find(is_space)?..]);
        let kind = CompileErrorKind::UnquotedValue { found };
        let with = if self.extended { whole } else { quote(&whole) };
        Some(error_at(kind, self.offset_span(at, length)).with_help(format!("write `{with}`")))
    }

    /// Recognises a number before `rest` that forms a quantity with the word at `rest`.
    pub(in crate::parse) fn split_quantity(&self, rest: &'t str) -> Option<CompileError> {
        self.in_words(self.last_word(rest))
    }

    /// Returns the text from the word before `rest`.
    fn last_word(&self, rest: &'t str) -> &'t str {
        let before = self.text[..self.offset(rest)].trim_end_matches(is_space);
        let ends = |char| is_space(char) || is_sign(char) || matches!(char, '(' | '[' | '{' | ',');
        &self.text[before.rfind(ends).map_or(0, |end| end + 1)..]
    }

    /// Recognises a value in brackets at `at`.
    pub(super) fn in_brackets(&self, at: &'t str) -> Option<CompileError> {
        let whole = bracketed(at)?;
        let found = at.chars().next()?;
        let kind = CompileErrorKind::UnquotedValue { found };
        let span = self.offset_span(at, whole.len());
        let inner = whole[1..whole.len() - 1].trim_matches(is_space);
        let values = self.values_in(skip(&at[1..]), inner.len());
        let written = |value: &Value| value.span.text(self.text);
        match (found, values.as_deref()) {
            ('(', Some([value])) => {
                Some(error_at(kind, span).with_help(format!("write `{}`", written(value))))
            }
            ('(' | '[', Some(_)) if self.extended => {
                let before = self.text[..self.offset(at)].trim_end_matches(is_space);
                let (signs, word) = match before.get(before.len().checked_sub(2)?..)? {
                    "==" => (2, "in"),
                    "!=" => (2, "not in"),
                    _ => return Some(error_at(kind, span).with_help(IN_LIST)),
                };
                let left = &before[..before.len() - signs];
                let gap = if left.ends_with(is_space) { "" } else { " " };
                let span = Span::new(left.len(), span.end());
                let help = format!("write `{gap}{word} [{inner}]`");
                Some(error_at(kind, span).with_help(help))
            }
            // It may as well be a part of a string.
            ('[', Some([value])) if written(value) == inner && !inner.starts_with(['"', '`']) => {
                None
            }
            ('(' | '[', Some(_)) => Some(error_at(kind, span).with_help(LISTS)),
            ('(', None) => Some(error_at(kind, span).with_help(GROUPS)),
            ('{', _) => Some(error_at(kind, span).with_help(format!("write `{}`", quote(whole)))),
            _ => None,
        }
    }

    /// Reads the first `length` bytes at `at` as values separated by commas; `None` if they are
    /// anything else.
    fn values_in(&self, at: &'t str, length: usize) -> Option<Vec<Value>> {
        // A probe starts no other probe, so that a text is read once for a hint.
        if self.probe {
            return None;
        }
        let probe = Parser { extended: true, probe: true, ..*self };
        let end = self.offset(at) + length;
        let left = |at: &'t str| probe.offset(at) < end;
        let (mut at, mut values) = (at, Vec::new());
        while left(at) {
            let (rest, value) = probe.value(at).ok().or_else(|| self.transcribed_value(at))?;
            if probe.offset(rest) > end || values.len() >= self.list_max {
                return None;
            }
            values.push(value);
            at = match skip(rest).strip_prefix(',') {
                Some(more) if left(skip(rest)) => skip(more),
                _ if left(skip(rest)) => return None,
                _ => break,
            };
        }
        (!values.is_empty()).then_some(values)
    }

    /// Reads a value in the quotes of another language, with the span of its source; further hints
    /// replace the quotes.
    fn transcribed_value(&self, at: &'t str) -> Option<(&'t str, Value)> {
        let (source, meant) = transcribed(at)?;
        let span = self.offset_span(at, source.len());
        Some((&at[source.len()..], Value { text: meant.into(), number: false, span }))
    }

    /// Improves the error of a missing selector right of `in`, if there is a list of the other
    /// dialect.
    pub(in crate::parse) fn not_a_selector(
        &self,
        left: Option<&Selector>,
        negated: bool,
        at: &'t str,
        error: CompileError,
    ) -> CompileError {
        let Some(whole) = bracketed(at).filter(|whole| !whole.starts_with('{')) else {
            return error;
        };
        let inner = whole[1..whole.len() - 1].trim_matches(is_space);
        let (Some(left), Some(values)) = (left, self.values_in(skip(&at[1..]), inner.len())) else {
            return error;
        };
        let span = self.offset_span(at, whole.len());
        if self.extended {
            return error_at(error.kind().clone(), span).with_help(format!("write `[{inner}]`"));
        }
        if values.len() > CLAUSES_MAX {
            return error.with_help(LISTS);
        }
        let (sign, word) = if negated { ("!=", " and ") } else { ("==", " or ") };
        let name = left.span.text(self.text);
        let clauses: Vec<String> = values
            .iter()
            .map(|value| match value.quantity() {
                // Only the extended dialect has quantities without quotes.
                Some(_) => format!("{name} {sign} {}", quote(&value.text)),
                None => format!("{name} {sign} {}", value.span.text(self.text)),
            })
            .collect();
        let span = Span::new(left.span.start(), span.end());
        let clauses = match &clauses[..] {
            [clause] => clause.clone(),
            clauses => format!("({})", clauses.join(word)),
        };
        // A list in brackets is valid in the extended dialect, which the client may choose instead.
        let other = if at.starts_with('[') { "; " } else { "" };
        let lists = if at.starts_with('[') { LISTS } else { "" };
        let help = format!("write `{clauses}`{other}{lists}");
        error_at(error.kind().clone(), span).with_help(help)
    }

    /// Creates the error for a comma behind a clause that no other clause follows.
    pub(super) fn comma(&self, at: &'t str) -> CompileError {
        let kind = CompileErrorKind::UnquotedValue { found: ',' };
        let number = self.last_word(at);
        if let Some((length, whole)) = thousands(number) {
            let help = format!("write `{whole}`");
            return error_at(kind, self.offset_span(number, length)).with_help(help);
        }
        let digit = |at: &str| at.starts_with(|char: char| char.is_ascii_digit());
        let error = error_at(kind, self.first_char(at));
        // A list and a decimal comma look the same.
        if digit(number) && digit(&at[1..]) {
            return error.with_help("a number has a decimal point, as in `1.5`");
        }
        error.with_help(if self.extended { IN_LIST } else { LISTS })
    }
}
