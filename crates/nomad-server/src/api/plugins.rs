//! `/v1/plugins` and `/v1/plugin/csi/…`.

use statehold_nomad::{CsiPlugins, PluginItem, PluginStub, PluginView, list_plugins};
use statehold_store::{ReadView, Tracked};

use crate::acl::access::{Capability, Level, Rule};
use crate::api::list::{List, ListQuery};
use crate::api::parameter::Parameter;
use crate::api::params::Read;
use crate::api::{Reply, reply};
use crate::error::ApiError;
use crate::request::NomadRequest;

/// `GET /v1/plugins?type=csi`, by ID.
pub(crate) struct CsiPluginList;

impl List for CsiPluginList {
    const ID: &'static str = "listCsiPlugins";
    const SUMMARY: &'static str = "Lists CSI plugins, by ID.";
    const RULE: Rule = Rule::Plugin(Level::List);
    const SELECTORS: &'static [Parameter] = &[Parameter::text("prefix", "A prefix of the ID.")];

    type Key = String;
    type Item = PluginItem;
    type Stub<'i> = PluginStub<'i>;

    fn rows<'v>(
        view: &'v Tracked,
        query: &'v ListQuery<String>,
    ) -> impl Iterator<Item = PluginItem> + 'v {
        let from = query.from().map(String::as_str);
        let plugins = list_plugins(view, query.text("prefix"), query.order(), from);
        // A plugin may run on every node, so its instances are read only for filters that use them.
        let reads_instances = query.reads(&PluginItem::INSTANCE_FIELDS);
        plugins.map(move |plugin| {
            if reads_instances {
                PluginItem::new(view, plugin)
            } else {
                PluginItem::without_instances(view, plugin)
            }
        })
    }

    fn key(item: &PluginItem) -> &str {
        &item.plugin().id
    }

    fn stub(item: &PluginItem) -> PluginStub<'_> {
        item.stub()
    }
}

/// `GET /v1/plugins` with another type, or none: an empty list.
// Nomad: command/agent/csi_endpoint.go, HTTPServer.CSIPluginsRequest.
#[expect(clippy::unnecessary_wraps, reason = "it is a handler")]
pub(crate) fn untyped(call: &NomadRequest) -> Reply {
    Ok(reply::nothing(call.app.store()))
}

/// `GET /v1/plugin/csi/:id`
// Nomad: nomad/csi_endpoint.go, CSIPlugin.Get.
pub(crate) async fn get(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    // Each allocation requires the permission to read the jobs of its namespace, with `namespace=*`, too.
    let sees = |namespace: &str| call.access.has(namespace, &[Capability::ReadJob]);
    call.app
        .large_object(&call, &read, |view, render, _| {
            let plugin = view
                .get::<CsiPlugins>(call.segment("id"))
                .ok_or_else(|| ApiError::not_found("plugin not found"))?;
            render.json(&PluginView::new(view, plugin, &read.namespace).seen_by(sees))
        })
        .await
}
