//! The agent's reports of itself: `/v1/agent/…`, `/v1/status/…` and `/v1/regions`.
//!
//! The server reports itself as the only server of its region, the leader, and a client node.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use statehold_nomad::{Node, Nodes};
use statehold_store::ReadView;

use crate::acl::access::Access;
use crate::api::dispatch::REGION;
use crate::api::reply;
use crate::api::reply::Meta;
use crate::api::{Reply, metrics};
use crate::error::ApiError;
use crate::request::NomadRequest;

/// The release of Nomad whose HTTP API this server implements. Clients select features by it.
pub(crate) const NOMAD_VERSION: &str = "2.0.6";

/// The metadata of the agent's version, which distinguishes it from Nomad's own.
const VERSION_METADATA: &str = "statehold";

/// Replies with JSON about the server itself, which has no index of its own.
fn reply_json(call: &NomadRequest, body: &impl Serialize) -> Reply {
    let body = reply::render(body, call.query.pretty())?;
    // At least 1, because a client that sent 0 in its next query would not block.
    Ok(reply::json_body(body, &Meta::at(call.app.store().index().max(1))))
}

/// Returns this machine's node as it is registered now.
fn own_node(call: &NomadRequest) -> Node {
    let view = call.app.store().snapshot();
    view.get::<Nodes>(call.app.node().id()).map(|node| Node::clone(node)).unwrap_or_default()
}

/// `GET /v1/status/leader`
// Nomad: command/agent/status_endpoint.go, HTTPServer.StatusLeaderRequest.
pub(crate) fn leader(call: &NomadRequest) -> Reply {
    reply_json(call, &call.app.address().to_string())
}

/// `GET /v1/status/peers` and `GET /v1/agent/servers`
// Nomad: command/agent/status_endpoint.go, HTTPServer.StatusPeersRequest.
pub(crate) fn peers(call: &NomadRequest) -> Reply {
    reply_json(call, &[call.app.address().to_string()])
}

/// `GET /v1/regions`
pub(crate) fn regions(call: &NomadRequest) -> Reply {
    reply_json(call, &[REGION])
}

/// A member of the agents' gossip pool.
// Nomad: command/agent/agent_endpoint.go, Member.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Member {
    name: String,
    addr: String,
    port: u16,
    tags: BTreeMap<&'static str, String>,
    status: &'static str,
    protocol_min: u8,
    protocol_max: u8,
    protocol_cur: u8,
    delegate_min: u8,
    delegate_max: u8,
    delegate_cur: u8,
}

impl Member {
    fn of(call: &NomadRequest, node: &Node) -> Self {
        let address = call.app.address();
        let (addr, port) = (address.ip().to_string(), address.port());
        let tags = [
            ("role", "nomad".to_owned()),
            ("region", REGION.to_owned()),
            ("dc", node.datacenter.to_string()),
            ("build", NOMAD_VERSION.to_owned()),
            ("id", node.id.to_string()),
            ("rpc_addr", addr.clone()),
            ("port", port.to_string()),
            ("bootstrap", "1".to_owned()),
            ("expect", "1".to_owned()),
            ("vsn", "1".to_owned()),
            ("raft_vsn", "3".to_owned()),
        ];
        // The versions of Serf's protocol in Nomad. Clients only print them.
        Self {
            name: format!("{}.{REGION}", node.name),
            addr,
            port,
            tags: tags.into(),
            status: "alive",
            protocol_min: 1,
            protocol_max: 5,
            protocol_cur: 2,
            delegate_min: 2,
            delegate_max: 5,
            delegate_cur: 4,
        }
    }
}

/// `GET /v1/agent/members`
// Nomad: command/agent/agent_endpoint.go, HTTPServer.AgentMembersRequest.
pub(crate) fn members(call: &NomadRequest) -> Reply {
    let node = own_node(call);
    reply_json(
        call,
        &json!({
            "ServerName": node.name,
            "ServerRegion": REGION,
            "ServerDC": node.datacenter,
            "Members": [Member::of(call, &node)],
        }),
    )
}

/// `GET /v1/agent/self`
// Nomad: command/agent/agent_endpoint.go, HTTPServer.AgentSelfRequest.
pub(crate) fn own(call: &NomadRequest) -> Reply {
    let (node, address) = (own_node(call), call.app.address());
    let index = call.app.store().index().to_string();
    let port = address.port();
    let config = json!({
        "Region": REGION,
        "Datacenter": node.datacenter,
        "NodeName": node.name,
        "BindAddr": address.ip(),
        "Ports": { "HTTP": port, "RPC": 0, "Serf": 0 },
        "AdvertiseAddrs": { "HTTP": address.to_string(), "RPC": "", "Serf": "" },
        "Server": { "Enabled": true, "BootstrapExpect": 1 },
        "Client": { "Enabled": true, "NodeClass": node.node_class, "NodePool": node.node_pool },
        "ACL": { "Enabled": !matches!(call.access, Access::Open) },
        "TLSConfig": { "EnableHTTP": false, "EnableRPC": false },
        "Version": {
            "Version": NOMAD_VERSION,
            "VersionPrerelease": "",
            "VersionMetadata": VERSION_METADATA,
            "Revision": env!("CARGO_PKG_VERSION"),
        },
    });
    let stats = json!({
        "nomad": {
            "server": "true",
            "leader": "true",
            "leader_addr": address.to_string(),
            "bootstrap": "true",
            "known_regions": "1",
        },
        "raft": {
            "state": "Leader",
            "num_peers": "0",
            "applied_index": index,
            "commit_index": index,
            "last_log_index": index,
        },
        "client": { "node_id": node.id.to_string() },
        "runtime": {
            "arch": node.attributes.get("cpu.arch"),
            "kernel.name": std::env::consts::OS,
            "version": concat!("statehold ", env!("CARGO_PKG_VERSION")),
        },
    });
    reply_json(
        call,
        &json!({ "config": config, "member": Member::of(call, &node), "stats": stats }),
    )
}

/// `GET /v1/agent/health`: replies 500 while the store takes no writes.
// Nomad: command/agent/agent_endpoint.go, HTTPServer.HealthRequest.
pub(crate) fn health(call: &NomadRequest) -> Reply {
    let part = call.query.text("type");
    if !matches!(part, None | Some("client" | "server")) {
        return Err(ApiError::bad_request("invalid type value: it is client or server"));
    }
    let failure = call.app.store().failure().map(|failure| failure.to_string());
    let server_ok = failure.is_none();
    let server = json!({ "ok": server_ok, "message": failure.as_deref().unwrap_or("ok") });
    let client = json!({ "ok": true, "message": "ok" });
    let parts = [("client", client), ("server", server)];
    let wanted = parts.into_iter().filter(|(name, _)| part.is_none_or(|part| part == *name));
    let body: serde_json::Map<String, Value> =
        wanted.map(|(name, health)| (name.to_owned(), health)).collect();
    // Only the server's part depends on writes, so a check of the client's part alone succeeds.
    let asked_of_server = body.contains_key("server");
    let mut reply = reply_json(call, &body)?;
    if asked_of_server && !server_ok {
        *reply.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    Ok(reply)
}

/// `GET /v1/metrics`
// Nomad: command/agent/metrics_endpoint.go, HTTPServer.MetricsRequest.
pub(crate) async fn telemetry(call: NomadRequest) -> Reply {
    let gauges = metrics::nomad_gauges(&call).await?;
    match call.query.text("format") {
        Some("prometheus") => Ok(metrics::nomad_text(gauges)),
        _ => reply_json(&call, &metrics::nomad_summary(gauges)),
    }
}
