//! The deliberate differences from the reference: expression, documents and answer, each with its reason.

use serde_json::Value as Json;

/// An expression that answers otherwise than the reference for some documents.
pub(crate) struct Difference {
    pub(crate) set: &'static str,
    pub(crate) expr: &'static str,
    pub(crate) documents: &'static [usize],
    pub(crate) answer: Answer,
    pub(crate) reason: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
    /// The expression does not compile.
    Refused,
}

impl Answer {
    pub(crate) fn of(answer: &Json, compiled: bool) -> Option<Self> {
        match answer.as_bool() {
            Some(true) => Some(Self::Yes),
            Some(false) => Some(Self::No),
            None => (!compiled).then_some(Self::Refused),
        }
    }
}

const OPTIONAL_MAP: &str = "a key behind an optional map is missing, as in the map itself";
const NUMBER: &str = "a number that is none exists in Go's JSON only";
const BAD_PATTERN: &str = "a bad pattern is refused even where no row would reach it";
const NAME_TWICE: &str = "the same name twice is refused even where the list is empty";

const ALL_BUT_THREE: &[usize] = &[1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];

const fn typed(
    expr: &'static str,
    documents: &'static [usize],
    answer: Answer,
    reason: &'static str,
) -> Difference {
    Difference { set: "kitchen_sink", expr, documents, answer, reason }
}

const fn json(expr: &'static str, documents: &'static [usize]) -> Difference {
    Difference { set: "any_json", expr, documents, answer: Answer::Refused, reason: NAME_TWICE }
}

/// All of them where [`Absent::Error`](statehold_filter::Absent::Error) is asked for.
pub(crate) const DIFFERENCES: [Difference; 19] = [
    typed("PMSS.absent == x", &[0, 2], Answer::No, OPTIONAL_MAP),
    typed("PMSS.absent == 1", &[0, 2], Answer::No, OPTIONAL_MAP),
    typed("x not in PMSS.absent", &[0, 2], Answer::Yes, OPTIONAL_MAP),
    typed("PMSS.absent not contains x", &[0, 2], Answer::Yes, OPTIONAL_MAP),
    typed("PMSS.absent not matches x", &[0, 2], Answer::Yes, OPTIONAL_MAP),
    typed("PMSS.absent is empty", &[0, 2], Answer::Yes, OPTIONAL_MAP),
    typed("PMSS.absent is nil", &[0, 2], Answer::Yes, OPTIONAL_MAP),
    typed("PMSS.foo is empty", &[2], Answer::Yes, OPTIONAL_MAP),
    typed("PMSS.foo == foo", &[2], Answer::No, OPTIONAL_MAP),
    typed("PMSS.foo matches \"^[a-z]\"", &[2], Answer::No, OPTIONAL_MAP),
    typed("PMSS.foo contains 1", &[2], Answer::No, OPTIONAL_MAP),
    typed("PMSS.foo contains \"\"", &[2], Answer::No, OPTIONAL_MAP),
    typed("Iface is nil", &[16], Answer::No, NUMBER),
    typed("MSIface.n matches \"a{2,1}\"", ALL_BUT_THREE, Answer::Refused, BAD_PATTERN),
    typed("MSIface.n not matches `\\1`", ALL_BUT_THREE, Answer::Refused, BAD_PATTERN),
    typed("MSIface.n matches \"*\"", ALL_BUT_THREE, Answer::Refused, BAD_PATTERN),
    json("any tags as x, x { x == foo }", &[2]),
    json("all tags as x, x { x == foo }", &[2]),
    json("any empty_list as x, x { x == foo }", &[1]),
];

/// Expressions that parse here and not there, or the other way round.
pub(crate) const PARSING: [(&str, bool, &str); 4] = [
    (r#"Str contains "\xc3""#, false, "text is UTF-8"),
    (r#"Str contains "\xbc""#, false, "text is UTF-8"),
    (r#"name matches "\xff""#, false, "text is UTF-8"),
    (r#"a == "a\"b""#, true, "a quote can be escaped"),
];
