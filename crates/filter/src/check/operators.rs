//! The table of operators and kinds, shared by the checker, completion and the test of the language
//! page.

use crate::ast::Operator;
use crate::options::Dialect;
use crate::schema::Kind;

/// Classes of kinds that differ in the operators that apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Bool,
    /// Numbers, durations and times.
    Number,
    Text,
    /// A list of strings, or of elements of any kind.
    Texts,
    /// A list of bytes.
    Bytes,
    /// A list of other scalars.
    Scalars,
    /// A list of structs, lists, maps or opaque values: no literal is equal to an element.
    Compounds,
    Map,
    /// Unknown until a row is seen.
    Any,
    /// Structs and opaque values.
    Other,
}

impl Class {
    fn of(kind: Kind) -> Self {
        match kind.required() {
            Kind::Bool => Self::Bool,
            Kind::Any => Self::Any,
            Kind::Map(..) => Self::Map,
            // Optional bytes are not contiguous in memory, so a pattern cannot search them.
            Kind::List(Kind::Uint(8)) => Self::Bytes,
            Kind::List(element) => match element.required() {
                Kind::Any => Self::Texts,
                element if element.is_text() => Self::Texts,
                element if element.is_scalar() => Self::Scalars,
                _ => Self::Compounds,
            },
            kind if kind.is_text() => Self::Text,
            kind if kind.is_scalar() => Self::Number,
            _ => Self::Other,
        }
    }
}

use Class::{Any, Bool, Bytes, Compounds, Map, Number, Scalars, Text, Texts};

// go-bexpr: evaluate.go, primitiveEqualityFn, doMatchIn, doMatchMatches; the extended operators
// follow the same classes.
const SCALAR: &[Class] = &[Bool, Number, Text, Any];
const ORDERED: &[Class] = &[Number, Text, Any];
const HOLDING: &[Class] = &[Text, Texts, Bytes, Scalars, Map, Any];
/// Kinds with a length, whatever the kind of their elements (go-bexpr: `evaluate.go`,
/// `doMatchIsEmpty`).
const MEASURED: &[Class] = &[Text, Texts, Bytes, Scalars, Compounds, Map, Any];
const WRITTEN: &[Class] = &[Text, Any];
const SEARCHED: &[Class] = &[Text, Bytes, Any];
const FOLDED: &[Class] = &[Text, Texts, Any];

/// Each operator with the kinds that it applies to; an operator without a row applies to every
/// kind.
const TABLE: [(Operator, &[Class]); 17] = [
    (Operator::Equal, SCALAR),
    (Operator::Less, ORDERED),
    (Operator::LessEqual, ORDERED),
    (Operator::Greater, ORDERED),
    (Operator::GreaterEqual, ORDERED),
    (Operator::Between, ORDERED),
    (Operator::In, SCALAR),
    (Operator::Contains, HOLDING),
    (Operator::ContainsAny, HOLDING),
    (Operator::ContainsAll, HOLDING),
    (Operator::Matches, SEARCHED),
    (Operator::StartsWith, WRITTEN),
    (Operator::EndsWith, WRITTEN),
    (Operator::EqualFold, WRITTEN),
    (Operator::ContainsFold, FOLDED),
    (Operator::MatchesFold, SEARCHED),
    (Operator::Empty, MEASURED),
];

/// Returns whether an operator applies to values of a kind.
pub(crate) fn applies(operator: Operator, kind: Kind) -> bool {
    match TABLE.iter().find(|(own, _)| *own == operator) {
        Some((_, classes)) => classes.contains(&Class::of(kind)),
        None => true,
    }
}

/// Returns the dialect that an operator needs.
pub(crate) fn dialect(operator: Operator) -> Dialect {
    match operator {
        Operator::Equal
        | Operator::Contains
        | Operator::Matches
        | Operator::Empty
        | Operator::Nil => Dialect::Bexpr,
        _ => Dialect::Extended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the cells of an operator in the table of the language page, by column.
    fn page(operator: Operator) -> Vec<&'static str> {
        let right = match operator {
            Operator::Empty | Operator::Nil => "",
            Operator::Between => " v and v",
            Operator::In | Operator::ContainsAny | Operator::ContainsAll => " [v, v]",
            _ => " v",
        };
        let form = format!("| `x {operator}{right}` |");
        let line = include_str!("../language.md").lines().find(|line| line.starts_with(&form));
        let cells =
            line.unwrap_or_else(|| panic!("no line for {form}")).trim_matches('|').split('|');
        cells.skip(1).map(str::trim).collect()
    }

    #[test]
    fn language_page_lists_the_same_operators() {
        let columns = [Bool, Number, Text, Number, Texts, Compounds, Map, Class::Other, Any];
        for (operator, classes) in TABLE {
            let letter = if dialect(operator) == Dialect::Bexpr { "B" } else { "E" };
            let table = columns.map(|class| if classes.contains(&class) { letter } else { "-" });
            assert_eq!(page(operator), table, "{operator}");
        }
        assert_eq!(page(Operator::Nil), ["B"; 9]);
    }
}
