//! `/v1/volumes?type=host` and `/v1/volume/host/…`.

use serde::Serialize;
use statehold_nomad::{
    ALL_NAMESPACES, HostVolumeItem, HostVolumeQuery, HostVolumeStub, HostVolumeView, HostVolumes,
    input, list_host_volumes, parse_id,
};
use statehold_store::{ReadView, Tracked};
use uuid::Uuid;

use crate::acl::access::{Capability, Rule};
use crate::api::list::{List, ListQuery};
use crate::api::parameter::Parameter;
use crate::api::params::Read;
use crate::api::reply::Meta;
use crate::api::{Reply, reply};
use crate::error::ApiError;
use crate::node::host_volumes::RecordedVolume;
use crate::request::NomadRequest;
use crate::state;

/// `GET /v1/volumes?type=host`, by namespace and ID.
pub(crate) struct HostVolumeList;

impl List for HostVolumeList {
    const ID: &'static str = "listHostVolumes";
    const SUMMARY: &'static str = "Lists host volumes, by namespace and ID.";
    const RULE: Rule = Rule::Rows(&[Capability::HostVolumeRead]);
    const SELECTORS: &'static [Parameter] = &[
        Parameter::text("prefix", "A prefix of the name or the ID."),
        Parameter::even_hex("node_id", "A prefix of the node's ID."),
        Parameter::text("node_pool", "The pool of the node."),
    ];

    type Key = (String, Uuid);
    type Item = HostVolumeItem;
    type Stub<'i> = HostVolumeStub<'i>;

    fn rows<'v>(
        view: &'v Tracked,
        query: &'v ListQuery<Self::Key>,
    ) -> impl Iterator<Item = HostVolumeItem> + 'v {
        let query = HostVolumeQuery {
            namespace: query.namespace(),
            prefix: query.text("prefix"),
            node: query.hex("node_id"),
            node_pool: query.text("node_pool"),
            conjuncts: query.conjuncts(),
            order: query.order(),
            from: query.from().map(|(namespace, id)| (namespace.as_str(), *id)),
        };
        list_host_volumes(view, &query).map(HostVolumeItem::new)
    }

    fn key(item: &HostVolumeItem) -> (&str, Uuid) {
        let volume = item.volume();
        (&volume.namespace, volume.id)
    }

    fn namespace(item: &HostVolumeItem) -> Option<&str> {
        Some(&item.volume().namespace)
    }

    fn stub(item: &HostVolumeItem) -> HostVolumeStub<'_> {
        item.stub()
    }
}

/// `GET /v1/volume/host/:id`
// Nomad: command/agent/host_volume_endpoint.go, HTTPServer.hostVolumeGet.
pub(crate) async fn get(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    call.app
        .object(&call, &read, |view, render| {
            let id = parse_id(call.segment("id")).ok().filter(|_| read.namespace != ALL_NAMESPACES);
            // An invalid ID is looked up as the nil UUID, so that the reply has the index of a miss.
            let volume = view
                .get::<HostVolumes>((&read.namespace, id.unwrap_or_default()))
                .ok_or_else(|| ApiError::not_found("volume not found"))?;
            render.json(&HostVolumeView::new(view, volume))
        })
        .await
}

/// `PUT /v1/volume/host/create`
// Nomad: nomad/host_volume_endpoint.go, HostVolume.Create.
pub(crate) async fn create(mut call: NomadRequest) -> Reply {
    let (namespace, body) = body(&mut call).await?;
    let kept =
        call.app.node().host_volumes().create(call.app.writer(), namespace, body.volume).await?;
    written(&call, &kept)
}

/// `PUT /v1/volume/host/register`
// Nomad: nomad/host_volume_endpoint.go, HostVolume.Register.
pub(crate) async fn register(mut call: NomadRequest) -> Reply {
    let (namespace, body) = body(&mut call).await?;
    let kept =
        call.app.node().host_volumes().register(call.app.writer(), namespace, body.volume).await?;
    written(&call, &kept)
}

/// Returns the namespace of the request, and the body.
///
/// # Errors
/// 403 if the caller lacks the permission in the volume's namespace.
async fn body(call: &mut NomadRequest) -> Result<(String, input::HostVolumeBody), ApiError> {
    let body = call.parse(input::host_volume_body).await?;
    let namespace = call.query.namespace_or(&body.namespace).to_owned();
    // The volume's own namespace overrides that of the request.
    let own = &*body.volume.namespace;
    call.allow_in(if own.is_empty() { &namespace } else { own })?;
    Ok((namespace, body))
}

/// Replies to creating and registering with the volume as of the commit.
fn written(call: &NomadRequest, kept: &RecordedVolume) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Written<'v> {
        volume: HostVolumeView<'v>,
        warnings: &'static str,
        index: u64,
    }
    let RecordedVolume { view, namespace, id } = kept;
    let volume = view
        .get::<HostVolumes>((namespace, *id))
        .ok_or_else(|| ApiError::internal(&"a volume is missing from the state of its commit"))?;
    let index = view.index();
    let written = Written { volume: HostVolumeView::new(view, volume), warnings: "", index };
    let body = reply::render(&written, call.query.pretty())?;
    Ok(reply::json_body(body, &Meta::at(index)))
}

/// `DELETE /v1/volume/host/:id`
// Nomad: nomad/host_volume_endpoint.go, HostVolume.Delete.
pub(crate) async fn delete(call: NomadRequest) -> Reply {
    let force = call.query.flag("force")?;
    let (namespace, id) = (call.query.namespace().to_owned(), call.segment("id").to_owned());
    let index =
        call.app.node().host_volumes().delete(call.app.writer(), namespace, id, force).await?;
    state::written(index, &call.query)
}
