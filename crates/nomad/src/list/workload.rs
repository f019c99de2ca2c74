//! Lists of jobs and allocations.

use statehold_store::{Entry, HexPrefix, KeyRange, Order, ReadView};
use uuid::Uuid;

use super::{ALL_NAMESPACES, matches_namespace};
use crate::rows::{Allocation, Allocations, Job, Jobs};

/// Lists jobs whose ID starts with `prefix`, of one namespace or of [`ALL_NAMESPACES`], ordered by
/// namespace and ID, starting at `from`.
pub fn list_jobs<'v, V: ReadView>(
    view: &'v V,
    namespace: &str,
    prefix: &str,
    order: Order,
    from: Option<(&str, &str)>,
) -> impl Iterator<Item = &'v Entry<Job>> + use<'v, V> {
    let mut range = if namespace == ALL_NAMESPACES {
        KeyRange::<(String, String)>::all()
    } else {
        KeyRange::<(String, String)>::starting_with_prefix(namespace, prefix)
    };
    if let Some(from) = from {
        range = range.resume(from, order);
    }
    let prefix: Box<str> = prefix.into();
    view.scan::<Jobs>(&range, order).filter(move |job| job.id.starts_with(&*prefix))
}

/// Lists allocations whose ID starts with `prefix`, of one namespace or of [`ALL_NAMESPACES`],
/// ordered by ID, starting at `from`. Cost: reads the allocations of other namespaces in that
/// range, too.
pub fn list_allocations<'v, V: ReadView>(
    view: &'v V,
    namespace: &str,
    prefix: &HexPrefix,
    order: Order,
    from: Option<Uuid>,
) -> impl Iterator<Item = &'v Entry<Allocation>> + use<'v, V> {
    let mut range = KeyRange::<Uuid>::hex(prefix);
    if let Some(from) = from {
        range = range.resume(from, order);
    }
    let namespace: Box<str> = namespace.into();
    let rows = view.scan::<Allocations>(&range, order);
    rows.filter(move |allocation| matches_namespace(&namespace, &allocation.namespace))
}

/// Lists the allocations of a node, ordered by ID.
pub fn node_allocations<V: ReadView>(
    view: &V,
    node: Uuid,
) -> impl Iterator<Item = &Entry<Allocation>> + use<'_, V> {
    let range = KeyRange::<Uuid>::exact(node);
    view.scan_by(&Allocations::BY_NODE, &range, Order::Ascending)
}

/// Lists the allocations of a job, ordered by ID.
pub fn job_allocations<'v, V: ReadView>(
    view: &'v V,
    namespace: &str,
    id: &str,
) -> impl Iterator<Item = &'v Entry<Allocation>> + use<'v, V> {
    let range = KeyRange::<(String, String)>::exact((namespace, id));
    view.scan_by(&Allocations::BY_JOB, &range, Order::Ascending)
}
