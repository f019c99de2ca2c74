//! Errors of input that cannot be read: the span, the reason and the suggested fix.
//!
//! [`values`] recognises values in the notation of other languages, [`words`] their operators and
//! calls, and `repair` rewrites them.

mod values;
mod words;

use super::extended::membership;
use super::repair::{
    absent_word, bare, escaped_operator, from_like, from_url, is_sign, is_slice, name_at,
    pointer_to, spelled, transcribed, without_sigil,
};
use super::{Parser, error_at, skip};
use crate::ast::{Selector, Value};
use crate::error::{CompileError, CompileErrorKind};
use crate::lex::{is_boundary, is_space, quoted, space1, word};
use crate::print::quote;
use crate::quantity::Quantity;
use crate::span::Span;

const CLAUSE: &str = "a clause is a selector, an operator and a value, as in `Name == \"x\"`";
const OPERATORS: &str =
    "the operators are `==`, `!=`, `in`, `contains`, `matches`, `is empty`, `is nil`";
const OPERATORS_EXTENDED: &str = "the operators are `==`, `!=`, `<`, `<=`, `>`, `>=`, `between`, `in`, `contains`, `matches`, \
     `starts with`, `ends with`, `is empty`, `is nil`";
const ORDER: &str = "ordering needs the extended dialect; this dialect has `==` and `!=`";
const WORDS: &str = "this operator needs the extended dialect; this dialect has `matches`";
const FOLDING: &str =
    "ignoring case needs the extended dialect; this dialect has `matches \"(?i)..\"`";
const GROUPS: &str = "parentheses group clauses, as in `(Name == \"a\" or Name == \"b\")`";
const LEFT: &str = "the selector is left of the operator, except with `in`";
const IN_LIST: &str = "a list is written right of `in`, `contains any` and `contains all`";
const LISTS: &str = "lists of values need the extended dialect";
const COMMENTS: &str = "comments need the extended dialect";
const FIELDS: &str = "comparing with a field needs the extended dialect";
const COUNTS: &str = "counting elements needs the extended dialect";
const ELEMENTS: &str = "test elements with `any .. as x { .. }`";
const FROM_START: &str = "an index counts from the start, as in `Tags.0`";
const JOINED: &str = "clauses are joined by `and` and `or`";
const SEMICOLON: &str = "an expression does not end with `;`; remove it";
const LIKE: &str = "write `matches` and a regular expression, as in `matches \"^web\"`";

impl<'t> Parser<'t> {
    /// Creates the error for input that does not begin a clause.
    pub(super) fn expected_clause(&self, at: &'t str) -> CompileError {
        let error = error_at(CompileErrorKind::ExpectedClause, self.first_char(at));
        match at.chars().next() {
            Some('!') => {
                let found = CompileErrorKind::UnknownOperator { found: "!".into() };
                error_at(found, self.first_char(at)).with_help("write `not` followed by a space")
            }
            Some('#') if !self.extended => error.with_help(COMMENTS),
            Some('@') if !self.extended => error.with_help(FIELDS),
            _ => self.unwritten_name(at).unwrap_or_else(|| error.with_help(CLAUSE)),
        }
    }

    /// Creates the error for a value or name in the place of a clause that cannot be bare.
    fn unwritten_name(&self, at: &'t str) -> Option<CompileError> {
        let found = at.chars().next()?;
        if let Some((source, meant)) = transcribed(at) {
            let span = self.offset_span(at, source.len());
            let kind = CompileErrorKind::UnquotedValue { found };
            // Before `in` it is a value, so quotes fix it.
            if is_followed_by_in(&at[source.len()..]) {
                return Some(error_at(kind, span).with_help(format!("write `{}`", quote(&meant))));
            }
            // The whole string may be an expression, as from JSON or a shell.
            if self.parses(&meant) {
                return Some(error_at(kind, span).with_help(format!("write `{meant}`")));
            }
            let name = if crate::lex::is_ident(&meant) { meant } else { pointer_to(&meant)? };
            return Some(error_at(kind, span).with_help(format!("write `{name}`")));
        }
        let name = name_at(at);
        if is_followed_by_in(&at[name.len()..]) {
            let kind = CompileErrorKind::UnquotedValue { found };
            let help = format!("quote this value: {}", quote(name));
            return Some(error_at(kind, self.offset_span(at, name.len())).with_help(help));
        }
        let kind = CompileErrorKind::UnquotedSelector { found };
        if let Some((length, name)) = without_sigil(at) {
            let span = self.offset_span(at, length);
            return Some(error_at(kind, span).with_help(format!("write `{name}`")));
        }
        let pointer = pointer_to(name).filter(|_| name.contains(char::is_alphabetic))?;
        let help = format!("write this name as a pointer: {pointer}");
        Some(error_at(kind, self.offset_span(at, name.len())).with_help(help))
    }

    /// Improves the error of an unreadable value at the beginning of a clause: unless `in` follows,
    /// it is meant as a name.
    pub(super) fn not_an_operand(&self, at: &'t str, error: CompileError) -> CompileError {
        if !matches!(error.kind(), CompileErrorKind::UnquotedValue { .. })
            || is_followed_by_in(&at[name_at(at).len()..])
        {
            return error;
        }
        if Quantity::read(name_at(at)).is_some() {
            return error.with_help(LEFT);
        }
        self.unwritten_name(at).unwrap_or_else(|| error.with_help(LEFT))
    }

    /// Creates the error for input that begins neither a word, a number nor a string.
    pub(super) fn expected_value(&self, at: &'t str) -> CompileError {
        let before = &self.text[..self.offset(at)];
        match at.chars().next() {
            None | Some(')' | '}') => {
                error_at(CompileErrorKind::ExpectedValue, self.first_char(at))
            }
            Some('=') if before.ends_with("==") || before.ends_with("!=") => {
                let (found, help) = if before.ends_with("==") {
                    ("===", "write `==`")
                } else {
                    ("!==", "write `!=`")
                };
                let kind = CompileErrorKind::UnknownOperator { found: found.into() };
                error_at(kind, Span::new(before.len() - 2, before.len() + 1)).with_help(help)
            }
            Some('*') if !self.extended && before.ends_with('=') => {
                error_at(CompileErrorKind::ExpectedValue, self.first_char(at)).with_help(FOLDING)
            }
            // The extended dialect compares fields with these two operators and those of order
            // only; elsewhere it is a value.
            Some('@') if !self.extended && before.trim_end().ends_with('=') => {
                error_at(CompileErrorKind::ExpectedValue, self.first_char(at)).with_help(FIELDS)
            }
            Some('@') if self.extended => {
                error_at(CompileErrorKind::ExpectedValue, self.first_char(at)).with_help(
                    "two fields are compared by `==`, `!=`, `<`, `<=`, `>` and `>=`; quote a value",
                )
            }
            Some(found) if transcribed(at).is_some() => self.unquoted_value(at, at, found),
            Some('\'') => error_at(CompileErrorKind::ExpectedValue, self.first_char(at))
                .with_help("quote values with \" or `"),
            Some('=') => error_at(CompileErrorKind::ExpectedValue, self.first_char(at)),
            Some(found) => self.unquoted_value(at, at, found),
        }
    }

    /// Creates the error for a bare value that begins at `at` and contains `found` at `rest`.
    pub(super) fn unquoted_value(&self, at: &'t str, rest: &'t str, found: char) -> CompileError {
        let kind = CompileErrorKind::UnquotedValue { found };
        // In further quotes it would compile, and match no row.
        if let Some((whole, meant)) = transcribed(at) {
            let help = format!("use double quotes: {}", quote(&meant));
            return error_at(kind, self.offset_span(at, whole.len())).with_help(help);
        }
        if let Some(error) = self.foreign_value(at, rest, found) {
            return error;
        }
        // An operator without spaces would be quoted as a part of the value.
        for (operator, with) in [("&&", "and"), ("||", "or")] {
            if rest.starts_with(operator) && rest.len() < at.len() {
                let kind = CompileErrorKind::UnknownOperator { found: operator.into() };
                let help = format!("write `{with}` with a space on both sides");
                return error_at(kind, self.offset_span(rest, operator.len())).with_help(help);
            }
        }
        if let Some(error) = self.in_words(at).or_else(|| self.in_brackets(at)) {
            return error;
        }
        if matches!(found, ',' | ';') && self.begins_clause(&rest[1..]) {
            let kind = CompileErrorKind::UnknownOperator { found: found.to_string().into() };
            return error_at(kind, self.first_char(rest))
                .with_help(self.suggest_spaced(rest, 1, "and"));
        }
        // A comma at the end separates it from the next value.
        if found == ',' && rest[1..].starts_with(is_space) {
            return error_at(kind, self.first_char(rest)).with_help(LISTS);
        }
        let value = bare(at);
        let in_list = value.len() > 1 && self.extended;
        let value = if in_list { value.trim_end_matches([']', ',']) } else { value };
        // A quote at the end has lost its opening one.
        let meant = value.trim_end_matches(['"', '\\', '`']);
        let help =
            format!("quote this value: {}", quote(if meant.is_empty() { value } else { meant }));
        error_at(kind, self.first_char(rest)).with_help(help)
    }

    /// Returns whether a clause, a group or a quantifier begins behind whitespace.
    fn begins_clause(&self, at: &'t str) -> bool {
        let at = skip(at);
        let opens =
            at.starts_with('(') || ["not", "any", "all"].iter().any(|name| word(name)(at).is_ok());
        // A probe starts no other probe: each of many commas would start one.
        !self.probe && (opens || Parser { extended: true, probe: true, ..*self }.clause(at).is_ok())
    }

    /// Suggests a word in place of the first bytes at `at`, with the whitespace that it needs.
    fn suggest_spaced(&self, at: &'t str, length: usize, with: &str) -> String {
        let before = self.text[..self.offset(at)].ends_with(is_space);
        if before && at[length..].starts_with(is_space) {
            format!("write `{with}`")
        } else {
            format!("write `{with}` with a space on both sides")
        }
    }

    /// Returns the whole expression with the escapes of a URL decoded, if that is an expression.
    fn unescaped(&self) -> Option<String> {
        let text = from_url(self.text).filter(|_| !self.text.contains(' '))?;
        self.parses(&text).then_some(text)
    }

    /// Returns whether another text is an expression. A probe returns false, so that a text is read
    /// once for a hint.
    fn parses(&self, text: &str) -> bool {
        let probe = Parser {
            text,
            extended: self.extended,
            list_max: self.list_max,
            nesting: self.nesting,
            quantifiers_max: self.quantifiers_max,
            nodes_max: self.nodes_max,
            nodes: 0,
            probe: true,
        };
        !self.probe && probe.input().is_ok()
    }

    /// Creates the error for input behind `is` that is neither `empty` nor `nil`.
    pub(super) fn expected_empty_or_nil(&self, at: &'t str) -> CompileError {
        let kind = CompileErrorKind::ExpectedEmptyOrNil;
        let word = bare(at);
        if let Some(with) = absent_word(word) {
            let span = self.offset_span(at, word.len());
            return error_at(kind, span).with_help(format!("write `{with}`"));
        }
        let error = error_at(kind, self.word_span(at));
        let before = self.text[..self.offset(at)].trim_end_matches(is_space);
        let negated = before.strip_suffix("not").map(|is| is.trim_end_matches(is_space));
        let Some(left) = negated.unwrap_or(before).strip_suffix("is") else { return error };
        let operator = &self.text[left.len()..];
        if let Some(error) = self.foreign_operator(operator) {
            return error;
        }
        // A value in the place of the two words is meant to be compared.
        let probe = Parser { probe: true, ..*self };
        if self.probe || (transcribed(at).is_none() && probe.value(at).is_err()) {
            return error;
        }
        let with = if negated.is_some() { "!=" } else { "==" };
        let span = Span::new(left.len(), before.len());
        error_at(CompileErrorKind::ExpectedEmptyOrNil, span).with_help(format!("write `{with}`"))
    }

    /// Creates the error for a selector that contains `found` at `rest`.
    pub(super) fn unquoted_selector(
        &self,
        selector: &Selector,
        rest: &'t str,
        found: char,
    ) -> CompileError {
        let kind = CompileErrorKind::UnquotedSelector { found };
        let error = error_at(kind, self.first_char(rest));
        if found == '(' {
            return self.call(selector, rest);
        }
        if found == ':' && is_assigned(rest) {
            let kind = CompileErrorKind::UnknownOperator { found: ":".into() };
            let help = "write `==` with a space on both sides";
            return error_at(kind, self.first_char(rest)).with_help(help);
        }
        if matches!(found, '%' | '+')
            && let Some(whole) = self.unescaped()
        {
            let kind = CompileErrorKind::UnquotedSelector { found };
            let span = Span::new(0, self.text.len());
            return error_at(kind, span).with_help(format!("write `{whole}`"));
        }
        let at = &self.text[selector.span.start()..];
        let name = bare(at);
        // A pointer would be read as the value, slash included.
        let list = self.extended && at.contains("in [");
        if is_followed_by_in(&at[name.len()..]) && !list {
            return error.with_help(format!("quote this value: {}", quote(name)));
        }
        match selector.parts.as_slice() {
            // A single name, so the whole run of characters is meant as one name.
            [_] => {
                if let Some(pointer) = pointer_to(name) {
                    return error.with_help(format!("write this name as a pointer: {pointer}"));
                }
            }
            // Only the last part is unreadable: the parts before it stay.
            [.., last] if name.len() > selector.span.len() => {
                let start = last.span.start() - selector.span.start();
                let key = name.get(start..).unwrap_or_default();
                let dotted = name.get(..start).and_then(|before| before.strip_suffix('.'));
                if let Some(before) = dotted.filter(|_| !key.contains(['.', '[', '"', '`'])) {
                    let kind = CompileErrorKind::UnquotedSelector { found };
                    let help = format!("write `{before}[{}]`", quote(key));
                    return error_at(kind, self.offset_span(at, name.len())).with_help(help);
                }
            }
            _ => {}
        }
        error.with_help("write keys with other characters as `a[\"key\"]`")
    }

    /// Creates the error for a value in the place of a selector.
    pub(super) fn expected_selector(&self, at: &'t str) -> CompileError {
        let error = error_at(CompileErrorKind::ExpectedSelector, self.word_span(at));
        if at.starts_with('[') {
            return error.with_help(if self.extended {
                "`in [..]` needs a selector on its left"
            } else {
                LISTS
            });
        }
        error.with_help("`in` is written value first: `\"x\" in Tags`")
    }

    /// Creates the error for a quoted string or number without `in`.
    pub(super) fn value_without_in(&self, value: &Value, at: &'t str) -> CompileError {
        let rest = skip(at);
        if rest.is_empty() {
            let error = error_at(CompileErrorKind::ExpectedOperator, self.first_char(rest));
            // The whole expression is quoted, as in a string of JSON or a shell.
            if value.span.len() == self.text.trim_matches(is_space).len()
                && self.parses(&value.text)
            {
                let error = error_at(CompileErrorKind::ExpectedOperator, value.span);
                return error.with_help(format!("write `{}`", value.text));
            }
            return error;
        }
        let error = error_at(CompileErrorKind::ExpectedSelector, value.span);
        if let Some(operator) = ["in", "not in"].iter().find(|word| spelled(rest, word).is_some()) {
            let length = spelled(rest, operator).unwrap_or_default();
            let kind = CompileErrorKind::UnknownOperator { found: rest[..length].into() };
            let help = format!("write `{operator}`");
            return error_at(kind, self.offset_span(rest, length)).with_help(help);
        }
        // Quotes on the left and a value on the right: the name was quoted, as in JSON.
        let source = value.span.text(self.text);
        let name = Some(&*value.text).filter(|text| crate::lex::is_ident(text)).map(str::to_owned);
        let name = name.or_else(|| pointer_to(&value.text));
        if let Some(name) = name.filter(|_| source.starts_with(['"', '`']))
            && is_value(rest.trim_start_matches(is_sign).trim_start_matches(is_space))
            && rest.starts_with(is_sign)
        {
            return error.with_help(format!("write `{name}`"));
        }
        error.with_help(LEFT)
    }

    /// Creates the error for a selector without an operator.
    pub(super) fn no_operator(&self, selector: &Selector, at: &'t str) -> CompileError {
        let rest = skip(at);
        let spaced = rest.len() < at.len();
        let missing = || {
            let error = error_at(CompileErrorKind::ExpectedOperator, self.first_char(rest));
            error.with_help(format!("compare it, as in `{selector} == \"x\"`"))
        };
        let Some(first) = rest.chars().next() else {
            return missing();
        };
        if is_boundary(first) {
            return missing();
        }
        if spaced && let Some(error) = self.misread_word(selector, rest) {
            return error;
        }
        // A sign may follow the selector directly.
        if (spaced || !first.is_ascii())
            && let Some(error) = self.foreign_operator(rest)
        {
            return error;
        }
        let escaped = escaped_operator(rest);
        let found = if let Some((found, _)) = escaped {
            found
        } else if is_sign(first) {
            &rest[..rest.find(|char| !is_sign(char)).unwrap_or(rest.len())]
        } else if spaced {
            bare(rest)
        } else {
            return self.unquoted_selector(selector, rest, first);
        };
        let start = self.offset(rest);
        let span = Span::new(start, start + found.len());
        let word = skip(&rest[found.len()..]);
        if let Some(error) = self.sql_like(rest) {
            return error;
        }
        let lower = escaped.map_or_else(|| found.to_ascii_lowercase(), |(_, signs)| signs);
        let two_words = ["starts", "begins", "ends"].contains(&&*lower);
        let with = word.get(..4).filter(|with| two_words && with.eq_ignore_ascii_case("with"));
        // Both words are replaced, because the second would be read as the value.
        let span = with.map_or(span, |with| span.to(self.offset_span(word, with.len())));
        let kind = CompileErrorKind::UnknownOperator { found: found.into() };
        let error = error_at(kind, span);
        let help = match &*lower {
            "=" | "==" | "eq" | "equals" | "===" => "write `==`",
            "<>" | "!=" | "ne" | "!==" | "!" => "write `!=`",
            "=~" | "~" | "~=" | "regex" | "match" => "write `matches`",
            "!~" => "write `not matches`",
            "has" | "includes" | "contain" => "write `contains`",
            // The clause before it is incomplete, so replacing it by `and` does not compile.
            "&&" | "&" | "||" | "|" | "and" | "or" => {
                return error.with_help(format!("compare it, as in `{selector} == \"x\"`"));
            }
            "between" | "contains*" | "matches*" if self.extended && found == lower => {
                return error_at(CompileErrorKind::ExpectedValue, self.first_char(word));
            }
            // Readable here, so only the escaped form reaches this.
            "<" | "lt" if self.extended => "write `<`",
            "<=" | "le" | "=<" if self.extended => "write `<=`",
            ">" | "gt" if self.extended => "write `>`",
            ">=" | "ge" | "=>" if self.extended => "write `>=`",
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
                return error_at(CompileErrorKind::ExpectedValue, self.first_char(word));
            }
            _ => self.operators(),
        };
        error.with_help(help)
    }

    /// Recognises SQL's `like` with its value.
    fn sql_like(&self, at: &'t str) -> Option<CompileError> {
        let first = bare(at);
        let (negation, operator) = if first.eq_ignore_ascii_case("not") {
            ("not ", skip(&at[first.len()..]))
        } else {
            ("", at)
        };
        let name = bare(operator);
        let folds = name.eq_ignore_ascii_case("ilike");
        if !folds && !name.eq_ignore_ascii_case("like") {
            return None;
        }
        let kind = CompileErrorKind::UnknownOperator { found: name.into() };
        let after = skip(&operator[name.len()..]);
        // `values_in` reads to the end of its text, which a value need not reach.
        let probe = Parser { probe: true, ..*self };
        let read = match transcribed(after) {
            Some((source, meant)) => Some((&after[source.len()..], meant)),
            None => probe.value(after).ok().map(|(rest, value)| (rest, value.text.into())),
        };
        let with = read.and_then(|(rest, text)| Some((rest, from_like(&text, folds)?)));
        let Some((rest, with)) = with else {
            return Some(error_at(kind, self.offset_span(operator, name.len())).with_help(LIKE));
        };
        let with = match (negation, with.strip_prefix("==")) {
            ("not ", Some(value)) => format!("!={value}"),
            _ => format!("{negation}{with}"),
        };
        let span = Span::new(self.offset(at), self.offset(rest));
        Some(error_at(kind, span).with_help(format!("write `{with}`")))
    }

    fn operators(&self) -> &'static str {
        if self.extended { OPERATORS_EXTENDED } else { OPERATORS }
    }

    /// Creates the error for `[` at `bracket` that is not followed by a quoted key.
    pub(super) fn bad_index(&self, bracket: &'t str, key: &'t str) -> CompileError {
        let name = &key[..key.find([']', ' ', ')', '}']).unwrap_or(key.len())];
        let span = self.first_char(bracket).to(self.first_char(key));
        let error = error_at(CompileErrorKind::BadIndex, span);
        if let Some((_, meant)) = transcribed(key) {
            error.with_help(format!("quote the key: [{}]", quote(&meant)))
        } else if is_slice(name) {
            error.with_help(if name.contains(['*', ':']) { ELEMENTS } else { FROM_START })
        } else if name.is_empty() {
            error.with_help("write a key, as in `[\"key\"]`")
        } else if name.bytes().all(|byte| byte.is_ascii_digit()) {
            error.with_help(format!("write an index as `.{name}`"))
        } else {
            error.with_help(format!("quote the key: [{}]", quote(name)))
        }
    }

    /// Creates the error for text behind a complete expression.
    pub(super) fn trailing(&self, rest: &'t str) -> CompileError {
        let at = skip(rest);
        let spaced = space1(rest).is_ok();
        let word = bare(at);
        let error = error_at(CompileErrorKind::TrailingText, self.word_span(at));
        let replace = |found: &str, with: &str| {
            let kind = CompileErrorKind::UnknownOperator { found: found.into() };
            let start = self.offset(at);
            let span = Span::new(start, start + found.len());
            error_at(kind, span).with_help(self.suggest_spaced(at, found.len(), with))
        };
        if let Some(error) = self.split_quantity(rest) {
            return error;
        }
        match escaped_operator(at) {
            Some((found, signs)) if matches!(&*signs, "&" | "&&") => return replace(found, "and"),
            Some((found, signs)) if matches!(&*signs, "|" | "||") => return replace(found, "or"),
            _ => {}
        }
        match word {
            "and" | "or" if skip(&at[word.len()..]).is_empty() => {
                let end = Span::new(self.text.len(), self.text.len());
                error_at(CompileErrorKind::ExpectedClause, end).with_help(CLAUSE)
            }
            "and" | "or" => {
                error_at(CompileErrorKind::ExpectedSpace, self.offset_span(at, word.len()))
            }
            _ if at.starts_with("&&") => replace("&&", "and"),
            _ if at.starts_with("||") => replace("||", "or"),
            "&" => replace("&", "and"),
            "|" => replace("|", "or"),
            _ if at.starts_with(',') && self.begins_clause(&at[1..]) => replace(",", "and"),
            _ if at.starts_with(',') => self.comma(at),
            _ if word.eq_ignore_ascii_case("and") => replace(word, "and"),
            _ if word.eq_ignore_ascii_case("or") => replace(word, "or"),
            _ if !spaced && (at.starts_with("and") || at.starts_with("or")) => {
                error_at(CompileErrorKind::ExpectedSpace, self.first_char(at))
            }
            // The connectives of `test` and `find`.
            "-a" => replace("-a", "and"),
            "-o" => replace("-o", "or"),
            _ if at.starts_with(';') && self.begins_clause(&at[1..]) => replace(";", "and"),
            _ if at.starts_with(';') => {
                error_at(CompileErrorKind::TrailingText, self.first_char(at)).with_help(SEMICOLON)
            }
            _ if at.starts_with('#') && !self.extended => error.with_help(COMMENTS),
            "--" | "//" if self.extended => replace(word, "#"),
            "--" | "//" | "/*" => error.with_help(COMMENTS),
            _ if at.starts_with('[') && !self.extended => error.with_help(LISTS),
            _ if at.starts_with([')', '}']) => error.with_help("this closes nothing; remove it"),
            _ if self.text[..self.offset(rest)].ends_with(['"', '`', '}', ')']) => {
                error.with_help(JOINED)
            }
            _ if self.begins_clause(at) => error.with_help(JOINED),
            _ => error.with_help("quote a value that holds spaces"),
        }
    }

    /// Returns the span of the first character at `at`, empty at the end.
    pub(super) fn first_char(&self, at: &'t str) -> Span {
        self.offset_span(at, at.chars().next().map_or(0, char::len_utf8))
    }

    /// Returns the span of the run without whitespace at `at`.
    pub(super) fn word_span(&self, at: &'t str) -> Span {
        self.offset_span(at, at.find(is_space).unwrap_or(at.len()))
    }

    fn offset_span(&self, at: &'t str, length: usize) -> Span {
        let start = self.offset(at);
        Span::new(start, start + length)
    }
}

/// Returns whether an operator with its selector on the right follows, in any letter case.
fn is_followed_by_in(at: &str) -> bool {
    let next = skip(at);
    let word = || spelled(next, "in").or_else(|| spelled(next, "not in")).is_some();
    membership(at) || (next.len() < at.len() && word())
}

/// Returns whether a value begins that is not a selector.
fn is_value(at: &str) -> bool {
    let word = bare(at);
    quoted(at).is_ok()
        || transcribed(at).is_some()
        || at.starts_with(|char: char| char.is_ascii_digit() || char == '-')
        || ["true", "false"].iter().any(|bool| word.eq_ignore_ascii_case(bool))
}

/// Returns whether `:` at `rest` separates a name from its value, as in JSON and YAML, and is not
/// part of a name.
fn is_assigned(rest: &str) -> bool {
    let run = bare(rest);
    let after = skip(&rest[run.len()..]);
    if run != ":" {
        return !run.contains(is_sign) && (after.is_empty() || after.starts_with(')'));
    }
    !after.starts_with(is_sign)
        && !["in", "not", "is", "contains", "matches"].contains(&bare(after))
        && !after.is_empty()
}
