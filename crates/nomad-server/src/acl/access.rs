//! What a caller is allowed: rules of operations against the grants of a token.

use std::sync::Arc;

use serde::Deserialize;

use crate::error::ApiError;
use statehold_server_core::caller::CallerKey;

/// What an operation asks of its caller.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// A token, whatever it allows.
    Token,
    /// One of these in the namespace that the path or the query names. With `*` one of them in some
    /// namespace; rows of others are left out.
    Namespace(&'static [Capability]),
    /// One of these in some namespace. Rows of others are left out, and the handler asks
    /// [`crate::request::NomadRequest::allow_in`] for each namespace that the body names.
    Somewhere(&'static [Capability]),
    /// Nothing: nobody is refused; rows of namespaces without one of these are left out.
    Rows(&'static [Capability]),
    /// So much of plugins.
    Plugin(Level),
    /// So much of nodes, and of what orchestrators feed.
    Node(Level),
    /// So much of the server itself.
    Operator(Level),
    /// A token that may do everything.
    Management,
    /// Each of these.
    All(&'static [Rule]),
}

/// How much of something a token allows; what is greater allows what is less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Nothing, whatever other policies of the token say.
    Deny,
    /// Nothing.
    #[default]
    #[serde(skip)]
    None,
    /// Lists.
    List,
    /// Everything but changes.
    Read,
    /// Everything.
    Write,
}

/// What a token may be allowed in a namespace, by the names of Nomad's ACL policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Capability {
    /// Nothing, whatever other policies of the token say.
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
    /// All of them that allow something.
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

/// What a policy says of the namespaces with a name, or of those whose names begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamespaceGrant {
    /// A name, or the beginning of names and `*`.
    pub(crate) pattern: String,
    pub(crate) capabilities: Vec<Capability>,
}

impl NamespaceGrant {
    /// How closely it is about a namespace: the longer its pattern, the more closely, and a name is
    /// closer than any pattern; `None` when it isn't about it.
    fn closeness(&self, namespace: &str) -> Option<usize> {
        match self.pattern.strip_suffix('*') {
            Some(start) => namespace.starts_with(start).then_some(start.len()),
            None => (self.pattern == namespace).then_some(usize::MAX),
        }
    }
}

/// A policy. Of what it says of namespaces, the closest counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) namespaces: Vec<NamespaceGrant>,
    pub(crate) plugin: Level,
    pub(crate) node: Level,
    pub(crate) operator: Level,
}

impl Policy {
    fn capabilities(&self, namespace: &str) -> &[Capability] {
        let about = self
            .namespaces
            .iter()
            .filter_map(|grant| grant.closeness(namespace).map(|closeness| (closeness, grant)));
        let closest = about.max_by_key(|(closeness, _)| *closeness);
        closest.map_or(&[], |(_, grant)| &grant.capabilities)
    }
}

/// What a token allows: what any of its policies does, unless another one denies it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grants {
    /// Whether everything is allowed.
    pub(crate) management: bool,
    pub(crate) policies: Vec<Arc<Policy>>,
}

/// Who calls, as far as it matters.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// Anybody: there are no ACLs.
    Open,
    /// Somebody without a token.
    Anonymous,
    /// The holder of a token.
    Token(Arc<Grants>),
}

impl Access {
    /// By whom the caller's shares are known, if by its token.
    pub(crate) fn key(&self) -> Option<CallerKey> {
        match self {
            Self::Open | Self::Anonymous => None,
            // Each token has grants of its own, which live as long as the token is known.
            Self::Token(grants) => Some(CallerKey::token(Arc::as_ptr(grants))),
        }
    }

    /// Whether everything is allowed.
    pub(crate) fn is_unlimited(&self) -> bool {
        match self {
            Self::Open => true,
            Self::Anonymous => false,
            Self::Token(grants) => grants.management,
        }
    }

    /// Refuses who may not do what `rule` is for. `namespace` is the one that the request names.
    pub(crate) fn demand(&self, rule: &Rule, namespace: &str) -> Result<(), ApiError> {
        if self.allows(rule, namespace) { Ok(()) } else { Err(ApiError::denied()) }
    }

    /// Whether rows of a namespace are for the caller of an operation with this rule.
    pub(crate) fn sees(&self, rule: &Rule, namespace: &str) -> bool {
        match rule {
            Rule::Namespace(wanted) | Rule::Somewhere(wanted) | Rule::Rows(wanted) => {
                self.has(namespace, wanted)
            }
            Rule::All(rules) => rules.iter().all(|rule| self.sees(rule, namespace)),
            _ => true,
        }
    }

    /// Whether one of the capabilities is there in a namespace. Only what is said of all namespaces is
    /// there in `*`.
    pub(crate) fn has(&self, namespace: &str, wanted: &[Capability]) -> bool {
        let grants = match self {
            Self::Open => return true,
            Self::Anonymous => return false,
            Self::Token(grants) => grants,
        };
        let there = || grants.policies.iter().flat_map(|policy| policy.capabilities(namespace));
        grants.management
            || (there().any(|found| wanted.contains(found))
                && there().all(|found| *found != Capability::Deny))
    }

    /// Whether so much of what `level` looks at is allowed.
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

    /// Whether one of the capabilities is there in some namespace.
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
