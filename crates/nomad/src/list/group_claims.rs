//! Lists of sticky claims.

use statehold_filter::{Conjunct, Kind, Sarg};
use statehold_store::{Entry, KeyRange, Order, Plan, ReadView, plan};
use uuid::{Uuid, fmt::Hyphenated};

use super::ALL_NAMESPACES;
use crate::rows::{TaskGroupClaim, TaskGroupClaims};

/// The key of a sticky claim: namespace, job, task group and volume.
pub type TaskGroupClaimKey = (String, (String, String, Uuid));

/// The selection of a list of sticky claims, and its starting point. An empty string matches any.
#[derive(Clone, Copy, Debug)]
pub struct TaskGroupClaimQuery<'q> {
    /// The namespace, or [`ALL_NAMESPACES`].
    pub namespace: &'q str,
    /// The prefix of the claim's ID.
    pub prefix: &'q str,
    /// The job.
    pub job_id: &'q str,
    /// The task group.
    pub task_group: &'q str,
    /// The name of the volume.
    pub volume_name: &'q str,
    /// Conditions that every row matching the caller's filter satisfies, as in
    /// [`VolumeQuery`](super::VolumeQuery).
    pub conjuncts: &'q [Conjunct],
    /// The direction.
    pub order: Order,
    /// The key to start at. The claim itself is included, and need not exist.
    pub from: Option<(&'q str, (&'q str, &'q str, Uuid))>,
}

impl Default for TaskGroupClaimQuery<'_> {
    fn default() -> Self {
        Self {
            namespace: ALL_NAMESPACES,
            prefix: "",
            job_id: "",
            task_group: "",
            volume_name: "",
            conjuncts: &[],
            order: Order::Ascending,
            from: None,
        }
    }
}

/// The sticky claims that a query selects, ordered by namespace, job, task group and volume.
#[derive(Debug)]
pub struct TaskGroupClaimList<'v> {
    rows: Plan<'v, TaskGroupClaims>,
    matcher: ClaimMatcher,
}

#[derive(Debug)]
struct ClaimMatcher {
    prefix: Box<str>,
    job_id: Box<str>,
    task_group: Box<str>,
    volume_name: Box<str>,
}

impl ClaimMatcher {
    fn matches(&self, claim: &TaskGroupClaim) -> bool {
        let is = |requested: &str, found: &str| requested.is_empty() || requested == found;
        let mut buffer = [0; Hyphenated::LENGTH];
        let id = &*claim.id.as_hyphenated().encode_lower(&mut buffer);
        let start = id.get(..self.prefix.len());
        // IDs match in either case, like those of nodes and allocations.
        start.is_some_and(|start| start.eq_ignore_ascii_case(&self.prefix))
            && is(&self.job_id, &claim.job_id)
            && is(&self.task_group, &claim.task_group)
            && is(&self.volume_name, &claim.volume_name)
    }
}

impl<'v> Iterator for TaskGroupClaimList<'v> {
    type Item = &'v Entry<TaskGroupClaim>;

    fn next(&mut self) -> Option<Self::Item> {
        let matcher = &self.matcher;
        self.rows.find(|claim| matcher.matches(claim))
    }
}

/// Lists sticky claims.
pub fn list_task_group_claims<'v, V: ReadView>(
    view: &'v V,
    query: &TaskGroupClaimQuery<'_>,
) -> TaskGroupClaimList<'v> {
    let mut range = if query.namespace == ALL_NAMESPACES {
        KeyRange::<TaskGroupClaimKey>::all()
    } else {
        KeyRange::<TaskGroupClaimKey>::starting_with(query.namespace)
    };
    if let Some(from) = query.from {
        range = range.resume(from, query.order);
    }
    let matcher = ClaimMatcher {
        prefix: query.prefix.into(),
        job_id: query.job_id.into(),
        task_group: query.task_group.into(),
        volume_name: query.volume_name.into(),
    };
    let mut conjuncts = query.conjuncts.to_vec();
    if !query.prefix.is_empty() {
        // Lets the planner use the index of IDs, which hold lower-case digits.
        let sarg = Sarg::Prefix(query.prefix.to_ascii_lowercase().into());
        conjuncts.push(Conjunct::new("ID", Kind::Uuid, sarg));
    }
    let rows = plan::<TaskGroupClaims>(view, &range, query.order, &conjuncts);
    TaskGroupClaimList { rows, matcher }
}
