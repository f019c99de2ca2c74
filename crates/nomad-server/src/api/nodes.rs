//! `/v1/nodes` and `/v1/node/…`.

use statehold_nomad::{NodeItem, NodeStub, NodeStubFields, NodeView, Nodes, list_nodes, parse_id};
use statehold_store::{HexPrefix, ReadView, Tracked};
use uuid::Uuid;

use crate::acl::access::{Level, Rule};
use crate::api::Reply;
use crate::api::list::{List, ListQuery};
use crate::api::parameter::{Kind, Parameter};
use crate::api::params::Read;
use crate::error::ApiError;
use crate::request::NomadRequest;

/// The field with the host volumes that a node reports, each of which is a separate row.
const HOST_VOLUMES: &str = "HostVolumes";

/// `GET /v1/nodes`, by ID.
pub(crate) struct NodeList;

impl List for NodeList {
    const ID: &'static str = "listNodes";
    const SUMMARY: &'static str = "Lists nodes, by ID.";
    const RULE: Rule = Rule::Node(Level::Read);
    const SELECTORS: &'static [Parameter] = &[
        Parameter::even_hex("prefix", "A prefix of the ID."),
        Parameter::new("os", Kind::Flag, "Adds `Attributes` with the system's name to rows."),
        Parameter::new("resources", Kind::Flag, "Adds the node's reported resources to rows."),
    ];

    type Key = Uuid;
    type Item = NodeItem;
    type Stub<'i> = NodeStub<'i>;

    fn rows<'v>(
        view: &'v Tracked,
        query: &'v ListQuery<Uuid>,
    ) -> impl Iterator<Item = NodeItem> + 'v {
        // The empty prefix matches every ID.
        let prefix = query.hex("prefix").copied().or_else(|| HexPrefix::parse("").ok());
        let rows = prefix
            .into_iter()
            .flat_map(|prefix| list_nodes(view, &prefix, query.order(), query.from().copied()));
        // Nomad: command/agent/http.go, parseNodeListStubFields. Any value that is not true counts as false.
        let flag = |name| matches!(query.text(name), "1" | "t" | "T" | "true" | "TRUE" | "True");
        let fields = NodeStubFields { os: flag("os"), resources: flag("resources") };
        // The host volumes of each node are a scan of their own, which only a filter of that field needs here.
        let filtered = query.reads(&[HOST_VOLUMES]);
        rows.map(move |node| {
            let item = NodeItem::without_host_volumes(node).showing(fields);
            if filtered { item.with_host_volumes(view) } else { item }
        })
    }

    fn complete(view: &Tracked, query: &ListQuery<Uuid>, item: NodeItem) -> NodeItem {
        if query.reads(&[HOST_VOLUMES]) { item } else { item.with_host_volumes(view) }
    }

    fn key(item: &NodeItem) -> Uuid {
        item.node().id
    }

    fn stub(item: &NodeItem) -> NodeStub<'_> {
        item.stub()
    }
}

/// `GET /v1/node/:id`
// Nomad: command/agent/node_endpoint.go, HTTPServer.nodeQuery.
pub(crate) async fn get(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    // Nomad returns 404 for an ID that is no UUID, too.
    let unknown = || ApiError::not_found("node not found");
    let id = parse_id(call.segment("id")).map_err(|_| unknown())?;
    call.app
        .large_object(&call, &read, |view, render, _| {
            let node = view.get::<Nodes>(id).ok_or_else(unknown)?;
            render.json(&NodeView::new(view, node))
        })
        .await
}
