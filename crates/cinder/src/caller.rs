//! The caller of a request, and the decisions of the policy about it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    access::{Policy, Target, actions::Rule},
    error::Error,
    rows::{Backup, Group, GroupSnapshot, Message, Snapshot, Volume},
};

pub use crate::access::actions as policy;

/// The sender of a request, as its token describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user's ID.
    pub user: Box<str>,
    /// The ID of the project that the token is for.
    pub project: Box<str>,
    /// The strongest of the built-in roles.
    pub role: Role,
    /// The token's other roles, in lower case.
    pub roles: Arc<[Box<str>]>,
    /// Whether the request also has the token of a service that may act for users, such as Compute.
    pub service: bool,
    /// The policy that the request is decided by.
    pub policy: Arc<Policy>,
    /// Whether the policy was asked.
    pub asked: Asked,
}

/// Whether an operation asked the policy for permission, so that a server can refuse the answer of one that
/// forgot.
#[derive(Debug, Default)]
pub struct Asked(AtomicBool);

impl Asked {
    fn note(&self) {
        // It orders nothing: one thread serves a request.
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A copy has asked nothing yet.
impl Clone for Asked {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// No part of a caller's identity.
impl PartialEq for Asked {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Asked {}

/// A caller without a role, under the default policy.
impl Default for Caller {
    fn default() -> Self {
        Self {
            user: Box::default(),
            project: Box::default(),
            role: Role::None,
            roles: Arc::default(),
            service: false,
            policy: Policy::defaults(),
            asked: Asked::default(),
        }
    }
}

/// The built-in roles, each of which includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// No built-in role.
    #[default]
    None,
    /// By default reads the project.
    Reader,
    /// By default changes the project.
    Member,
    /// By default does everything, in all projects.
    Admin,
}

impl Caller {
    /// Returns whether this is an admin, who sees all projects: the rule `context_is_admin` decides.
    pub fn is_admin(&self) -> bool {
        self.policy.is_admin(self)
    }

    /// Returns whether rows of `project` are there for this caller.
    pub fn sees(&self, project: &str) -> bool {
        *self.project == *project || self.is_admin()
    }

    /// Returns whether the caller has a role, named in lower case: built-in roles include those before them.
    pub fn has_role(&self, name: &str) -> bool {
        let own = match name {
            "admin" => self.role >= Role::Admin,
            "member" => self.role >= Role::Member,
            "reader" => self.role >= Role::Reader,
            _ => false,
        };
        own || self.roles.iter().any(|role| **role == *name)
    }

    /// The caller as a target, for what belongs to no project or is about to belong to the caller's.
    pub(crate) fn own(&self) -> Target<'_> {
        Target { project: &self.project, user: Some(&self.user) }
    }

    /// Returns whether an operation asked the policy for permission, whatever the answer.
    pub fn has_asked(&self) -> bool {
        self.asked.0.load(Ordering::Relaxed)
    }

    /// Returns whether the policy allows an action in the caller's own project. It decides what is shown, and is no
    /// permission.
    pub fn allows(&self, rule: Rule) -> bool {
        self.policy.allows(self, rule, self.own())
    }

    /// Refuses an action that the policy does not allow in the caller's own project.
    ///
    /// # Errors
    /// [`Error::Policy`], which has the status 403.
    pub fn check(&self, rule: Rule) -> Result<(), Error> {
        self.check_target(rule, self.own())
    }

    /// Refuses an action that the policy does not allow in `project`.
    ///
    /// # Errors
    /// As [`Caller::check`].
    pub fn check_in(&self, rule: Rule, project: &str) -> Result<(), Error> {
        self.check_target(rule, Target { project, user: None })
    }

    /// Refuses an action that the policy does not allow with a row.
    ///
    /// # Errors
    /// As [`Caller::check`].
    pub fn check_on(&self, rule: Rule, row: &impl Owned) -> Result<(), Error> {
        self.check_target(rule, row.target())
    }

    /// Like [`Caller::check_on`] for a row that may be missing: then the caller's own project decides, so that a
    /// caller without permission does not learn which rows there are.
    pub(crate) fn check_found(&self, rule: Rule, row: Option<&impl Owned>) -> Result<(), Error> {
        self.check_target(rule, row.map_or_else(|| self.own(), Owned::target))
    }

    fn check_target(&self, rule: Rule, target: Target<'_>) -> Result<(), Error> {
        self.asked.note();
        let allowed = self.policy.allows(self, rule, target);
        if allowed { Ok(()) } else { Err(Error::Policy { rule: rule.name() }) }
    }
}

/// A row with an owner, which conditions look at.
pub trait Owned {
    /// Returns the row's owner.
    fn target(&self) -> Target<'_>;
}

macro_rules! owned {
    ($($row:ty),*) => {$(
        impl Owned for $row {
            fn target(&self) -> Target<'_> {
                Target { project: &self.project_id, user: Some(&self.user_id) }
            }
        }
    )*};
}

owned!(Volume, Snapshot, Backup, Group, GroupSnapshot);

impl Owned for Message {
    fn target(&self) -> Target<'_> {
        Target { project: &self.project_id, user: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_check_asks_for_permission() {
        let caller = Caller { role: Role::Member, ..Caller::default() };
        assert!(caller.allows(policy::VOLUME_GET) && !caller.has_asked());
        assert!(caller.check(policy::TYPE_CREATE).is_err() && caller.has_asked());
        assert!(!caller.clone().has_asked());
    }

    #[test]
    fn roles_include_those_before_them() {
        let of = |role| Caller { project: "p".into(), role, ..Caller::default() };
        assert!(of(Role::Reader).check(policy::VOLUME_GET).is_ok());
        assert!(of(Role::Reader).check(policy::VOLUME_CREATE).is_err());
        assert!(of(Role::Member).check(policy::VOLUME_CREATE).is_ok());
        assert!(of(Role::Member).check_in(policy::QUOTA_SHOW, "other").is_err());
        assert!(of(Role::Admin).check_in(policy::QUOTA_SHOW, "other").is_ok());
        let refusal = of(Role::Member).check(policy::VOLUME_FORCE_DETACH).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "Policy doesn't allow volume_extension:volume_admin_actions:force_detach to be \
             performed."
        );
    }
}
