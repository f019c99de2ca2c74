//! Lists of volumes, plugins, host volumes, sticky claims and nodes, in key order, from any key on.
//!
//! All conditions of a query must hold. Lists are read through the view, so a blocking query on a
//! list watches every range that the list depends on. A namespace or an ID prefix is a key range,
//! which is read as far as the caller iterates. A condition on the plugin or the node is looked up
//! in its index first, at the cost of its matches; so is a condition of the filter that an index
//! serves, if it selects few rows.

mod group_claims;
mod host;
mod workload;

use std::collections::BTreeMap;

use statehold_filter::{Conjunct, Kind, Sarg};
use statehold_store::{Entry, HexPrefix, KeyRange, Order, Plan, ReadView, Scan, plan};
use uuid::Uuid;

pub use self::{
    group_claims::{
        TaskGroupClaimKey, TaskGroupClaimList, TaskGroupClaimQuery, list_task_group_claims,
    },
    host::{HostVolumeList, HostVolumeQuery, list_host_volumes},
    workload::{job_allocations, list_allocations, list_jobs, node_allocations},
};
use crate::{
    health::plugin_instances,
    rows::{
        Allocation, Allocations, CsiClaims, CsiPlugin, CsiPlugins, CsiVolume, CsiVolumes, Nodes,
        PluginRole,
    },
};

/// The namespace that selects all of them.
pub const ALL_NAMESPACES: &str = "*";

/// Returns whether a row in namespace `found` matches the requested namespace.
pub(crate) fn matches_namespace(asked: &str, found: &str) -> bool {
    asked == ALL_NAMESPACES || asked == found
}

/// Returns whether `key` does not order before `from`.
fn is_at_or_after<K: PartialOrd>(order: Order, from: &K, key: &K) -> bool {
    match order {
        Order::Ascending => key >= from,
        Order::Descending => key <= from,
    }
}

/// The selection of a list of volumes, and its starting point.
#[derive(Clone, Copy, Debug)]
pub struct VolumeQuery<'q> {
    /// The namespace, or [`ALL_NAMESPACES`].
    pub namespace: &'q str,
    /// The prefix of the ID.
    pub prefix: &'q str,
    /// The prefix of the plugin's ID.
    pub plugin_prefix: &'q str,
    /// Conditions that every row matching the caller's filter satisfies: those of
    /// [`Filter::conjuncts`](statehold_filter::Filter::conjuncts). The list contains these rows,
    /// and may contain others.
    pub conjuncts: &'q [Conjunct],
    /// The node on which an allocation requests or claims the volume.
    pub node: Option<&'q HexPrefix>,
    /// The direction.
    pub order: Order,
    /// The namespace and ID to start at. The volume itself is included, and need not exist.
    pub from: Option<(&'q str, &'q str)>,
}

impl Default for VolumeQuery<'_> {
    fn default() -> Self {
        Self {
            namespace: ALL_NAMESPACES,
            prefix: "",
            plugin_prefix: "",
            conjuncts: &[],
            node: None,
            order: Order::Ascending,
            from: None,
        }
    }
}

impl VolumeQuery<'_> {
    fn matches(&self, volume: &CsiVolume) -> bool {
        let key = (&*volume.namespace, &*volume.id);
        matches_namespace(self.namespace, &volume.namespace)
            && volume.id.starts_with(self.prefix)
            && volume.plugin_id.starts_with(self.plugin_prefix)
            && self.from.is_none_or(|from| is_at_or_after(self.order, &from, &key))
    }
}

/// The volumes that a query selects, ordered by namespace and ID.
#[derive(Debug)]
pub struct VolumeList<'v>(VolumeRows<'v>);

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one a list, on the stack")]
enum VolumeRows<'v> {
    /// A range of the table, filtered by the prefix of IDs.
    Range(Plan<'v, CsiVolumes>, Box<str>),
    /// Volumes from an index, sorted.
    Found(std::vec::IntoIter<&'v Entry<CsiVolume>>),
}

impl<'v> Iterator for VolumeList<'v> {
    type Item = &'v Entry<CsiVolume>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            VolumeRows::Range(rows, prefix) => rows.find(|volume| volume.id.starts_with(&**prefix)),
            VolumeRows::Found(volumes) => volumes.next(),
        }
    }
}

/// Lists volumes.
pub fn list_volumes<'v, V: ReadView>(view: &'v V, query: &VolumeQuery<'_>) -> VolumeList<'v> {
    let found = if let Some(node) = query.node {
        on_node(view, query, node)
    } else if query.plugin_prefix.is_empty() {
        let mut range = if query.namespace == ALL_NAMESPACES {
            KeyRange::<(String, String)>::all()
        } else {
            KeyRange::<(String, String)>::starting_with_prefix(query.namespace, query.prefix)
        };
        if let Some(from) = query.from {
            range = range.resume(from, query.order);
        }
        let mut conjuncts = query.conjuncts.to_vec();
        // Within a namespace the prefix is a key range already.
        if query.namespace == ALL_NAMESPACES && !query.prefix.is_empty() {
            let sarg = Sarg::Prefix(query.prefix.into());
            conjuncts.push(Conjunct::new("ID", Kind::Text, sarg));
        }
        let rows = plan::<CsiVolumes>(view, &range, query.order, &conjuncts);
        return VolumeList(VolumeRows::Range(rows, query.prefix.into()));
    } else {
        let range = KeyRange::<String>::prefix(query.plugin_prefix);
        view.scan_by(&CsiVolumes::BY_PLUGIN, &range, Order::Ascending).collect()
    };
    let mut found: Vec<_> = found.into_iter().filter(|volume| query.matches(volume)).collect();
    found.sort_by(|a, b| (&a.namespace, &a.id).cmp(&(&b.namespace, &b.id)));
    if query.order == Order::Descending {
        found.reverse();
    }
    VolumeList(VolumeRows::Found(found.into_iter()))
}

/// Returns the volumes that allocations on the nodes request, or that are claimed from there, each
/// once.
fn on_node<'v, V: ReadView>(
    view: &'v V,
    query: &VolumeQuery<'_>,
    node: &HexPrefix,
) -> Vec<&'v Entry<CsiVolume>> {
    let nodes = KeyRange::<Uuid>::hex(node);
    let mut found = BTreeMap::<(&str, &str), &Entry<CsiVolume>>::new();
    let claims = KeyRange::<(Uuid, String, String)>::hex(node);
    for row in view.scan_by(&CsiClaims::BY_NODE, &claims, Order::Ascending) {
        // A claim that is only being released does not list its volume.
        let claimed = row.active.as_ref().and_then(|claim| claim.node_id);
        let wanted = claimed.is_some_and(|claimed| node.matches(claimed))
            && matches_namespace(query.namespace, &row.namespace)
            && row.volume_id.starts_with(query.prefix)
            && !found.contains_key(&(&*row.namespace, &*row.volume_id));
        if wanted && let Some(volume) = view.get::<CsiVolumes>((&row.namespace, &row.volume_id)) {
            found.insert((&volume.namespace, &volume.id), volume);
        }
    }
    // Nomad: nomad/state/state_store.go, CSIVolumesByNodeID lists volumes that are requested and
    // not yet claimed, too.
    let allocations = view.scan_by(&Allocations::BY_NODE, &nodes, Order::Ascending);
    for allocation in allocations.filter(|allocation| allocation.is_using_volumes()) {
        if !matches_namespace(query.namespace, &allocation.namespace) {
            continue;
        }
        // The scheduler asks for the volumes of a node before their claims exist.
        for id in allocation.csi_sources().filter(|id| id.starts_with(query.prefix)) {
            if let Some(volume) = view.get::<CsiVolumes>((&allocation.namespace, &id)) {
                found.insert((&volume.namespace, &volume.id), volume);
            }
        }
    }
    found.into_values().collect()
}

/// Lists plugins whose ID starts with `prefix`, ordered by ID, starting at `from`.
pub fn list_plugins<'v, V: ReadView>(
    view: &'v V,
    prefix: &str,
    order: Order,
    from: Option<&str>,
) -> Scan<'v, CsiPlugins> {
    let mut range = KeyRange::<String>::prefix(prefix);
    if let Some(from) = from {
        range = range.resume(from, order);
    }
    view.scan::<CsiPlugins>(&range, order)
}

/// Lists nodes whose ID starts with `prefix`, ordered by ID, starting at `from`.
pub fn list_nodes<'v, V: ReadView>(
    view: &'v V,
    prefix: &HexPrefix,
    order: Order,
    from: Option<Uuid>,
) -> Scan<'v, Nodes> {
    let mut range = KeyRange::<Uuid>::hex(prefix);
    if let Some(from) = from {
        range = range.resume(from, order);
    }
    view.scan::<Nodes>(&range, order)
}

/// Returns the allocations that run the plugin, last changed first, of one namespace or of
/// [`ALL_NAMESPACES`].
pub fn plugin_allocations<'v, V: ReadView>(
    view: &'v V,
    plugin: &CsiPlugin,
    namespace: &str,
) -> Vec<&'v Entry<Allocation>> {
    let instances =
        PluginRole::ALL.into_iter().flat_map(|role| plugin_instances(view, &plugin.id, role));
    let mut ids: Vec<Uuid> =
        instances.filter_map(|row| Uuid::try_parse(&row.info.alloc_id).ok()).collect();
    ids.sort_unstable();
    // An allocation may run both roles of a plugin.
    ids.dedup();
    let rows = ids.into_iter().filter_map(|id| view.get::<Allocations>(id));
    let mut found: Vec<_> =
        rows.filter(|row| matches_namespace(namespace, &row.namespace)).collect();
    found.sort_by_key(|row| std::cmp::Reverse(row.modify_index()));
    found
}
