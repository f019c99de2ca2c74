//! Completion for a shell or an input box: lists the candidates for the next token.
//!
//! [`scan`] reads the text before the cursor, tolerates unfinished and wrong input, and returns the
//! token that the grammar expects at the cursor; this module lists the candidates. The operators
//! are those of the dialect that the checker accepts for the kind. In the extended dialect,
//! `@field` and `count(..)` are not completed.
//!
//! Invariant: every text and every cursor gets a result, in time linear in the text before the
//! cursor. Limits: [`CANDIDATES_MAX`]; a text longer than the default of [`Limits::text`] has no
//! candidates.

mod scan;

use self::scan::{Expected, LeftSide, Partial, Scan};
use crate::ast::Operator;
use crate::check::operators::{applies, dialect};
use crate::lex::is_ident;
use crate::limits::Limits;
use crate::options::Dialect;
use crate::parse::without_comments;
use crate::print::quote;
use crate::schema::{KeyKind, Kind};
use crate::span::Span;

/// Maximum number of candidates that [`complete`] returns.
pub const CANDIDATES_MAX: usize = 256;

/// A completion at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    text: String,
    role: CandidateRole,
    detail: Option<String>,
    replaces: Span,
}

/// The part of an expression that a [`Candidate`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CandidateRole {
    /// A field, or a name bound by a quantifier.
    Selector,
    /// A key of a map.
    Key,
    /// An operator that applies to the left side.
    Operator,
    /// A value: `true`, `false`, a name of an enum, a key of a map.
    Value,
    /// A connective word or sign: `and`, `or`, `not`, `any`, `all`, `as`, brackets.
    Word,
}

impl Candidate {
    /// Returns the text to insert, quotes included where they are needed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the role in the expression.
    pub fn role(&self) -> CandidateRole {
        self.role
    }

    /// Returns the kind of a selector's value, in words.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Returns the range to replace: the partial token up to the cursor.
    pub fn replaces(&self) -> Span {
        self.replaces
    }
}

/// Lists the candidates at `cursor`, a byte offset that is rounded down to a character.
///
/// `kind` is [`Filterable::KIND`](crate::Filterable::KIND) of the rows. `keys` returns the keys of
/// the map at a selector, which only the data knows. Text behind the cursor is ignored, and so is
/// the letter case of the partial token.
///
/// # Examples
/// ```
/// use std::collections::BTreeMap;
/// use statehold_filter::{Dialect, Filterable, complete};
///
/// #[derive(Filterable)]
/// #[filterable(rename_all = "PascalCase")]
/// struct Volume {
///     name: String,
///     ready: bool,
///     meta: BTreeMap<String, String>,
/// }
///
/// let keys = |map: &str| match map {
///     "Meta" => vec!["env".to_owned(), "a b".to_owned()],
///     _ => vec![],
/// };
/// let texts = |text: &str| -> Vec<String> {
///     let found = complete(Volume::KIND, Dialect::Bexpr, text, text.len(), &keys);
///     found.iter().map(|candidate| candidate.text().to_owned()).collect()
/// };
/// assert_eq!(texts("na"), ["Name"]);
/// assert_eq!(texts("Ready "), ["==", "!=", "is nil", "is not nil"]);
/// assert_eq!(texts("Ready == "), ["true", "false"]);
/// assert_eq!(texts("Meta."), ["env", r#"["a b"]"#]);
/// assert_eq!(texts("Meta.env == prod "), ["and", "or"]);
/// ```
pub fn complete(
    kind: Kind,
    dialect: Dialect,
    text: &str,
    cursor: usize,
    keys: &dyn Fn(&str) -> Vec<String>,
) -> Vec<Candidate> {
    let mut cursor = cursor.min(text.len());
    while !text.is_char_boundary(cursor) {
        cursor -= 1;
    }
    if cursor > Limits::default().text {
        return Vec::new();
    }
    let text = &text[..cursor];
    let extended = dialect == Dialect::Extended;
    let blanked = if extended { without_comments(text) } else { text.into() };
    // A difference on the cursor's line means that a comment has begun there.
    let line = text.rfind('\n').map_or(0, |at| at + 1);
    if blanked[line..] != text[line..] {
        // Inside a comment, which reaches to the end of its line.
        return Vec::new();
    }
    let scan = Scan::new(kind, dialect, &blanked);
    let mut list = CandidateList { dialect, scan: &scan, keys, cursor, found: Vec::new() };
    list.fill();
    list.found.truncate(CANDIDATES_MAX);
    list.found
}

/// Operators in the order of their candidates.
const OPERATORS: [(Operator, &[&str]); 18] = [
    (Operator::Equal, &["==", "!="]),
    (Operator::Less, &["<"]),
    (Operator::LessEqual, &["<="]),
    (Operator::Greater, &[">"]),
    (Operator::GreaterEqual, &[">="]),
    (Operator::Between, &["between", "not between"]),
    (Operator::In, &["in", "not in"]),
    (Operator::Contains, &["contains", "not contains"]),
    (Operator::ContainsAny, &["contains any", "not contains any"]),
    (Operator::ContainsAll, &["contains all", "not contains all"]),
    (Operator::StartsWith, &["starts with", "not starts with"]),
    (Operator::EndsWith, &["ends with", "not ends with"]),
    (Operator::Matches, &["matches", "not matches"]),
    (Operator::EqualFold, &["==*", "!=*"]),
    (Operator::ContainsFold, &["contains*", "not contains*"]),
    (Operator::MatchesFold, &["matches*", "not matches*"]),
    (Operator::Empty, &["is empty", "is not empty"]),
    (Operator::Nil, &["is nil", "is not nil"]),
];

struct CandidateList<'s, 't> {
    dialect: Dialect,
    scan: &'s Scan<'t>,
    keys: &'s dyn Fn(&str) -> Vec<String>,
    cursor: usize,
    found: Vec<Candidate>,
}

impl<'t> CandidateList<'_, 't> {
    fn fill(&mut self) {
        let partial = &self.scan.partial;
        match &self.scan.expected {
            Expected::Operand => {
                self.selectors(partial, |_| true);
                self.words(&["not", "any", "all"]);
            }
            Expected::Collection => self.selectors(partial, can_be_walked),
            Expected::Container => {
                self.selectors(partial, |kind| applies(Operator::Contains, kind));
                if self.dialect == Dialect::Extended {
                    self.words(&["["]);
                }
            }
            Expected::Operator(subject) => self.operators(*subject),
            Expected::Negated(subject) => {
                for (operator, words) in OPERATORS {
                    let negated = words.iter().find_map(|word| word.strip_prefix("not "));
                    if let (Some(kind), Some(word)) = (subject.kind, negated)
                        && self.offers(operator, kind)
                        // `in` follows for every kind: its left side may also be a value.
                        && operator != Operator::In
                    {
                        self.push(word, CandidateRole::Operator);
                    }
                }
                self.push("in", CandidateRole::Operator);
            }
            Expected::EmptyOrNil { subject, negated } => {
                let kind = subject.kind.unwrap_or(Kind::Any).required();
                let words = ["empty", "nil", "not empty", "not nil"];
                for word in &words[..if *negated { 2 } else { 4 }] {
                    // Every kind has `is nil`, but only kinds with a length have `is empty`.
                    if word.ends_with("nil") || applies(Operator::Empty, kind) {
                        self.push(word, CandidateRole::Operator);
                    }
                }
            }
            Expected::Value(subject, operator) => self.values(*subject, *operator),
            Expected::Connective => {
                self.words(&["and", "or"]);
                self.words(self.scan.closing());
            }
            Expected::With => self.words(&["with"]),
            Expected::RangeAnd(_) => self.words(&["and"]),
            Expected::ListEnd(_) => self.words(&[",", "]"]),
            Expected::As => self.words(&["as"]),
            Expected::Body => self.words(&["{"]),
            Expected::Nothing => {}
        }
    }

    fn words(&mut self, words: &[&str]) {
        for word in words {
            self.push(word, CandidateRole::Word);
        }
    }

    /// Adds a word if the partial token is a prefix of it.
    fn push(&mut self, text: &str, role: CandidateRole) {
        let partial = &self.scan.partial;
        // Behind a dot or in quotes, words are names and values.
        if !partial.inside.is_empty() || partial.quoted {
            return;
        }
        self.offer(text.to_owned(), text, role, None, partial.start);
    }

    /// Adds a candidate that is inserted as `text` and matched by `name`.
    fn offer(
        &mut self,
        text: String,
        name: &str,
        role: CandidateRole,
        kind: Option<Kind>,
        start: usize,
    ) {
        if begins(name, &self.scan.partial.text) && self.found.len() < CANDIDATES_MAX {
            let detail = kind.map(|kind| kind.to_string());
            let replaces = Span::new(start, self.cursor);
            self.found.push(Candidate { text, role, detail, replaces });
        }
    }

    /// Adds the names and fields that begin or continue a selector and lead to a kind that `suits`.
    fn selectors(&mut self, partial: &Partial<'t>, suits: impl Fn(Kind) -> bool) {
        if partial.quoted {
            return;
        }
        // A struct or map of another kind stays: a field inside it may suit.
        let leads_on = |kind: Kind| {
            suits(kind) || matches!(kind.required(), Kind::Record(_) | Kind::Map(..) | Kind::Any)
        };
        if partial.inside.is_empty() {
            for (name, kind) in self.scan.names() {
                if leads_on(kind) {
                    let (role, kind) = (CandidateRole::Selector, Some(kind));
                    self.offer(name.to_owned(), name, role, kind, partial.start);
                }
            }
            return self.fields(self.scan.row, partial, &leads_on);
        }
        match self.scan.kind_of(&partial.inside).map(Kind::required) {
            Some(kind @ Kind::Record(_)) => self.fields(kind, partial, &leads_on),
            Some(Kind::Map(key, value)) if leads_on(*value) => {
                self.map_keys(partial, key, Some(*value));
            }
            Some(Kind::Any) => self.map_keys(partial, KeyKind::Text, None),
            _ => {}
        }
    }

    fn fields(&mut self, kind: Kind, partial: &Partial<'t>, suits: &dyn Fn(Kind) -> bool) {
        let Some(schema) = kind.schema() else {
            // Rows of JSON: only the caller knows their keys.
            return if matches!(kind.required(), Kind::Any | Kind::Map(..)) {
                self.map_keys(partial, KeyKind::Text, None);
            };
        };
        for name in schema.names() {
            let Some((_, kind)) = schema.find(name).filter(|(_, kind)| suits(*kind)) else {
                continue;
            };
            let first = partial.inside.is_empty();
            if is_ident(name) && !partial.bracket {
                let role = CandidateRole::Selector;
                self.offer(name.to_owned(), name, role, Some(kind), partial.start);
            // A name that is no identifier can be selected in brackets, which need a part before
            // them.
            } else if !first {
                let text = format!("[{}]", quote(name));
                let role = CandidateRole::Selector;
                self.offer(text, name, role, Some(kind), partial.separator);
            }
        }
    }

    fn map_keys(&mut self, partial: &Partial<'t>, kind: KeyKind, value: Option<Kind>) {
        let path = partial.inside.as_str();
        for key in (self.keys)(path) {
            let digits = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit());
            // Digits are an index behind a dot, but a value at the beginning.
            let bare = is_ident(&key) || digits && !path.is_empty();
            let role = CandidateRole::Key;
            if bare && !partial.bracket {
                self.offer(key.clone(), &key, role, value, partial.start);
            } else if !path.is_empty() && !matches!(kind, KeyKind::Bool) {
                self.offer(format!("[{}]", quote(&key)), &key, role, value, partial.separator);
            }
        }
    }

    /// Returns whether the dialect has the operator and the checker accepts it for the kind.
    fn offers(&self, operator: Operator, kind: Kind) -> bool {
        let known = self.dialect == Dialect::Extended || dialect(operator) == Dialect::Bexpr;
        known && applies(operator, kind)
    }

    fn operators(&mut self, subject: LeftSide<'t>) {
        let Some(kind) = subject.kind else {
            // Not a selector, so it is a value to look for.
            for word in ["in", "not in"] {
                self.push(word, CandidateRole::Operator);
            }
            return;
        };
        for (operator, words) in OPERATORS {
            if self.offers(operator, kind) {
                for word in words {
                    self.push(word, CandidateRole::Operator);
                }
            }
        }
        if matches!(kind, Kind::Any) && self.dialect == Dialect::Bexpr {
            // A selector of open kind may also be meant as a value.
            self.push("in", CandidateRole::Operator);
        }
    }

    fn values(&mut self, subject: LeftSide<'t>, operator: Operator) {
        let partial = &self.scan.partial;
        let kind = match (subject.kind.map(Kind::required), operator) {
            (Some(Kind::List(element)), Operator::Contains | Operator::ContainsAny) => {
                element.required()
            }
            (Some(Kind::Map(..)), Operator::Contains | Operator::ContainsAny) => {
                for key in (self.keys)(subject.text) {
                    self.value(&key, partial);
                }
                return;
            }
            (Some(kind), Operator::Equal | Operator::In) => kind,
            // Completion of strings and numbers would need the values of the rows.
            _ => return,
        };
        match kind {
            Kind::Bool => {
                self.value("true", partial);
                self.value("false", partial);
            }
            Kind::Enum(names) => {
                for name in names {
                    self.value(name, partial);
                }
            }
            _ => {}
        }
    }

    fn value(&mut self, value: &str, partial: &Partial<'t>) {
        if !partial.inside.is_empty() {
            return;
        }
        let bare = is_ident(value) && !partial.quoted;
        let text = if bare { value.to_owned() } else { quote(value) };
        self.offer(text, value, CandidateRole::Value, None, partial.start);
    }
}

/// Returns whether `any` and `all` can iterate over the kind.
fn can_be_walked(kind: Kind) -> bool {
    matches!(
        kind.required(),
        Kind::List(_) | Kind::Map(KeyKind::Text | KeyKind::Uuid | KeyKind::Address, _) | Kind::Any
    )
}

/// Returns whether `name` begins with `begun`, ignoring ASCII letter case.
fn begins(name: &str, begun: &str) -> bool {
    name.as_bytes()
        .get(..begun.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(begun.as_bytes()))
}
