//! What to say about text that can't be read: the place, the reason and what to write instead.

use super::extended::membership;
use super::lex::{is_boundary, is_pointer_char, is_space, space1};
use super::{Parser, fault, skip};
use crate::ast::{Selector, Value};
use crate::error::{CompileError, CompileErrorKind};
use crate::print::quote;
use crate::span::Span;

const CLAUSE: &str = "a clause is a selector, an operator and a value, as in `Name == \"x\"`";
const OPERATORS: &str =
    "the operators are `==`, `!=`, `in`, `contains`, `matches`, `is empty`, `is nil`";
const OPERATORS_EXTENDED: &str = "the operators are `==`, `!=`, `<`, `<=`, `>`, `>=`, `between`, `in`, `contains`, `matches`, \
     `starts with`, `ends with`, `is empty`, `is nil`";
const ORDER: &str = "comparing by order needs the extended dialect; here there are `==` and `!=`";
const WORDS: &str = "this operator needs the extended dialect; here there is `matches`";
const FOLDING: &str =
    "ignoring case needs the extended dialect; here there is `matches \"(?i)..\"`";
const LISTS: &str = "lists of values need the extended dialect";
const COMMENTS: &str = "comments need the extended dialect";
const FIELDS: &str = "comparing with a field needs the extended dialect";
const COUNTS: &str = "counting elements needs the extended dialect";

impl<'t> Parser<'t> {
    /// Something else than a clause begins here.
    pub(super) fn expected_clause(&self, at: &'t str) -> CompileError {
        let error = fault(CompileErrorKind::ExpectedClause, self.first_char(at));
        match at.chars().next() {
            Some('!') => {
                let found = CompileErrorKind::UnknownOperator { found: "!".into() };
                fault(found, self.first_char(at)).with_help("write `not` followed by a space")
            }
            Some('\'') => error.with_help("quote values with \" or `"),
            Some('#') if !self.extended => error.with_help(COMMENTS),
            Some('@') if !self.extended => error.with_help(FIELDS),
            Some('@' | '_' | '$' | '/') => {
                error.with_help("a selector begins with a letter; write others as \"/name\"")
            }
            _ => error.with_help(CLAUSE),
        }
    }

    /// Neither a word, number nor string begins here.
    pub(super) fn expected_value(&self, at: &'t str) -> CompileError {
        let before = &self.text[..self.offset(at)];
        match at.chars().next() {
            None | Some(')' | '}') => fault(CompileErrorKind::ExpectedValue, self.first_char(at)),
            Some('=') if before.ends_with("==") || before.ends_with("!=") => {
                let (found, help) = if before.ends_with("==") {
                    ("===", "write `==`")
                } else {
                    ("!==", "write `!=`")
                };
                let kind = CompileErrorKind::UnknownOperator { found: found.into() };
                fault(kind, Span::new(before.len() - 2, before.len() + 1)).with_help(help)
            }
            Some('*') if !self.extended && before.ends_with('=') => {
                fault(CompileErrorKind::ExpectedValue, self.first_char(at)).with_help(FOLDING)
            }
            Some('@') if !self.extended => {
                fault(CompileErrorKind::ExpectedValue, self.first_char(at)).with_help(FIELDS)
            }
            Some('@') => fault(CompileErrorKind::ExpectedValue, self.first_char(at)).with_help(
                "two fields are compared by `==`, `!=`, `<`, `<=`, `>` and `>=`; quote a value",
            ),
            Some(found) if transcribed(at).is_some() => self.unquoted_value(at, at, found),
            Some('\'') => fault(CompileErrorKind::ExpectedValue, self.first_char(at))
                .with_help("quote values with \" or `"),
            Some('=') => fault(CompileErrorKind::ExpectedValue, self.first_char(at)),
            Some(found) => self.unquoted_value(at, at, found),
        }
    }

    /// A bare value began at `at` and ran into `found` at `rest`.
    pub(super) fn unquoted_value(&self, at: &'t str, rest: &'t str, found: char) -> CompileError {
        let kind = CompileErrorKind::UnquotedValue { found };
        // Quoted once more it would compile, and match no row.
        if let Some((whole, meant)) = transcribed(at) {
            let help = format!("use double quotes: {}", quote(&meant));
            return fault(kind, self.offset_span(at, whole.len())).with_help(help);
        }
        // Written without spaces, an operator would be quoted as a part of the value.
        for (operator, with) in [("&&", "and"), ("||", "or")] {
            if rest.starts_with(operator) && rest.len() < at.len() {
                let kind = CompileErrorKind::UnknownOperator { found: operator.into() };
                let help = format!("write `{with}` with a space on both sides");
                return fault(kind, self.offset_span(rest, operator.len())).with_help(help);
            }
        }
        let value = bare(at);
        let in_list = value.len() > 1 && self.extended;
        let value = if in_list { value.trim_end_matches([']', ',']) } else { value };
        // A quote at the end has lost its opening one.
        let meant = value.trim_end_matches(['"', '\\', '`']);
        let help =
            format!("quote this value: {}", quote(if meant.is_empty() { value } else { meant }));
        fault(kind, self.first_char(rest)).with_help(help)
    }

    /// A selector ran into `found` at `rest`.
    pub(super) fn unquoted_selector(
        &self,
        selector: &Selector,
        rest: &'t str,
        found: char,
    ) -> CompileError {
        let kind = CompileErrorKind::UnquotedSelector { found };
        let error = fault(kind, self.first_char(rest));
        if found == '(' && !self.extended && selector.span.text(self.text) == "count" {
            return error.with_help(COUNTS);
        }
        let at = &self.text[selector.span.start()..];
        let name = bare(at);
        // As a pointer it would be the value, slash included.
        let list = self.extended && at.contains("in [");
        if membership(&at[name.len()..]) && !list {
            return error.with_help(format!("quote this value: {}", quote(name)));
        }
        if selector.parts.len() == 1 && name.chars().all(is_pointer_char) {
            return error.with_help(format!("write this name as a pointer: \"/{name}\""));
        }
        error.with_help("write keys with other characters as `a[\"key\"]`")
    }

    /// A value stands where a selector is needed.
    pub(super) fn expected_selector(&self, at: &'t str) -> CompileError {
        let error = fault(CompileErrorKind::ExpectedSelector, self.word_span(at));
        if at.starts_with('[') {
            return error.with_help(if self.extended {
                "left of `in [..]` stands a selector"
            } else {
                LISTS
            });
        }
        error.with_help("`in` is written value first: `\"x\" in Tags`")
    }

    /// A quoted string or number is followed by something else than `in`.
    pub(super) fn value_without_in(&self, value: &Value, at: &'t str) -> CompileError {
        let rest = skip(at);
        if rest.is_empty() {
            return fault(CompileErrorKind::ExpectedOperator, self.first_char(rest));
        }
        let error = fault(CompileErrorKind::ExpectedSelector, value.span);
        error.with_help("the selector stands left of the operator, unless that is `in`")
    }

    /// A selector is followed by no operator.
    pub(super) fn no_operator(&self, selector: &Selector, at: &'t str) -> CompileError {
        let rest = skip(at);
        let spaced = rest.len() < at.len();
        let missing = || {
            let error = fault(CompileErrorKind::ExpectedOperator, self.first_char(rest));
            error.with_help(format!("compare it, as in `{selector} == \"x\"`"))
        };
        let Some(first) = rest.chars().next() else {
            return missing();
        };
        if is_boundary(first) {
            return missing();
        }
        let symbol = |char: char| "=<>!&|~".contains(char);
        let found = if symbol(first) {
            &rest[..rest.find(|char| !symbol(char)).unwrap_or(rest.len())]
        } else if spaced {
            bare(rest)
        } else {
            return self.unquoted_selector(selector, rest, first);
        };
        let start = self.offset(rest);
        let span = Span::new(start, start + found.len());
        let word = skip(&rest[found.len()..]);
        let lower = found.to_ascii_lowercase();
        let two_words = ["starts", "begins", "ends"].contains(&&*lower);
        let with = word.get(..4).filter(|with| two_words && with.eq_ignore_ascii_case("with"));
        // Both words are replaced, or the second would be the value.
        let span = with.map_or(span, |with| span.to(self.offset_span(word, with.len())));
        let kind = CompileErrorKind::UnknownOperator { found: found.into() };
        let error = fault(kind, span);
        let help = match &*lower {
            "=" | "eq" | "equals" | "===" => "write `==`",
            "<>" | "ne" | "!==" | "!" => "write `!=`",
            "=~" | "~" | "~=" | "like" | "regex" | "match" => "write `matches`",
            "!~" => "write `not matches`",
            "has" | "includes" | "contain" => "write `contains`",
            // The clause before it is not complete, so that `and` in its place does not compile.
            "&&" | "&" | "||" | "|" | "and" | "or" => {
                return error.with_help(format!("compare it, as in `{selector} == \"x\"`"));
            }
            "between" | "contains*" | "matches*" if self.extended && found == lower => {
                return fault(CompileErrorKind::ExpectedValue, self.first_char(word));
            }
            "lt" if self.extended => "write `<`",
            "le" | "=<" if self.extended => "write `<=`",
            "gt" if self.extended => "write `>`",
            "ge" | "=>" if self.extended => "write `>=`",
            "starts" | "startswith" | "begins" if self.extended => "write `starts with`",
            "ends" | "endswith" if self.extended => "write `ends with`",
            "<" | "<=" | ">" | ">=" | "lt" | "le" | "gt" | "ge" | "between" | "=<" | "=>"
                if !self.extended =>
            {
                ORDER
            }
            "starts" | "ends" | "begins" | "startswith" | "endswith" => WORDS,
            "contains*" | "matches*" if !self.extended => FOLDING,
            "contains" | "matches" | "in" if word.is_empty() => {
                return fault(CompileErrorKind::ExpectedValue, self.first_char(word));
            }
            "not" | "in" | "is" | "contains" | "matches" | "between" | "contains*" | "matches*" => {
                if found == lower {
                    self.operators()
                } else {
                    "operators are written in lower case"
                }
            }
            _ => self.operators(),
        };
        error.with_help(help)
    }

    fn operators(&self) -> &'static str {
        if self.extended { OPERATORS_EXTENDED } else { OPERATORS }
    }

    /// `[` at `bracket` is followed by something else than a quoted key.
    pub(super) fn bad_index(&self, bracket: &'t str, key: &'t str) -> CompileError {
        let name = &key[..key.find([']', ' ', ')', '}']).unwrap_or(key.len())];
        let span = self.first_char(bracket).to(self.first_char(key));
        let error = fault(CompileErrorKind::BadIndex, span);
        if let Some((_, meant)) = transcribed(key) {
            error.with_help(format!("quote the key: [{}]", quote(&meant)))
        } else if name.is_empty() {
            error.with_help("write a key, as in `[\"key\"]`")
        } else if name.bytes().all(|byte| byte.is_ascii_digit()) {
            error.with_help(format!("write an index as `.{name}`"))
        } else {
            error.with_help(format!("quote the key: [{}]", quote(name)))
        }
    }

    /// The text goes on at `rest` after a complete expression.
    pub(super) fn trailing(&self, rest: &'t str) -> CompileError {
        let at = skip(rest);
        let spaced = space1(rest).is_ok();
        let word = bare(at);
        let error = fault(CompileErrorKind::TrailingText, self.word_span(at));
        let replace = |found: &str, with: &str| {
            let kind = CompileErrorKind::UnknownOperator { found: found.into() };
            let start = self.offset(at);
            let span = Span::new(start, start + found.len());
            fault(kind, span).with_help(format!("write `{with}`"))
        };
        match word {
            "and" | "or" if skip(&at[word.len()..]).is_empty() => {
                let end = Span::new(self.text.len(), self.text.len());
                fault(CompileErrorKind::ExpectedClause, end).with_help(CLAUSE)
            }
            "and" | "or" => {
                fault(CompileErrorKind::ExpectedSpace, self.offset_span(at, word.len()))
            }
            _ if at.starts_with("&&") => replace("&&", "and"),
            _ if at.starts_with("||") => replace("||", "or"),
            "&" => replace("&", "and"),
            "|" => replace("|", "or"),
            _ if at.starts_with(',') && !spaced => {
                let kind = CompileErrorKind::UnknownOperator { found: ",".into() };
                fault(kind, self.first_char(at)).with_help("write `and` with a space on both sides")
            }
            _ if at.starts_with(',') => replace(",", "and"),
            _ if word.eq_ignore_ascii_case("and") => replace(word, "and"),
            _ if word.eq_ignore_ascii_case("or") => replace(word, "or"),
            _ if !spaced && (at.starts_with("and") || at.starts_with("or")) => {
                fault(CompileErrorKind::ExpectedSpace, self.first_char(at))
            }
            _ if at.starts_with('#') && !self.extended => error.with_help(COMMENTS),
            _ if at.starts_with('[') && !self.extended => error.with_help(LISTS),
            _ if at.starts_with([')', '}']) => error.with_help("nothing is open here; remove it"),
            _ => error.with_help("quote a value that holds spaces"),
        }
    }

    /// The span of the first character at `at`, empty at the end.
    pub(super) fn first_char(&self, at: &'t str) -> Span {
        self.offset_span(at, at.chars().next().map_or(0, char::len_utf8))
    }

    /// The span of the run without whitespace at `at`.
    pub(super) fn word_span(&self, at: &'t str) -> Span {
        self.offset_span(at, at.find(is_space).unwrap_or(at.len()))
    }

    fn offset_span(&self, at: &'t str, length: usize) -> Span {
        let start = self.offset(at);
        Span::new(start, start + length)
    }
}

/// The run up to whitespace or a closing bracket: what somebody meant as one value.
fn bare(at: &str) -> &str {
    let end = at.find(is_boundary).unwrap_or(at.len());
    if end == 0 { &at[..at.chars().next().map_or(0, char::len_utf8)] } else { &at[..end] }
}

/// Quotes of other languages, each with its closing one: JSON in JSON, shells, URLs, HTML and word processors.
const FOREIGN_QUOTES: [(&str, &str); 15] = [
    ("\\\"", "\\\""),
    ("\\'", "\\'"),
    ("\\`", "\\`"),
    ("'''", "'''"),
    ("''", "''"),
    ("'", "'"),
    ("%22", "%22"),
    ("%27", "%27"),
    ("&quot;", "&quot;"),
    ("&apos;", "&apos;"),
    ("&#34;", "&#34;"),
    ("&#39;", "&#39;"),
    ("\u{ab}", "\u{bb}"),
    ("\u{201c}", "\u{201d}"),
    ("\u{2018}", "\u{2019}"),
];

/// A value in quotes of another language: all of it, and the text inside.
///
/// A value whose closing quote is missing ends with its word.
fn transcribed(at: &str) -> Option<(&str, String)> {
    FOREIGN_QUOTES.iter().find_map(|(open, close)| {
        let inside = at.strip_prefix(open)?;
        // Two quotes alone are the empty string.
        if *open == "''" && (inside.is_empty() || inside.starts_with(is_boundary)) {
            return None;
        }
        let Some(end) = closing(inside, close) else {
            let word = &inside[..inside.find(is_boundary).unwrap_or(inside.len())];
            let meant = word.trim_end_matches(['\\', '"', '\'', '`']);
            let whole = &at[..open.len() + word.len()];
            return (!meant.is_empty()).then(|| (whole, meant.to_owned()));
        };
        let meant = &inside[..end];
        let meant = if *open == "'" { meant.replace("\\'", "'") } else { meant.to_owned() };
        Some((&at[..open.len() + end + close.len()], meant))
    })
}

/// Where the closing quote stands, past those that a backslash escapes.
fn closing(inside: &str, close: &str) -> Option<usize> {
    if close != "'" {
        return inside.find(close);
    }
    let mut escaped = false;
    inside.char_indices().find_map(|(at, char)| {
        let ends = char == '\'' && !escaped;
        escaped = char == '\\' && !escaped;
        ends.then_some(at)
    })
}
