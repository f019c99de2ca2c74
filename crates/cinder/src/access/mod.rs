//! Policy: the permissions of callers, by rules that an operator can replace.
//!
//! [`actions`] is the table of everything that operations ask permission for, each with its default. A
//! [`Policy`] is that table with some entries replaced. An operation names its action and its target, and
//! [`Policy::allows`] decides by the caller's roles, project and user.
//!
//! Invariant: rules that a condition refers to are there and form no cycle, so that a decision ends.
//! Limits: [`CONDITION_LEN_MAX`], [`DEPTH_MAX`], [`STEPS_MAX`], [`ENTRIES_MAX`].

pub mod actions;
mod condition;
mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use self::{
    actions::{ACTIONS, Rule},
    condition::{Condition, Owner, Wanted},
};
pub use self::{
    condition::CONDITION_LEN_MAX,
    error::{PolicyError, PolicyErrorKind},
};
use crate::caller::Caller;

/// The deepest nesting of parentheses, `not` and rules in a condition.
pub const DEPTH_MAX: usize = 32;

/// The maximum number of steps of a decision. The conditions of a rule count at each reference.
pub const STEPS_MAX: usize = 1000;

/// The maximum number of entries of a policy.
pub const ENTRIES_MAX: usize = 1000;

/// The rule that decides whether a caller is an admin. Admins see all projects.
pub(crate) const CONTEXT_IS_ADMIN: &str = "context_is_admin";

/// The rules that the defaults of actions refer to.
// Cinder: cinder/policies/base.py. There is one admin project, so `is_admin_project:True` always holds, and no
// scope of a domain or of the whole system.
const RULES: &[(&str, &str)] = &[
    (CONTEXT_IS_ADMIN, "role:admin"),
    ("admin_or_owner", "is_admin:True or role:admin or project_id:%(project_id)s"),
    ("admin_api", "is_admin:True or role:admin"),
    (
        "xena_system_admin_or_project_reader",
        "role:admin or (role:reader and project_id:%(project_id)s)",
    ),
    (
        "xena_system_admin_or_project_member",
        "role:admin or (role:member and project_id:%(project_id)s)",
    ),
];

/// The policy without a file, which callers have by default.
static DEFAULT: LazyLock<Arc<Policy>> = LazyLock::new(|| {
    // A test proves that the defaults are valid. Without them, every action is denied.
    Arc::new(Policy::new(std::iter::empty()).unwrap_or_else(|_| Policy::closed()))
});

/// The owner of a resource that a caller reads or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'t> {
    /// The project that it belongs to.
    pub project: &'t str,
    /// The user that created it, if known. Without it, no condition on the user holds.
    pub user: Option<&'t str>,
}

/// A condition of a policy file: in the language of conditions, or as a list of roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A condition.
    Condition(Box<str>),
    /// Roles, one of which the caller must have.
    Roles(Vec<Box<str>>),
}

/// The condition of each action.
///
/// # Examples
/// ```
/// use statehold_cinder::{Caller, Policy, PolicySource, Role, policy};
///
/// let condition = PolicySource::Condition("role:auditor and project_id:%(project_id)s".into());
/// let policy = Policy::new([("volume:get", condition)])?;
/// let caller = Caller { role: Role::Member, policy: policy.into(), ..Caller::default() };
/// assert!(caller.check(policy::VOLUME_CREATE).is_ok());
/// assert!(caller.check(policy::VOLUME_GET).is_err());
/// # Ok::<(), statehold_cinder::PolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The conditions of the file, by name.
    sources: BTreeMap<Box<str>, Box<str>>,
    /// Those of rules.
    rules: Vec<Check>,
    /// Those of actions, in the order of [`ACTIONS`].
    actions: Vec<Check>,
    admin: Check,
}

/// A condition whose rules are known by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Check {
    Always,
    Never,
    Role(Box<str>),
    Admin(bool),
    Owner(Owner, Wanted),
    Rule(usize),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Policy {
    /// Returns the policy without a file.
    pub fn defaults() -> Arc<Self> {
        Arc::clone(&DEFAULT)
    }

    /// Creates a policy from the defaults and the entries that replace them or define further rules. A name
    /// with a colon is that of an action, one without is that of a rule.
    ///
    /// # Errors
    /// [`PolicyError`] for the first entry that is at fault: an unknown action or rule, a rule that nothing
    /// refers to, a cycle, a condition that cannot be read, or one past a limit.
    pub fn new<'n>(
        entries: impl IntoIterator<Item = (&'n str, Source)>,
    ) -> Result<Self, PolicyError> {
        let mut sources: BTreeMap<Box<str>, Box<str>> = BTreeMap::new();
        let defaults = RULES.iter().chain(ACTIONS);
        sources.extend(defaults.map(|(name, condition)| ((*name).into(), (*condition).into())));
        let fault = |name: &str, kind| PolicyError { name: name.into(), kind };
        for (name, source) in entries {
            // A name without a colon defines a rule, so only actions can be unknown here.
            if name.contains(':') && !ACTIONS.iter().any(|(known, _)| *known == name) {
                let near = near(name);
                return Err(fault(name, PolicyErrorKind::UnknownAction { near }));
            }
            let condition = source.written().map_err(|kind| fault(name, kind))?;
            sources.insert(name.into(), condition);
            if sources.len() > ENTRIES_MAX {
                return Err(fault(name, PolicyErrorKind::TooMany { entries_max: ENTRIES_MAX }));
            }
        }
        let mut conditions = BTreeMap::new();
        for (name, source) in &sources {
            let condition = Condition::read(source).map_err(|kind| fault(name, kind))?;
            conditions.insert(name.clone(), condition);
        }
        // Before names are resolved: a cycle would make decisions endless.
        check_references(&conditions)?;
        let names: Vec<&str> =
            conditions.keys().map(|name| &**name).filter(|name| !name.contains(':')).collect();
        let place = |name: &str| names.binary_search(&name).ok();
        let of = |name: &str| conditions.get(name).map_or(Check::Never, |of| of.placed(&place));
        let actions = ACTIONS.iter().map(|(name, _)| of(name)).collect();
        let rules = names.iter().map(|name| of(name)).collect();
        let admin = of(CONTEXT_IS_ADMIN);
        Ok(Self { sources, rules, actions, admin })
    }

    /// Returns a policy that denies every action.
    fn closed() -> Self {
        let (sources, rules, actions) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { sources, rules, actions, admin: Check::Never }
    }

    /// Returns whether `caller` may do `action` with `target`.
    pub fn allows(&self, caller: &Caller, action: Rule, target: Target<'_>) -> bool {
        let check = self.actions.get(action.place());
        check.is_some_and(|check| self.holds(check, caller, target))
    }

    /// Returns whether `caller` is an admin.
    pub(crate) fn is_admin(&self, caller: &Caller) -> bool {
        self.holds(&self.admin, caller, caller.own())
    }

    // The check of the policy limits the recursion to `DEPTH_MAX` and the steps to `STEPS_MAX`.
    fn holds(&self, check: &Check, caller: &Caller, target: Target<'_>) -> bool {
        match check {
            Check::Always => true,
            Check::Never => false,
            Check::Role(role) => caller.has_role(role),
            // `context_is_admin` never refers to `is_admin`: the check of cycles includes it.
            Check::Admin(wanted) => self.is_admin(caller) == *wanted,
            Check::Owner(owner, wanted) => {
                let own = match owner {
                    Owner::Project => &*caller.project,
                    Owner::User => &*caller.user,
                };
                let wanted = match wanted {
                    Wanted::Target(Owner::Project) => Some(target.project),
                    // An unknown user equals no caller.
                    Wanted::Target(Owner::User) => target.user,
                    Wanted::Literal(text) => Some(&**text),
                };
                wanted == Some(own)
            }
            Check::Rule(place) => {
                let rule = self.rules.get(*place);
                rule.is_some_and(|rule| self.holds(rule, caller, target))
            }
            Check::Not(inner) => !self.holds(inner, caller, target),
            Check::All(parts) => parts.iter().all(|part| self.holds(part, caller, target)),
            Check::Any(parts) => parts.iter().any(|part| self.holds(part, caller, target)),
        }
    }

    /// Returns every entry with its condition: the rules first, then the actions, each sorted by name.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = || self.sources.iter().map(|(name, condition)| (&**name, &**condition));
        let rules = all().filter(|(name, _)| !name.contains(':'));
        rules.chain(all().filter(|(name, _)| name.contains(':')))
    }
}

impl Source {
    /// Returns the condition in the language of conditions.
    fn written(self) -> Result<Box<str>, PolicyErrorKind> {
        let roles = match self {
            Self::Condition(condition) => return Ok(condition),
            Self::Roles(roles) => roles,
        };
        // oslo.policy reads an empty list as every caller, which a reader may take for none.
        if roles.is_empty() {
            return Err(PolicyErrorKind::NoRole);
        }
        // Such a role would change the meaning of the written condition.
        let odd = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '%');
        if let Some(role) = roles.iter().find(|role| role.is_empty() || role.contains(odd)) {
            return Err(PolicyErrorKind::BadRole(role.clone()));
        }
        let conditions: Vec<String> = roles.iter().map(|role| format!("role:{role}")).collect();
        Ok(conditions.join(" or ").into())
    }
}

impl Condition {
    fn placed(&self, place: &impl Fn(&str) -> Option<usize>) -> Check {
        let all = |parts: &[Self]| parts.iter().map(|part| part.placed(place)).collect();
        match self {
            Self::Always => Check::Always,
            Self::Never => Check::Never,
            Self::Role(role) => Check::Role(role.clone()),
            Self::Admin(wanted) => Check::Admin(*wanted),
            Self::Owner(owner, wanted) => Check::Owner(*owner, wanted.clone()),
            Self::Rule(name) => place(name).map_or(Check::Never, Check::Rule),
            Self::Not(inner) => Check::Not(Box::new(inner.placed(place))),
            Self::All(parts) => Check::All(all(parts)),
            Self::Any(parts) => Check::Any(all(parts)),
        }
    }
}

/// The depth of a condition with its rules, and the steps of a decision.
#[derive(Clone, Copy, Default)]
struct Cost {
    depth: usize,
    steps: usize,
}

/// Checks that rules are defined, used and free of cycles, and that no decision is too deep or too long.
fn check_references(conditions: &BTreeMap<Box<str>, Condition>) -> Result<(), PolicyError> {
    let mut used: BTreeSet<&str> = RULES.iter().map(|(name, _)| *name).collect();
    for (name, condition) in conditions {
        for rule in condition.rules() {
            // oslo.policy also allows references to actions; this server supports references to rules only.
            if rule.contains(':') || !conditions.contains_key(rule) {
                let kind = PolicyErrorKind::UnknownRule(rule.into());
                return Err(PolicyError { name: name.clone(), kind });
            }
            used.insert(rule);
        }
    }
    let mut costs = BTreeMap::new();
    for name in conditions.keys() {
        cost_of(conditions, name, &mut Vec::new(), &mut costs)?;
        if !name.contains(':') && !used.contains(&**name) {
            let kind = PolicyErrorKind::UnusedRule;
            return Err(PolicyError { name: name.clone(), kind });
        }
    }
    Ok(())
}

/// Returns the cost of an entry; `path` has the entries that refer to it.
fn cost_of<'c>(
    conditions: &'c BTreeMap<Box<str>, Condition>,
    name: &'c str,
    path: &mut Vec<&'c str>,
    costs: &mut BTreeMap<&'c str, Cost>,
) -> Result<Cost, PolicyError> {
    if let Some(cost) = costs.get(name) {
        return Ok(*cost);
    }
    let fault = |kind| PolicyError { name: name.into(), kind };
    if let Some(at) = path.iter().position(|other| *other == name) {
        let through = path.iter().skip(at).chain([&name]).map(|name| (*name).into()).collect();
        return Err(fault(PolicyErrorKind::Cycle(through)));
    }
    // Every step of the path is a level of the condition that the path begins with.
    if path.len() > DEPTH_MAX {
        return Err(fault(PolicyErrorKind::TooDeep { depth_max: DEPTH_MAX }));
    }
    let Some(condition) = conditions.get(name) else { return Ok(Cost::default()) };
    path.push(name);
    let mut rules = BTreeMap::new();
    for rule in condition.rules() {
        rules.insert(rule, cost_of(conditions, rule, path, costs)?);
    }
    path.pop();
    let cost = condition.cost(&rules);
    if cost.depth > DEPTH_MAX {
        return Err(fault(PolicyErrorKind::TooDeep { depth_max: DEPTH_MAX }));
    }
    if cost.steps > STEPS_MAX {
        return Err(fault(PolicyErrorKind::TooCostly { steps_max: STEPS_MAX }));
    }
    costs.insert(name, cost);
    Ok(cost)
}

impl Condition {
    fn cost(&self, rules: &BTreeMap<&str, Cost>) -> Cost {
        let sum = |parts: &[Self]| {
            parts.iter().map(|part| part.cost(rules)).fold(Cost::default(), |all, part| Cost {
                depth: all.depth.max(part.depth),
                steps: all.steps.saturating_add(part.steps),
            })
        };
        let of_rule = |name: &str| rules.get(name).copied().unwrap_or_default();
        let inner = match self {
            Self::Always | Self::Never | Self::Role(_) | Self::Owner(..) => Cost::default(),
            Self::Admin(_) => of_rule(CONTEXT_IS_ADMIN),
            Self::Rule(name) => of_rule(name),
            Self::Not(inner) => inner.cost(rules),
            Self::All(parts) | Self::Any(parts) => sum(parts),
        };
        Cost { depth: inner.depth + 1, steps: inner.steps.saturating_add(1) }
    }
}

/// Returns the first action whose name has the same number of parts as `name`, each at least half the same.
fn near(name: &str) -> Option<&'static str> {
    let parts: Vec<&str> = name.split(':').collect();
    let is_close = |known: &str| {
        let own: Vec<&str> = known.split(':').collect();
        own.len() == parts.len()
            && own.iter().zip(&parts).all(|(own, part)| {
                let same = own.bytes().zip(part.bytes()).take_while(|(own, part)| own == part);
                2 * same.count() >= own.len().max(part.len())
            })
    };
    ACTIONS.iter().map(|(known, _)| *known).find(|known| is_close(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Role;

    fn new(entries: &[(&str, &str)]) -> Result<Policy, PolicyError> {
        let condition = |text: &str| Source::Condition(text.into());
        Policy::new(entries.iter().map(|(name, text)| (*name, condition(text))))
    }

    fn caller(role: Role, policy: Policy) -> Caller {
        let (user, project) = ("u".into(), "p".into());
        Caller { user, project, role, policy: policy.into(), ..Caller::default() }
    }

    #[test]
    fn default_policy_is_valid() {
        let policy = new(&[]).unwrap();
        assert_eq!(*Policy::defaults(), policy);
        for (at, (name, _)) in ACTIONS.iter().enumerate() {
            let again = ACTIONS.iter().skip(at + 1).any(|(other, _)| other == name);
            assert!(!again && name.contains(':'), "{name}");
        }
    }

    #[test]
    fn unknown_names_are_rejected() {
        let kind = |entries: &[(&str, &str)]| new(entries).unwrap_err().kind().clone();
        assert_eq!(
            kind(&[("volume:creates", "@")]),
            PolicyErrorKind::UnknownAction { near: Some("volume:create") }
        );
        assert_eq!(kind(&[("x:y", "@")]), PolicyErrorKind::UnknownAction { near: None });
        for text in ["rule:nope", "rule:volume:get"] {
            let (_, rule) = text.split_once(':').unwrap();
            let unknown = PolicyErrorKind::UnknownRule(rule.into());
            assert_eq!(kind(&[("volume:get", text)]), unknown);
        }
        assert_eq!(kind(&[("admin_apy", "@")]), PolicyErrorKind::UnusedRule);
        let empty = Policy::new([("volume:get", Source::Roles(Vec::new()))]);
        assert_eq!(*empty.unwrap_err().kind(), PolicyErrorKind::NoRole);
        let odd = Policy::new([("volume:get", Source::Roles(vec!["a or @".into()]))]);
        assert_eq!(*odd.unwrap_err().kind(), PolicyErrorKind::BadRole("a or @".into()));
    }

    #[test]
    fn cycles_of_rules_are_rejected() {
        let cycle = |entries: &[(&str, &str)]| match new(entries).unwrap_err().kind().clone() {
            PolicyErrorKind::Cycle(through) => through.join(" "),
            other => panic!("{other:?}"),
        };
        assert_eq!(cycle(&[("admin_api", "rule:admin_api")]), "admin_api admin_api");
        let two =
            [("one", "role:x or rule:two"), ("two", "not rule:one"), ("volume:get", "rule:one")];
        assert_eq!(cycle(&two), "one two one");
        assert_eq!(
            cycle(&[("context_is_admin", "rule:admin_api")]),
            "admin_api context_is_admin admin_api"
        );
        assert_eq!(
            cycle(&[("context_is_admin", "is_admin:True")]),
            "context_is_admin context_is_admin"
        );
    }

    #[test]
    fn doubling_and_chained_rules_have_limits() {
        let names: Vec<String> = (0..40).map(|at| format!("r{at:02}")).collect();
        let chain = |of: fn(&str) -> String| {
            let mut entries: Vec<(&str, Source)> = names
                .windows(2)
                .map(|pair| (&*pair[0], Source::Condition(of(&pair[1]).into())))
                .collect();
            entries.push((&names[39], Source::Condition("!".into())));
            entries.push(("volume:get", Source::Condition("rule:r00".into())));
            entries
        };
        let deep = Policy::new(chain(|next| format!("rule:{next}"))).unwrap_err();
        assert_eq!(*deep.kind(), PolicyErrorKind::TooDeep { depth_max: DEPTH_MAX });
        let mut double = chain(|next| format!("rule:{next} or rule:{next}"));
        double.retain(|(name, _)| !name.starts_with('r') || **name > *"r27");
        double.retain(|(name, _)| *name != "volume:get");
        double.push(("volume:get", Source::Condition("rule:r28".into())));
        let costly = Policy::new(double).unwrap_err();
        assert_eq!(*costly.kind(), PolicyErrorKind::TooCostly { steps_max: STEPS_MAX });
    }

    #[test]
    fn conditions_check_the_target() {
        let entries = [
            ("volume:get", "user_id:%(user_id)s"),
            ("volume:update", "project_id:other"),
            ("volume:delete", "not role:reader"),
            ("volume:extend", "is_admin:False"),
        ];
        let caller = caller(Role::Member, new(&entries).unwrap());
        let allows =
            |action, project, user| caller.policy.allows(&caller, action, Target { project, user });
        assert!(allows(actions::VOLUME_GET, "q", Some("u")));
        assert!(!allows(actions::VOLUME_GET, "p", Some("v")));
        assert!(!allows(actions::VOLUME_GET, "p", None));
        assert!(!allows(actions::VOLUME_UPDATE, "other", Some("u")));
        assert!(!allows(actions::VOLUME_DELETE, "p", None), "a member is a reader");
        assert!(allows(actions::VOLUME_EXTEND, "p", None));
        assert!(allows(actions::VOLUME_RETYPE, "p", None));
        assert!(!allows(actions::VOLUME_RETYPE, "q", None));
    }

    #[test]
    fn policies_decide_which_callers_are_admins() {
        let policy = new(&[("context_is_admin", "role:operator")]).unwrap();
        let admin = caller(Role::Admin, policy.clone());
        assert!(!admin.is_admin() && !admin.sees("q"));
        let operator = Caller { roles: ["operator".into()].into(), ..caller(Role::None, policy) };
        assert!(operator.is_admin() && operator.sees("q"));
        assert!(operator.check(actions::TYPE_CREATE).is_ok());
        assert!(operator.check(actions::VOLUME_CREATE).is_err());
    }
}
