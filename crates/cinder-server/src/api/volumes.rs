//! Volumes, their metadata and their actions.

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use statehold_cinder::{
    DeleteOptions, Error, Volume, VolumeStub, VolumeSummary, VolumeType, VolumeView, add_metadata,
    attach_volume, begin_detaching, check_connection, check_termination, complete_extend,
    complete_migration, create_volume, delete_metadata, delete_volume, detach_volume,
    extend_volume, find_volume, force_delete_volume, force_detach_volume, front_end_qos,
    image_metadata,
    input::{self, VolumeAction},
    migrate_volume, policy, reimage_volume, reserve_volume, reset_volume_status, retype_volume,
    revert_volume, roll_detaching, set_bootable, set_image_metadata, set_metadata, set_readonly,
    store_scheduler_hints, unmanage_volume, unreserve_volume, unset_image_metadata, update_volume,
    upload_volume, volume_metadata_item,
};
use statehold_store::{ReadView, Snapshot, WriteTxn};

use crate::api::list::{Collection, list_all_by, list_visible};
use crate::api::operation::{
    ALL_TENANTS, CASCADE, DONE, EMPTY, FORCE, OK_DONE, OK_EMPTY, Reply, Shape, accepted, of, ok,
    ok_object,
};
use crate::api::routes;
use crate::api::routes::Route;
use crate::backend::Connection;
use crate::request::{ApiError, CinderReply, CinderRequest, written_row};
use statehold_cinder::Pairs;
use statehold_cinder::input::bodies;
use uuid::Uuid;

/// The routes of volumes.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/volumes", "Lists volumes.", list).page::<Volume>(LIST, of::<VolumeStub<'_>>),
    routes::write(
        "POST",
        "/v3/volumes",
        "Creates a volume; scheduler hints are a second member of the body.",
        create,
    )
    .body(bodies::VOLUME_CREATE)
    .reply(accepted("volume", of::<VolumeView<'_>>)),
    routes::list("/v3/volumes/detail", "Lists volumes with all their members.", list_detail)
        .page::<Volume>(DETAIL, of::<VolumeView<'_>>),
    routes::list("/v3/volumes/summary", "Counts volumes and their size.", summary)
        .since(12)
        .query(&[ALL_TENANTS])
        .reply(ok("volume-summary", of::<VolumeSummary<'_>>)),
    routes::read("/v3/volumes/{id}", "Shows a volume.", show)
        .reply(ok("volume", of::<VolumeView<'_>>)),
    routes::write(
        "PUT",
        "/v3/volumes/{id}",
        "Updates the name, description or metadata of a volume.",
        update,
    )
    .body(bodies::VOLUME_UPDATE)
    .reply(ok("volume", of::<VolumeView<'_>>)),
    routes::write("DELETE", "/v3/volumes/{id}", "Deletes a volume.", delete)
        .query(&[CASCADE, FORCE]),
    routes::write("POST", "/v3/volumes/{id}/action", "Acts on a volume.", act)
        .body(bodies::VOLUME_ACTION)
        .reply(DONE)
        .or(&[
            EMPTY,
            OK_DONE,
            OK_EMPTY,
            ok("metadata", of::<Pairs>),
            ok("connection_info", of::<Value>),
            ok("save_volume_id", of::<Uuid>),
        ]),
    routes::read("/v3/volumes/{id}/metadata", "Shows the metadata of a volume.", metadata)
        .reply(ok("metadata", of::<Pairs>)),
    routes::write(
        "POST",
        "/v3/volumes/{id}/metadata",
        "Adds metadata to a volume.",
        merge_metadata,
    )
    .body(bodies::METADATA)
    .reply(ok("metadata", of::<Pairs>)),
    routes::write(
        "PUT",
        "/v3/volumes/{id}/metadata",
        "Replaces the metadata of a volume.",
        replace_metadata,
    )
    .body(bodies::METADATA)
    .reply(ok("metadata", of::<Pairs>))
    .tagged(),
    routes::read(
        "/v3/volumes/{id}/metadata/{key}",
        "Shows one key of the metadata of a volume.",
        metadata_item,
    )
    .reply(ok("meta", of::<Pairs>)),
    routes::write(
        "PUT",
        "/v3/volumes/{id}/metadata/{key}",
        "Sets one key of the metadata of a volume.",
        set_metadata_item,
    )
    .body(bodies::METADATA_ITEM)
    .reply(ok("meta", of::<Pairs>))
    .tagged(),
    routes::write(
        "DELETE",
        "/v3/volumes/{id}/metadata/{key}",
        "Deletes one key of the metadata of a volume.",
        delete_metadata_item,
    )
    .reply(OK_EMPTY),
    routes::read("/v3/volumes/{id}/encryption", "Shows the encryption of a volume.", encryption)
        .reply(ok_object(&["encryption_key_id"])),
    routes::read(
        "/v3/volumes/{id}/encryption/{key}",
        "Shows one member of the encryption of a volume, bare.",
        encryption_item,
    )
    .reply(Reply(200, Shape::Whole(of::<Value>))),
];

/// First version whose replies with metadata have an entity tag.
// Cinder: cinder/api/microversions.py, ETAGS.
const ETAG_SINCE: u16 = 15;

/// First version whose deletions read `force`; earlier ones ignore it.
// Cinder: cinder/api/microversions.py, VOLUME_DELETE_FORCE.
const FORCE_SINCE: u16 = 23;

const LIST: Collection =
    Collection { path: "volumes", rows: "volumes", links: Some("volumes_links") };
const DETAIL: Collection = Collection { path: "volumes/detail", ..LIST };

/// Returns a page of volumes. Only admins see the copies that migrations in progress write.
fn list_shown<'v, S: Serialize>(
    view: &'v Snapshot,
    call: &CinderRequest<'_>,
    collection: Collection,
    show: impl Fn(&'v Volume) -> S,
) -> Result<CinderReply, ApiError> {
    let caller = call.cx.caller;
    let hidden = Volume::BY_HIDDEN.exact(&caller.project);
    // Most projects have no such copies: then no row needs the check.
    if caller.is_admin() || view.count_by(&Volume::BY_HIDDEN, &hidden) == 0 {
        return list_all_by::<Volume, _>(view, call, call.query, collection, show);
    }
    list_visible::<Volume, _>(view, call, collection, |row| !row.is_hidden(), show)
}

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::VOLUME_GET_ALL)?;
    list_shown(view, call, LIST, |row| VolumeStub::new(call.viewer, row))
}

fn list_detail(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::VOLUME_GET_ALL)?;
    list_shown(view, call, DETAIL, |row| VolumeView::new(view, call.viewer, row))
}

fn summary(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::VOLUME_GET_ALL)?;
    let all = call.cx.caller.is_admin() && call.flag("all_tenants")?;
    CinderReply::ok("volume-summary", &VolumeSummary::new(view, call.viewer, all))
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = find_volume(view, call.cx.caller, call.id())?;
    CinderReply::ok("volume", &VolumeView::new(view, call.viewer, row))
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let spec = input::volume_spec(call.body, call.cx.version)?;
    let hints = input::scheduler_hints(call.body, call.new_id)?;
    create_volume(txn, &call.cx, call.new_id, spec)?;
    store_scheduler_hints(txn, hints)?;
    let row = written_row::<Volume>(txn, call.new_id)?;
    let created = VolumeView::created(txn, call.viewer, row);
    CinderReply::named(StatusCode::ACCEPTED, "volume", &created)
}

fn update(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let change = input::volume_change(call.body, call.cx.version)?;
    update_volume(txn, &call.cx, call.id(), change)?;
    let row = find_volume(txn, call.cx.caller, call.id())?;
    CinderReply::ok("volume", &VolumeView::updated(txn, call.viewer, row))
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let cascade = call.flag("cascade")?;
    // Deleting with `cascade` needs no version: the parameter is as old as the API.
    let force = call.cx.version.at_least(FORCE_SINCE) && call.flag("force")?;
    let options = DeleteOptions { cascade, force };
    delete_volume(txn, &call.cx, call.id(), options)?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

/// Returns how a volume is encrypted: its key, and the encryption of its type.
// Cinder: cinder/api/contrib/volume_encryption_metadata.py, VolumeEncryptionMetadataController.index.
fn encryption_of(view: &Snapshot, call: &CinderRequest<'_>) -> Result<Value, ApiError> {
    let row = find_volume(view, call.cx.caller, call.id())?;
    call.cx.caller.check_on(policy::VOLUME_ENCRYPTION, &**row)?;
    let named = row.volume_type_id.filter(|_| row.encrypted);
    let named = named.and_then(|id| view.get::<VolumeType>(id));
    // A volume that is not encrypted has the one member, which is null.
    let Some(own) = named.and_then(|named| named.encryption.as_ref()) else {
        return Ok(json!({"encryption_key_id": row.encryption_key_id}));
    };
    Ok(json!({
        "encryption_key_id": row.encryption_key_id, "provider": own.provider,
        "control_location": own.control_location, "cipher": own.cipher, "key_size": own.key_size,
    }))
}

fn encryption(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    CinderReply::json(StatusCode::OK, &encryption_of(view, call)?)
}

/// Returns one value of it, without an object around it.
// Cinder: cinder/api/contrib/volume_encryption_metadata.py, VolumeEncryptionMetadataController.show.
fn encryption_item(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let all = encryption_of(view, call)?;
    CinderReply::json(
        StatusCode::OK,
        all.get(call.segment("key")).ok_or_else(ApiError::unknown_operation)?,
    )
}

fn all_metadata(view: &impl ReadView, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = find_volume(view, call.cx.caller, call.id())?;
    call.cx.caller.check_on(policy::VOLUME_METADATA_GET, &**row)?;
    CinderReply::ok("metadata", &row.metadata)
}

fn metadata(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    with_etag_since(call, all_metadata(view, call)?)
}

fn metadata_item(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let key = call.segment("key");
    let value = volume_metadata_item(view, &call.cx, call.id(), key)?;
    with_etag_since(call, CinderReply::ok("meta", &json!({ key: value }))?)
}

/// Adds the entity tag to a reply from the version that has it.
#[expect(clippy::unnecessary_wraps, reason = "ends handlers")]
fn with_etag_since(call: &CinderRequest<'_>, answer: CinderReply) -> Result<CinderReply, ApiError> {
    let tags = call.cx.version.at_least(ETAG_SINCE);
    Ok(if tags { answer.with_etag() } else { answer })
}

/// Rejects a change if `If-Match` does not have the entity tag of the present metadata.
// Cinder: cinder/api/v3/volume_metadata.py, Controller._validate_etag.
fn check_if_match(txn: &WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<(), ApiError> {
    let Some(known) = call.if_match.filter(|_| call.cx.version.at_least(ETAG_SINCE)) else {
        return Ok(());
    };
    let tag = all_metadata(txn, call)?.etag();
    // The header may list several tags, in quotes.
    if known.contains(&tag) { Ok(()) } else { Err(ApiError::PreconditionFailed) }
}

fn merge_metadata(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    let pairs = input::metadata(call.body)?;
    let all = add_metadata(txn, &call.cx, call.id(), pairs)?;
    CinderReply::ok("metadata", &all)
}

fn replace_metadata(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    let pairs = input::metadata(call.body)?;
    check_if_match(txn, call)?;
    let all = set_metadata(txn, &call.cx, call.id(), pairs, true)?;
    CinderReply::ok("metadata", &all)
}

fn set_metadata_item(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    let pairs = input::metadata_item(call.body, call.segment("key"))?;
    check_if_match(txn, call)?;
    set_metadata(txn, &call.cx, call.id(), pairs.clone(), false)?;
    CinderReply::ok("meta", &pairs)
}

fn delete_metadata_item(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    delete_metadata(txn, &call.cx, call.id(), call.segment("key"))?;
    Ok(CinderReply::empty(StatusCode::OK))
}

fn act(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (cx, id) = (&call.cx, call.id());
    match input::volume_action(call.body, cx.version)? {
        VolumeAction::Attach(request) => attach_volume(txn, cx, id, request, call.secondary_id),
        VolumeAction::Detach(attachment) => detach_volume(txn, cx, id, attachment.as_deref()),
        VolumeAction::ForceDetach(attachment) => {
            force_detach_volume(txn, cx, id, attachment.as_deref())
        }
        VolumeAction::Reserve => reserve_volume(txn, cx, id),
        VolumeAction::Unreserve => unreserve_volume(txn, cx, id),
        VolumeAction::BeginDetaching => begin_detaching(txn, cx, id),
        VolumeAction::RollDetaching => roll_detaching(txn, cx, id),
        VolumeAction::Extend(size) => extend_volume(txn, cx, id, size, call.secondary_id),
        VolumeAction::SetReadonly(readonly) => set_readonly(txn, cx, id, readonly),
        // 200 instead of 202. Cinder: cinder/api/contrib/volume_actions.py, VolumeActionsController._set_bootable.
        VolumeAction::SetBootable(bootable) => {
            set_bootable(txn, cx, id, bootable)?;
            return Ok(CinderReply::empty_json(StatusCode::OK));
        }
        VolumeAction::Retype { new_type, may_migrate } => {
            retype_volume(txn, cx, id, &new_type, may_migrate, call.secondary_id)
        }
        VolumeAction::Revert(snapshot) => revert_volume(txn, cx, id, snapshot),
        VolumeAction::SetImageMetadata(pairs) => {
            return CinderReply::ok("metadata", &set_image_metadata(txn, cx, id, pairs)?);
        }
        VolumeAction::ShowImageMetadata => {
            return CinderReply::ok("metadata", &image_metadata(txn, cx, id)?);
        }
        VolumeAction::UnsetImageMetadata(key) => {
            unset_image_metadata(txn, cx, id, &key)?;
            return Ok(CinderReply::empty(StatusCode::OK));
        }
        VolumeAction::ResetStatus(reset) => reset_volume_status(txn, cx, id, &reset),
        VolumeAction::ForceDelete => force_delete_volume(txn, cx, id),
        VolumeAction::Migrate(request) => {
            let is_up = |host: &str| call.state.backends().is_host(host);
            migrate_volume(txn, cx, id, request, is_up)
        }
        VolumeAction::MigrateCompletion { new_volume, failed } => {
            let kept = complete_migration(txn, cx, id, new_volume, failed)?;
            return CinderReply::ok("save_volume_id", &kept);
        }
        VolumeAction::ExtendCompletion { failed } => {
            complete_extend(txn, cx, id, failed, call.secondary_id)
        }
        VolumeAction::UploadImage(request) => upload_volume(txn, cx, id, request),
        VolumeAction::Reimage(request) => reimage_volume(txn, cx, id, request),
        VolumeAction::Unmanage => {
            // Without the content type of JSON. Cinder: cinder/api/contrib/volume_unmanage.py, unmanage.
            unmanage_volume(txn, cx, id)?;
            return Ok(CinderReply::empty(StatusCode::ACCEPTED));
        }
        VolumeAction::InitializeConnection(host) => {
            let row = check_connection(txn, cx, id, host.as_deref())?;
            return CinderReply::ok("connection_info", &connection(txn, call, row)?);
        }
        // The connector is read and ignored: the server keeps no connection of `os-initialize_connection`.
        VolumeAction::TerminateConnection(_) => {
            check_termination(txn, cx, id)?;
            unreserve_volume(txn, cx, id)
        }
    }?;
    Ok(CinderReply::empty_json(StatusCode::ACCEPTED))
}

/// Returns the connection information of a volume: how a host reaches it, and the limits that the host enforces.
///
/// # Errors
/// [`Error`] with the status 400 for a volume without a back end of this server.
// Cinder: cinder/volume/manager.py, VolumeManager._parse_connection_options adds the members to the data of the driver.
pub(crate) fn connection(
    view: &impl ReadView,
    call: &CinderRequest<'_>,
    row: &Volume,
) -> Result<Value, Error> {
    let backend = row.host.as_deref().and_then(|host| call.state.backends().of(host));
    let Some(backend) = backend else {
        let text = format!("Invalid volume: volume {} is on no back end of this server.", row.id);
        return Err(Error::Request(text.into()));
    };
    let Connection { mut data, mount_point_base } = backend.connection(row.id);
    if let Some(data) = data.as_object_mut() {
        let mode = if row.is_readonly() { "ro" } else { "rw" };
        let more = [
            ("qos_specs", front_end_qos(view, row).map_or(Value::Null, Value::Object)),
            ("access_mode", mode.into()),
            ("encrypted", row.encrypted.into()),
            ("cacheable", false.into()),
        ];
        data.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    // NFS drivers put the base of mount points beside the data. Cinder: cinder/volume/drivers/nfs.py,
    // NfsDriver.initialize_connection.
    let mut info = json!({"driver_volume_type": backend.protocol(), "data": data});
    if let (Some(base), Some(info)) = (mount_point_base, info.as_object_mut()) {
        info.insert("mount_point_base".to_owned(), Value::from(&*base));
    }
    Ok(info)
}
