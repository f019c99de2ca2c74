//! Lists of host volumes.

use statehold_filter::Conjunct;
use statehold_store::{Entry, HexPrefix, KeyRange, Order, PLANNED_ROWS_MAX, Plan, ReadView, plan};
use uuid::{Uuid, fmt::Hyphenated};

use super::{ALL_NAMESPACES, in_order, wants_namespace};
use crate::rows::{HostVolume, HostVolumes};

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

/// Reads `prefix` as the beginning of the text of an ID, in either case. `None` if no text of an ID begins so:
/// unlike in a [`HexPrefix`] alone, hyphens MUST be where the text has them.
fn beginning_of_id(prefix: &str) -> Option<HexPrefix> {
    let mut buffer = [0; Hyphenated::LENGTH];
    let text = Uuid::nil().as_hyphenated().encode_lower(&mut buffer).get(..prefix.len())?;
    let alike = |(found, wanted): (u8, u8)| (found == b'-') == (wanted == b'-');
    let hyphens_fit = prefix.bytes().zip(text.bytes()).all(alike);
    if hyphens_fit { HexPrefix::parse(prefix).ok() } else { None }
}

/// The volumes whose name or ID starts with the prefix of the query, which is not empty, each once. `None`
/// when there are so many that reading the table in the order of the list costs less than sorting them.
///
/// Reads nothing else, so that no other volume wakes a reader of the list. Names and IDs are read apart,
/// because IDs are matched in either case and names are not.
fn by_prefix<'v, V: ReadView>(
    view: &'v V,
    query: &HostVolumeQuery<'_>,
) -> Option<Vec<&'v Entry<HostVolume>>> {
    let (prefix, order) = (query.prefix, Order::Ascending);
    let ids = beginning_of_id(prefix);
    let (names, ids) = if query.namespace == ALL_NAMESPACES {
        let names = KeyRange::<String>::prefix(prefix);
        let ids = ids.map(|ids| KeyRange::<Uuid>::hex(&ids));
        (
            view.scan_by(&HostVolumes::BY_NAME, &names, order),
            ids.map(|ids| view.scan_by(&HostVolumes::BY_ID, &ids, order)),
        )
    } else {
        let namespace = query.namespace;
        let names = KeyRange::<(String, String)>::starting_with_prefix(namespace, prefix);
        let ids = ids.map(|ids| KeyRange::<(String, Uuid)>::starting_with_hex(namespace, &ids));
        (
            view.scan_by(&HostVolumes::BY_NAME_IN_NAMESPACE, &names, order),
            ids.map(|ids| view.scan::<HostVolumes>(&ids, order)),
        )
    };
    // A volume whose name starts with the prefix as well was found by that.
    let named = |volume: &&Entry<HostVolume>| volume.name.starts_with(prefix);
    let ids = ids.into_iter().flatten().filter(|volume| !named(volume));
    let found: Vec<_> = names.chain(ids).take(PLANNED_ROWS_MAX + 1).collect();
    (found.len() <= PLANNED_ROWS_MAX).then_some(found)
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
    let found: Vec<_> = if let Some(node) = query.node {
        let nodes = KeyRange::<Uuid>::hex(node);
        view.scan_by(&HostVolumes::BY_NODE, &nodes, Order::Ascending).collect()
    } else if !query.node_pool.is_empty() {
        let pool = KeyRange::<String>::exact(query.node_pool);
        view.scan_by(&HostVolumes::BY_POOL, &pool, Order::Ascending).collect()
    } else {
        let found = if query.prefix.is_empty() { None } else { by_prefix(view, query) };
        let Some(found) = found else { return in_range(view, query) };
        found
    };
    let mut found: Vec<_> = found.into_iter().filter(|volume| query.wants(volume)).collect();
    found.sort_by(|a, b| (&a.namespace, a.id).cmp(&(&b.namespace, b.id)));
    if query.order == Order::Descending {
        found.reverse();
    }
    HostVolumeList(Source::Found(found.into_iter()))
}

/// The volumes of a range of the table, or those of it that the conditions of a filter select.
fn in_range<'v, V: ReadView>(view: &'v V, query: &HostVolumeQuery<'_>) -> HostVolumeList<'v> {
    let mut range = if query.namespace == ALL_NAMESPACES {
        KeyRange::<(String, Uuid)>::all()
    } else {
        KeyRange::<(String, Uuid)>::starting_with(query.namespace)
    };
    if let Some(from) = query.from {
        range = range.resume(from, query.order);
    }
    let rows = plan::<HostVolumes>(view, &range, query.order, query.conjuncts);
    HostVolumeList(Source::Range(rows, query.prefix.into()))
}
