//! Lists of host volumes.

use statehold_filter::Conjunct;
use statehold_store::{Entry, HexPrefix, KeyRange, Order, PLANNED_ROWS_MAX, Plan, ReadView, plan};
use uuid::{Uuid, fmt::Hyphenated};

use super::{ALL_NAMESPACES, is_at_or_after, matches_namespace};
use crate::rows::{HostVolume, HostVolumes};

/// The selection of a list of host volumes, and its starting point.
#[derive(Clone, Copy, Debug)]
pub struct HostVolumeQuery<'q> {
    /// The namespace, or [`ALL_NAMESPACES`].
    pub namespace: &'q str,
    /// The prefix of the name or the ID.
    pub prefix: &'q str,
    /// Its node.
    pub node: Option<&'q HexPrefix>,
    /// The pool of its node; empty for any.
    pub node_pool: &'q str,
    /// Conditions that every row matching the caller's filter satisfies, as in
    /// [`VolumeQuery`](super::VolumeQuery).
    pub conjuncts: &'q [Conjunct],
    /// The direction.
    pub order: Order,
    /// The namespace and ID to start at. The volume itself is included, and need not exist.
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
    /// Returns whether a row from an index matches the other conditions of the query.
    fn matches(&self, volume: &HostVolume) -> bool {
        let key = (&*volume.namespace, volume.id);
        matches_namespace(self.namespace, &volume.namespace)
            && has_prefix(volume, self.prefix)
            && self.node.is_none_or(|node| node.matches(volume.node_id))
            && (self.node_pool.is_empty() || *volume.node_pool == *self.node_pool)
            && self.from.is_none_or(|from| is_at_or_after(self.order, &from, &key))
    }
}

fn has_prefix(volume: &HostVolume, prefix: &str) -> bool {
    // Names are case-sensitive, IDs are not.
    if volume.name.starts_with(prefix) {
        return true;
    }
    let mut buffer = [0; Hyphenated::LENGTH];
    let id = &*volume.id.as_hyphenated().encode_lower(&mut buffer);
    id.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Parses `prefix` as the prefix of an ID, in either case. Returns `None` if no ID starts with it:
/// unlike in a [`HexPrefix`] alone, hyphens MUST be in their positions.
fn id_prefix(prefix: &str) -> Option<HexPrefix> {
    let mut buffer = [0; Hyphenated::LENGTH];
    let text = Uuid::nil().as_hyphenated().encode_lower(&mut buffer).get(..prefix.len())?;
    let alike = |(found, wanted): (u8, u8)| (found == b'-') == (wanted == b'-');
    let hyphens_fit = prefix.bytes().zip(text.bytes()).all(alike);
    if hyphens_fit { HexPrefix::parse(prefix).ok() } else { None }
}

/// Returns the volumes whose name or ID starts with the non-empty prefix of the query, each once.
/// Returns `None` if there are so many that scanning the table in list order costs less than
/// sorting them.
///
/// Reads no other volume, so that none wakes a reader of the list. Names and IDs are scanned
/// separately, because IDs match in either case and names do not.
fn by_prefix<'v, V: ReadView>(
    view: &'v V,
    query: &HostVolumeQuery<'_>,
) -> Option<Vec<&'v Entry<HostVolume>>> {
    let (prefix, order) = (query.prefix, Order::Ascending);
    let ids = id_prefix(prefix);
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
    // A volume whose name has the prefix, too, was found by its name.
    let named = |volume: &&Entry<HostVolume>| volume.name.starts_with(prefix);
    let ids = ids.into_iter().flatten().filter(|volume| !named(volume));
    // One row more than the limit shows that there are too many.
    let found: Vec<_> = names.chain(ids).take(PLANNED_ROWS_MAX + 1).collect();
    (found.len() <= PLANNED_ROWS_MAX).then_some(found)
}

/// The host volumes that a query selects, ordered by namespace and ID.
#[derive(Debug)]
pub struct HostVolumeList<'v>(HostVolumeRows<'v>);

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one a list, on the stack")]
enum HostVolumeRows<'v> {
    /// A range of the table, filtered by the prefix of names and IDs.
    Range(Plan<'v, HostVolumes>, Box<str>),
    /// Volumes from an index, sorted.
    Found(std::vec::IntoIter<&'v Entry<HostVolume>>),
}

impl<'v> Iterator for HostVolumeList<'v> {
    type Item = &'v Entry<HostVolume>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            HostVolumeRows::Range(rows, prefix) => rows.find(|volume| has_prefix(volume, prefix)),
            HostVolumeRows::Found(volumes) => volumes.next(),
        }
    }
}

/// Lists host volumes.
pub fn list_host_volumes<'v, V: ReadView>(
    view: &'v V,
    query: &HostVolumeQuery<'_>,
) -> HostVolumeList<'v> {
    // A node has few volumes, so its index is the cheapest start.
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
    let mut found: Vec<_> = found.into_iter().filter(|volume| query.matches(volume)).collect();
    found.sort_by(|a, b| (&a.namespace, a.id).cmp(&(&b.namespace, b.id)));
    if query.order == Order::Descending {
        found.reverse();
    }
    HostVolumeList(HostVolumeRows::Found(found.into_iter()))
}

/// Lists the volumes of a key range, or those of it that the filter's conditions select.
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
    HostVolumeList(HostVolumeRows::Range(rows, query.prefix.into()))
}
