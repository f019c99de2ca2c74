//! Evaluates a program for one row.
//!
//! Invariant: never panics, never allocates except in a search with a lazy automaton, never
//! recurses deeper than the program is nested. Over data with a schema every row has a result: an
//! absent value follows the table of missing values (`==` false, `!=` true, `contains` false,
//! `matches` false, `is empty` true, `is nil` true, `any` false, `all` true).

mod extended;

use std::cell::Cell;
use std::fmt::{self, Write as _};

use uuid::Uuid;

use crate::ast::Operator;
use crate::budget::{path_steps, scalar_bytes};
use crate::coerce::CoerceError;
use crate::datum::{Datum, List, Map};
use crate::error::EvalErrorKind;
use crate::literal::Literal;
use crate::options::Absent;
use crate::program::{Base, Each, FieldLeaf, Leaf, Node, Owner, Path, Points, Step, Test, follow};
use crate::schema::{KeyKind, Kind};
use crate::span::Span;
use crate::steps::{FORMAT_STEPS, LISTED_PER_STEP, SUBSTRING_FACTOR, steps_of};

/// Evaluation failed; the reason is in [`Evaluation::reason`].
#[derive(Debug)]
pub(crate) struct Halt;

type EvalResult = Result<bool, Halt>;

/// The values bound to the names of a quantifier.
struct Scope<'s, 'a> {
    key: &'s Datum<'a>,
    value: &'s Datum<'a>,
    of_map: bool,
    outer: Option<&'s Scope<'s, 'a>>,
}

/// The entry of a map with the smallest key that decides a quantifier, among the entries evaluated
/// so far.
struct DecidingEntry<'a> {
    key: Datum<'a>,
    answer: EvalResult,
    reason: Option<(EvalErrorKind, Span)>,
}

/// One evaluation of a program.
pub(crate) struct Evaluation<'a> {
    row: Datum<'a>,
    absent: Absent,
    reason: Cell<Option<(EvalErrorKind, Span)>>,
    /// Steps left; see [`Limits::row_steps`](crate::Limits::row_steps).
    steps: Cell<u64>,
}

impl<'a> Evaluation<'a> {
    #[inline]
    pub(crate) fn new(row: Datum<'a>, absent: Absent, steps: u64) -> Self {
        Self { row, absent, reason: Cell::new(None), steps: Cell::new(steps) }
    }

    /// Returns the steps left.
    pub(crate) fn steps_left(&self) -> u64 {
        self.steps.get()
    }

    /// Returns the reason of the failure and the clause that failed.
    pub(crate) fn reason(&self) -> (EvalErrorKind, Span) {
        self.reason.get().unwrap_or((EvalErrorKind::UnknownField, Span::default()))
    }

    #[inline]
    pub(crate) fn answer(&self, node: &Node) -> EvalResult {
        self.node(node, None)
    }

    #[inline]
    fn node(&self, node: &Node, scope: Option<&Scope<'_, 'a>>) -> EvalResult {
        match node {
            // Inlined for the most common node; the other nodes share one call, which keeps the
            // callers small.
            Node::Field(leaf) => Ok(self.field(leaf, scope)),
            other => self.compound(other, scope),
        }
    }

    fn compound(&self, node: &Node, scope: Option<&Scope<'_, 'a>>) -> EvalResult {
        match node {
            Node::Field(leaf) => Ok(self.field(leaf, scope)),
            Node::Fields(leaves) => {
                let fails = leaves.iter().position(|leaf| !self.field(leaf, scope));
                self.spend(fails.unwrap_or(leaves.len()) as u64, Span::default())?;
                Ok(fails.is_none())
            }
            Node::Points(points) => Ok(self.points(points, scope).unwrap_or(false)),
            Node::Leaf(leaf) => self.leaf(leaf, scope),
            Node::And(operands) => self.operands(operands, false, scope),
            Node::Or(operands) => self.operands(operands, true, scope),
            // Errors are not negated: a clause that cannot be evaluated fails the row either way.
            Node::Not(operand) => Ok(!self.node(operand, scope)?),
            Node::Each(each) => self.each(each, scope),
            Node::Pair(pair) => self.pair(pair, scope),
        }
    }

    /// Evaluates operands until one of them equals `deciding`.
    #[inline]
    fn operands(
        &self,
        operands: &[Node],
        deciding: bool,
        scope: Option<&Scope<'_, 'a>>,
    ) -> EvalResult {
        for (at, operand) in operands.iter().enumerate() {
            if self.node(operand, scope)? == deciding {
                // Counted once and not for each operand: no bench shows a cost.
                self.spend(at as u64, Span::default())?;
                return Ok(deciding);
            }
        }
        self.spend(operands.len() as u64, Span::default())?;
        Ok(!deciding)
    }

    /// Takes steps from those left for the row; fails if there are too few.
    #[inline]
    fn spend(&self, steps: u64, span: Span) -> Result<(), Halt> {
        match self.steps.get().checked_sub(steps) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => self.too_costly(span),
        }
    }

    #[cold]
    fn too_costly(&self, span: Span) -> Result<(), Halt> {
        self.steps.set(0);
        // The filter replaces the maximum, because only it knows which limit applies.
        self.halt(EvalErrorKind::TooCostly { max: 0, shared: false }, span)
    }

    /// Returns whether the row ran out of steps: later results MUST be ignored.
    fn is_exhausted(&self) -> bool {
        matches!(self.reason.get(), Some((EvalErrorKind::TooCostly { .. }, _)))
    }

    /// Takes the steps of searching a string; an address or a UUID is formatted as one first.
    #[inline]
    fn spend_search(&self, datum: &Datum<'a>, times: usize, span: Span) -> Result<(), Halt> {
        let bytes = match datum {
            Datum::Text(text) => text.len(),
            Datum::List(list) => list.bytes().map_or(0, <[u8]>::len),
            other => return self.spend_format(other, times, span),
        };
        self.spend(steps_of(bytes.saturating_mul(times)), span)
    }

    /// Takes the steps of formatting a value as a string, if it is not one.
    #[inline]
    fn spend_format(&self, datum: &Datum<'a>, times: usize, span: Span) -> Result<(), Halt> {
        match datum {
            Datum::Uuid(_) | Datum::Ipv4(_) | Datum::Ipv6(_) => {
                self.spend(FORMAT_STEPS.saturating_mul(times as u64), span)
            }
            _ => Ok(()),
        }
    }

    /// Takes the steps of comparing each element of a list with `times` values of `bytes` in total.
    #[inline]
    fn spend_list(
        &self,
        list: &dyn List,
        times: usize,
        bytes: usize,
        span: Span,
    ) -> Result<(), Halt> {
        let len = list.len() as u64;
        let compared = len.saturating_mul(times as u64) / LISTED_PER_STEP;
        self.spend(compared.saturating_add(len.saturating_mul(steps_of(bytes))), span)
    }

    #[cold]
    fn halt<T>(&self, kind: EvalErrorKind, span: Span) -> Result<T, Halt> {
        self.reason.set(Some((kind, span)));
        Err(Halt)
    }

    fn points(&self, points: &Points, scope: Option<&Scope<'_, 'a>>) -> Option<bool> {
        let owner = match points.owner {
            Owner::Row => &self.row,
            Owner::Element(up) => enclosing(up, scope)?.value,
        };
        // An absent struct has no fields, and a list of values never contains a missing one.
        let Datum::Record(record) = *owner else { return None };
        let record = follow(record, &points.way)?;
        Some(points.texts.contain(record.text(points.slot)?))
    }

    #[inline]
    fn field(&self, leaf: &FieldLeaf, scope: Option<&Scope<'_, 'a>>) -> bool {
        match leaf.owner {
            Owner::Row => leaf.holds_for(&self.row),
            Owner::Element(up) => match enclosing(up, scope) {
                Some(scope) => leaf.holds_for(scope.value),
                // Unreachable in a checked program; the missing value of an absent element.
                None => leaf.negated,
            },
        }
    }

    /// Calls `ask` with the value at the end of a path.
    ///
    /// By reference: a datum that was just written is read field by field, which is faster than
    /// copying it.
    #[inline]
    fn find<T>(
        &self,
        path: &Path,
        scope: Option<&Scope<'_, 'a>>,
        span: Span,
        ask: impl FnOnce(&Datum<'a>) -> Result<T, Halt>,
    ) -> Result<T, Halt> {
        let base = match path.base {
            Base::Row => &self.row,
            base => bound(base, scope),
        };
        if path.dynamic {
            // go-bexpr: evaluate.go, getValue, in which an index or key is a plain value without
            // fields.
            if !path.steps.is_empty() && is_key(path.base, scope) {
                return self.halt(EvalErrorKind::NameHasNoFields, span);
            }
            return ask(&self.find_dynamic(path, *base, span)?);
        }
        // Most paths have one of the first three forms, whose steps are part of the clause.
        match (&path.steps[..], base) {
            ([], base) => ask(base),
            ([Step::Field(slot)], Datum::Record(record)) => ask(&record.field(*slot)),
            ([Step::Field(slot), Step::Key(key)], Datum::Record(record)) => {
                match record.map(*slot).and_then(|map| map.get(key)) {
                    Some(ref value) => ask(value),
                    None => ask(&Datum::Missing),
                }
            }
            (steps, base) => {
                self.spend(path_steps(path), span)?;
                let mut datum = *base;
                for step in steps {
                    if let (Step::Index(index), Datum::List(list)) = (step, &datum) {
                        self.spend(list.steps_to(*index), span)?;
                    }
                    datum = step_into(step, &datum);
                }
                ask(&datum)
            }
        }
    }

    fn find_dynamic(
        &self,
        path: &Path,
        mut datum: Datum<'a>,
        span: Span,
    ) -> Result<Datum<'a>, Halt> {
        // The first part is included in the clause; each further one is a look-up by name.
        if path.steps.len() > 1 {
            self.spend(path.steps.len() as u64 - 1, span)?;
        }
        for step in &path.steps {
            datum = match step {
                Step::Part(part) => self.select_part(part, datum, span)?,
                known => step_into(known, &datum),
            };
        }
        Ok(datum)
    }

    /// Selects a part of a value whose kind is known only at evaluation.
    #[inline]
    fn select_part(&self, part: &Literal, datum: Datum<'a>, span: Span) -> Result<Datum<'a>, Halt> {
        match datum {
            // pointerstructure: get.go, Get, fails here with ErrInvalidKind; so does
            // `Absent::Error`.
            Datum::Missing | Datum::Null if self.absent == Absent::Missing => Ok(Datum::Missing),
            Datum::Record(record) => match record.named(part.text()) {
                Some(field) => Ok(field),
                // A struct has a fixed set of names, so an unknown one is a mistake; a key of a map
                // may be absent.
                None => self.halt(EvalErrorKind::UnknownField, span),
            },
            Datum::Map(map) => {
                match part.with_key(map.key(), |key| map.get(key).unwrap_or(Datum::Missing)) {
                    Some(value) => Ok(value),
                    None => self.halt(EvalErrorKind::BadKey, span),
                }
            }
            Datum::List(list) => self.select_element(part, list, span),
            _ => self.halt(EvalErrorKind::NothingInside, span),
        }
    }

    /// Selects an element. Not inlined, so that a look-up by name stays small enough to inline.
    #[inline(never)]
    fn select_element(
        &self,
        part: &Literal,
        list: &'a dyn List,
        span: Span,
    ) -> Result<Datum<'a>, Halt> {
        let Some(index) = part.index() else {
            return self.halt(EvalErrorKind::BadKey, span);
        };
        let index = usize::try_from(index).ok();
        self.spend(index.map_or(0, |index| list.steps_to(index)), span)?;
        match index.and_then(|index| list.get(index)) {
            Some(element) => Ok(element),
            // pointerstructure: get.go, getSlice, fails with ErrOutOfRange.
            None => self.halt(EvalErrorKind::IndexRange, span),
        }
    }

    fn leaf(&self, leaf: &Leaf, scope: Option<&Scope<'_, 'a>>) -> EvalResult {
        let holds = self.find(&leaf.path, scope, leaf.span, |datum| self.test(leaf, datum))?;
        Ok(holds != leaf.negated)
    }

    #[inline]
    fn test(&self, leaf: &Leaf, datum: &Datum<'a>) -> EvalResult {
        match &leaf.test {
            Test::Equal(literal) => Ok(literal.equals(datum)),
            Test::Substring(part) => {
                self.spend_search(datum, SUBSTRING_FACTOR, leaf.span)?;
                Ok(contains_text(datum, part))
            }
            Test::Element(literal) => Ok(match datum {
                Datum::List(list) => {
                    self.spend_list(*list, 1, scalar_bytes(literal), leaf.span)?;
                    list.any(&mut |_, element| literal.equals(&element))
                }
                _ => false,
            }),
            Test::HasKey(key) => Ok(match datum {
                Datum::Map(map) => map.get(key).is_some(),
                _ => false,
            }),
            Test::Matches(pattern) => {
                self.spend_format(datum, 1, leaf.span)?;
                let mut spend = |steps| self.spend(steps, leaf.span).is_ok();
                match searched(datum, |text| pattern.is_match(text, &mut spend)) {
                    Some(Some(found)) => Ok(found),
                    // The steps ran out during the search; `spend` has recorded the reason.
                    Some(None) => Err(Halt),
                    None if !leaf.path.dynamic || is_absent(datum) => Ok(false),
                    None => self.wrong_kind(Operator::Matches, leaf.span),
                }
            }
            Test::Empty => match is_empty(datum) {
                Some(empty) => Ok(empty),
                // go-bexpr: evaluate.go, where `is empty` of a missing value is true.
                None if !leaf.path.dynamic || self.is_missing(datum) => Ok(true),
                None => self.wrong_kind(Operator::Empty, leaf.span),
            },
            // go-bexpr fails on a scalar; here a scalar is not nil.
            Test::Nil => Ok(is_nil(datum)),
            Test::Extended(test) => self.extended(test, leaf, datum),
            Test::Dynamic(Operator::Equal, literal) => {
                self.dynamic_equal(literal, *datum, leaf.span)
            }
            Test::Dynamic(_, literal) => self.dynamic_contains(literal, *datum, leaf.span),
        }
    }

    /// Returns whether a value follows the table of missing values; null does unless the options
    /// request go-bexpr's errors.
    #[inline]
    fn is_missing(&self, datum: &Datum<'_>) -> bool {
        match datum {
            Datum::Missing => true,
            Datum::Null => self.absent == Absent::Missing,
            _ => false,
        }
    }

    #[cold]
    fn wrong_kind<T>(&self, operator: Operator, span: Span) -> Result<T, Halt> {
        self.halt(EvalErrorKind::OperatorKind { operator }, span)
    }

    fn or_halt<T>(&self, result: Result<T, CoerceError>, span: Span) -> Result<T, Halt> {
        match result {
            Ok(value) => Ok(value),
            Err(CoerceError::Syntax) => self.halt(EvalErrorKind::ValueSyntax, span),
            Err(CoerceError::Range) => self.halt(EvalErrorKind::ValueRange, span),
        }
    }

    fn dynamic_equal(&self, literal: &Literal, datum: Datum<'a>, span: Span) -> EvalResult {
        if self.is_missing(&datum) {
            return Ok(false);
        }
        match literal.equals(datum) {
            Some(result) => self.or_halt(result, span),
            None => self.wrong_kind(Operator::Equal, span),
        }
    }

    fn dynamic_contains(&self, literal: &Literal, datum: Datum<'a>, span: Span) -> EvalResult {
        match datum {
            datum if self.is_missing(&datum) => Ok(false),
            Datum::Text(_) | Datum::Uuid(_) | Datum::Char(_) | Datum::Ipv4(_) | Datum::Ipv6(_) => {
                self.spend_search(&datum, SUBSTRING_FACTOR, span)?;
                Ok(contains_text(&datum, literal.text()))
            }
            // go-bexpr: evaluate.go, doMatchIn: `in` on a map tests its keys, never its values.
            Datum::Map(map) => match literal.with_key(map.key(), |key| map.get(key).is_some()) {
                Some(found) => Ok(found),
                None => self.halt(EvalErrorKind::BadKey, span),
            },
            Datum::List(list) if matches!(list.element().required(), Kind::Any) => {
                self.any_element(literal, list, span)
            }
            Datum::List(list) => match literal.fits(list.element()) {
                // Fails before any element is read, as in go-bexpr, even for an empty list.
                Some(fits) => {
                    self.or_halt(fits, span)?;
                    self.spend_list(list, 1, literal.text().len(), span)?;
                    Ok(list
                        .any(&mut |_, element| matches!(literal.equals(element), Some(Ok(true)))))
                }
                None => self.wrong_kind(Operator::Contains, span),
            },
            _ => self.wrong_kind(Operator::Contains, span),
        }
    }

    /// Tests elements of mixed kinds: absent ones, and ones that the literal cannot be read as, are
    /// ignored.
    fn any_element(&self, literal: &Literal, list: &'a dyn List, span: Span) -> EvalResult {
        self.spend_list(list, 1, literal.text().len(), span)?;
        let mut answer = Ok(false);
        list.any(&mut |_, element| {
            answer = match literal.equals(element) {
                Some(Ok(equal)) => Ok(equal),
                // go-bexpr: evaluate.go, doMatchIn, skips elements with strconv.ErrSyntax only: a
                // number out of range fails.
                Some(Err(CoerceError::Syntax)) => Ok(false),
                Some(Err(CoerceError::Range)) => self.halt(EvalErrorKind::ValueRange, span),
                None if is_absent(&element) => Ok(false),
                None => self.wrong_kind(Operator::Contains, span),
            };
            !matches!(answer, Ok(false))
        });
        answer
    }

    fn each(&self, each: &Each, scope: Option<&Scope<'_, 'a>>) -> EvalResult {
        self.find(&each.path, scope, each.span, |datum| match *datum {
            Datum::List(list) => {
                let mut answer = Ok(each.all);
                list.any(&mut |index, value| {
                    if let Err(halt) = self.spend(each.element_steps, each.span) {
                        answer = Err(halt);
                        return true;
                    }
                    let key = Datum::Int(i64::try_from(index).unwrap_or(i64::MAX));
                    let scope = Scope { key: &key, value: &value, of_map: false, outer: scope };
                    answer = self.node(&each.body, Some(&scope));
                    // Stops at an error too, because it decides the result.
                    !matches!(answer, Ok(holds) if holds == each.all)
                });
                answer
            }
            Datum::Map(map)
                if matches!(map.key(), KeyKind::Text | KeyKind::Uuid | KeyKind::Address) =>
            {
                self.each_entry(each, map, scope)
            }
            ref absent if self.is_missing(absent) => Ok(each.all),
            // With a schema no other kind gets here but an absent value behind an option.
            _ if !each.path.dynamic => Ok(each.all),
            _ => self.halt(EvalErrorKind::NotACollection, each.span),
        })
    }

    /// Evaluates the entries of a map. Of the entries that decide, the one with the smallest key
    /// counts, because the order of a hash map is random and go-bexpr's result with it.
    fn each_entry(
        &self,
        each: &Each,
        map: &'a dyn Map,
        scope: Option<&Scope<'_, 'a>>,
    ) -> EvalResult {
        let mut decided: Option<DecidingEntry<'a>> = None;
        map.any(&mut |key, value| {
            if let Some(decided) = &decided {
                // Keys with a long common prefix take as long to compare.
                if self.spend(key_steps(key, decided.key), each.span).is_err() {
                    return true;
                }
                if !key_before(key, decided.key) {
                    return false;
                }
            }
            let scope = Scope { key: &key, value: &value, of_map: true, outer: scope };
            let answer = match self.spend(each.element_steps, each.span) {
                Ok(()) => self.node(&each.body, Some(&scope)),
                Err(halt) => Err(halt),
            };
            // Out of steps: no entry with a smaller key can be evaluated.
            if self.is_exhausted() {
                return true;
            }
            if !matches!(answer, Ok(holds) if holds == each.all) {
                decided = Some(DecidingEntry { key, answer, reason: self.reason.get() });
            }
            // If no entry can fail, all that decide have the same result and the first one is
            // enough.
            decided.is_some() && !each.fallible
        });
        if self.is_exhausted() {
            return Err(Halt);
        }
        match decided {
            None => Ok(each.all),
            Some(decided) => {
                self.reason.set(decided.reason);
                decided.answer
            }
        }
    }
}

/// Returns the scope of the quantifier `up` steps enclosing from the innermost.
#[inline]
fn enclosing<'s, 'a>(up: usize, scope: Option<&'s Scope<'s, 'a>>) -> Option<&'s Scope<'s, 'a>> {
    (0..up).fold(scope, |scope, _| scope.and_then(|scope| scope.outer))
}

/// Returns whether `base` is an index or key.
fn is_key(base: Base, scope: Option<&Scope<'_, '_>>) -> bool {
    match base {
        Base::Row | Base::Value(_) => false,
        Base::Key(_) => true,
        // One name is the key of a map: only the value found decides.
        Base::ValueOrKey(up) => enclosing(up, scope).is_some_and(|scope| scope.of_map),
    }
}

/// Returns the value bound to a quantifier's name.
fn bound<'s, 'a>(base: Base, scope: Option<&'s Scope<'s, 'a>>) -> &'s Datum<'a> {
    let (Base::Value(up) | Base::Key(up) | Base::ValueOrKey(up)) = base else {
        return &Datum::Missing;
    };
    match (enclosing(up, scope), base) {
        (None, _) => &Datum::Missing,
        (Some(scope), Base::Key(_)) => scope.key,
        (Some(scope), Base::ValueOrKey(_)) if scope.of_map => scope.key,
        (Some(scope), _) => scope.value,
    }
}

/// Takes a step that was resolved against the schema; an absent part is missing.
#[inline]
fn step_into<'a>(step: &Step, datum: &Datum<'a>) -> Datum<'a> {
    match (step, datum) {
        (Step::Field(slot), Datum::Record(record)) => record.field(*slot),
        (Step::Key(key), Datum::Map(map)) => map.get(key).unwrap_or(Datum::Missing),
        (Step::Index(index), Datum::List(list)) => list.get(*index).unwrap_or(Datum::Missing),
        _ => Datum::Missing,
    }
}

/// Returns the steps of [`key_before`].
fn key_steps(key: Datum<'_>, other: Datum<'_>) -> u64 {
    match (key, other) {
        (Datum::Text(key), Datum::Text(other)) => steps_of(key.len().min(other.len())),
        _ => 0,
    }
}

fn key_before(key: Datum<'_>, other: Datum<'_>) -> bool {
    match (key, other) {
        (Datum::Text(key), Datum::Text(other)) => key < other,
        // Other keys have no order here: of those, the first entry that decides counts.
        (Datum::Uuid(key), Datum::Uuid(other)) => key < other,
        _ => false,
    }
}

fn is_absent(datum: &Datum<'_>) -> bool {
    matches!(datum, Datum::Missing | Datum::Null)
}

/// Calls `search` with the bytes of a value that is a string or has a string form; `None` for other
/// kinds.
fn searched<T>(datum: &Datum<'_>, search: impl FnOnce(&[u8]) -> T) -> Option<T> {
    match datum {
        Datum::Text(text) => Some(search(text.as_bytes())),
        Datum::Char(char) => Some(search(char.encode_utf8(&mut [0; 4]).as_bytes())),
        Datum::Ipv4(value) => Some(search(AddressText::new(value).text().as_bytes())),
        Datum::Ipv6(value) => Some(search(AddressText::new(value).text().as_bytes())),
        Datum::Uuid(uuid) => {
            let mut buffer = Uuid::encode_buffer();
            Some(search(uuid.hyphenated().encode_lower(&mut buffer).as_bytes()))
        }
        // go-bexpr: evaluate.go, doMatchMatches, accepts any value convertible to bytes.
        Datum::List(list) => list.bytes().map(search),
        _ => None,
    }
}

fn contains_text(datum: &Datum<'_>, part: &str) -> bool {
    match datum {
        Datum::Text(text) => text.contains(part),
        Datum::Char(char) => char.encode_utf8(&mut [0; 4]).contains(part),
        Datum::Ipv4(value) => AddressText::new(value).text().contains(part),
        Datum::Ipv6(value) => AddressText::new(value).text().contains(part),
        Datum::Uuid(uuid) => {
            uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()).contains(part)
        }
        _ => false,
    }
}

fn is_empty(datum: &Datum<'_>) -> Option<bool> {
    match datum {
        Datum::Text(text) => Some(text.is_empty()),
        Datum::Char(_) | Datum::Uuid(_) | Datum::Ipv4(_) | Datum::Ipv6(_) => Some(false),
        Datum::List(list) => Some(list.is_empty()),
        Datum::Map(map) => Some(map.is_empty()),
        _ => None,
    }
}

fn is_nil(datum: &Datum<'_>) -> bool {
    match datum {
        Datum::Missing | Datum::Null => true,
        Datum::List(list) => list.is_nil(),
        Datum::Map(map) => map.is_nil(),
        _ => false,
    }
}

/// The length of the longest address: `0000:0000:0000:0000:0000:ffff:255.255.255.255`.
const ADDRESS_MAX: usize = 45;

/// An address as a string, without an allocation.
struct AddressText {
    bytes: [u8; ADDRESS_MAX],
    len: usize,
}

impl AddressText {
    fn new(address: &dyn fmt::Display) -> Self {
        let mut shown = Self { bytes: [0; ADDRESS_MAX], len: 0 };
        // Fails only for a string longer than any address.
        let _ = write!(shown, "{address}");
        shown
    }

    fn text(&self) -> &str {
        self.bytes
            .as_slice()
            .get(..self.len)
            .and_then(|text| str::from_utf8(text).ok())
            .unwrap_or_default()
    }
}

impl fmt::Write for AddressText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
