//! The filter fields of nodes.

use std::collections::BTreeMap;

use statehold_filter::Filterable;
use statehold_store::{Entry, ReadView};

use crate::{
    health::reported_host_volumes,
    rows::{Node, NodeHostVolume},
    views::{NodeStub, NodeStubFields},
};

/// A node of a list.
#[derive(Clone, Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
#[filterable(computed(name = "CreateIndex", with = Self::create_index, ty = u64))]
#[filterable(computed(name = "ModifyIndex", with = Self::modify_index, ty = u64))]
pub struct NodeItem {
    #[filterable(flatten(deref))]
    node: Entry<Node>,
    host_volumes: BTreeMap<Box<str>, NodeHostVolume>,
    #[filterable(skip)]
    fields: NodeStubFields,
}

impl NodeItem {
    /// Creates the item of `node`, with the host volumes that it reports.
    ///
    /// Cost: reads each of them; [`NodeItem::without_host_volumes`] reads none.
    pub fn new(view: &impl ReadView, node: &Entry<Node>) -> Self {
        let reported = reported_host_volumes(view, node.id)
            .map(|row| (row.volume.name.clone(), row.volume.clone()));
        Self {
            node: node.clone(),
            host_volumes: reported.collect(),
            fields: NodeStubFields::default(),
        }
    }

    /// Creates the item of `node` for a filter that does not name `HostVolumes`. Its stub has none
    /// until [`NodeItem::with_host_volumes`] reads them.
    pub fn without_host_volumes(node: &Entry<Node>) -> Self {
        Self {
            node: node.clone(),
            host_volumes: BTreeMap::new(),
            fields: NodeStubFields::default(),
        }
    }

    /// Returns the item with the host volumes that its node reports. Cost: reads each of them.
    #[must_use]
    pub fn with_host_volumes(self, view: &impl ReadView) -> Self {
        let fields = self.fields;
        Self::new(view, &self.node).showing(fields)
    }

    /// Returns the item with additional fields in its stub.
    #[must_use]
    pub fn showing(self, fields: NodeStubFields) -> Self {
        Self { fields, ..self }
    }

    /// Returns the node.
    pub fn node(&self) -> &Entry<Node> {
        &self.node
    }

    /// Returns the JSON view for a list.
    pub fn stub(&self) -> NodeStub<'_> {
        NodeStub::with(&self.node, &self.host_volumes, self.fields)
    }

    fn create_index(&self) -> u64 {
        self.node.create_index()
    }

    fn modify_index(&self) -> u64 {
        self.node.modify_index()
    }
}
