//! Errors of policy files.

use std::fmt;

/// An invalid policy: the entry of the file with the error, and the kind of the error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    pub(super) name: Box<str>,
    pub(super) kind: PolicyErrorKind,
}

/// The error of an entry of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyErrorKind {
    /// No endpoint asks for this action.
    UnknownAction {
        /// The closest action, if one is close.
        near: Option<&'static str>,
    },
    /// A condition refers to a rule that is not defined.
    UnknownRule(Box<str>),
    /// No condition refers to the rule, so that its name is a mistake.
    UnusedRule,
    /// A rule refers to itself, through others or through `is_admin`.
    Cycle(Vec<Box<str>>),
    /// The condition is unknown.
    UnknownCondition(Box<str>),
    /// The condition has an unexpected token at this byte.
    Syntax {
        /// The offset in bytes.
        at: usize,
        /// The expected token.
        wanted: &'static str,
    },
    /// An empty list of roles, which could be read as every caller or as none.
    NoRole,
    /// A name of a role that a condition cannot have.
    BadRole(Box<str>),
    /// The condition is too long.
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The maximum.
        len_max: usize,
    },
    /// Parentheses, `not` and rules nest too deep.
    TooDeep {
        /// The maximum depth.
        depth_max: usize,
    },
    /// A decision would need too many steps, the conditions of its rules counted each time.
    TooCostly {
        /// The maximum number of steps.
        steps_max: usize,
    },
    /// The policy has too many entries.
    TooMany {
        /// The maximum number of entries.
        entries_max: usize,
    },
}

impl PolicyError {
    /// Returns the entry with the error: the name of an action or of a rule.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> &PolicyErrorKind {
        &self.kind
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.kind {
            PolicyErrorKind::UnknownAction { near } => {
                write!(f, "no endpoint asks for the action `{name}`; ")?;
                match near {
                    Some(near) => write!(f, "write `{near}`?"),
                    None => f.write_str("`statehold policy show` prints all actions"),
                }
            }
            PolicyErrorKind::UnknownRule(rule) => write!(
                f,
                "`{name}` refers to the rule `{rule}`, which is not defined; define it or correct its name"
            ),
            PolicyErrorKind::UnusedRule => write!(
                f,
                "nothing refers to the rule `{name}`; remove it, refer to it with `rule:{name}`, or write \
                 the name of an action, which has a colon"
            ),
            PolicyErrorKind::Cycle(through) => write!(
                f,
                "the rule `{name}` refers to itself ({}); break the cycle",
                through.join(" -> ")
            ),
            PolicyErrorKind::UnknownCondition(word) => write!(
                f,
                "`{name}` has no valid condition in `{word}`; write `role:NAME`, `rule:NAME`, \
                 `is_admin:True`, `project_id:%(project_id)s`, `user_id:%(user_id)s`, `@` or `!`"
            ),
            PolicyErrorKind::Syntax { at, wanted } => {
                write!(f, "`{name}`: {wanted} at byte {at} of the condition")
            }
            PolicyErrorKind::NoRole => write!(
                f,
                "`{name}` lists no role; write \"!\" to refuse every caller, \"@\" to allow every caller"
            ),
            PolicyErrorKind::BadRole(role) => write!(
                f,
                "`{name}` lists the role `{role}`; a role has no blanks, parentheses or `%` and is not \
                 empty"
            ),
            PolicyErrorKind::TooLong { len, len_max } => write!(
                f,
                "the condition of `{name}` has {len} bytes, at most {len_max} are read; define rules for \
                 its parts"
            ),
            PolicyErrorKind::TooDeep { depth_max } => write!(
                f,
                "the condition of `{name}` nests more than {depth_max} levels with its rules; simplify it"
            ),
            PolicyErrorKind::TooCostly { steps_max } => write!(
                f,
                "a decision of `{name}` takes more than {steps_max} steps with its rules; simplify it"
            ),
            PolicyErrorKind::TooMany { entries_max } => {
                write!(f, "the policy has more than {entries_max} entries; remove some")
            }
        }
    }
}

impl std::error::Error for PolicyError {}
