//! Errors that are found before any row is evaluated.

use std::error::Error;
use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::render::render;
use crate::ast::Operator;
use crate::schema::Unit;
use crate::span::Span;

/// An expression that did not compile.
///
/// `Display` prints the message, the line with carets under the source range and the help, for a
/// monospaced screen. Serialised it is `{kind, message, offset, length, help}` with offset and
/// length in bytes.
///
/// # Examples
/// ```
/// use statehold_filter::{CompileErrorKind, Filter};
///
/// let error = Filter::<serde_json::Value>::compile("name == web-1").unwrap_err();
/// assert!(matches!(error.kind(), CompileErrorKind::UnquotedValue { found: '-' }));
/// assert_eq!(error.span().start(), 11);
/// assert_eq!(error.help(), Some(r#"quote this value: "web-1""#));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: CompileErrorKind,
    text: Box<str>,
    span: Span,
    also: Option<Span>,
    help: Option<Box<str>>,
}

/// The reason why an expression does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileErrorKind {
    /// The text is empty or blank.
    Empty,
    /// A clause must begin here: a selector, a value before `in`, `not`, `any`, `all` or `(`.
    ExpectedClause,
    /// A bare word or number contains a character that only a quoted value may contain.
    UnquotedValue {
        /// The character.
        found: char,
    },
    /// A bare selector contains a character that only another form may contain.
    UnquotedSelector {
        /// The character.
        found: char,
    },
    /// The operator has no right-hand value.
    ExpectedValue,
    /// A selector is not followed by an operator.
    ExpectedOperator,
    /// The word or sign in the operator's place is not an operator.
    UnknownOperator {
        /// The word or sign.
        found: Box<str>,
    },
    /// `is` is followed by neither `empty` nor `nil`.
    ExpectedEmptyOrNil,
    /// Whitespace is required here.
    ExpectedSpace,
    /// A value that is not a selector is in the place of a selector.
    ExpectedSelector,
    /// Text follows a complete expression.
    TrailingText,
    /// A quoted string has no closing quote.
    UnterminatedString,
    /// A backslash begins no known escape.
    UnknownEscape,
    /// An escape is not a valid character.
    EscapeRange,
    /// Escaped bytes are not valid UTF-8.
    EscapeNotUtf8,
    /// A double-quoted string contains a line break.
    LineBreakInString,
    /// `[` is not followed by a quoted key.
    BadIndex,
    /// `[` is not closed.
    UnclosedIndex,
    /// `(` is not closed.
    UnclosedParenthesis,
    /// A quantifier's `{` is missing or not closed.
    UnclosedBrace,
    /// A quantifier's names are not written `as x`, `as i, v`, `as i, _` or `as _, v`.
    BadNames,
    /// A quantifier binds the same name twice.
    NameTwice,
    /// A field is selected inside a name that is bound to an index or key.
    NameHasNoFields,
    /// No field of that name.
    UnknownSelector {
        /// The name in the expression.
        name: Box<str>,
        /// The closest known name, if one is close.
        near: Option<Box<str>>,
    },
    /// The value before this part has neither fields nor elements.
    NothingInside {
        /// The kind of that value.
        kind: Box<str>,
    },
    /// A list is selected by a part that is not an index.
    BadListIndex,
    /// A part cannot be a key of the map.
    BadMapKey,
    /// The value cannot be read as the field's kind.
    ValueSyntax {
        /// The kind of the field.
        kind: Box<str>,
    },
    /// The value is a number beyond 64 bits.
    ValueRange {
        /// The kind of the field.
        kind: Box<str>,
    },
    /// The value is a size, duration or time, and the field counts something else.
    UnitMismatch {
        /// The unit of the value.
        found: Unit,
        /// The kind or unit of the field.
        field: Box<str>,
    },
    /// The two fields cannot be compared with each other.
    FieldKinds {
        /// The kind of the left field.
        left: Box<str>,
        /// The kind of the right field.
        right: Box<str>,
    },
    /// A list of values is not written `[a, b]`.
    BadList,
    /// `between` is not followed by two values with `and` in the middle.
    ExpectedRange,
    /// The operator does not apply to the field's kind.
    OperatorKind {
        /// The operator.
        operator: Operator,
        /// The kind of the field.
        kind: Box<str>,
    },
    /// `any` or `all` over a value that is neither a list nor a map with string keys.
    NotACollection {
        /// The kind of the value.
        kind: Box<str>,
    },
    /// `count(..)` of a value that is neither a list nor a map.
    NotCountable {
        /// The kind of the value.
        kind: Box<str>,
    },
    /// A regular expression is not valid.
    Pattern {
        /// The error of the pattern.
        reason: Box<str>,
    },
    /// The regular expressions up to this one compile to more than
    /// [`Limits::pattern`](crate::Limits::pattern).
    PatternTooLarge {
        /// The limit in bytes.
        max: usize,
    },
    /// A list has more values than [`Limits::list`](crate::Limits::list).
    TooManyValues {
        /// The limit.
        max: usize,
    },
    /// The text is longer than [`Limits::text`](crate::Limits::text).
    TextTooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// Nested deeper than [`Limits::nesting`](crate::Limits::nesting).
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// Quantifiers nested deeper than [`Limits::quantifiers`](crate::Limits::quantifiers).
    TooManyQuantifiers {
        /// The limit.
        max: usize,
    },
    /// More nodes than [`Limits::nodes`](crate::Limits::nodes).
    TooManyNodes {
        /// The limit.
        max: usize,
    },
    /// The known lengths of arrays multiply to more than
    /// [`Limits::row_steps`](crate::Limits::row_steps).
    TooCostly {
        /// The steps that one row may need.
        steps: u64,
        /// The limit.
        max: u64,
    },
}

impl CompileErrorKind {
    /// Returns the name of the kind in the serialised form.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::ExpectedClause => "expected_clause",
            Self::UnquotedValue { .. } => "unquoted_value",
            Self::UnquotedSelector { .. } => "unquoted_selector",
            Self::ExpectedValue => "expected_value",
            Self::ExpectedOperator => "expected_operator",
            Self::UnknownOperator { .. } => "unknown_operator",
            Self::ExpectedEmptyOrNil => "expected_empty_or_nil",
            Self::ExpectedSpace => "expected_space",
            Self::ExpectedSelector => "expected_selector",
            Self::TrailingText => "trailing_text",
            Self::UnterminatedString => "unterminated_string",
            Self::UnknownEscape => "unknown_escape",
            Self::EscapeRange => "escape_range",
            Self::EscapeNotUtf8 => "escape_not_utf8",
            Self::LineBreakInString => "line_break_in_string",
            Self::BadIndex => "bad_index",
            Self::UnclosedIndex => "unclosed_index",
            Self::UnclosedParenthesis => "unclosed_parenthesis",
            Self::UnclosedBrace => "unclosed_brace",
            Self::BadNames => "bad_names",
            Self::NameTwice => "name_twice",
            Self::NameHasNoFields => "name_has_no_fields",
            Self::UnknownSelector { .. } => "unknown_selector",
            Self::NothingInside { .. } => "nothing_inside",
            Self::BadListIndex => "bad_list_index",
            Self::BadMapKey => "bad_map_key",
            Self::ValueSyntax { .. } => "value_syntax",
            Self::ValueRange { .. } => "value_range",
            Self::UnitMismatch { .. } => "unit_mismatch",
            Self::FieldKinds { .. } => "field_kinds",
            Self::BadList => "bad_list",
            Self::ExpectedRange => "expected_range",
            Self::OperatorKind { .. } => "operator_kind",
            Self::NotACollection { .. } => "not_a_collection",
            Self::NotCountable { .. } => "not_countable",
            Self::Pattern { .. } => "pattern",
            Self::PatternTooLarge { .. } => "pattern_too_large",
            Self::TooManyValues { .. } => "too_many_values",
            Self::TextTooLong { .. } => "text_too_long",
            Self::TooDeep { .. } => "too_deep",
            Self::TooManyQuantifiers { .. } => "too_many_quantifiers",
            Self::TooManyNodes { .. } => "too_many_nodes",
            Self::TooCostly { .. } => "too_costly",
        }
    }
}

impl fmt::Display for CompileErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the expression is empty"),
            Self::ExpectedClause => f.write_str("expected a clause"),
            Self::UnquotedValue { found } => {
                write!(f, "{found:?} is not allowed in an unquoted value")
            }
            Self::UnquotedSelector { found } => {
                write!(f, "{found:?} is not allowed in an unquoted selector")
            }
            Self::ExpectedValue => f.write_str("expected a value"),
            Self::ExpectedOperator => f.write_str("expected an operator"),
            Self::UnknownOperator { found } => write!(f, "`{found}` is not an operator"),
            Self::ExpectedEmptyOrNil => f.write_str("expected `empty` or `nil` after `is`"),
            Self::ExpectedSpace => f.write_str("expected whitespace"),
            Self::ExpectedSelector => f.write_str("expected a selector, not a value"),
            Self::TrailingText => f.write_str("expected `and`, `or` or the end"),
            Self::UnterminatedString => f.write_str("this string is not closed"),
            Self::UnknownEscape => f.write_str("unknown escape"),
            Self::EscapeRange => f.write_str("this escape is not a valid character"),
            Self::EscapeNotUtf8 => f.write_str("escaped bytes must be valid UTF-8"),
            Self::LineBreakInString => {
                f.write_str("a double-quoted string must not contain a line break")
            }
            Self::BadIndex => f.write_str("expected a quoted key after `[`"),
            Self::UnclosedIndex => f.write_str("this `[` is not closed"),
            Self::UnclosedParenthesis => f.write_str("this `(` is not closed"),
            Self::UnclosedBrace => f.write_str("expected the body of the quantifier in `{ }`"),
            Self::BadNames => f.write_str("expected a name for the elements"),
            Self::NameTwice => f.write_str("the same name is bound twice"),
            Self::NameHasNoFields => f.write_str("an index or key has no fields"),
            Self::UnknownSelector { name, .. } => write!(f, "no field is named `{name}`"),
            Self::NothingInside { kind } => write!(f, "{} has no fields or elements", a(kind)),
            Self::BadListIndex => f.write_str("a list takes an index, counted from 0"),
            Self::BadMapKey => f.write_str("the map can't have this key"),
            Self::ValueSyntax { kind } => write!(f, "this is not {}", a(kind)),
            Self::ValueRange { kind } => write!(f, "this {kind} is too large"),
            Self::UnitMismatch { found, field } => {
                write!(f, "this is a {found}, the field is {}", a(field))
            }
            Self::FieldKinds { left, right } => {
                write!(f, "{} can't be compared with {}", a(left), a(right))
            }
            Self::BadList => f.write_str("expected a list of values"),
            Self::ExpectedRange => f.write_str("expected `and` and the upper end of the range"),
            Self::OperatorKind { operator, kind } => {
                write!(f, "`{operator}` does not apply to {}", a(kind))
            }
            Self::NotACollection { kind } => {
                write!(f, "`any` and `all` need a list or a map with text keys, not {}", a(kind))
            }
            Self::NotCountable { kind } => {
                write!(f, "the elements of {} can't be counted", a(kind))
            }
            Self::Pattern { reason } => write!(f, "bad regular expression: {reason}"),
            Self::PatternTooLarge { max } => {
                write!(f, "the regular expression is too large (limit `pattern`: {max} bytes)")
            }
            Self::TooManyValues { max } => {
                write!(f, "the list has too many values (limit `list`: {max})")
            }
            Self::TextTooLong { max } => {
                write!(f, "the expression is too long (limit `text`: {max} bytes)")
            }
            Self::TooDeep { max } => {
                write!(f, "the expression is nested too deep (limit `nesting`: {max})")
            }
            Self::TooManyQuantifiers { max } => {
                write!(f, "quantifiers are nested too deep (limit `quantifiers`: {max})")
            }
            Self::TooManyNodes { max } => {
                write!(f, "the expression has too many parts (limit `nodes`: {max})")
            }
            Self::TooCostly { steps, max } => {
                write!(f, "a row may need {steps} steps of evaluation (limit `row_steps`: {max})")
            }
        }
    }
}

/// Puts the article in front of a kind.
fn a(kind: &str) -> String {
    // `U` is not in the list, because of `a UUID`.
    let article = if kind.starts_with(['a', 'i', 'o', 'u', 'I', 'A', 'O']) { "an" } else { "a" };
    format!("{article} {kind}")
}

impl CompileError {
    pub(crate) fn new(kind: CompileErrorKind, text: &str, span: Span) -> Self {
        // Boxed, so that the results of the parser stay small.
        Self(Box::new(Inner { kind, text: text.into(), span, also: None, help: None }))
    }

    pub(crate) fn in_text(mut self, text: &str) -> Self {
        self.0.text = text.into();
        self
    }

    pub(crate) fn also(mut self, span: Span) -> Self {
        self.0.also = Some(span);
        self
    }

    pub(crate) fn with_help(mut self, help: impl Into<Box<str>>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Returns the kind of error.
    pub fn kind(&self) -> &CompileErrorKind {
        &self.0.kind
    }

    /// Returns the message in one line, without the expression.
    pub fn message(&self) -> String {
        self.0.kind.to_string()
    }

    /// Returns the whole expression; empty if it exceeded its length limit.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Returns the source range of the error.
    pub fn span(&self) -> Span {
        self.0.span
    }

    /// Returns a second source range that is involved, such as the first definition of a name.
    pub fn also_span(&self) -> Option<Span> {
        self.0.also
    }

    /// Returns the suggested fix.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        render(f, &self.0.kind, &self.0.text, self.0.span, self.0.also, self.0.help.as_deref())
    }
}

impl Error for CompileError {}

impl Serialize for CompileError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = serializer.serialize_struct("CompileError", 5)?;
        form.serialize_field("kind", self.0.kind.name())?;
        form.serialize_field("message", &self.message())?;
        form.serialize_field("offset", &self.0.span.start())?;
        form.serialize_field("length", &self.0.span.len())?;
        form.serialize_field("help", &self.0.help)?;
        form.end()
    }
}
