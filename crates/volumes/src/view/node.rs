//! The JSON of a node.

use serde::Serialize;
use statehold_store::Entry;
use uuid::Uuid;

use crate::rows::Node;

/// A node in a list. What is not known of nodes here is empty.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodeStub<'v> {
    #[serde(rename = "ID")]
    id: Uuid,
    name: &'v str,
    address: &'static str,
    datacenter: &'v str,
    node_class: &'v str,
    node_pool: &'v str,
    version: &'v str,
    drain: bool,
    scheduling_eligibility: &'v str,
    status: &'v str,
    status_description: &'static str,
    create_index: u64,
    modify_index: u64,
}

impl<'v> NodeStub<'v> {
    /// The view of `entry`.
    pub fn new(entry: &'v Entry<Node>) -> Self {
        let eligibility = &entry.scheduling_eligibility;
        Self {
            id: entry.id,
            name: &entry.name,
            address: "",
            datacenter: &entry.datacenter,
            node_class: &entry.node_class,
            node_pool: &entry.node_pool,
            version: entry.attributes.get("nomad.version").map(AsRef::as_ref).unwrap_or_default(),
            drain: false,
            scheduling_eligibility: if eligibility.is_empty() { "eligible" } else { eligibility },
            status: &entry.status,
            status_description: "",
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
        }
    }
}
