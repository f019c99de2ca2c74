//! The policy file of Block Storage, and the policy that is in force.
//!
//! A file is TOML: the name of an action or of a rule, and a condition or a list of roles. Entries that
//! it leaves out keep their defaults. `statehold policy show` prints such a file.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use serde::Deserialize;
use statehold_cinder::{Policy, PolicyErrorKind, PolicySource};
use toml::Spanned;

/// The largest policy file, in bytes.
const FILE_LEN_MAX: u64 = 1 << 20;

/// The policy in force, which a reload replaces while requests run. Clones share it.
#[derive(Clone, Debug)]
pub struct CurrentPolicy(Arc<RwLock<Arc<Policy>>>);

impl Default for CurrentPolicy {
    fn default() -> Self {
        Self::new(Policy::defaults())
    }
}

impl CurrentPolicy {
    /// Puts a policy in force.
    pub fn new(policy: Arc<Policy>) -> Self {
        Self(Arc::new(RwLock::new(policy)))
    }

    /// Returns the policy as of now: a request is decided by one policy from its beginning to its end.
    pub(crate) fn get(&self) -> Arc<Policy> {
        Arc::clone(&self.0.read())
    }

    /// Puts another policy in force for the requests that begin from now on.
    pub fn replace(&self, policy: Arc<Policy>) {
        *self.0.write() = policy;
    }
}

/// A policy file that cannot be in force.
#[derive(Debug)]
pub enum PolicyFileError {
    /// The file can not be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is larger than a policy may be.
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A line of the file is no rule.
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

/// A fault at a byte of a file.
#[derive(Debug)]
struct PolicyFault {
    at: usize,
    reason: String,
}

/// Reads a policy file.
pub fn load(path: &Path) -> Result<Arc<Policy>, PolicyFileError> {
    let unreadable = |source| PolicyFileError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
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
        // A default can be at fault with an entry of the file alone: as part of a cycle, or past a limit.
        let is_named = |name: &str| match error.kind() {
            PolicyErrorKind::Cycle(through) => through.iter().any(|other| **other == *name),
            _ => name == error.name(),
        };
        let name = file.keys().find(|name| is_named(name.get_ref()));
        PolicyFault { at: name.map_or(0, |name| name.span().start), reason: error.to_string() }
    })
}

/// A policy as a file that [`load`] reads.
fn to_toml(policy: &Policy) -> String {
    let mut text = String::from(
        "# The policy of Block Storage, for `statehold serve --policy FILE`. Entries that are left out keep their\n\
         # defaults. A name with a colon is an action, one without is a rule that conditions refer to.\n\n",
    );
    for (name, condition) in policy.entries() {
        text.extend([toml_string(name).as_str(), " = ", toml_string(condition).as_str(), "\n"]);
    }
    text
}

/// A basic string of TOML.
fn toml_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.extend(format!("\\u{:04X}", u32::from(c)).chars()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns the policy that a file puts in force, or the defaults, as TOML.
pub fn show(path: Option<&Path>) -> Result<String, PolicyFileError> {
    let policy = path.map_or_else(|| Ok(Policy::defaults()), load)?;
    Ok(to_toml(&policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_that_is_shown_is_the_policy_that_is_read() {
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
    fn a_fault_of_a_file_is_at_its_line() {
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
