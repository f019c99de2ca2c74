//! Lists of host volumes.

use statehold_filter::{Conjunct, Kind, Sarg};
use statehold_store::{Entry, HexPrefix, KeyRange, Order, Plan, ReadView, plan};
use uuid::{Uuid, fmt::Hyphenated};

use super::{ALL_NAMESPACES, in_order, wants_namespace};
use crate::rows::{HostVolume, HostVolumes, NAME_OR_ID};

/// Which host volumes to list, and from where.
#[derive(Clone, Copy, Debug)]
pub struct HostVolumeQuery<'q> {
    /// The namespace, or [`ALL_NAMESPACES`].
    pub namespace: &'q str,
    /// What the name or the ID starts with.
    pub prefix: &'q str,
    /// The node it is on.
    pub node: Option<&'q HexPrefix>,
    /// The pool of its node; empty for any.
    pub node_pool: &'q str,
    /// Conditions that the rows satisfy which the caller's filter matches, as in
    /// [`VolumeQuery`](super::VolumeQuery).
    pub conjuncts: &'q [Conjunct],
    /// In which direction.
    pub order: Order,
    /// The namespace and ID to start at. The volume itself is included, and need not exist any
    /// more.
    pub from: Option<(&'q str, Uuid)>,
}

impl Default for HostVolumeQuery<'_> {
    fn default() -> Self {
        Self {
            namespace: ALL_NAMESPACES,
            prefix: "",
            node: None,
            node_pool: "",
            conjuncts: &[],
            order: Order::Ascending,
            from: None,
        }
    }
}

impl HostVolumeQuery<'_> {
    /// What is left to ask of the rows of an index.
    fn wants(&self, volume: &HostVolume) -> bool {
        let key = (&*volume.namespace, volume.id);
        wants_namespace(self.namespace, &volume.namespace)
            && has_prefix(volume, self.prefix)
            && self.node.is_none_or(|node| node.matches(volume.node_id))
            && (self.node_pool.is_empty() || *volume.node_pool == *self.node_pool)
            && self.from.is_none_or(|from| in_order(self.order, &from, &key))
    }
}

fn has_prefix(volume: &HostVolume, prefix: &str) -> bool {
    if volume.name.starts_with(prefix) {
        return true;
    }
    let mut buffer = [0; Hyphenated::LENGTH];
    let id = &*volume.id.as_hyphenated().encode_lower(&mut buffer);
    id.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The condition that the name or the ID starts with `prefix`, for the planner, if it can be stated.
fn stated(prefix: &str) -> Option<Conjunct> {
    // IDs are matched in any case and names are not: such a prefix would be two.
    let both = prefix.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        && prefix.bytes().any(|byte| byte.is_ascii_uppercase());
    let sarg = Sarg::Prefix(prefix.into());
    (!prefix.is_empty() && !both).then(|| Conjunct::new(NAME_OR_ID, Kind::Text, sarg))
}

/// The host volumes that a query selects, ordered by namespace and ID.
#[derive(Debug)]
pub struct HostVolumeList<'v>(Source<'v>);

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one a list, on the stack")]
enum Source<'v> {
    /// A range of the table, of which names and IDs with the prefix are wanted.
    Range(Plan<'v, HostVolumes>, Box<str>),
    /// Volumes found through an index and put in order.
    Found(std::vec::IntoIter<&'v Entry<HostVolume>>),
}

impl<'v> Iterator for HostVolumeList<'v> {
    type Item = &'v Entry<HostVolume>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Source::Range(rows, prefix) => rows.find(|volume| has_prefix(volume, prefix)),
            Source::Found(volumes) => volumes.next(),
        }
    }
}

/// Lists host volumes.
pub fn list_host_volumes<'v, V: ReadView>(
    view: &'v V,
    query: &HostVolumeQuery<'_>,
) -> HostVolumeList<'v> {
    let found = if let Some(node) = query.node {
        view.scan_by(&HostVolumes::BY_NODE, &KeyRange::<Uuid>::hex(node), Order::Ascending)
    } else if query.node_pool.is_empty() {
        let mut range = if query.namespace == ALL_NAMESPACES {
            KeyRange::<(String, Uuid)>::all()
        } else {
            KeyRange::<(String, Uuid)>::within(query.namespace)
        };
        if let Some(from) = query.from {
            range = range.resume(from, query.order);
        }
        // An index of the prefix: a volume with another name and ID wakes no reader of this list.
        let mut conjuncts = query.conjuncts.to_vec();
        conjuncts.extend(stated(query.prefix));
        let rows = plan::<HostVolumes>(view, &range, query.order, &conjuncts);
        return HostVolumeList(Source::Range(rows, query.prefix.into()));
    } else {
        let pool = KeyRange::<String>::exact(query.node_pool);
        view.scan_by(&HostVolumes::BY_POOL, &pool, Order::Ascending)
    };
    let mut found: Vec<_> = found.filter(|volume| query.wants(volume)).collect();
    found.sort_by(|a, b| (&a.namespace, a.id).cmp(&(&b.namespace, b.id)));
    if query.order == Order::Descending {
        found.reverse();
    }
    HostVolumeList(Source::Found(found.into_iter()))
}
