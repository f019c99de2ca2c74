//! The caller of a request, and the policy's decisions about it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    access::{Policy, Target, actions::Rule},
    errors::Error,
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
    /// The policy that decides about the request.
    pub policy: Arc<Policy>,
    /// Whether an operation has checked the policy.
    pub policy_checked: PolicyChecked,
}

/// Whether an operation checked the policy for permission, so that a server can refuse the response
/// of one that did not.
#[derive(Debug, Default)]
pub struct PolicyChecked(AtomicBool);

impl PolicyChecked {
    fn set(&self) {
        // Relaxed is enough, because one thread serves a request.
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A clone starts unchecked: it belongs to another request.
impl Clone for PolicyChecked {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Compares equal always, because it is no part of a caller's identity.
impl PartialEq for PolicyChecked {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for PolicyChecked {}

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
            policy_checked: PolicyChecked::default(),
        }
    }
}

/// The built-in roles. Each includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// No built-in role.
    #[default]
    None,
    /// Reads its project, under the default policy.
    Reader,
    /// Changes its project, under the default policy.
    Member,
    /// Acts on all projects, under the default policy.
    Admin,
}

impl Caller {
    /// Returns whether the caller is an admin, with access to all projects, by the rule
    /// `context_is_admin`.
    pub fn is_admin(&self) -> bool {
        self.policy.is_admin(self)
    }

    /// Returns whether the caller sees rows of `project`.
    pub fn sees(&self, project: &str) -> bool {
        *self.project == *project || self.is_admin()
    }

    /// Returns whether the caller has a role, named in lower case. Built-in roles include those
    /// before them.
    pub fn has_role(&self, name: &str) -> bool {
        let own = match name {
            "admin" => self.role >= Role::Admin,
            "member" => self.role >= Role::Member,
            "reader" => self.role >= Role::Reader,
            _ => false,
        };
        own || self.roles.iter().any(|role| **role == *name)
    }

    /// Returns the caller as a target, for objects that belong to no project or are about to belong
    /// to the caller's.
    pub(crate) fn own(&self) -> Target<'_> {
        Target { project: &self.project, user: Some(&self.user) }
    }

    /// Returns whether an operation checked the policy for permission, with any result.
    pub fn has_checked_policy(&self) -> bool {
        self.policy_checked.0.load(Ordering::Relaxed)
    }

    /// Returns whether the policy allows an action in the caller's own project. It decides which
    /// members are shown, and grants no permission.
    pub fn allows(&self, rule: Rule) -> bool {
        self.policy.allows(self, rule, self.own())
    }

    /// Checks that the policy allows an action in the caller's own project.
    ///
    /// # Errors
    /// [`Error::Policy`], which has the status 403.
    pub fn check(&self, rule: Rule) -> Result<(), Error> {
        self.check_target(rule, self.own())
    }

    /// Checks that the policy allows an action in `project`.
    ///
    /// # Errors
    /// As [`Caller::check`].
    pub fn check_in(&self, rule: Rule, project: &str) -> Result<(), Error> {
        self.check_target(rule, Target { project, user: None })
    }

    /// Checks that the policy allows an action on a row.
    ///
    /// # Errors
    /// As [`Caller::check`].
    pub fn check_on(&self, rule: Rule, row: &impl HasOwner) -> Result<(), Error> {
        self.check_target(rule, row.target())
    }

    /// Like [`Caller::check_on`], for a row that may be missing: then the caller's own project
    /// decides, so that a caller without permission does not learn which rows exist.
    pub(crate) fn check_found(&self, rule: Rule, row: Option<&impl HasOwner>) -> Result<(), Error> {
        self.check_target(rule, row.map_or_else(|| self.own(), HasOwner::target))
    }

    fn check_target(&self, rule: Rule, target: Target<'_>) -> Result<(), Error> {
        // Noted before the decision, because a refusal is a check as well.
        self.policy_checked.set();
        let allowed = self.policy.allows(self, rule, target);
        if allowed { Ok(()) } else { Err(Error::Policy { rule: rule.name() }) }
    }
}

/// A row with an owner, which conditions of the policy compare with the caller.
pub trait HasOwner {
    /// Returns the row's owner.
    fn target(&self) -> Target<'_>;
}

macro_rules! owned {
    ($($row:ty),*) => {$(
        impl HasOwner for $row {
            fn target(&self) -> Target<'_> {
                Target { project: &self.project_id, user: Some(&self.user_id) }
            }
        }
    )*};
}

owned!(Volume, Snapshot, Backup, Group, GroupSnapshot);

impl HasOwner for Message {
    fn target(&self) -> Target<'_> {
        // A message is addressed to a project, whose members all see it.
        Target { project: &self.project_id, user: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_check_counts_as_a_permission_check() {
        let caller = Caller { role: Role::Member, ..Caller::default() };
        assert!(caller.allows(policy::VOLUME_GET) && !caller.has_checked_policy());
        assert!(caller.check(policy::TYPE_CREATE).is_err() && caller.has_checked_policy());
        assert!(!caller.clone().has_checked_policy());
    }

    #[test]
    fn built_in_roles_include_those_before_them() {
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
