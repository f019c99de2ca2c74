//! `/v1/node/pools` and `/v1/node/pool/…`: the pools that nodes name, and the built-in ones.

use statehold_nomad::{ALL_NODE_POOL, NodeItem, NodePool, Nodes, list_node_pools};
use statehold_store::{KeyRange, Order, ReadView, Tracked};
use uuid::Uuid;

use crate::acl::access::{Level, Rule};
use crate::api::Reply;
use crate::api::list::{List, ListQuery};
use crate::api::parameter::Parameter;
use crate::api::params::Read;
use crate::error::ApiError;
use crate::request::NomadRequest;

/// `GET /v1/node/pools`, by name.
pub(crate) struct NodePoolList;

impl List for NodePoolList {
    const ID: &'static str = "listNodePools";
    const SUMMARY: &'static str = "Lists node pools, by name.";
    const RULE: Rule = Rule::Node(Level::Read);
    const SELECTORS: &'static [Parameter] = &[Parameter::text("prefix", "A prefix of the name.")];

    type Key = String;
    type Item = NodePool;
    type Stub<'i> = &'i NodePool;

    fn rows<'v>(
        view: &'v Tracked,
        query: &'v ListQuery<String>,
    ) -> impl Iterator<Item = NodePool> + 'v {
        // Pools have no table: they are collected from the nodes, and there are few.
        let mut pools = list_node_pools(view);
        if query.order() == Order::Descending {
            pools.reverse();
        }
        let prefix = query.text("prefix");
        pools.retain(|pool| pool.name.starts_with(prefix));
        let before = move |pool: &NodePool| {
            query.from().is_some_and(|from| match query.order() {
                Order::Ascending => *pool.name < **from,
                Order::Descending => *pool.name > **from,
            })
        };
        pools.into_iter().skip_while(before)
    }

    fn key(item: &NodePool) -> &str {
        &item.name
    }

    fn stub(item: &NodePool) -> &NodePool {
        item
    }
}

fn find(view: &Tracked, name: &str) -> Result<NodePool, ApiError> {
    let found = list_node_pools(view).into_iter().find(|pool| *pool.name == *name);
    found.ok_or_else(|| ApiError::not_found("node pool not found"))
}

/// `GET /v1/node/pool/:name`
// Nomad: command/agent/node_pool_endpoint.go, HTTPServer.nodePoolQuery.
pub(crate) async fn get(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    call.app
        .large_object(&call, &read, |view, render, _| {
            render.json(&find(view, call.segment("name"))?)
        })
        .await
}

/// `GET /v1/node/pool/:name/nodes`
// Nomad: command/agent/node_pool_endpoint.go, HTTPServer.nodePoolNodesList.
pub(crate) async fn nodes(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    call.app
        .large_object(&call, &read, |view, render, meter| {
            let name = call.segment("name");
            find(view, name)?;
            // Nomad: nomad/structs/node_pool.go, NodePoolAll contains every node.
            let all = view.scan::<Nodes>(&KeyRange::<Uuid>::all(), Order::Ascending);
            let all = all.take_while(|_| meter.goes_on(false));
            let within = all.filter(|node| name == ALL_NODE_POOL || *node.node_pool == *name);
            let items: Vec<_> = within.map(|node| NodeItem::new(view, node)).collect();
            render.json(&items.iter().map(NodeItem::stub).collect::<Vec<_>>())
        })
        .await
}
