//! Permissions: the rules of operations, and the grants of a token that satisfy them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use statehold_server_core::caller::CallerKey;

/// The permission that an operation requires.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rule {
    /// Any valid token.
    Token,
    /// One of the capabilities in the namespace that the path or the query names. With `*`, one of them in any
    /// namespace, and rows of namespaces without one are left out.
    Namespace(&'static [Capability]),
    /// One of the capabilities in any namespace. Rows of namespaces without one are left out, and the handler MUST
    /// call [`crate::request::NomadRequest::allow_in`] for each namespace that the body names.
    Somewhere(&'static [Capability]),
    /// No permission; rows of namespaces without one of the capabilities are left out.
    Rows(&'static [Capability]),
    /// At least this level for plugins.
    Plugin(Level),
    /// At least this level for nodes, and for the rows that orchestrators feed.
    Node(Level),
    /// At least this level for the server itself.
    Operator(Level),
    /// A management token.
    Management,
    /// Every one of the rules.
    All(&'static [Rule]),
}

/// The level of access to a kind of object. A greater level includes the lesser ones.
// Nomad: acl/policy.go, PolicyDeny, PolicyList, PolicyRead and PolicyWrite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// None, and overrides the other policies of the token.
    Deny,
    /// None.
    #[default]
    #[serde(skip)]
    None,
    /// Listing.
    List,
    /// Listing and reading.
    Read,
    /// Listing, reading and changing.
    Write,
}

/// A capability in a namespace, by the names of Nomad's ACL policies.
// Nomad: acl/policy.go, the NamespaceCapability constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Capability {
    /// None, and overrides the other policies of the token.
    Deny,
    ListJobs,
    ReadJob,
    CsiListVolume,
    CsiReadVolume,
    CsiMountVolume,
    CsiWriteVolume,
    HostVolumeRead,
    HostVolumeCreate,
    HostVolumeRegister,
    HostVolumeDelete,
    HostVolumeWrite,
}

impl Capability {
    /// Every capability except [`Capability::Deny`].
    pub(crate) const ANY: &'static [Self] = &[
        Self::ListJobs,
        Self::ReadJob,
        Self::CsiListVolume,
        Self::CsiReadVolume,
        Self::CsiMountVolume,
        Self::CsiWriteVolume,
        Self::HostVolumeRead,
        Self::HostVolumeCreate,
        Self::HostVolumeRegister,
        Self::HostVolumeDelete,
        Self::HostVolumeWrite,
    ];
}

/// The capabilities that a policy grants in the namespaces of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamespaceGrant {
    /// A name, or a prefix of names followed by `*`.
    pub(crate) pattern: String,
    pub(crate) capabilities: Vec<Capability>,
}

impl NamespaceGrant {
    /// Returns how closely the pattern matches a namespace, or `None` if it does not match. A longer pattern matches
    /// more closely, and a name more closely than any pattern.
    // Nomad: acl/acl.go, ACL.matchingNamespaceCapabilitySet and findClosestMatchingGlob.
    fn closeness(&self, namespace: &str) -> Option<usize> {
        match self.pattern.strip_suffix('*') {
            Some(start) => namespace.starts_with(start).then_some(start.len()),
            None => (self.pattern == namespace).then_some(usize::MAX),
        }
    }
}

/// A policy. In a namespace only its closest grant counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) namespaces: Vec<NamespaceGrant>,
    pub(crate) plugin: Level,
    pub(crate) node: Level,
    pub(crate) operator: Level,
}

impl Policy {
    fn capabilities(&self, namespace: &str) -> &[Capability] {
        let matching = self
            .namespaces
            .iter()
            .filter_map(|grant| grant.closeness(namespace).map(|closeness| (closeness, grant)));
        let closest = matching.max_by_key(|(closeness, _)| *closeness);
        closest.map_or(&[], |(_, grant)| &grant.capabilities)
    }
}

/// The grants of a token: the union of its policies, except where one of them denies access.
// Nomad: acl/acl.go, NewACL and maxPrivilege.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grants {
    /// Whether the token has every permission.
    pub(crate) management: bool,
    pub(crate) policies: Vec<Arc<Policy>>,
}

/// The grants of a caller.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// Every permission, because there is no ACL.
    Open,
    /// No token.
    Anonymous,
    /// A token's grants.
    Token(Arc<Grants>),
}

impl Access {
    /// Returns the key that the caller's limits are counted by, or `None` if it has no token.
    pub(crate) fn key(&self) -> Option<CallerKey> {
        match self {
            Self::Open | Self::Anonymous => None,
            // By address: each token has its own grants, which live as long as the token.
            Self::Token(grants) => Some(CallerKey::token(Arc::as_ptr(grants))),
        }
    }

    /// Returns whether the caller has every permission.
    pub(crate) fn is_unlimited(&self) -> bool {
        match self {
            Self::Open => true,
            Self::Anonymous => false,
            Self::Token(grants) => grants.management,
        }
    }

    /// Fails with 403 if the caller does not satisfy `rule`. `namespace` is the one that the request names.
    pub(crate) fn demand(&self, rule: &Rule, namespace: &str) -> Result<(), ApiError> {
        if self.allows(rule, namespace) { Ok(()) } else { Err(ApiError::denied()) }
    }

    /// Returns whether an operation with this rule shows rows of a namespace to the caller.
    pub(crate) fn sees(&self, rule: &Rule, namespace: &str) -> bool {
        match rule {
            Rule::Namespace(wanted) | Rule::Somewhere(wanted) | Rule::Rows(wanted) => {
                self.has(namespace, wanted)
            }
            Rule::All(rules) => rules.iter().all(|rule| self.sees(rule, namespace)),
            _ => true,
        }
    }

    /// Returns whether the caller has one of the capabilities in a namespace. In `*` only the grants of the pattern
    /// `*` count.
    pub(crate) fn has(&self, namespace: &str, wanted: &[Capability]) -> bool {
        let grants = match self {
            Self::Open => return true,
            Self::Anonymous => return false,
            Self::Token(grants) => grants,
        };
        let granted = || grants.policies.iter().flat_map(|policy| policy.capabilities(namespace));
        // A denial of one policy overrides the grants of all others.
        grants.management
            || (granted().any(|found| wanted.contains(found))
                && granted().all(|found| *found != Capability::Deny))
    }

    /// Returns whether the caller has at least the level `wanted`; `level` selects it from a policy.
    pub(crate) fn level(&self, wanted: Level, level: impl Fn(&Policy) -> Level) -> bool {
        let grants = match self {
            Self::Open => return true,
            Self::Anonymous => return false,
            Self::Token(grants) => grants,
        };
        let levels = || grants.policies.iter().map(|policy| level(policy));
        grants.management
            || (levels().any(|found| found >= wanted) && levels().all(|found| found != Level::Deny))
    }

    fn allows(&self, rule: &Rule, namespace: &str) -> bool {
        match rule {
            Rule::Token => !matches!(self, Self::Anonymous),
            Rule::Namespace(wanted) if namespace == statehold_nomad::ALL_NAMESPACES => {
                self.has_somewhere(wanted)
            }
            Rule::Namespace(wanted) => self.has(namespace, wanted),
            Rule::Somewhere(wanted) => self.has_somewhere(wanted),
            Rule::Rows(_) => true,
            Rule::Plugin(wanted) => self.level(*wanted, |policy| policy.plugin),
            Rule::Node(wanted) => self.level(*wanted, |policy| policy.node),
            Rule::Operator(wanted) => self.level(*wanted, |policy| policy.operator),
            Rule::Management => self.is_unlimited(),
            Rule::All(rules) => rules.iter().all(|rule| self.allows(rule, namespace)),
        }
    }

    /// Returns whether the caller has one of the capabilities in any namespace.
    // Nomad: acl/acl.go, ACL.anyNamespaceAllowsOp.
    pub(crate) fn has_somewhere(&self, wanted: &[Capability]) -> bool {
        match self {
            Self::Open => true,
            Self::Anonymous => false,
            Self::Token(grants) => {
                let mut all = grants.policies.iter().flat_map(|policy| &policy.namespaces);
                grants.management
                    || all.any(|grant| {
                        grant.capabilities.iter().any(|found| wanted.contains(found))
                            && !grant.capabilities.contains(&Capability::Deny)
                    })
            }
        }
    }
}
