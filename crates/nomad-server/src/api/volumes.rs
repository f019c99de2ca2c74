//! `/v1/volumes` and `/v1/volume/csi/…`.

use serde::Serialize;
use statehold_nomad::{
    ALL_NAMESPACES, CsiVolume, CsiVolumes, HealthReader, VolumeItem, VolumeKey, VolumeQuery,
    VolumeSpec, VolumeStub, VolumeView, check_own_data, check_own_sources, check_snapshot,
    create_with_provider, delete_with_provider, deregister, detach_with_provider, input,
    list_volumes, parse_id, plan_detach, record_release, record_volumes, register,
    register_with_provider, volume_claims,
};
use statehold_store::{Entry, ReadView, Snapshot, Tracked, WriteTxn};

use crate::acl::access::{Capability, Rule};
use crate::api::list::{List, ListQuery};
use crate::api::parameter::Parameter;
use crate::api::params::Read;
use crate::api::provided::secrets;
use crate::api::reply::Meta;
use crate::api::{Reply, reply};
use crate::error::ApiError;
use crate::node::csi_work::PendingWork;
use crate::node::provider_locks::Subject;
use crate::request::NomadRequest;
use crate::state::NomadState;

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
        Parameter::text("prefix", "A prefix of the ID."),
        Parameter::text("plugin_id", "A prefix of the plugin's ID."),
        Parameter::even_hex(
            "node_id",
            "A prefix of the ID of a node with an allocation that requests or claims the volume.",
        ),
    ];

    type Key = (String, String);
    type Item = VolumeItem;
    type Stub<'i> = VolumeStub<'i>;

    fn rows<'v>(
        view: &'v Tracked,
        query: &'v ListQuery<Self::Key>,
    ) -> impl Iterator<Item = VolumeItem> + 'v {
        let volumes = VolumeQuery {
            conjuncts: query.conjuncts(),
            namespace: query.namespace(),
            prefix: query.text("prefix"),
            plugin_prefix: query.text("plugin_id"),
            node: query.hex("node_id"),
            order: query.order(),
            from: query.from().map(|(namespace, id)| (namespace.as_str(), id.as_str())),
        };
        let mut facts = HealthReader::new(view);
        // Any number of allocations may claim a volume, so claims are read only for filters that use them.
        if !query.reads(&VolumeItem::CLAIM_FIELDS) {
            facts = facts.without_claims();
        }
        list_volumes(view, &volumes).map(move |volume| VolumeItem::new(&mut facts, volume))
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
// Nomad: command/agent/volumes_endpoint.go, HTTPServer.ListVolumesRequest.
pub(crate) fn untyped(call: &NomadRequest) -> Reply {
    match call.query.get("type") {
        None => Ok(reply::nothing(call.app.store())),
        Some(_) => Err(ApiError::resource()),
    }
}

/// Returns the volume of an ID in the namespace of a read.
///
/// # Errors
/// 404 if it does not exist. `*` is no namespace of a volume.
fn find<'v>(view: &'v Tracked, read: &Read, id: &str) -> Result<&'v Entry<CsiVolume>, ApiError> {
    view.get::<CsiVolumes>((&read.namespace, id))
        .filter(|_| read.namespace != ALL_NAMESPACES)
        .ok_or_else(|| ApiError::not_found("volume not found"))
}

/// `GET /v1/volume/csi/:id`
// Nomad: command/agent/csi_endpoint.go, HTTPServer.csiVolumeGet.
pub(crate) async fn get(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    call.app
        .object(&call, &read, |view, render| {
            let volume = find(view, &read, call.segment("id"))?;
            render.json(&VolumeView::new(view, volume))
        })
        .await
}

/// The reply to registering and creating.
// Nomad: nomad/structs/csi.go, CSIVolumeRegisterResponse and CSIVolumeCreateResponse.
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

impl<'v> Registered<'v> {
    /// Creates the reply with the volumes as of `view`, the commit that wrote them.
    fn new(view: &'v Snapshot, keys: &[VolumeKey]) -> Self {
        let volumes = keys
            .iter()
            .filter_map(|key| view.get::<CsiVolumes>((&key.namespace, &key.id)))
            .map(|volume| VolumeView::new(view, volume))
            .collect();
        Self {
            volumes,
            warnings: "",
            index: view.index(),
            last_contact: 0,
            known_leader: true,
            next_token: "",
        }
    }
}

/// Returns the namespace of the request, and the volumes of the body.
///
/// # Errors
/// 403 if the caller lacks the permission in the namespace of one of them.
async fn volumes_of(call: &mut NomadRequest) -> Result<(String, Vec<VolumeSpec>), ApiError> {
    let body = call.parse(input::register_body).await?;
    let namespace = call.query.namespace_or(&body.namespace).to_owned();
    for volume in &body.volumes {
        let own = &*volume.namespace;
        call.allow_in(if own.is_empty() { &namespace } else { own })?;
    }
    Ok((namespace, body.volumes))
}

/// Returns the lock subjects of a request that writes `volumes`: their rows, and the data that they name.
fn subjects(namespace: &str, volumes: &[VolumeSpec]) -> Vec<Subject> {
    let rows = volumes.iter().map(|volume| {
        let own = Some(&*volume.namespace).filter(|own| !own.is_empty());
        let namespace = own.unwrap_or(namespace).into();
        Subject::Row(VolumeKey { namespace, id: volume.id.clone() })
    });
    let data = volumes.iter().map(|volume| {
        // Nomad: nomad/structs/csi.go, CSIVolume.RemoteID: the external ID, or else the ID.
        let named = Some(&volume.external_id).filter(|id| !id.is_empty());
        Subject::Data(volume.plugin_id.clone(), named.unwrap_or(&volume.id).clone())
    });
    rows.chain(data).collect()
}

/// `PUT /v1/volumes`, `PUT /v1/volume/csi/:id`: registers the volumes of the body. Ignores the ID in the path, as Nomad
/// does.
// Nomad: command/agent/csi_endpoint.go, HTTPServer.csiVolumeRegister.
pub(crate) async fn put(mut call: NomadRequest) -> Reply {
    let (namespace, volumes) = volumes_of(&mut call).await?;
    let limited = !call.access.is_unlimited();
    let providers = call.app.node().providers();
    let plugins: Vec<_> = volumes.iter().map(|volume| volume.plugin_id.clone()).collect();
    let subjects = subjects(&namespace, &volumes);
    let pretty = call.query.pretty();
    let (body, index) = if plugins.iter().any(|plugin| providers.get(plugin).is_some()) {
        let register = move |app: &NomadState| {
            let view = app.store().snapshot();
            let unchecked = if limited { volumes.clone() } else { Vec::new() };
            check_own_data(&view, &namespace, &unchecked)?;
            let asked = register_with_provider(&view, app.node().providers(), &namespace, volumes)?;
            let (view, keys) = app.write_blocking(|txn, now| {
                // Once more in the transaction: another request may have registered the data meanwhile.
                check_own_data(txn, &namespace, &unchecked)?;
                Ok::<_, ApiError>(record_volumes(txn, now, &asked)?)
            })?;
            Ok((reply::render(&Registered::new(&view, &keys), pretty)?, view.index()))
        };
        call.app.with_providers(subjects, plugins.iter().map(|plugin| &**plugin), register).await?
    } else {
        let write = move |txn: &mut WriteTxn<'_>, now| {
            if limited {
                check_own_data(txn, &namespace, &volumes)?;
            }
            Ok(register(txn, now, &namespace, volumes)?)
        };
        let after = move |view: &Snapshot, keys: Vec<VolumeKey>| {
            reply::render(&Registered::new(view, &keys), pretty)
        };
        call.app.write(write, after).await?
    };
    Ok(reply::json_body(body, &Meta::at(index)))
}

/// `PUT /v1/volume/csi/:id/create`: creates the volumes of the body with their providers.
///
/// Records created volumes even if others failed, because their data would otherwise be orphaned.
// Nomad: nomad/csi_endpoint.go, CSIVolume.Create.
pub(crate) async fn create(mut call: NomadRequest) -> Reply {
    let (namespace, volumes) = volumes_of(&mut call).await?;
    let plugins: Vec<_> = volumes.iter().map(|volume| volume.plugin_id.clone()).collect();
    let subjects = subjects(&namespace, &volumes);
    let pretty = call.query.pretty();
    let limited = !call.access.is_unlimited();
    let create = move |app: &NomadState| {
        let view = app.store().snapshot();
        // A copy would show the data of its source to the caller.
        if limited {
            check_own_sources(&view, &namespace, &volumes)?;
            for volume in volumes.iter().filter(|volume| !volume.snapshot_id.is_empty()) {
                let own =
                    if volume.namespace.is_empty() { &*namespace } else { &*volume.namespace };
                let (plugin, snapshot) = (&volume.plugin_id, &volume.snapshot_id);
                let providers = app.node().providers();
                let own = |other: &str| other == own;
                check_snapshot(&view, providers, plugin, snapshot, &volume.secrets, own)?;
            }
        }
        let work = PendingWork::create(app.node(), &view, &namespace, &volumes)
            .map_err(|error| ApiError::not_begun(&error))?;
        let recorded = create_with_provider(&view, app.node().providers(), &namespace, volumes)
            .map_err(ApiError::from)
            .and_then(|asked| {
                let write = |txn: &mut WriteTxn<'_>, now| {
                    Ok::<_, ApiError>(record_volumes(txn, now, &asked)?)
                };
                let (view, keys) = app.write_blocking(write)?;
                Ok((asked, view, keys))
            });
        let done = recorded.and_then(|(asked, view, keys)| {
            asked.failures()?;
            Ok((view, keys))
        });
        match &done {
            Ok(_) => work.done(),
            // The provider may have created a volume although its call failed.
            Err(_) => work.settle(app),
        }
        let (view, keys) = done?;
        Ok((reply::render(&Registered::new(&view, &keys), pretty)?, view.index()))
    };
    let plugins = plugins.iter().map(|plugin| &**plugin);
    let (body, index) = call.app.with_providers(subjects, plugins, create).await?;
    Ok(reply::json_body(body, &Meta::at(index)))
}

/// `DELETE /v1/volume/csi/:id`: deregisters a volume and keeps its data.
// Nomad: command/agent/csi_endpoint.go, HTTPServer.csiVolumeDeregister.
pub(crate) async fn delete(call: NomadRequest) -> Reply {
    let force = call.query.flag("force")?;
    let (namespace, id) = (call.query.namespace().to_owned(), call.segment("id").to_owned());
    let write = move |txn: &mut WriteTxn<'_>, _| Ok(deregister(txn, &namespace, &[&id], force)?);
    call.app.write_silently(write).await
}

/// `DELETE /v1/volume/csi/:id/delete`: deletes a volume's data with its provider, and then its row.
// Nomad: nomad/csi_endpoint.go, CSIVolume.Delete.
pub(crate) async fn delete_external(call: NomadRequest) -> Reply {
    let secrets = secrets(&call);
    let (namespace, id) = (call.query.namespace().to_owned(), call.segment("id").to_owned());
    let row = VolumeKey { namespace: namespace.as_str().into(), id: id.as_str().into() };
    let (plugin, data) = data_of(&call, &row);
    let subjects = data.clone().into_iter().chain([Subject::Row(row)]);
    let delete = move |app: &NomadState| {
        let view = app.store().snapshot();
        // The request holds the data that the row named before it waited.
        let now = view.get::<CsiVolumes>((&namespace, &id)).map(|volume| subject_of(volume));
        if now.is_some() && now != data {
            return Err(ApiError::too_many("the volume was registered again meanwhile; try again"));
        }
        // An absent volume is left to the domain, which has Nomad's error for it.
        let work = match view.get::<CsiVolumes>((&namespace, &id)) {
            Some(volume) => PendingWork::delete(app.node(), volume),
            None => Ok(PendingWork::default()),
        };
        let work = work.map_err(|error| ApiError::not_begun(&error))?;
        let asked =
            delete_with_provider(&view, app.node().providers(), &namespace, &[&id], &secrets);
        let forget = |txn: &mut WriteTxn<'_>, _| Ok(deregister(txn, &namespace, &[&id], false)?);
        let forgotten = asked.map_err(ApiError::from).and_then(|()| app.write_blocking(forget));
        match &forgotten {
            Ok(_) => work.done(),
            // The provider may have deleted the data although its call failed.
            Err(_) => work.settle(app),
        }
        Ok(forgotten?.0.index())
    };
    let index = call.app.with_providers(subjects, plugin.as_deref(), delete).await?;
    Ok(reply::empty(&Meta::at(index)))
}

/// `DELETE /v1/volume/csi/:id/detach`: releases the claims of ended allocations on one node.
///
/// Releases the others before it reports the blocker of one.
// Nomad: command/agent/csi_endpoint.go, HTTPServer.csiVolumeDetach.
pub(crate) async fn detach(call: NomadRequest) -> Reply {
    let Some(node) = call.query.text("node") else {
        return Err(ApiError::bad_request("detach requires node ID"));
    };
    // An invalid ID becomes the nil UUID, which no node has.
    let node = parse_id(node).unwrap_or_default();
    let (namespace, id) = (call.query.namespace().to_owned(), call.segment("id").to_owned());
    let row = VolumeKey { namespace: namespace.as_str().into(), id: id.as_str().into() };
    let (plugin, _) = data_of(&call, &row);
    let detach = move |app: &NomadState| {
        let view = app.store().snapshot();
        let mut index = view.index();
        let mut held = None;
        for release in plan_detach(&view, &namespace, &id, node)? {
            // A fresh snapshot for each: the provider detaches only for the last claim on the node.
            let view = app.store().snapshot();
            let answer = detach_with_provider(&view, app.node().providers(), &release);
            let record = |txn: &mut WriteTxn<'_>, now| {
                record_release(txn, now, &release, &answer).map_err(ApiError::from)
            };
            index = app.write_blocking(record)?.0.index();
            held = held.or(answer.err());
        }
        held.map_or(Ok(index), |held| Err(ApiError::from(held).at(index)))
    };
    let index = call.app.with_providers([Subject::Row(row)], plugin.as_deref(), detach).await?;
    Ok(reply::empty(&Meta::at(index)))
}

/// Returns the plugin of a volume and the lock subject of its data, if the volume exists.
fn data_of(call: &NomadRequest, key: &VolumeKey) -> (Option<Box<str>>, Option<Subject>) {
    let view = call.app.store().snapshot();
    let volume = view.get::<CsiVolumes>((&key.namespace, &key.id));
    (volume.map(|volume| volume.plugin_id.clone()), volume.map(|volume| subject_of(volume)))
}

/// Returns the lock subject of a volume's data.
fn subject_of(volume: &CsiVolume) -> Subject {
    Subject::Data(volume.plugin_id.clone(), volume.remote_id().into())
}

/// `GET /statehold/v1/volume/csi/:id/claims`: the claims on a volume, and the blockers of their release.
pub(crate) async fn claims(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    call.app
        .object(&call, &read, |view, render| {
            let volume = find(view, &read, call.segment("id"))?;
            render.json(&volume_claims(view, volume))
        })
        .await
}
