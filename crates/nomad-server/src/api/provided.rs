//! Volumes and snapshots that only storage providers know, and the store does not.
//!
//! None of these reads blocks, because providers do not report changes.

use axum::http::HeaderName;
use serde::Serialize;
use statehold_nomad::provider::ProviderPage;
use statehold_nomad::{
    CsiVolumes, ExternalVolumeView, Secrets, SnapshotView, VolumeKey, check_data, check_snapshot,
    create_snapshots_with_provider, delete_snapshot_with_provider, find_plugin, input,
    is_foreign_data, list_external_snapshots, list_external_volumes,
};
use statehold_store::ReadView;

use crate::api::params::per_page;
use crate::api::reply::Meta;
use crate::api::{Reply, reply};
use crate::error::ApiError;
use crate::node::provider_locks::Subject;
use crate::request::NomadRequest;
use crate::state::NomadState;

/// The header with secrets for a provider: `name=value`, separated by commas.
// Nomad: command/agent/csi_endpoint.go, parseCSISecrets.
const SECRETS: HeaderName = HeaderName::from_static("x-nomad-csi-secrets");

/// Returns the secrets of a request for its provider.
pub(crate) fn secrets(call: &NomadRequest) -> Secrets {
    let text = call.headers.get(SECRETS).and_then(|value| value.to_str().ok());
    input::secrets_header(text.unwrap_or_default())
}

/// The page that a request asks of one provider.
struct Page {
    plugin: String,
    entries_max: u32,
    token: String,
}

impl Page {
    /// Parses the parameters. The page token is the provider's; replies have it in the body only.
    fn of(call: &NomadRequest) -> Result<Self, ApiError> {
        let text = |name| call.query.text(name).unwrap_or_default().to_owned();
        let per_page = per_page(&call.query)?.unwrap_or_default();
        let entries_max = u32::try_from(per_page).unwrap_or(u32::MAX);
        Ok(Self { plugin: text("plugin_id"), entries_max, token: text("next_token") })
    }

    fn to_provider(&self) -> ProviderPage<'_> {
        ProviderPage { entries_max: self.entries_max, token: &self.token }
    }
}

/// Returns the full ID of the plugin that the unique prefix `id` identifies, if there is one.
fn resolve_plugin(call: &NomadRequest, id: &str) -> Option<Box<str>> {
    let view = call.app.store().snapshot();
    find_plugin(&view, id).ok().map(|plugin| plugin.id.clone())
}

/// Returns a predicate: whether the caller has the operation's permission in a namespace.
fn sees(call: &NomadRequest) -> impl Fn(&str) -> bool + Send + 'static {
    let (access, rule) = (call.access.clone(), &call.operation.rule);
    move |namespace| access.sees(rule, namespace)
}

/// The fields that replies have beside a provider's objects.
// Nomad: nomad/structs/structs.go, QueryMeta.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProviderMeta {
    index: u64,
    last_contact: u64,
    known_leader: bool,
    next_token: Box<str>,
}

impl ProviderMeta {
    fn at(index: u64, next_token: Box<str>) -> Self {
        Self { index, last_contact: 0, known_leader: true, next_token }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Volumes<'v> {
    volumes: Vec<ExternalVolumeView<'v>>,
    #[serde(flatten)]
    meta: ProviderMeta,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Snapshots<'v> {
    snapshots: Vec<SnapshotView<'v>>,
    #[serde(flatten)]
    meta: ProviderMeta,
}

/// `GET /v1/volumes/external`: the volumes of a provider, registered here or not.
// Nomad: command/agent/csi_endpoint.go, HTTPServer.CSIExternalVolumesRequest.
pub(crate) async fn volumes(call: NomadRequest) -> Reply {
    let page = Page::of(&call)?;
    let plugin = resolve_plugin(&call, &page.plugin);
    let pretty = call.query.pretty();
    let (sees, of) = (sees(&call), plugin.clone().unwrap_or_default());
    let ask = move |app: &NomadState| {
        let view = app.store().snapshot();
        let providers = app.node().providers();
        let found = list_external_volumes(&view, providers, &page.plugin, &page.to_provider())?;
        // Data that another namespace registered is hidden from callers without its permission.
        let volumes = found.volumes.iter();
        let volumes =
            volumes.filter(|volume| !is_foreign_data(&view, &of, &volume.external_id, &sees));
        let volumes = volumes.map(ExternalVolumeView::new).collect();
        let index = view.index();
        let body = Volumes { volumes, meta: ProviderMeta::at(index, found.next_token) };
        Ok((reply::render(&body, pretty)?, index))
    };
    let (body, index) = call.app.with_providers([], plugin.as_deref(), ask).await?;
    Ok(reply::json_body(body, &Meta::at(index)))
}

/// `GET /v1/volumes/snapshot`: the snapshots of a provider.
// Nomad: command/agent/csi_endpoint.go, HTTPServer.csiSnapshotList.
pub(crate) async fn snapshots(call: NomadRequest) -> Reply {
    let page = Page::of(&call)?;
    let plugin = resolve_plugin(&call, &page.plugin);
    let secrets = secrets(&call);
    let pretty = call.query.pretty();
    let sees = sees(&call);
    let ask = move |app: &NomadState| {
        let view = app.store().snapshot();
        let providers = app.node().providers();
        let found =
            list_external_snapshots(&view, providers, &page.plugin, &page.to_provider(), &secrets)?;
        let index = view.index();
        let listed = found.snapshots.iter().filter(|snapshot| {
            !is_foreign_data(&view, &found.plugin_id, &snapshot.external_volume_id, &sees)
        });
        let listed = listed.map(|snapshot| SnapshotView::listed(&found.plugin_id, snapshot));
        let body = Snapshots {
            snapshots: listed.collect(),
            meta: ProviderMeta::at(index, found.next_token),
        };
        Ok((reply::render(&body, pretty)?, index))
    };
    let (body, index) = call.app.with_providers([], plugin.as_deref(), ask).await?;
    Ok(reply::json_body(body, &Meta::at(index)))
}

/// `PUT /v1/volumes/snapshot`: takes snapshots of volumes.
// Nomad: command/agent/csi_endpoint.go, HTTPServer.csiSnapshotCreate.
pub(crate) async fn create_snapshots(mut call: NomadRequest) -> Reply {
    let body = call.parse(input::snapshots_body).await?;
    let namespace = call.query.namespace_or(&body.namespace).to_owned();
    call.allow_in(&namespace)?;
    let view = call.app.store().snapshot();
    let plugin_of = |volume: &str| {
        view.get::<CsiVolumes>((&namespace, volume)).map(|volume| volume.plugin_id.clone())
    };
    // Only the plugins to wait for. Each is resolved again once the request holds its volumes.
    let plugins = body.snapshots.iter().filter_map(|snapshot| match &*snapshot.plugin_id {
        "" => plugin_of(&snapshot.volume_id),
        plugin => Some(plugin.into()),
    });
    let plugins: Vec<Box<str>> = plugins.collect();
    let subjects: Vec<Subject> = (body.snapshots.iter())
        .map(|snapshot| {
            let (namespace, id) = (namespace.as_str().into(), snapshot.volume_id.clone());
            Subject::Row(VolumeKey { namespace, id })
        })
        .collect();
    let pretty = call.query.pretty();
    let limited = !call.access.is_unlimited();
    let create = move |app: &NomadState| {
        let view = app.store().snapshot();
        // With another plugin than the volume's own, its external ID names other data.
        for snapshot in body.snapshots.iter().filter(|_| limited) {
            if let Some(volume) = view.get::<CsiVolumes>((&namespace, &snapshot.volume_id))
                && !snapshot.plugin_id.is_empty()
                && snapshot.plugin_id != volume.plugin_id
            {
                let own = |other: &str| other == namespace;
                check_data(&view, &snapshot.plugin_id, volume.remote_id(), own)?;
            }
        }
        let taken = create_snapshots_with_provider(
            &view,
            app.node().providers(),
            &namespace,
            &body.snapshots,
        )?;
        let index = view.index();
        let taken = taken.iter().map(SnapshotView::created).collect();
        let body = Snapshots { snapshots: taken, meta: ProviderMeta::at(index, "".into()) };
        Ok((reply::render(&body, pretty)?, index))
    };
    let plugins = plugins.iter().map(|plugin| &**plugin);
    let (body, index) = call.app.with_providers(subjects, plugins, create).await?;
    Ok(reply::json_body(body, &Meta::at(index)))
}

/// `DELETE /v1/volumes/snapshot`: deletes a snapshot.
// Nomad: command/agent/csi_endpoint.go, HTTPServer.csiSnapshotDelete.
pub(crate) async fn delete_snapshot(call: NomadRequest) -> Reply {
    let text = |name| call.query.text(name).unwrap_or_default().to_owned();
    let (plugin_id, snapshot) = (text("plugin_id"), text("snapshot_id"));
    let plugin = resolve_plugin(&call, &plugin_id);
    let whole_id = plugin.clone().unwrap_or_default();
    let subject = Subject::Snapshot(whole_id, snapshot.as_str().into());
    let secrets = secrets(&call);
    let (limited, sees) = (!call.access.is_unlimited(), sees(&call));
    let of = plugin.clone().unwrap_or_default();
    let delete = move |app: &NomadState| {
        let view = app.store().snapshot();
        // A missing parameter is left to the domain, which has Nomad's error for it.
        if limited && !plugin_id.is_empty() && !snapshot.is_empty() {
            check_snapshot(&view, app.node().providers(), &of, &snapshot, &secrets, &sees)?;
        }
        delete_snapshot_with_provider(
            &view,
            app.node().providers(),
            &plugin_id,
            &snapshot,
            &secrets,
        )?;
        Ok(view.index())
    };
    let index = call.app.with_providers([subject], plugin.as_deref(), delete).await?;
    Ok(reply::empty(&Meta::at(index)))
}
