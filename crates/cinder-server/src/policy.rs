//! The policy file of Block Storage, and the policy in force.
//!
//! A file is TOML: each entry maps the name of an action or rule to a condition or a list of roles. Absent entries keep
//! their defaults. `statehold policy show` prints such a file.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use serde::Deserialize;
use statehold_cinder::{Policy, PolicyErrorKind, PolicySource};
use toml::Spanned;

/// Maximum size of a policy file, in bytes.
const FILE_LEN_MAX: u64 = 1 << 20;

/// The policy in force, which a reload replaces while requests run. Clones refer to the same policy.
#[derive(Clone, Debug)]
pub struct CurrentPolicy(Arc<RwLock<Arc<Policy>>>);

impl Default for CurrentPolicy {
    fn default() -> Self {
        Self::new(Policy::defaults())
    }
}

impl CurrentPolicy {
    /// Creates the holder of the policy in force.
    pub fn new(policy: Arc<Policy>) -> Self {
        Self(Arc::new(RwLock::new(policy)))
    }

    /// Returns the policy in force now. The caller keeps it for its whole request, so that a reload never mixes two
    /// policies.
    pub(crate) fn get(&self) -> Arc<Policy> {
        Arc::clone(&self.0.read())
    }

    /// Replaces the policy for the requests that begin afterwards.
    pub fn replace(&self, policy: Arc<Policy>) {
        *self.0.write() = policy;
    }
}

/// The reason why a policy file is rejected.
#[derive(Debug)]
pub enum PolicyFileError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file exceeds the maximum size.
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// An entry of the file is invalid.
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The reason.
        reason: String,
    },
}

impl fmt::Display for PolicyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => {
                write!(f, "can't read the policy file {}: {source}", path.display())
            }
            Self::TooLarge { path } => {
                let path = path.display();
                write!(f, "the policy file {path} has more than {FILE_LEN_MAX} bytes; shorten it")
            }
            Self::Invalid { path, line, reason } => {
                write!(f, "the policy file {}, line {line}: {reason}", path.display())
            }
        }
    }
}

impl std::error::Error for PolicyFileError {}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a condition such as \"role:member\" or a list of roles is expected")]
enum PolicyEntry {
    Condition(String),
    Roles(Vec<String>),
}

impl PolicyEntry {
    fn source(&self) -> PolicySource {
        match self {
            Self::Condition(text) => PolicySource::Condition(text.as_str().into()),
            Self::Roles(roles) => {
                PolicySource::Roles(roles.iter().map(|role| role.as_str().into()).collect())
            }
        }
    }
}

/// An invalid entry, and its position in bytes.
#[derive(Debug)]
struct PolicyFault {
    at: usize,
    reason: String,
}

/// Reads a policy file.
///
/// # Errors
/// [`PolicyFileError`]
pub fn load(path: &Path) -> Result<Arc<Policy>, PolicyFileError> {
    let unreadable = |source| PolicyFileError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    // One more byte than allowed shows that the file is too large; the rest is never read.
    let len = file.take(FILE_LEN_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if len as u64 > FILE_LEN_MAX {
        return Err(PolicyFileError::TooLarge { path: path.to_owned() });
    }
    parse(&text).map(Arc::new).map_err(|fault| PolicyFileError::Invalid {
        path: path.to_owned(),
        line: text.bytes().take(fault.at).filter(|byte| *byte == b'\n').count() + 1,
        reason: fault.reason,
    })
}

fn parse(text: &str) -> Result<Policy, PolicyFault> {
    let file: BTreeMap<Spanned<String>, Spanned<PolicyEntry>> =
        toml::from_str(text).map_err(|error| PolicyFault {
            at: error.span().map_or(0, |span| span.start),
            reason: error.message().trim_end().to_owned(),
        })?;
    let entries =
        file.iter().map(|(name, entry)| (name.get_ref().as_str(), entry.get_ref().source()));
    Policy::new(entries).map_err(|error| {
        // The error may name a default: with an entry of the file it can form a cycle or exceed a limit.
        let is_named = |name: &str| match error.kind() {
            PolicyErrorKind::Cycle(through) => through.iter().any(|other| **other == *name),
            _ => name == error.name(),
        };
        let name = file.keys().find(|name| is_named(name.get_ref()));
        PolicyFault { at: name.map_or(0, |name| name.span().start), reason: error.to_string() }
    })
}

/// Returns a policy as a file that [`load`] reads.
fn to_toml(policy: &Policy) -> String {
    let mut text = String::from(
        "# The policy of Block Storage, for `statehold serve --policy FILE`. Absent entries keep their\n\
         # defaults. A name with a colon is an action, one without is a rule that conditions refer to.\n\n",
    );
    for (name, condition) in policy.entries() {
        text.extend([toml_string(name).as_str(), " = ", toml_string(condition).as_str(), "\n"]);
    }
    text
}

/// Returns a basic string of TOML.
fn toml_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // TOML allows no control characters in a basic string.
            c if c.is_control() => quoted.extend(format!("\\u{:04X}", u32::from(c)).chars()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns the policy of a file, or the defaults without one, as TOML.
///
/// # Errors
/// As [`load`].
pub fn show(path: Option<&Path>) -> Result<String, PolicyFileError> {
    let policy = path.map_or_else(|| Ok(Policy::defaults()), load)?;
    Ok(to_toml(&policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_policy_parses_to_itself() {
        let defaults = Policy::defaults();
        assert_eq!(parse(&to_toml(&defaults)).unwrap(), *defaults);
        let text = "\"volume:get\" = ['auditor', 'reader']\nown = \"user_id:a\\\"b\\\\\"\n\
                    \"volume:delete\" = \"rule:own and\\tnot role:x\"";
        let policy = parse(text).unwrap();
        assert_ne!(policy, *defaults);
        assert_eq!(parse(&to_toml(&policy)).unwrap(), policy);
        assert_eq!(parse("").unwrap(), *defaults);
    }

    #[test]
    fn errors_name_the_line_of_the_entry() {
        let at = |text: &str| {
            let fault = parse(text).unwrap_err();
            (text[..fault.at].matches('\n').count() + 1, fault.reason)
        };
        let (line, reason) = at("\"volume:get\" = \"@\"\n\"volume:gett\" = \"@\"");
        assert_eq!((line, reason.contains("volume:get`?")), (2, true), "{reason}");
        let (line, reason) = at("# none\n\n\"volume:get\" = \"rule:nope\"");
        assert_eq!((line, reason.contains("`nope`")), (3, true), "{reason}");
        let (line, reason) = at("a = \"rule:b\"\nb = \"rule:a\"\n\"volume:get\" = \"rule:a\"");
        assert_eq!((line, reason.contains("a -> b -> a")), (1, true), "{reason}");
        let (line, reason) = at("\n\"volume:get\" = 7");
        assert_eq!((line, reason.contains("a list of roles")), (2, true), "{reason}");
        let (line, _) = at("\"volume:get\" = \"@\"\n\"volume:get\" = \"!\"");
        assert_eq!(line, 2);
        let (line, reason) = at("\"volume:get\" = []");
        assert_eq!((line, reason.contains("lists no role")), (1, true), "{reason}");
        let (line, _) = at("\"volume:get\" = \"@\"\n[x]\ny = 1");
        assert_eq!(line, 2);
    }
}
