//! Reads the text before a cursor: the expected token, and the partial token.

use crate::ast::{Name, Names, Operator};
use crate::explain::bindings;
use crate::limits::Limits;
use crate::options::Dialect;
use crate::reach;
use crate::schema::Kind;
use crate::span::Span;

/// The state of the grammar at the cursor.
pub(super) struct Scan<'t> {
    /// The kind of the rows.
    pub(super) row: Kind,
    pub(super) expected: Expected<'t>,
    pub(super) partial: Partial<'t>,
    /// Open parentheses and bodies, innermost last.
    open: Vec<OpenBracket>,
    /// The names bound by quantifiers, innermost last.
    names: Vec<(&'t str, Kind)>,
}

/// The token that the grammar expects.
#[derive(Clone, Copy)]
pub(super) enum Expected<'t> {
    /// The beginning of a clause.
    Operand,
    /// The collection of `any` or `all`.
    Collection,
    /// The right side of `in`.
    Container,
    Operator(LeftSide<'t>),
    /// An operator behind `not`.
    Negated(LeftSide<'t>),
    EmptyOrNil {
        subject: LeftSide<'t>,
        negated: bool,
    },
    Value(LeftSide<'t>, Operator),
    Connective,
    /// The second word of `starts with`.
    With,
    /// The `and` between the ends of a range.
    RangeAnd(LeftSide<'t>),
    /// The comma or bracket behind a value of a list.
    ListEnd(ListContext<'t>),
    As,
    /// The names of a quantifier are complete, or could be.
    Body,
    /// A token without candidates.
    Nothing,
}

/// An open list.
#[derive(Clone, Copy)]
pub(super) struct ListContext<'t> {
    subject: LeftSide<'t>,
    operator: Operator,
}

/// The left side of an operator.
#[derive(Clone, Copy)]
pub(super) struct LeftSide<'t> {
    pub(super) text: &'t str,
    /// The kind of the selected value; `None` if it is not a known selector.
    pub(super) kind: Option<Kind>,
}

/// The partial token at the cursor.
#[derive(Default)]
pub(super) struct Partial<'t> {
    /// Its start; the cursor if it is empty.
    pub(super) start: usize,
    /// Its text, without quotes.
    pub(super) text: String,
    /// The selector that it continues; empty for the first part.
    pub(super) inside: PartialPath<'t>,
    /// The offset of the dot or bracket behind that selector.
    pub(super) separator: usize,
    /// Whether it is in brackets.
    pub(super) bracket: bool,
    /// Whether it is a string.
    pub(super) quoted: bool,
}

/// The beginning of a selector, without its last part.
#[derive(Clone, Default)]
pub(super) struct PartialPath<'t> {
    written: &'t str,
    parts: Vec<String>,
}

impl<'t> PartialPath<'t> {
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn as_str(&self) -> &'t str {
        self.written
    }
}

enum OpenBracket {
    Parenthesis,
    /// A quantifier's body, with the number of names around it.
    Body(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RoughToken {
    /// A selector or bare word, its brackets included.
    Word,
    Quoted {
        closed: bool,
    },
    Number,
    Equals,
    /// `(`, `)`, `{`, `}` or `,`.
    Bracket,
    /// Anything else; a `=` or `!` that may still become an operator.
    Other,
}

impl<'t> Scan<'t> {
    pub(super) fn new(row: Kind, dialect: Dialect, text: &'t str) -> Self {
        let partial = Partial { start: text.len(), ..Partial::default() };
        let mut scan =
            Self { row, expected: Expected::Operand, partial, open: Vec::new(), names: Vec::new() };
        let mut reader =
            ClauseReader { extended: dialect == Dialect::Extended, ..ClauseReader::default() };
        let mut at = 0;
        loop {
            at += text[at..].len() - text[at..].trim_start_matches([' ', '\t', '\r', '\n']).len();
            let Some((token, length)) = token(&text[at..]) else { break };
            let written = &text[at..at + length];
            let begun = match token {
                RoughToken::Word => true,
                RoughToken::Quoted { closed } => !closed,
                RoughToken::Other => matches!(written, "=" | "!"),
                _ => false,
            };
            if begun && at + length == text.len() {
                scan.partial = partial_of(written, at, token);
                break;
            }
            reader.take(&mut scan, token, written);
            at += length;
            if scan.open.len() > Limits::NESTING_MAX {
                // Deeper than any expression that compiles.
                scan.expected = Expected::Nothing;
                return scan;
            }
        }
        // Directly behind a value or bracket, the client must type a space before a word.
        let glued = scan.partial.start == text.len()
            && text.ends_with(|char: char| char.is_ascii_alphanumeric() || "\"`])}".contains(char));
        if glued {
            scan.expected = Expected::Nothing;
        }
        scan
    }

    /// Returns the visible names bound by quantifiers, innermost first, without those that an inner
    /// one shadows.
    pub(super) fn names(&self) -> impl Iterator<Item = (&'t str, Kind)> {
        self.names.iter().enumerate().rev().filter_map(|(index, (name, kind))| {
            let hidden = self.names[index + 1..].iter().any(|(inner, _)| inner == name);
            (!hidden).then_some((*name, *kind))
        })
    }

    /// Returns the signs that can close the innermost bracket.
    pub(super) fn closing(&self) -> &'static [&'static str] {
        match self.open.last() {
            Some(OpenBracket::Parenthesis) => &[")"],
            Some(OpenBracket::Body(_)) => &["}"],
            None => &[],
        }
    }

    pub(super) fn kind_of(&self, path: &PartialPath<'_>) -> Option<Kind> {
        let (first, rest) = path.parts.split_first()?;
        let bound = self.names.iter().rev().find(|(name, _)| name == first);
        let (kind, parts) = match bound {
            Some((_, kind)) => (*kind, rest),
            None => (self.row, &path.parts[..]),
        };
        parts.iter().try_fold(kind, |kind, part| reach::inside(kind, part))
    }

    fn subject(&self, text: &'t str) -> LeftSide<'t> {
        let partial = partial_of(text, 0, RoughToken::Word);
        let mut path = partial.inside;
        path.parts.push(partial.text);
        LeftSide { text, kind: self.kind_of(&path) }
    }
}

/// The state of a quantifier's head and of the extended operators.
#[derive(Default)]
struct ClauseReader<'t> {
    extended: bool,
    /// The left side of `starts with`, until its second word is read.
    left: Option<LeftSide<'t>>,
    /// The list that `[` would open here.
    list: Option<ListContext<'t>>,
    /// Whether a list is open.
    in_list: bool,
    collection: Option<LeftSide<'t>>,
    names: Vec<&'t str>,
}

impl<'t> ClauseReader<'t> {
    /// Advances by one token.
    fn take(&mut self, scan: &mut Scan<'t>, token: RoughToken, text: &'t str) {
        if self.extended
            && let Some(expected) = self.take_extended(scan.expected, token, text)
        {
            scan.expected = expected;
            return;
        }
        scan.expected = match (scan.expected, token, text) {
            (Expected::Body, RoughToken::Word, name) => {
                self.names.push(name);
                Expected::Body
            }
            (Expected::Body, RoughToken::Bracket, ",") => Expected::Body,
            (Expected::Body, RoughToken::Bracket, "{") => self.enter(scan),
            (Expected::As, RoughToken::Word, "as") => {
                self.names.clear();
                Expected::Body
            }
            // `any` was a selector, because keywords are not reserved.
            (Expected::Collection, RoughToken::Equals, _) => {
                Expected::Value(scan.subject("any"), Operator::Equal)
            }
            (Expected::Collection, RoughToken::Word | RoughToken::Quoted { .. }, text) => {
                self.collection = Some(scan.subject(text));
                Expected::As
            }
            (_, RoughToken::Bracket, "(") => {
                scan.open.push(OpenBracket::Parenthesis);
                Expected::Operand
            }
            (_, RoughToken::Bracket, ")" | "}") => {
                // The names of the body end with it.
                if let Some(OpenBracket::Body(names)) = scan.open.pop() {
                    scan.names.truncate(names);
                }
                Expected::Connective
            }
            (Expected::Operand, RoughToken::Word, "not") => Expected::Operand,
            (Expected::Operand, RoughToken::Word, "any" | "all") => Expected::Collection,
            (Expected::Operand, RoughToken::Word, text) => Expected::Operator(scan.subject(text)),
            (Expected::Operand, RoughToken::Quoted { .. } | RoughToken::Number, text) => {
                Expected::Operator(LeftSide { text, kind: None })
            }
            (Expected::Operator(subject), RoughToken::Equals, _) => {
                Expected::Value(subject, Operator::Equal)
            }
            (Expected::Operator(subject) | Expected::Negated(subject), RoughToken::Word, word) => {
                after_operator(scan.expected, subject, word)
            }
            (Expected::EmptyOrNil { subject, negated: false }, RoughToken::Word, "not") => {
                Expected::EmptyOrNil { subject, negated: true }
            }
            (Expected::EmptyOrNil { .. }, RoughToken::Word, "empty" | "nil")
            | (
                Expected::Value(..) | Expected::Container,
                RoughToken::Word | RoughToken::Quoted { .. } | RoughToken::Number,
                _,
            ) => Expected::Connective,
            // A connective also resynchronises after input that cannot be read.
            (Expected::Connective | Expected::Nothing, RoughToken::Word, "and" | "or") => {
                Expected::Operand
            }
            _ => Expected::Nothing,
        };
    }

    /// Advances by one token if only the extended dialect knows the transition.
    fn take_extended(
        &mut self,
        now: Expected<'t>,
        token: RoughToken,
        text: &str,
    ) -> Option<Expected<'t>> {
        // Taken for one token only: `[` opens a list directly behind `in`, `any` or `all`.
        let list = self.list.take();
        let value =
            matches!(token, RoughToken::Word | RoughToken::Quoted { .. } | RoughToken::Number);
        Some(match (now, text) {
            (Expected::Operator(subject), "<" | ">") => Expected::Value(subject, Operator::Less),
            // The `=` of `<=` and `>=` is a token of its own.
            (Expected::Value(_, Operator::Less), "=") => now,
            (Expected::Value(subject, operator), "*") => {
                Expected::Value(subject, folding(operator)?)
            }
            (Expected::Operator(subject) | Expected::Negated(subject), "starts" | "ends") => {
                self.left = Some(subject);
                Expected::With
            }
            (Expected::With, "with") => Expected::Value(self.left?, Operator::StartsWith),
            (Expected::Operator(subject) | Expected::Negated(subject), "between") => {
                Expected::Value(subject, Operator::Between)
            }
            (Expected::Value(subject, Operator::Between), _) if value => {
                Expected::RangeAnd(subject)
            }
            // The upper end is completed like any ordered value.
            (Expected::RangeAnd(subject), "and") => {
                Expected::Value(subject, Operator::GreaterEqual)
            }
            (Expected::Operator(subject) | Expected::Negated(subject), "in") => {
                self.list = Some(ListContext { subject, operator: Operator::In });
                Expected::Container
            }
            (Expected::Value(subject, Operator::Contains), "any" | "all") => {
                self.list = Some(ListContext { subject, operator: Operator::ContainsAny });
                Expected::Connective
            }
            (Expected::Connective | Expected::Container, "[") => {
                let ListContext { subject, operator } = list?;
                self.in_list = true;
                Expected::Value(subject, operator)
            }
            (Expected::Value(subject, operator), _) if value && self.in_list => {
                Expected::ListEnd(ListContext { subject, operator })
            }
            (Expected::ListEnd(list), ",") => Expected::Value(list.subject, list.operator),
            (Expected::ListEnd(_) | Expected::Value(..), "]") if self.in_list => {
                self.in_list = false;
                Expected::Connective
            }
            _ => return None,
        })
    }

    /// Opens the body of a quantifier and binds its names.
    fn enter(&mut self, scan: &mut Scan<'t>) -> Expected<'t> {
        scan.open.push(OpenBracket::Body(scan.names.len()));
        let kind = self.collection.take().and_then(|subject| subject.kind).unwrap_or(Kind::Any);
        let name = |text: &str| Name { text: text.into(), span: Span::default() };
        let written = std::mem::take(&mut self.names);
        let names = match written[..] {
            [one] if one != "_" => Names::One(name(one)),
            [index, "_"] => Names::Index(name(index)),
            ["_", value] => Names::Value(name(value)),
            [index, value] => Names::Both(name(index), name(value)),
            _ => return Expected::Operand,
        };
        for (given, kind) in bindings(&names, kind) {
            let text = written.iter().find(|text| ***text == *given.text);
            scan.names.extend(text.map(|text| (*text, kind)));
        }
        Expected::Operand
    }
}

/// Returns the operator that ignores the case of letters.
fn folding(operator: Operator) -> Option<Operator> {
    match operator {
        Operator::Equal => Some(Operator::EqualFold),
        Operator::Contains => Some(Operator::ContainsFold),
        Operator::Matches => Some(Operator::MatchesFold),
        _ => None,
    }
}

/// Advances from a left side by a word.
fn after_operator<'t>(now: Expected<'t>, subject: LeftSide<'t>, word: &str) -> Expected<'t> {
    match (now, word) {
        (_, "contains") => Expected::Value(subject, Operator::Contains),
        (_, "matches") => Expected::Value(subject, Operator::Matches),
        (_, "in") => Expected::Container,
        (Expected::Operator(_), "not") => Expected::Negated(subject),
        (Expected::Operator(_), "is") => Expected::EmptyOrNil { subject, negated: false },
        _ => Expected::Nothing,
    }
}

/// Returns the next token and its length; `None` at the end.
fn token(text: &str) -> Option<(RoughToken, usize)> {
    let first = text.chars().next()?;
    Some(match first {
        'A'..='Z' | 'a'..='z' | '_' => (RoughToken::Word, word_length(text)),
        '"' | '`' => match string_length(text) {
            Some(length) => (RoughToken::Quoted { closed: true }, length),
            None => (RoughToken::Quoted { closed: false }, text.len()),
        },
        '0'..='9' | '-' => {
            let length = text.find(|char: char| !matches!(char, '0'..='9' | '.' | '-'));
            (RoughToken::Number, length.unwrap_or(text.len()))
        }
        '=' | '!' if text[1..].starts_with('=') => (RoughToken::Equals, 2),
        '(' | ')' | '{' | '}' | ',' => (RoughToken::Bracket, 1),
        other => (RoughToken::Other, other.len_utf8()),
    })
}

/// Returns the length of a closed string, quotes included.
fn string_length(text: &str) -> Option<usize> {
    let quote = *text.as_bytes().first()?;
    let mut escaped = false;
    let inside = text.bytes().skip(1).position(|byte| {
        let closes = byte == quote && !escaped;
        // Raw strings in backquotes have no escapes.
        escaped = byte == b'\\' && !escaped && quote == b'"';
        closes
    });
    inside.map(|at| at + 2)
}

/// Returns the length of a word with its dots and brackets; an unclosed bracket extends to the end.
fn word_length(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let plain = rest.find(|char: char| !is_word_char(char) && char != '.');
        at += plain.unwrap_or(rest.len());
        let Some(inner) = text[at..].strip_prefix('[') else { return at };
        let Some(length) = string_length(inner).filter(|_| inner.starts_with(['"', '`'])) else {
            return text.len();
        };
        at += 1 + length;
        if !text[at..].starts_with(']') {
            return at;
        }
        at += 1;
    }
}

fn is_word_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '/')
}

/// Splits the partial token at `start` into its selector and its last part.
fn partial_of(written: &str, start: usize, token: RoughToken) -> Partial<'_> {
    if let RoughToken::Quoted { .. } = token {
        let text = written[1..].to_owned();
        return Partial { start, text, quoted: true, ..Partial::default() };
    }
    let mut partial = Partial { start, separator: start, ..Partial::default() };
    let mut at = 0;
    loop {
        let rest = &written[at..];
        let (part, length, bracket) = if let Some(inner) = rest.strip_prefix(['"', '`']) {
            match string_length(rest) {
                Some(length) => (&inner[..length - 2], length, true),
                None => (inner, rest.len(), true),
            }
        } else {
            let length = rest.find(['.', '[']).unwrap_or(rest.len());
            (&rest[..length], length, partial.bracket)
        };
        let mut next = at + length;
        if bracket && written[next..].starts_with(']') {
            next += 1;
        }
        if !written[next..].starts_with(['.', '[']) {
            part.clone_into(&mut partial.text);
            return partial;
        }
        partial.inside.parts.push(part.to_owned());
        partial.inside.written = &written[..next];
        partial.separator = start + next;
        partial.bracket = written[next..].starts_with('[');
        at = next + 1;
        partial.start = start + at;
    }
}
