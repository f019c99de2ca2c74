//! What filter expressions see of nodes.

use statehold_filter::Filterable;
use statehold_store::Entry;

use crate::{rows::Node, view::NodeStub};

/// A node of a list.
#[derive(Clone, Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
#[filterable(computed(name = "CreateIndex", with = Self::create_index, ty = u64))]
#[filterable(computed(name = "ModifyIndex", with = Self::modify_index, ty = u64))]
pub struct NodeItem {
    #[filterable(flatten(deref))]
    node: Entry<Node>,
}

impl NodeItem {
    /// The item of `node`.
    pub fn new(node: &Entry<Node>) -> Self {
        Self { node: node.clone() }
    }

    /// The node.
    pub fn node(&self) -> &Entry<Node> {
        &self.node
    }

    /// The JSON for a list.
    pub fn stub(&self) -> NodeStub<'_> {
        NodeStub::new(&self.node)
    }

    fn create_index(&self) -> u64 {
        self.node.create_index()
    }

    fn modify_index(&self) -> u64 {
        self.node.modify_index()
    }
}
