//! Left sides, with the operators as methods.

use super::term::{Side, Term};
use super::{NOWHERE, built};
use crate::ast::{
    Clause, Comparison, Expr, ExprKind, Name, Names, Operand, Operator, Part, Quantifier, Selector,
    Value,
};

/// Selects the field `name`.
///
/// The name is used verbatim: dots in it do not lead further, [`Subject::key`] does. A name that
/// does not begin with a letter may hold letters, digits and `-_.~:|`; any other name cannot be
/// printed and does not compile.
///
/// # Examples
/// ```
/// use statehold_filter::build::field;
///
/// let expr = field("Meta").key("my key").eq("x") | field("plugin-id").is_empty();
/// assert_eq!(expr.to_string(), r#"Meta["my key"] == "x" or "/plugin-id" is empty"#);
/// ```
pub fn field(name: impl Into<Box<str>>) -> Subject {
    Subject(Selector { parts: vec![part(name)], span: NOWHERE })
}

/// Selects the number of elements of a list or map, in the extended dialect.
///
/// # Examples
/// ```
/// use statehold_filter::build::{count, field};
///
/// assert_eq!(count(field("Tags")).gt(2).to_string(), "count(Tags) > 2");
/// ```
pub fn count(subject: Subject) -> Count {
    Count(subject.0)
}

fn part(text: impl Into<Box<str>>) -> Part {
    Part { text: text.into(), span: NOWHERE }
}

fn name(text: impl Into<Box<str>>) -> Name {
    Name { text: text.into(), span: NOWHERE }
}

/// The left side of a clause: a field, or a value inside it.
///
/// Each operator creates an [`Expr`]. Those marked "extended" need
/// [`Dialect::Extended`](crate::Dialect::Extended) when the printed expression is compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject(pub(super) Selector);

impl Subject {
    /// Selects the value under a key, or the field of that name, inside this value.
    #[must_use]
    pub fn key(mut self, key: impl Into<Box<str>>) -> Self {
        self.0.parts.push(part(key));
        self
    }

    /// Selects the element at an index, counted from 0.
    #[must_use]
    pub fn index(self, index: usize) -> Self {
        self.key(index.to_string())
    }

    fn clause(self, operator: Operator, negated: bool, value: Option<Value>) -> Expr {
        let (selector, operator_span) = (self.0, NOWHERE);
        built(ExprKind::Clause(Clause { selector, operator, negated, operator_span, value }))
    }

    fn comparison(self, operator: Operator, negated: bool, with: Operand) -> Expr {
        let (selector, operator_span) = (self.0, NOWHERE);
        built(ExprKind::Comparison(Comparison { selector, operator, negated, operator_span, with }))
    }

    /// Compares with a value or another field.
    fn against(self, operator: Operator, negated: bool, term: Term) -> Expr {
        match term.0 {
            Side::Value(value) => self.clause(operator, negated, Some(value)),
            Side::Field(other) => self.comparison(operator, negated, Operand::Field(other)),
        }
    }

    fn text(self, operator: Operator, text: impl Into<Box<str>>) -> Expr {
        let value = Value { text: text.into(), number: false, span: NOWHERE };
        self.clause(operator, false, Some(value))
    }

    fn list<T: Into<Value>>(self, operator: Operator, values: impl IntoIterator<Item = T>) -> Expr {
        let values = values.into_iter().map(Into::into).collect();
        self.comparison(operator, false, Operand::List(values))
    }

    fn quantifier(self, all: bool, names: Names, body: Expr) -> Expr {
        let body = Box::new(body);
        built(ExprKind::Quantifier(Quantifier { all, selector: self.0, names, body }))
    }

    /// `==`; extended against a field, a [`Duration`](std::time::Duration) or a
    /// [`SystemTime`](std::time::SystemTime).
    #[must_use]
    pub fn eq(self, term: impl Into<Term>) -> Expr {
        self.against(Operator::Equal, false, term.into())
    }

    /// `!=`; extended where [`eq`](Self::eq) is.
    #[must_use]
    pub fn ne(self, term: impl Into<Term>) -> Expr {
        self.against(Operator::Equal, true, term.into())
    }

    /// `<`, extended.
    #[must_use]
    pub fn lt(self, term: impl Into<Term>) -> Expr {
        self.against(Operator::Less, false, term.into())
    }

    /// `<=`, extended.
    #[must_use]
    pub fn le(self, term: impl Into<Term>) -> Expr {
        self.against(Operator::LessEqual, false, term.into())
    }

    /// `>`, extended.
    #[must_use]
    pub fn gt(self, term: impl Into<Term>) -> Expr {
        self.against(Operator::Greater, false, term.into())
    }

    /// `>=`, extended.
    #[must_use]
    pub fn ge(self, term: impl Into<Term>) -> Expr {
        self.against(Operator::GreaterEqual, false, term.into())
    }

    /// `between low and high`, both included, extended.
    #[must_use]
    pub fn between(self, low: impl Into<Value>, high: impl Into<Value>) -> Expr {
        let range = Operand::Range(low.into(), high.into());
        self.comparison(Operator::Between, false, range)
    }

    /// `in [..]`, extended; nothing is in an empty list.
    #[must_use]
    pub fn is_in<T: Into<Value>>(self, values: impl IntoIterator<Item = T>) -> Expr {
        self.list(Operator::In, values)
    }

    /// `contains`: an element of a list, a key of a map, a substring.
    #[must_use]
    pub fn contains(self, value: impl Into<Value>) -> Expr {
        self.clause(Operator::Contains, false, Some(value.into()))
    }

    /// `contains any [..]`, extended.
    #[must_use]
    pub fn contains_any<T: Into<Value>>(self, values: impl IntoIterator<Item = T>) -> Expr {
        self.list(Operator::ContainsAny, values)
    }

    /// `contains all [..]`, extended.
    #[must_use]
    pub fn contains_all<T: Into<Value>>(self, values: impl IntoIterator<Item = T>) -> Expr {
        self.list(Operator::ContainsAll, values)
    }

    /// `matches`: a regular expression.
    #[must_use]
    pub fn matches(self, pattern: impl Into<Box<str>>) -> Expr {
        self.text(Operator::Matches, pattern)
    }

    /// `starts with`, extended.
    #[must_use]
    pub fn starts_with(self, text: impl Into<Box<str>>) -> Expr {
        self.text(Operator::StartsWith, text)
    }

    /// `ends with`, extended.
    #[must_use]
    pub fn ends_with(self, text: impl Into<Box<str>>) -> Expr {
        self.text(Operator::EndsWith, text)
    }

    /// `==*`: equal, ignoring the case of letters; extended.
    #[must_use]
    pub fn eq_fold(self, text: impl Into<Box<str>>) -> Expr {
        self.text(Operator::EqualFold, text)
    }

    /// `contains*`: like [`contains`](Self::contains), ignoring the case of letters; extended.
    #[must_use]
    pub fn contains_fold(self, text: impl Into<Box<str>>) -> Expr {
        self.text(Operator::ContainsFold, text)
    }

    /// `matches*`: like [`matches`](Self::matches), ignoring the case of letters; extended.
    #[must_use]
    pub fn matches_fold(self, pattern: impl Into<Box<str>>) -> Expr {
        self.text(Operator::MatchesFold, pattern)
    }

    /// `is empty`.
    #[must_use]
    pub fn is_empty(self) -> Expr {
        self.clause(Operator::Empty, false, None)
    }

    /// `is nil`.
    #[must_use]
    pub fn is_nil(self) -> Expr {
        self.clause(Operator::Nil, false, None)
    }

    /// `any .. as name { body }`: the body holds for an element of a list, or a key of a map.
    ///
    /// # Examples
    /// ```
    /// use statehold_filter::build::field;
    ///
    /// let expr = field("Topologies").any("t", field("t").key("Zone").eq("eu-1"));
    /// assert_eq!(expr.to_string(), r#"any Topologies as t { t.Zone == "eu-1" }"#);
    /// ```
    #[must_use]
    pub fn any(self, element: impl Into<Box<str>>, body: Expr) -> Expr {
        self.quantifier(false, Names::One(name(element)), body)
    }

    /// `all .. as name { body }`: the body holds for each element of a list, or key of a map.
    #[must_use]
    pub fn all(self, element: impl Into<Box<str>>, body: Expr) -> Expr {
        self.quantifier(true, Names::One(name(element)), body)
    }

    /// `any .. as key, value { body }`, where key is the index in a list.
    #[must_use]
    pub fn any_entry(
        self,
        key: impl Into<Box<str>>,
        value: impl Into<Box<str>>,
        body: Expr,
    ) -> Expr {
        self.quantifier(false, Names::Both(name(key), name(value)), body)
    }

    /// `all .. as key, value { body }`, where key is the index in a list.
    #[must_use]
    pub fn all_entry(
        self,
        key: impl Into<Box<str>>,
        value: impl Into<Box<str>>,
        body: Expr,
    ) -> Expr {
        self.quantifier(true, Names::Both(name(key), name(value)), body)
    }
}

/// A number of elements, compared in the extended dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct Count(Selector);

impl Count {
    fn against(self, operator: Operator, negated: bool, number: u64) -> Expr {
        let value = Value::from(number);
        Subject(self.0).comparison(operator, negated, Operand::Count(value))
    }

    /// `==`.
    #[must_use]
    pub fn eq(self, number: u64) -> Expr {
        self.against(Operator::Equal, false, number)
    }

    /// `!=`.
    #[must_use]
    pub fn ne(self, number: u64) -> Expr {
        self.against(Operator::Equal, true, number)
    }

    /// `<`.
    #[must_use]
    pub fn lt(self, number: u64) -> Expr {
        self.against(Operator::Less, false, number)
    }

    /// `<=`.
    #[must_use]
    pub fn le(self, number: u64) -> Expr {
        self.against(Operator::LessEqual, false, number)
    }

    /// `>`.
    #[must_use]
    pub fn gt(self, number: u64) -> Expr {
        self.against(Operator::Greater, false, number)
    }

    /// `>=`.
    #[must_use]
    pub fn ge(self, number: u64) -> Expr {
        self.against(Operator::GreaterEqual, false, number)
    }
}
