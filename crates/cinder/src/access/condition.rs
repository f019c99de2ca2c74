//! Conditions: the language in which a policy states permissions.
//!
//! It is the language of the reference's policy files (oslo.policy: `oslo_policy/_parser.py`), without the
//! conditions that this server has no data for. `not` binds tighter than `and`, `and` tighter than `or`:
//!
//! | condition | holds for |
//! |---|---|
//! | `@`, or nothing at all | every caller |
//! | `!` | no caller |
//! | `role:member` | callers with the role; `admin` has `member`, `member` has `reader` |
//! | `is_admin:True` | callers that the rule `context_is_admin` allows; `False` for the others |
//! | `project_id:%(project_id)s` | callers of the project that the target belongs to |
//! | `user_id:%(user_id)s` | the user that created the target |
//! | `project_id:ID`, `user_id:ID` | callers of one project, or one user |
//! | `rule:name` | callers that the rule `name` allows |
//!
//! Invariant: reading never recurses deeper than [`DEPTH_MAX`] for any input.

use super::{DEPTH_MAX, error::PolicyErrorKind};

/// The maximum length of a condition in bytes.
pub const CONDITION_LEN_MAX: usize = 4096;

/// A parsed condition. References to rules are unresolved names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Always,
    Never,
    Role(Box<str>),
    /// Whether the caller must be an admin, or must not.
    Admin(bool),
    Owner(Owner, Wanted),
    Rule(Box<str>),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

/// An attribute of both a caller and a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Project,
    User,
}

/// The value that a caller's must be equal to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// That of the target.
    Target(Owner),
    Literal(Box<str>),
}

impl Condition {
    /// Reads a condition.
    pub(super) fn read(text: &str) -> Result<Self, PolicyErrorKind> {
        if text.len() > CONDITION_LEN_MAX {
            let (len, len_max) = (text.len(), CONDITION_LEN_MAX);
            return Err(PolicyErrorKind::TooLong { len, len_max });
        }
        let mut reader = Reader { text, at: 0, depth: 0 };
        if reader.peek()?.is_none() {
            return Ok(Self::Always);
        }
        let read = reader.any()?;
        match reader.peek()? {
            None => Ok(read),
            Some(_) => Err(reader.fault("an operator or the end is expected")),
        }
    }

    /// Returns the rules that it refers to, in order.
    pub(super) fn rules(&self) -> Vec<&str> {
        match self {
            Self::Rule(name) => vec![name],
            Self::Not(inner) => inner.rules(),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::rules).collect(),
            Self::Admin(_) => vec![super::CONTEXT_IS_ADMIN],
            Self::Always | Self::Never | Self::Role(_) | Self::Owner(..) => Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    Open,
    Close,
    And,
    Or,
    Not,
    Word(&'t str),
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn fault(&self, wanted: &'static str) -> PolicyErrorKind {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let at = self.at + (rest.len() - rest.trim_start().len());
        PolicyErrorKind::Syntax { at, wanted }
    }

    /// Returns the next token and its end.
    fn peek(&self) -> Result<Option<(Token<'t>, usize)>, PolicyErrorKind> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let trimmed = rest.trim_start();
        let start = self.at + (rest.len() - trimmed.len());
        let token = match trimmed.as_bytes().first() {
            None => return Ok(None),
            Some(b'(') => (Token::Open, start + 1),
            Some(b')') => (Token::Close, start + 1),
            Some(_) => {
                let len = word_len(trimmed).ok_or_else(|| self.fault("%(name)s is expected"))?;
                let word = trimmed.get(..len).unwrap_or_default();
                let token = match word.to_ascii_lowercase().as_str() {
                    "and" => Token::And,
                    "or" => Token::Or,
                    "not" => Token::Not,
                    _ => Token::Word(word),
                };
                (token, start + len)
            }
        };
        Ok(Some(token))
    }

    fn take(&mut self, wanted: Token<'_>) -> Result<bool, PolicyErrorKind> {
        match self.peek()? {
            Some((token, end)) if token == wanted => {
                self.at = end;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn any(&mut self) -> Result<Condition, PolicyErrorKind> {
        let mut parts = vec![self.all()?];
        while self.take(Token::Or)? {
            parts.push(self.all()?);
        }
        Ok(one_of(parts, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, PolicyErrorKind> {
        let mut parts = vec![self.one()?];
        while self.take(Token::And)? {
            parts.push(self.one()?);
        }
        Ok(one_of(parts, Condition::All))
    }

    fn one(&mut self) -> Result<Condition, PolicyErrorKind> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(PolicyErrorKind::TooDeep { depth_max: DEPTH_MAX });
        }
        let Some((token, end)) = self.peek()? else {
            return Err(self.fault("a condition is expected"));
        };
        let read = match token {
            Token::Not => {
                self.at = end;
                Condition::Not(Box::new(self.one()?))
            }
            Token::Open => {
                self.at = end;
                let inner = self.any()?;
                if !self.take(Token::Close)? {
                    return Err(self.fault("`)` or an operator is expected"));
                }
                inner
            }
            Token::Word(word) => {
                let read = check(word);
                let read = read.ok_or_else(|| PolicyErrorKind::UnknownCondition(word.into()))?;
                self.at = end;
                read
            }
            Token::Close | Token::And | Token::Or => {
                return Err(self.fault("a condition is expected"));
            }
        };
        self.depth -= 1;
        Ok(read)
    }
}

/// Returns a single part as it is, without an operator.
fn one_of(mut parts: Vec<Condition>, of: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            of(parts)
        }
        None => Condition::Never,
    }
}

/// Returns the length of the word at the beginning of a string, or `None` if a `%(` in it is not closed.
///
/// The parentheses of `%(name)s` are part of the word, all others end it.
fn word_len(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        if let Some(name) = rest.strip_prefix("%(") {
            at += 2 + name.find(')')? + 1;
            continue;
        }
        match rest.chars().next() {
            Some(next) if !next.is_whitespace() && next != '(' && next != ')' => {
                at += next.len_utf8();
            }
            _ => return Some(at),
        }
    }
}

/// Returns a condition without operators, or `None` if it is unknown.
fn check(word: &str) -> Option<Condition> {
    match word {
        "@" => return Some(Condition::Always),
        "!" => return Some(Condition::Never),
        _ => {}
    }
    let (kind, value) = word.split_once(':').filter(|(_, value)| !value.is_empty())?;
    let owner = match kind {
        "role" => return Some(Condition::Role(value.to_lowercase().into())),
        "rule" => return Some(Condition::Rule(value.into())),
        "is_admin" => {
            return match value {
                "True" => Some(Condition::Admin(true)),
                "False" => Some(Condition::Admin(false)),
                _ => None,
            };
        }
        "project_id" | "tenant_id" => Owner::Project,
        "user_id" => Owner::User,
        _ => return None,
    };
    let wanted = match value {
        "%(project_id)s" | "%(tenant_id)s" => Wanted::Target(Owner::Project),
        "%(user_id)s" => Wanted::Target(Owner::User),
        // Another substitution would be a literal that no ID is equal to.
        value if value.contains('%') => return None,
        value => Wanted::Literal(value.into()),
    };
    Some(Condition::Owner(owner, wanted))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_string_is_read_or_refused(text in "([a-z:@!%. ]|\\(|\\)|not |and |or |role:x|%\\(){0,40}") {
            // The position of an error MUST be within the string.
            if let Err(PolicyErrorKind::Syntax { at, .. }) = Condition::read(&text) {
                prop_assert!(at <= text.len());
            }
        }
    }

    fn role(name: &str) -> Condition {
        Condition::Role(name.into())
    }

    #[test]
    fn not_binds_tighter_than_and_and_tighter_than_or() {
        let read = Condition::read("role:a or not role:b and (role:c OR @)").unwrap();
        let not = Condition::Not(Box::new(role("b")));
        let inner = Condition::Any(vec![role("c"), Condition::Always]);
        assert_eq!(read, Condition::Any(vec![role("a"), Condition::All(vec![not, inner])]));
        assert_eq!(Condition::read("").unwrap(), Condition::Always);
        assert_eq!(Condition::read(" ! ").unwrap(), Condition::Never);
        let own = Condition::Owner(Owner::Project, Wanted::Target(Owner::Project));
        assert_eq!(Condition::read("(project_id:%(project_id)s)").unwrap(), own);
        let other = Condition::Owner(Owner::User, Wanted::Literal("u-1".into()));
        assert_eq!(Condition::read("user_id:u-1").unwrap(), other);
        assert_eq!(Condition::read("role:Admin").unwrap(), role("admin"));
    }

    #[test]
    fn malformed_conditions_are_rejected() {
        for (text, at) in [
            ("role:a role:b", 7),
            ("role:a and", 10),
            ("(role:a", 7),
            ("role:a)", 6),
            ("or role:a", 0),
            ("()", 1),
            ("not", 3),
        ] {
            let fault = Condition::read(text).unwrap_err();
            let found = matches!(fault, PolicyErrorKind::Syntax { at: found, .. } if found == at);
            assert!(found, "{text}: {fault:?}");
        }
        for word in
            ["admin", "role:", "is_admin:1", "domain_id:x", "project_id:%(domain_id)s", "http://x"]
        {
            let fault = Condition::read(word).unwrap_err();
            assert_eq!(fault, PolicyErrorKind::UnknownCondition(word.into()), "{word}");
        }
        assert!(Condition::read("project_id:%(project_id").is_err());
    }

    #[test]
    fn conditions_have_a_maximum_length_and_depth() {
        let deep = format!("{}@{}", "(".repeat(DEPTH_MAX), ")".repeat(DEPTH_MAX));
        let too_deep = PolicyErrorKind::TooDeep { depth_max: DEPTH_MAX };
        assert_eq!(Condition::read(&deep), Err(too_deep.clone()));
        assert_eq!(Condition::read(&"not ".repeat(900)), Err(too_deep));
        let within = format!("{}@{}", "(".repeat(DEPTH_MAX - 1), ")".repeat(DEPTH_MAX - 1));
        assert_eq!(Condition::read(&within), Ok(Condition::Always));
        let long = Condition::read(&" ".repeat(CONDITION_LEN_MAX + 1)).unwrap_err();
        assert!(matches!(long, PolicyErrorKind::TooLong { .. }), "{long:?}");
    }
}
