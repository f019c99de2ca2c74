//! Errors of operators in the words and signs of other languages, and of calls of functions and
//! methods.

use super::{COUNTS, FOLDING, ORDER, WORDS};
use crate::ast::Selector;
use crate::error::{CompileError, CompileErrorKind};
use crate::lex::{ident, is_boundary, is_space, quoted};
use crate::parse::repair::{bracketed, is_sign, spelled, transcribed};
use crate::parse::{Parser, error_at, skip};
use crate::print::quote;
use crate::span::Span;

pub(super) const CALLS: &str = "there are no functions, except `count(..)` of the extended dialect";
const QUANTIFIER: &str = "a quantifier is written as in `any Tags as x { x == \"a\" }`";

/// Operators of other languages, and this language's in any letter case; a longer phrase before its
/// own prefixes.
const PHRASES: [(&str, &str); 101] = [
    ("is not equal to", "!="),
    ("is equal to", "=="),
    ("equal to", "=="),
    ("equals to", "=="),
    ("equals", "=="),
    ("equal", "=="),
    ("eq", "=="),
    ("-eq", "=="),
    ("does not equal", "!="),
    ("doesn't equal", "!="),
    ("not equal to", "!="),
    ("not equals", "!="),
    ("not equal", "!="),
    ("neq", "!="),
    ("ne", "!="),
    ("-ne", "!="),
    ("\u{2260}", "!="),
    ("is greater than or equal to", ">="),
    ("is less than or equal to", "<="),
    ("greater than or equal to", ">="),
    ("less than or equal to", "<="),
    ("is greater than", ">"),
    ("is less than", "<"),
    ("greater than", ">"),
    ("less than", "<"),
    ("more than", ">"),
    ("is at least", ">="),
    ("is at most", "<="),
    ("at least", ">="),
    ("at most", "<="),
    ("gte", ">="),
    ("lte", "<="),
    ("-ge", ">="),
    ("-le", "<="),
    ("-gt", ">"),
    ("-lt", "<"),
    ("\u{2265}", ">="),
    ("\u{2264}", "<="),
    ("is not between", "not between"),
    ("not between", "not between"),
    ("is between", "between"),
    ("between", "between"),
    ("is not one of", "not in"),
    ("is one of", "in"),
    ("one of", "in"),
    ("is not in", "not in"),
    ("is in", "in"),
    ("not in", "not in"),
    ("in", "in"),
    ("does not contain", "not contains"),
    ("doesn't contain", "not contains"),
    ("does not include", "not contains"),
    ("does not have", "not contains"),
    ("not contains", "not contains"),
    ("not contain", "not contains"),
    ("not includes", "not contains"),
    ("not include", "not contains"),
    ("not has", "not contains"),
    ("!contains", "not contains"),
    ("excludes", "not contains"),
    ("contains*", "contains*"),
    ("contains", "contains"),
    ("contain", "contains"),
    ("includes", "contains"),
    ("include", "contains"),
    ("has", "contains"),
    ("does not match", "not matches"),
    ("doesn't match", "not matches"),
    ("not matches", "not matches"),
    ("not match", "not matches"),
    ("not regexp", "not matches"),
    ("not rlike", "not matches"),
    ("!matches", "not matches"),
    ("!~*", "not matches*"),
    ("~*", "matches*"),
    ("matches*", "matches*"),
    ("matches", "matches"),
    ("regexp", "matches"),
    ("rlike", "matches"),
    ("does not start with", "not starts with"),
    ("does not end with", "not ends with"),
    ("not starts with", "not starts with"),
    ("not ends with", "not ends with"),
    ("starts_with", "starts with"),
    ("starts-with", "starts with"),
    ("begins_with", "starts with"),
    ("hasprefix", "starts with"),
    ("ends_with", "ends with"),
    ("ends-with", "ends with"),
    ("hassuffix", "ends with"),
    ("is notempty", "is not empty"),
    ("is nonempty", "is not empty"),
    ("is not null", "is not nil"),
    ("is not none", "is not nil"),
    ("is null", "is nil"),
    ("isnull", "is nil"),
    ("notnull", "is not nil"),
    ("isempty", "is empty"),
    ("is_empty", "is empty"),
    ("is not", "is not"),
    ("is", "is"),
];

/// Methods and functions, and the operator between their receiver and their argument.
const METHODS: [(&str, &str); 13] = [
    ("contains", "contains"),
    ("includes", "contains"),
    ("has", "contains"),
    ("matches", "matches"),
    ("match", "matches"),
    ("startswith", "starts with"),
    ("starts_with", "starts with"),
    ("hasprefix", "starts with"),
    ("endswith", "ends with"),
    ("ends_with", "ends with"),
    ("hassuffix", "ends with"),
    ("equals", "=="),
    ("eq", "=="),
];

const COUNTERS: [&str; 5] = ["size", "length", "len", "count", "cardinality"];

impl<'t> Parser<'t> {
    /// Recognises an operator of another language, or of this one in another letter case.
    pub(super) fn foreign_operator(&self, at: &'t str) -> Option<CompileError> {
        let (length, with) =
            PHRASES.iter().find_map(|(words, with)| Some((spelled(at, words)?, *with)))?;
        let found = &at[..length];
        // Spelled correctly, so the error is elsewhere.
        if found == with {
            return None;
        }
        let kind = CompileErrorKind::UnknownOperator { found: found.into() };
        let error = error_at(kind, self.offset_span(at, length));
        Some(error.with_help(self.replacement(with, at, length)))
    }

    /// Recognises a sign or word of another language between two numbers.
    pub(in crate::parse) fn foreign_comparison(&self, at: &'t str) -> Option<CompileError> {
        let signs = &at[..at.find(|char| !is_sign(char)).unwrap_or(at.len())];
        let with = match signs {
            "=" | "===" => "==",
            "<>" | "!==" => "!=",
            "=>" => ">=",
            "=<" => "<=",
            _ => return self.foreign_operator(at),
        };
        let kind = CompileErrorKind::UnknownOperator { found: signs.into() };
        let error = error_at(kind, self.offset_span(at, signs.len()));
        Some(error.with_help(format!("write `{with}`")))
    }

    /// Recognises the `and` of a range in another letter case.
    pub(in crate::parse) fn range_word(&self, rest: &'t str) -> Option<CompileError> {
        let at = skip(rest);
        let length = spelled(at, "and").filter(|length| at[..*length] != *"and")?;
        let kind = CompileErrorKind::UnknownOperator { found: at[..length].into() };
        Some(error_at(kind, self.offset_span(at, length)).with_help("write `and`"))
    }

    /// Suggests an operator in place of `length` bytes at `at`, or the dialect that has it.
    fn replacement(&self, with: &str, at: &'t str, length: usize) -> String {
        let plain = with.strip_prefix("not ").unwrap_or(with);
        match plain {
            "<" | "<=" | ">" | ">=" | "between" if !self.extended => ORDER.to_owned(),
            "starts with" | "ends with" if !self.extended => WORDS.to_owned(),
            "contains*" | "matches*" if !self.extended => FOLDING.to_owned(),
            _ => self.suggest_spaced(at, length, with),
        }
    }

    /// Recognises a word read as a selector before input that is not an operator.
    pub(super) fn misread_word(&self, selector: &Selector, rest: &'t str) -> Option<CompileError> {
        let word = selector.span.text(self.text);
        let replace = |with: &str| {
            let kind = CompileErrorKind::UnknownOperator { found: word.into() };
            Some(error_at(kind, selector.span).with_help(format!("write `{with}`")))
        };
        match &*word.to_ascii_lowercase() {
            "not" if word != "not" => replace("not"),
            "any" | "all" => Some(self.bad_quantifier(word, rest)),
            _ => None,
        }
    }

    /// Creates the error for `any` or `all` that is not followed by a selector and names.
    fn bad_quantifier(&self, word: &str, rest: &'t str) -> CompileError {
        let error = error_at(CompileErrorKind::ExpectedOperator, self.first_char(rest));
        let written = || {
            let (after, first) = ident(rest).ok()?;
            // The order of other languages, as in `any t in Tags {`.
            let (end, name, list) = if let Some(list) = skip(after).strip_prefix("in ") {
                let list = skip(list);
                let length = list.find(|char| is_boundary(char) || char == '{')?;
                (&list[length..], first, &list[..length])
            } else {
                let (end, name) = ident(skip(after)).ok()?;
                (end, name, first)
            };
            let starts = skip(end).starts_with('{') && word.chars().all(char::is_lowercase);
            starts.then(|| (rest.len() - end.len(), format!("{list} as {name}")))
        };
        match written() {
            Some((length, with)) => {
                error_at(CompileErrorKind::ExpectedOperator, self.offset_span(rest, length))
                    .with_help(format!("write `{with}`"))
            }
            None => error.with_help(QUANTIFIER),
        }
    }

    /// Creates the error for a call: `selector` is followed by a parenthesis at `rest`.
    pub(super) fn call(&self, selector: &Selector, rest: &'t str) -> CompileError {
        let kind = CompileErrorKind::UnquotedSelector { found: '(' };
        let name = selector.span.text(self.text);
        let Some(whole) = bracketed(rest) else {
            return error_at(kind, self.first_char(rest)).with_help(CALLS);
        };
        let span = Span::new(selector.span.start(), self.offset(rest) + whole.len());
        let inner = whole[1..whole.len() - 1].trim_matches(is_space);
        let (of, method) = match name.rsplit_once('.') {
            Some((of, method)) => (Some(of), method),
            None => (None, name),
        };
        let lower = method.to_ascii_lowercase();
        // `not(..)` is a negation with a missing space, in most languages a call.
        if of.is_none() && lower == "not" {
            return error_at(kind, selector.span).with_help("write `not` followed by a space");
        }
        if of.is_none() && matches!(&*lower, "any" | "all") {
            return error_at(kind, span).with_help(QUANTIFIER);
        }
        let counted = of.or_else(|| is_name(inner).then_some(inner));
        let help = if COUNTERS.contains(&&*lower) && (of.is_none() || inner.is_empty()) {
            match counted {
                Some(list) if self.extended => format!("write `count({list})`"),
                _ => COUNTS.to_owned(),
            }
        // The macro `has` of CEL tests presence.
        } else if lower == "has" && of.is_none() && is_name(inner) {
            format!("write `{inner} is not nil`")
        } else {
            let (of, argument) = match of {
                Some(of) => (Some(of), argument(inner)),
                None => match inner.split_once(',') {
                    Some((of, value)) => (Some(of).filter(|of| is_name(of)), argument(value)),
                    None => (None, None),
                },
            };
            let operator = METHODS.iter().find(|(own, _)| *own == lower).map(|(_, with)| *with);
            match (of, operator, argument) {
                (Some(of), Some(operator), Some(argument)) => match (operator, self.extended) {
                    ("starts with" | "ends with", false) => WORDS.to_owned(),
                    _ => format!("write `{of} {operator} {argument}`"),
                },
                _ if lower.contains("lower") || lower.contains("upper") => {
                    if self.extended {
                        "`==*`, `contains*` and `matches*` ignore case".to_owned()
                    } else {
                        FOLDING.to_owned()
                    }
                }
                _ => CALLS.to_owned(),
            }
        };
        error_at(kind, span).with_help(help)
    }
}

/// Returns whether a string is a selector without brackets.
fn is_name(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = text.split('.');
    parts.next().is_some_and(crate::lex::is_ident)
        && parts.all(|part| crate::lex::is_ident(part) || digits(part))
}

/// Returns the only argument of a call as a value of this language.
fn argument(inner: &str) -> Option<String> {
    let inner = inner.trim_matches(is_space);
    if let Ok(("", source)) = quoted(inner) {
        return Some(source.to_owned());
    }
    if let Some((source, meant)) = transcribed(inner) {
        return (source.len() == inner.len()).then(|| quote(&meant));
    }
    if let Some(pattern) = crate::parse::repair::slashed(inner) {
        return Some(quote(&pattern));
    }
    let plain = !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| inner.to_owned())
}
