//! Validation of a constraint without a node.
//!
//! Nomad: `nomad/structs/structs.go`, `Constraint.Validate`, whose messages these are.

use std::fmt;

use super::{
    pattern,
    version::{Dialect, Requirements},
};
use crate::{
    fmt::{MultiError, Quoted},
    rows::Constraint,
};

/// A rule that a constraint violates.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConstraintError {
    /// It has no operator.
    MissingOperator,
    /// A set operator has an empty set.
    SetWithoutRight,
    /// Its pattern does not compile.
    Pattern {
        /// The compiler's error.
        reason: Box<str>,
    },
    /// It is no condition on a version.
    Version {
        /// The right operand.
        text: Box<str>,
    },
    /// It is no condition on a semantic version.
    Semver {
        /// The right operand.
        text: Box<str>,
    },
    /// The number of nodes that may share a property is no number.
    PropertyCount {
        /// The right operand.
        text: Box<str>,
    },
    /// The number of nodes that may share a property is zero.
    PropertyCountZero,
    /// It has a right operand, and its operator takes none.
    NeedlessRight {
        /// The operator.
        operator: Box<str>,
    },
    /// It has no right operand, and its operator requires one.
    MissingRight {
        /// The operator.
        operator: Box<str>,
    },
    /// The operator is unknown.
    UnknownOperator {
        /// The operator that was sent.
        operator: Box<str>,
    },
    /// It has no left operand.
    MissingLeft,
    /// A `$` without its opening brace.
    OpeningBrace {
        /// The left operand.
        attribute: Box<str>,
    },
    /// A `${` without its closing brace.
    ClosingBrace {
        /// The left operand.
        attribute: Box<str>,
    },
    /// Nodes have no such attribute.
    UnsupportedAttribute {
        /// The left operand.
        attribute: Box<str>,
    },
}

impl fmt::Display for ConstraintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The spelling of these messages is Nomad's, `Malformed constraint` go-version's.
            Self::MissingOperator => f.write_str("Missing constraint operand"),
            Self::SetWithoutRight => f.write_str("Set contains constraint requires an RTarget"),
            Self::Pattern { reason } => {
                write!(f, "Regular expression failed to compile: {reason}")
            }
            Self::Version { text } => {
                write!(f, "Version constraint is invalid: Malformed constraint: {text}")
            }
            Self::Semver { text } => {
                write!(f, "Semver constraint is invalid: Malformed constraint: {text}")
            }
            Self::PropertyCount { text } => write!(
                f,
                // Go: strconv.ParseUint is part of the message.
                "Failed to convert RTarget {0} to uint64: strconv.ParseUint: parsing {0}: \
                 invalid syntax",
                Quoted(text)
            ),
            Self::PropertyCountZero => {
                f.write_str("Distinct Property must have an allowed count of 1 or greater: 0 < 1")
            }
            Self::NeedlessRight { operator } => {
                write!(f, "Operator {} does not support an RTarget", Quoted(operator))
            }
            Self::MissingRight { operator } => {
                write!(f, "Operator {} requires an RTarget", Quoted(operator))
            }
            Self::UnknownOperator { operator } => {
                write!(f, "Unknown constraint type {}", Quoted(operator))
            }
            Self::MissingLeft => f.write_str("no attribute provided but is required by operator"),
            Self::OpeningBrace { attribute } => {
                write!(f, "attribute {} is missing an opening brace", Quoted(attribute))
            }
            Self::ClosingBrace { attribute } => {
                write!(f, "attribute {} is missing a closing brace", Quoted(attribute))
            }
            Self::UnsupportedAttribute { attribute } => {
                write!(f, "unsupported attribute {}", Quoted(attribute))
            }
        }
    }
}

impl std::error::Error for ConstraintError {}

impl Constraint {
    /// Checks every rule that needs no node.
    pub fn validate(&self) -> Result<(), MultiError<ConstraintError>> {
        let missing = self.operator.is_empty().then_some(ConstraintError::MissingOperator);
        let errors = [missing, self.operator_error(), self.left_error()];
        MultiError::check(errors.into_iter().flatten().collect())
    }

    /// Returns whether it limits the number of nodes instead of describing one.
    pub(crate) fn is_distinct(&self) -> bool {
        matches!(&*self.operator, "distinct_hosts" | "distinct_property")
    }

    fn operator_error(&self) -> Option<ConstraintError> {
        let (operator, right) = (&self.operator, &self.right);
        let empty = right.is_empty();
        match &**operator {
            // It takes neither operand.
            "distinct_hosts" => None,
            "set_contains" | "set_contains_all" | "set_contains_any" => {
                empty.then_some(ConstraintError::SetWithoutRight)
            }
            // Compiled with the filter language's limits, so that a pattern cannot exhaust memory.
            "regexp" => pattern(right)
                .err()
                .map(|error| ConstraintError::Pattern { reason: error.message().into() }),
            "version" => Requirements::parse(right, Dialect::Loose)
                .is_none()
                .then(|| ConstraintError::Version { text: right.clone() }),
            "semver" => Requirements::parse(right, Dialect::Semantic)
                .is_none()
                .then(|| ConstraintError::Semver { text: right.clone() }),
            // Nomad: an absent count of `distinct_property` is 1.
            "distinct_property" if empty => None,
            "distinct_property" => match right.parse::<u64>() {
                Err(_) => Some(ConstraintError::PropertyCount { text: right.clone() }),
                Ok(0) => Some(ConstraintError::PropertyCountZero),
                Ok(_) => None,
            },
            "is_set" | "is_not_set" => {
                (!empty).then(|| ConstraintError::NeedlessRight { operator: operator.clone() })
            }
            "=" | "==" | "is" | "!=" | "not" | "<" | "<=" | ">" | ">=" => {
                empty.then(|| ConstraintError::MissingRight { operator: operator.clone() })
            }
            _ => Some(ConstraintError::UnknownOperator { operator: operator.clone() }),
        }
    }

    fn left_error(&self) -> Option<ConstraintError> {
        if &*self.operator == "distinct_hosts" {
            return None;
        }
        let attribute = || self.left.clone();
        if self.left.is_empty() {
            return Some(ConstraintError::MissingLeft);
        }
        // A literal is allowed on the left, too.
        if !self.left.starts_with('$') {
            return None;
        }
        // The braces are checked first, because a name cannot be read without them.
        let Some(rest) = self.left.strip_prefix("${") else {
            return Some(ConstraintError::OpeningBrace { attribute: attribute() });
        };
        let Some(name) = rest.strip_suffix('}') else {
            return Some(ConstraintError::ClosingBrace { attribute: attribute() });
        };
        // Nomad: nomad/structs/structs.go, Constraint.Validate accepts these prefixes without
        // looking the attribute up.
        let known = matches!(
            name,
            "node.unique.id" | "node.datacenter" | "node.unique.name" | "node.class" | "node.pool"
        ) || ["attr.", "device.", "meta."].iter().any(|kind| name.starts_with(kind));
        (!known).then(|| ConstraintError::UnsupportedAttribute { attribute: attribute() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(left: &str, operator: &str, right: &str) -> String {
        let constraint =
            Constraint { left: left.into(), right: right.into(), operator: operator.into() };
        constraint.validate().map_or_else(|errors| errors.to_string(), |()| String::new())
    }

    fn one(error: &str) -> String {
        format!("1 error occurred:\n\t* {error}\n\n")
    }

    #[test]
    fn each_error_has_its_message() {
        for (left, operator, right, error) in [
            ("a", "set_contains", "", "Set contains constraint requires an RTarget"),
            ("a", "is_set", "b", "Operator \"is_set\" does not support an RTarget"),
            ("a", "=", "", "Operator \"=\" requires an RTarget"),
            ("a", "resembles", "b", "Unknown constraint type \"resembles\""),
            ("", "=", "b", "no attribute provided but is required by operator"),
            ("$a", "=", "b", "attribute \"$a\" is missing an opening brace"),
            ("${a", "=", "b", "attribute \"${a\" is missing a closing brace"),
            ("${a}", "=", "b", "unsupported attribute \"${a}\""),
            ("a", "version", "high", "Version constraint is invalid: Malformed constraint: high"),
            ("a", "semver", "1", "Semver constraint is invalid: Malformed constraint: 1"),
            (
                "a",
                "distinct_property",
                "x",
                "Failed to convert RTarget \"x\" to uint64: strconv.ParseUint: parsing \"x\": \
                 invalid syntax",
            ),
            (
                "a",
                "distinct_property",
                "0",
                "Distinct Property must have an allowed count of 1 or greater: 0 < 1",
            ),
        ] {
            assert_eq!(text(left, operator, right), one(error));
        }
        let pattern = text("a", "regexp", "(");
        assert!(pattern.contains("Regular expression failed to compile: "), "{pattern}");
    }

    #[test]
    fn an_empty_constraint_violates_three_rules() {
        assert_eq!(
            text("", "", ""),
            "3 errors occurred:\n\t* Missing constraint operand\n\t* Unknown constraint type \
             \"\"\n\t* no attribute provided but is required by operator\n\n"
        );
    }

    #[test]
    fn sound_constraints_pass() {
        for (left, operator, right) in [
            ("${meta.rack}", "=", "r1"),
            ("${attr.kernel.version}", "version", ">= 3.0, < 4"),
            ("${attr.kernel.version}", "semver", "~> 1.2.3"),
            ("${node.unique.id}", "is_not_set", ""),
            ("", "distinct_hosts", "true"),
            ("literal", "regexp", "^a.*"),
        ] {
            assert_eq!(text(left, operator, right), "", "{operator}");
        }
    }
}
