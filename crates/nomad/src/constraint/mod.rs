//! Constraints on the node of a host volume: validation and evaluation.
//!
//! A target is a literal string, or `${...}` for an attribute of the node. An attribute that the
//! node does not have is absent, which only `!=`, `not` and `is_not_set` accept.
//!
//! Nomad: `scheduler/feasible.go`, `checkConstraint` and `resolveTarget`.

mod check;
mod version;

use std::{borrow::Cow, cmp::Ordering};

use statehold_filter::{CompileError, Filter, Filterable, build::field};

pub use self::check::ConstraintError;
use self::version::{Dialect, Requirements, Version};
use crate::rows::{Constraint, Node};

impl Constraint {
    /// Returns whether the node satisfies the constraint.
    ///
    /// # Examples
    /// ```
    /// use statehold_nomad::{Constraint, Node};
    ///
    /// let on_r1 = Constraint {
    ///     left: "${meta.rack}".into(),
    ///     right: "r1".into(),
    ///     operator: "=".into(),
    /// };
    /// let node = Node { meta: [("rack".into(), "r1".into())].into(), ..Node::default() };
    /// assert!(on_r1.holds(&node));
    /// assert!(!on_r1.holds(&Node::default()));
    /// ```
    pub fn holds(&self, node: &Node) -> bool {
        let (left, right) = (resolve(&self.left, node), resolve(&self.right, node));
        match &*self.operator {
            // Host volumes of one name are always on distinct nodes.
            "distinct_hosts" | "distinct_property" => return true,
            // Compares the options, so that an absent attribute is unequal to any value.
            "!=" | "not" => return left != right,
            "is_set" => return left.is_some(),
            "is_not_set" => return left.is_none(),
            _ => {}
        }
        let (Some(left), Some(right)) = (&left, &right) else { return false };
        match &*self.operator {
            "=" | "==" | "is" => left == right,
            "<" => order(left, right) == Ordering::Less,
            "<=" => order(left, right) != Ordering::Greater,
            ">" => order(left, right) == Ordering::Greater,
            ">=" => order(left, right) != Ordering::Less,
            "version" => satisfies(left, right, Dialect::Loose),
            "semver" => satisfies(left, right, Dialect::Semantic),
            "regexp" => {
                pattern(right).is_ok_and(|filter| filter.matches(&PatternSubject::of(left)))
            }
            "set_contains" | "set_contains_all" => {
                items(right).all(|wanted| items(left).any(|item| item == wanted))
            }
            "set_contains_any" => items(right).any(|wanted| items(left).any(|item| item == wanted)),
            // Nomad: scheduler/feasible.go, checkConstraint returns false for an unknown operator.
            _ => false,
        }
    }
}

/// Returns the value of a target, `None` if the node lacks the attribute.
fn resolve<'n>(target: &'n str, node: &'n Node) -> Option<Cow<'n, str>> {
    let Some(name) = target.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
        return Some(target.into());
    };
    let found = match name {
        "node.unique.id" => return Some(node.id.to_string().into()),
        "node.unique.name" => &node.name,
        "node.datacenter" => &node.datacenter,
        "node.class" => &node.node_class,
        "node.pool" => &node.node_pool,
        _ => match name.strip_prefix("attr.") {
            Some(name) => node.attributes.get(name)?,
            None => node.meta.get(name.strip_prefix("meta.")?)?,
        },
    };
    Some((&**found).into())
}

/// Compares as integers if both are, else as numbers, else as strings.
// Nomad: scheduler/feasible.go, checkOrder.
fn order(left: &str, right: &str) -> Ordering {
    if let (Ok(left), Ok(right)) = (left.parse::<i64>(), right.parse::<i64>()) {
        return left.cmp(&right);
    }
    if let (Ok(left), Ok(right)) = (left.parse::<f64>(), right.parse::<f64>()) {
        return left.total_cmp(&right);
    }
    left.cmp(right)
}

fn satisfies(version: &str, requirements: &str, dialect: Dialect) -> bool {
    let version = Version::parse(version, dialect);
    let requirements = Requirements::parse(requirements, dialect);
    version.zip(requirements).is_some_and(|(version, all)| all.allow(&version))
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

/// The subject of a pattern.
#[derive(Debug, Filterable)]
struct PatternSubject {
    value: String,
}

impl PatternSubject {
    fn of(value: &str) -> Self {
        Self { value: value.to_owned() }
    }
}

/// Compiles a pattern in the dialect of the filter language, with its limits: Go's syntax without
/// backtracking.
fn pattern(pattern: &str) -> Result<Filter<PatternSubject>, CompileError> {
    Filter::compile_expr(&field("value").matches(pattern))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn node() -> Node {
        Node {
            id: Uuid::from_u128(7),
            name: "n1".into(),
            datacenter: "dc1".into(),
            node_class: "ssd".into(),
            node_pool: "prod".into(),
            attributes: [
                ("cores".into(), "16".into()),
                ("kernel.version".into(), "5.15.0-rc1".into()),
                ("version".into(), "1.7.3".into()),
            ]
            .into(),
            meta: [("tags".into(), "a, b,c".into()), ("rack".into(), "r1".into())].into(),
            ..Node::default()
        }
    }

    fn holds(left: &str, operator: &str, right: &str) -> bool {
        let constraint =
            Constraint { left: left.into(), right: right.into(), operator: operator.into() };
        constraint.holds(&node())
    }

    #[test]
    fn targets_resolve_to_attributes_of_the_node() {
        assert!(holds("${node.datacenter}", "=", "dc1"));
        assert!(holds("${node.unique.name}", "==", "n1"));
        assert!(holds("${node.class}", "is", "ssd"));
        assert!(holds("${node.pool}", "=", "prod"));
        assert!(holds("${attr.cores}", "=", "16"));
        assert!(holds("r1", "=", "${meta.rack}"));
        assert!(holds("${node.unique.id}", "=", "00000000-0000-0000-0000-000000000007"));
        assert!(!holds("${device.model}", "is_set", ""));
    }

    #[test]
    fn absent_attributes_are_only_unequal_and_not_set() {
        for operator in ["=", "<", ">=", "version", "semver", "regexp", "set_contains", "is_set"] {
            assert!(!holds("${meta.absent}", operator, "1"), "{operator}");
        }
        for operator in ["!=", "not", "is_not_set"] {
            assert!(holds("${meta.absent}", operator, "1"), "{operator}");
        }
    }

    #[test]
    fn operands_are_ordered_as_numbers_if_both_are() {
        assert!(holds("${attr.cores}", ">", "9"));
        assert!(holds("${attr.cores}", "<", "16.5"));
        assert!(holds("${attr.cores}", "<=", "16"));
        assert!(holds("${meta.rack}", ">", "9"), "texts");
    }

    #[test]
    fn set_items_are_trimmed() {
        assert!(holds("${meta.tags}", "set_contains", "b , a"));
        assert!(!holds("${meta.tags}", "set_contains_all", "a,d"));
        assert!(holds("${meta.tags}", "set_contains_any", "d,c"));
        assert!(!holds("${meta.tags}", "set_contains_any", "d"));
    }

    #[test]
    fn patterns_match_anywhere() {
        assert!(holds("${node.unique.name}", "regexp", "[0-9]$"));
        assert!(!holds("${node.unique.name}", "regexp", "^x"));
        assert!(!holds("${node.unique.name}", "regexp", "("));
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(holds("${attr.version}", "version", ">= 1.7, < 2"));
        assert!(!holds("${attr.version}", "version", "> 1.10"));
        assert!(holds("${attr.version}", "semver", ">= 1.7.0"));
        assert!(!holds("${attr.kernel.version}", "version", ">= 5.0"), "a pre-release");
        assert!(holds("${attr.kernel.version}", "semver", ">= 5.0.0"));
        assert!(!holds("${meta.rack}", "version", ">= 1.0"), "no version");
    }

    #[test]
    fn distinct_always_holds_and_unknown_operators_never() {
        assert!(holds("", "distinct_hosts", ""));
        assert!(!holds("a", "resembles", "a"));
    }
}
