//! `/v1/volumes` and `/v1/volume/csi/…`.

use serde::Serialize;
use statehold_store::{ReadView, Snapshot, Tracked, WriteTxn};
use statehold_volumes::{
    ALL_NAMESPACES, CsiVolumes, DEFAULT_NAMESPACE, FactsReader, VolumeItem, VolumeKey, VolumeQuery,
    VolumeStub, VolumeView, deregister, input, list_volumes, register,
};

use super::access::{Capability, Rule};
use super::call::Call;
use super::list::{Asked, List};
use super::parameter::Parameter;
use super::params::Read;
use super::reject::Reject;
use super::reply::Meta;
use super::{Reply, reply};

/// `GET /v1/volumes?type=csi`, by namespace and ID.
pub(crate) struct CsiVolumeList;

impl List for CsiVolumeList {
    const ID: &'static str = "listCsiVolumes";
    const SUMMARY: &'static str = "Lists CSI volumes, by namespace and ID.";
    const RULE: Rule = Rule::Namespace(&[
        Capability::CsiListVolume,
        Capability::CsiReadVolume,
        Capability::CsiMountVolume,
        Capability::ListJobs,
    ]);
    const SELECTORS: &'static [Parameter] = &[
        Parameter::text("prefix", "What the ID starts with."),
        Parameter::text("plugin_id", "What the ID of the plugin starts with."),
        Parameter::even_hex(
            "node_id",
            "What the ID of a node starts with on which an allocation asks for the volume or claims it.",
        ),
    ];

    type Key = (String, String);
    type Item = VolumeItem;
    type Stub<'i> = VolumeStub<'i>;

    fn rows<'v>(
        view: &'v Tracked,
        asked: &'v Asked<Self::Key>,
    ) -> impl Iterator<Item = VolumeItem> + 'v {
        let query = VolumeQuery {
            conjuncts: asked.conjuncts(),
            namespace: asked.namespace(),
            prefix: asked.text("prefix"),
            plugin_prefix: asked.text("plugin_id"),
            node: asked.hex("node_id"),
            order: asked.order(),
            from: asked.from().map(|(namespace, id)| (namespace.as_str(), id.as_str())),
        };
        let mut facts = FactsReader::new(view);
        list_volumes(view, &query).map(move |volume| facts.item(volume))
    }

    fn key(item: &VolumeItem) -> (&str, &str) {
        let volume = item.volume();
        (&volume.namespace, &volume.id)
    }

    fn namespace(item: &VolumeItem) -> Option<&str> {
        Some(&item.volume().namespace)
    }

    fn stub(item: &VolumeItem) -> VolumeStub<'_> {
        item.stub()
    }
}

/// `GET /v1/volumes` with another type, or none.
pub(crate) fn untyped(call: &Call) -> Reply {
    match call.query.get("type") {
        None => Ok(reply::nothing(call.app.store())),
        Some(_) => Err(Reject::resource()),
    }
}

/// `GET /v1/volume/csi/:id`
pub(crate) async fn get(call: Call) -> Reply {
    let read = Read::of(&call.query)?;
    call.app
        .object(&call, &read, |view, render| {
            let volume = view
                .get::<CsiVolumes>((&read.namespace, call.segment("id")))
                .filter(|_| read.namespace != ALL_NAMESPACES)
                .ok_or_else(|| Reject::not_found("volume not found"))?;
            render.json(&VolumeView::new(view, volume))
        })
        .await
}

/// What a registration answers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Registered<'v> {
    volumes: Vec<VolumeView<'v>>,
    warnings: &'static str,
    index: u64,
    last_contact: u64,
    known_leader: bool,
    next_token: &'static str,
}

/// `PUT /v1/volumes`, `PUT /v1/volume/csi/:id`: registers the volumes of the body. The path's ID is
/// not looked at: the body has them.
pub(crate) async fn put(mut call: Call) -> Reply {
    let body = input::register_body(&call.body().await?)?;
    let namespace = match call.query.text("namespace") {
        Some(namespace) => namespace.to_owned(),
        None if body.namespace.is_empty() => DEFAULT_NAMESPACE.to_owned(),
        None => body.namespace.into(),
    };
    for volume in &body.volumes {
        let own = &*volume.namespace;
        call.allow_in(if own.is_empty() { &namespace } else { own })?;
    }
    let pretty = call.query.pretty();
    let write =
        move |txn: &mut WriteTxn<'_>, now| Ok(register(txn, now, &namespace, body.volumes)?);
    let after = move |view: &Snapshot, keys: Vec<VolumeKey>| {
        let volumes = keys
            .iter()
            .filter_map(|key| view.get::<CsiVolumes>((&key.namespace, &key.id)))
            .map(|volume| VolumeView::new(view, volume))
            .collect();
        let registered = Registered {
            volumes,
            warnings: "",
            index: view.index(),
            last_contact: 0,
            known_leader: true,
            next_token: "",
        };
        reply::render(&registered, pretty)
    };
    let (body, index) = call.app.write(write, after).await?;
    Ok(reply::json_body(body, &Meta::at(index)))
}

/// `DELETE /v1/volume/csi/:id`: deregisters.
pub(crate) async fn delete(call: Call) -> Reply {
    let force = call.query.flag("force")?;
    let (namespace, id) = (call.query.namespace().to_owned(), call.segment("id").to_owned());
    let write = move |txn: &mut WriteTxn<'_>, _| Ok(deregister(txn, &namespace, &[&id], force)?);
    call.app.write_silently(write).await
}
