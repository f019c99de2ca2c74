//! `/v1/nodes`.

use statehold_store::{HexPrefix, Tracked};
use statehold_volumes::{NodeItem, NodeStub, list_nodes};
use uuid::Uuid;

use super::access::{Level, Rule};
use super::list::{Asked, List};
use super::parameter::Parameter;

/// `GET /v1/nodes`, by ID.
pub(crate) struct NodeList;

impl List for NodeList {
    const ID: &'static str = "listNodes";
    const SUMMARY: &'static str = "Lists nodes, by ID.";
    const RULE: Rule = Rule::Node(Level::Read);
    const SELECTORS: &'static [Parameter] =
        &[Parameter::even_hex("prefix", "What the ID starts with.")];

    type Key = Uuid;
    type Item = NodeItem;
    type Stub<'i> = NodeStub<'i>;

    fn rows<'v>(view: &'v Tracked, asked: &'v Asked<Uuid>) -> impl Iterator<Item = NodeItem> + 'v {
        // The empty prefix is that of every ID.
        let prefix = asked.hex("prefix").copied().or_else(|| HexPrefix::parse("").ok());
        let rows = prefix
            .into_iter()
            .flat_map(|prefix| list_nodes(view, &prefix, asked.order(), asked.from().copied()));
        // A node may report any number of them, and most lists need none.
        let needs_host_volumes = asked.filters_by("HostVolumes");
        rows.map(move |node| {
            if needs_host_volumes {
                NodeItem::new(view, node)
            } else {
                NodeItem::without_host_volumes(node)
            }
        })
    }

    fn key(item: &NodeItem) -> Uuid {
        item.node().id
    }

    fn stub(item: &NodeItem) -> NodeStub<'_> {
        item.stub()
    }
}
