//! Lists of volumes, plugins, host volumes, sticky claims and nodes, in key order, from any key on.
//!
//! All conditions of a query hold at once. Lists are read through the view, so a watch on a list
//! knows every range that the list depends on. A namespace or an ID prefix is a range and is read
//! as far as the caller goes on; a condition on the plugin or on the node is looked up in its index
//! first, and costs what it finds; so is one of the filter's that an index serves, where that gives
//! few rows.

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

/// The namespace that stands for all of them.
pub const ALL_NAMESPACES: &str = "*";

/// Whether what is in `found` is wanted by who asks for `asked`.
pub(crate) fn wants_namespace(asked: &str, found: &str) -> bool {
    asked == ALL_NAMESPACES || asked == found
}

/// Whether `key` doesn't come before `from`.
fn in_order<K: PartialOrd>(order: Order, from: &K, key: &K) -> bool {
    match order {
        Order::Ascending => key >= from,
        Order::Descending => key <= from,
    }
}

/// Which volumes to list, and from where.
#[derive(Clone, Copy, Debug)]
pub struct VolumeQuery<'q> {
    /// The namespace, or [`ALL_NAMESPACES`].
    pub namespace: &'q str,
    /// What the ID starts with.
    pub prefix: &'q str,
    /// What the ID of the plugin starts with.
    pub plugin_prefix: &'q str,
    /// Conditions that the rows satisfy which the caller's filter matches: those of
    /// [`Filter::conjuncts`](statehold_filter::Filter::conjuncts). The list has these rows, and may
    /// have others.
    pub conjuncts: &'q [Conjunct],
    /// The node on which an allocation asks for the volume or claims it.
    pub node: Option<&'q HexPrefix>,
    /// In which direction.
    pub order: Order,
    /// The namespace and ID to start at. The volume itself is included, and need not exist any
    /// more.
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
    fn wants(&self, volume: &CsiVolume) -> bool {
        let key = (&*volume.namespace, &*volume.id);
        wants_namespace(self.namespace, &volume.namespace)
            && volume.id.starts_with(self.prefix)
            && volume.plugin_id.starts_with(self.plugin_prefix)
            && self.from.is_none_or(|from| in_order(self.order, &from, &key))
    }
}

/// The volumes that a query selects, ordered by namespace and ID.
#[derive(Debug)]
pub struct VolumeList<'v>(Source<'v>);

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one a list, on the stack")]
enum Source<'v> {
    /// A range of the table, of which IDs with the prefix are wanted.
    Range(Plan<'v, CsiVolumes>, Box<str>),
    /// Volumes found through an index and put in order.
    Found(std::vec::IntoIter<&'v Entry<CsiVolume>>),
}

impl<'v> Iterator for VolumeList<'v> {
    type Item = &'v Entry<CsiVolume>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Source::Range(rows, prefix) => rows.find(|volume| volume.id.starts_with(&**prefix)),
            Source::Found(volumes) => volumes.next(),
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
        // Within a namespace the prefix is a range of the table.
        if query.namespace == ALL_NAMESPACES && !query.prefix.is_empty() {
            let sarg = Sarg::Prefix(query.prefix.into());
            conjuncts.push(Conjunct::new("ID", Kind::Text, sarg));
        }
        let rows = plan::<CsiVolumes>(view, &range, query.order, &conjuncts);
        return VolumeList(Source::Range(rows, query.prefix.into()));
    } else {
        let range = KeyRange::<String>::prefix(query.plugin_prefix);
        view.scan_by(&CsiVolumes::BY_PLUGIN, &range, Order::Ascending).collect()
    };
    let mut found: Vec<_> = found.into_iter().filter(|volume| query.wants(volume)).collect();
    found.sort_by(|a, b| (&a.namespace, &a.id).cmp(&(&b.namespace, &b.id)));
    if query.order == Order::Descending {
        found.reverse();
    }
    VolumeList(Source::Found(found.into_iter()))
}

/// The volumes that allocations on the nodes ask for, or that are claimed from there, each once.
fn on_node<'v, V: ReadView>(
    view: &'v V,
    query: &VolumeQuery<'_>,
    node: &HexPrefix,
) -> Vec<&'v Entry<CsiVolume>> {
    let nodes = KeyRange::<Uuid>::hex(node);
    let mut found = BTreeMap::<(&str, &str), &Entry<CsiVolume>>::new();
    let claims = KeyRange::<(Uuid, String, String)>::hex(node);
    for row in view.scan_by(&CsiClaims::BY_NODE, &claims, Order::Ascending) {
        let claimed = row.active.as_ref().and_then(|claim| claim.node_id);
        let wanted = claimed.is_some_and(|claimed| node.matches(claimed))
            && wants_namespace(query.namespace, &row.namespace)
            && row.volume_id.starts_with(query.prefix)
            && !found.contains_key(&(&*row.namespace, &*row.volume_id));
        if wanted && let Some(volume) = view.get::<CsiVolumes>((&row.namespace, &row.volume_id)) {
            found.insert((&volume.namespace, &volume.id), volume);
        }
    }
    let allocations = view.scan_by(&Allocations::BY_NODE, &nodes, Order::Ascending);
    for allocation in allocations.filter(|allocation| allocation.is_using_volumes()) {
        if !wants_namespace(query.namespace, &allocation.namespace) {
            continue;
        }
        for id in allocation.csi_sources().filter(|id| id.starts_with(query.prefix)) {
            if let Some(volume) = view.get::<CsiVolumes>((&allocation.namespace, &id)) {
                found.insert((&volume.namespace, &volume.id), volume);
            }
        }
    }
    found.into_values().collect()
}

/// Lists plugins whose ID starts with `prefix`, by ID, from the ID `from` on.
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

/// Lists nodes whose ID starts with `prefix`, by ID, from the ID `from` on.
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

/// The allocations that run the plugin, those changed last first, of one namespace or of
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
    ids.dedup();
    let rows = ids.into_iter().filter_map(|id| view.get::<Allocations>(id));
    let mut found: Vec<_> = rows.filter(|row| wants_namespace(namespace, &row.namespace)).collect();
    found.sort_by_key(|row| std::cmp::Reverse(row.modify_index()));
    found
}
