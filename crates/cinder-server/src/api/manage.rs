//! Adoption of the volumes and snapshots that a back end has, and lists of them.

use axum::http::StatusCode;
use serde_json::{Value, json};
use statehold_cinder::{
    Error, Microversion, Missing, Named, Rule, Service, SnapshotView, Viewer, Volume, VolumeView,
    check_adopting, input, manage_snapshot, manage_volume, named_host, parse_id, policy,
};
use statehold_store::{ReadView, Snapshot, WriteTxn};

use crate::api::list::{compile_filter, row_filter};
use crate::api::operation::{MANAGEABLE, accepted, of, ok};
use crate::api::routes;
use crate::api::routes::Route;
use crate::backend::{BackendObject, SNAPSHOT_PREFIX, VOLUME_PREFIX, volume_name};
use crate::request::{ApiError, CinderReply, CinderRequest, written_row};
use statehold_cinder::input::bodies;

/// The routes of manageable volumes and snapshots, each also under its path before 3.8.
pub(crate) static ROUTES: &[Route] = &[
    routes::list(
        "/v3/manageable_volumes",
        "Lists the volumes of a back end, managed or not.",
        volumes,
    )
    .since(8)
    .query(MANAGEABLE)
    .reply(ok("manageable-volumes", of::<Vec<Value>>)),
    routes::list(
        "/v3/manageable_volumes/detail",
        "Lists the volumes of a back end with all their members.",
        volumes_detail,
    )
    .since(8)
    .query(MANAGEABLE)
    .reply(ok("manageable-volumes", of::<Vec<Value>>)),
    routes::write(
        "POST",
        "/v3/manageable_volumes",
        "Manages an existing volume of a back end.",
        adopt_volume,
    )
    .since(8)
    .body(bodies::MANAGE_VOLUME)
    .reply(accepted("volume", of::<VolumeView<'_>>)),
    routes::list(
        "/v3/os-volume-manage",
        "Lists the volumes of a back end, managed or not.",
        volumes,
    )
    .query(MANAGEABLE)
    .reply(ok("manageable-volumes", of::<Vec<Value>>)),
    routes::list(
        "/v3/os-volume-manage/detail",
        "Lists the volumes of a back end with all their members.",
        volumes_detail,
    )
    .query(MANAGEABLE)
    .reply(ok("manageable-volumes", of::<Vec<Value>>)),
    routes::write(
        "POST",
        "/v3/os-volume-manage",
        "Manages an existing volume of a back end.",
        adopt_volume,
    )
    .body(bodies::MANAGE_VOLUME)
    .reply(accepted("volume", of::<VolumeView<'_>>)),
    routes::list(
        "/v3/manageable_snapshots",
        "Lists the snapshots of a back end, managed or not.",
        snapshots,
    )
    .since(8)
    .query(MANAGEABLE)
    .reply(ok("manageable-snapshots", of::<Vec<Value>>)),
    routes::list(
        "/v3/manageable_snapshots/detail",
        "Lists the snapshots of a back end with all their members.",
        snapshots_detail,
    )
    .since(8)
    .query(MANAGEABLE)
    .reply(ok("manageable-snapshots", of::<Vec<Value>>)),
    routes::write(
        "POST",
        "/v3/manageable_snapshots",
        "Manages an existing snapshot of a back end.",
        adopt_snapshot,
    )
    .since(8)
    .body(bodies::MANAGE_SNAPSHOT)
    .reply(accepted("snapshot", of::<SnapshotView<'_>>)),
    routes::list(
        "/v3/os-snapshot-manage",
        "Lists the snapshots of a back end, managed or not.",
        snapshots,
    )
    .query(MANAGEABLE)
    .reply(ok("manageable-snapshots", of::<Vec<Value>>)),
    routes::list(
        "/v3/os-snapshot-manage/detail",
        "Lists the snapshots of a back end with all their members.",
        snapshots_detail,
    )
    .query(MANAGEABLE)
    .reply(ok("manageable-snapshots", of::<Vec<Value>>)),
    routes::write(
        "POST",
        "/v3/os-snapshot-manage",
        "Manages an existing snapshot of a back end.",
        adopt_snapshot,
    )
    .body(bodies::MANAGE_SNAPSHOT)
    .reply(accepted("snapshot", of::<SnapshotView<'_>>)),
];

/// Maximum number of rows of a page, as of all lists.
const PAGE_MAX: usize = 1000;

/// First version whose requests may name a cluster in place of a back end.
// Cinder: cinder/api/microversions.py, MANAGE_EXISTING_CLUSTER.
const CLUSTER_SINCE: u16 = 17;

fn adopt_volume(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let spec = input::manage_volume_spec(call.body, call.cx.version)?;
    let backends = call.state.backends();
    // A back end that is down could not measure the volume.
    let place = |host: &str| {
        let own = backends.of(host).filter(|_| backends.is_up(host))?;
        Some(own.host().into())
    };
    manage_volume(txn, &call.cx, call.new_id, spec, place)?;
    let row = written_row::<Volume>(txn, call.new_id)?;
    // The reply has the members of the first version. Cinder: cinder/api/contrib/volume_manage.py,
    // VolumeManageController._view_builder.
    let viewer = Viewer { version: Microversion::MIN, ..call.viewer };
    CinderReply::named(StatusCode::ACCEPTED, "volume", &VolumeView::created(txn, viewer, row))
}

fn adopt_snapshot(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    let spec = input::manage_snapshot_spec(call.body)?;
    manage_snapshot(txn, &call.cx, call.new_id, spec)?;
    let row = written_row::<statehold_cinder::Snapshot>(txn, call.new_id)?;
    CinderReply::named(StatusCode::ACCEPTED, "snapshot", &SnapshotView::written(call.viewer, row))
}

fn volumes(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    ManageableList::VOLUMES.reply(view, call, false)
}

fn volumes_detail(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    ManageableList::VOLUMES.reply(view, call, true)
}

fn snapshots(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    ManageableList::SNAPSHOTS.reply(view, call, false)
}

fn snapshots_detail(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    ManageableList::SNAPSHOTS.reply(view, call, true)
}

/// One of the two lists: of volumes or of snapshots.
struct ManageableList {
    rule: Rule,
    rows: &'static str,
    /// The prefix of the names of managed objects of this list; the ID follows.
    own: &'static str,
    /// The prefix of the names that belong to the other list.
    others: &'static str,
}

impl ManageableList {
    const VOLUMES: Self = Self {
        rule: policy::VOLUME_LIST_MANAGEABLE,
        rows: "manageable-volumes",
        own: VOLUME_PREFIX,
        others: SNAPSHOT_PREFIX,
    };
    const SNAPSHOTS: Self = Self {
        rule: policy::SNAPSHOT_LIST_MANAGEABLE,
        rows: "manageable-snapshots",
        own: SNAPSHOT_PREFIX,
        others: VOLUME_PREFIX,
    };

    /// Returns the requested page of the objects of a back end that the filter accepts.
    // Cinder: cinder/api/contrib/resource_common_manage.py, get_manageable_resources.
    fn reply(
        &self,
        view: &Snapshot,
        call: &CinderRequest<'_>,
        detail: bool,
    ) -> Result<CinderReply, ApiError> {
        call.cx.caller.check(self.rule)?;
        let named = ["host", "cluster"].map(|name| call.parameter(name).map(Into::into));
        let host = match named_host(call.cx.version, named.into(), CLUSTER_SINCE)? {
            Named::Host(host) => host,
            // No clusters exist. Cinder: cinder/exception.py, ServiceNotFound.
            Named::Cluster(_) => return Err(Missing::ServiceOfCluster.into()),
        };
        let backends = call.state.backends();
        let Some(backend) = backends.of(&host).filter(|_| backends.is_up(&host)) else {
            let service = host.split_once('#').map_or(&*host, |(service, _)| service);
            let (binary, host) = (Service::VOLUME.into(), service.into());
            return Err(Missing::Service { binary, host }.into());
        };
        check_adopting(view, &host)?;
        let objects = backend.driver.list_objects().map_err(|error| {
            tracing::error!(%error, %host, "cannot list the objects of a back end");
            let text = "The objects of the back end could not be read.";
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text)
        })?;
        let filter = compile_filter::<Value>(call, call.parameter("filter"))?;
        let objects = objects.into_iter().filter(|object| !object.name.starts_with(self.others));
        // Before the page is cut, so that a page is full while rows are left.
        let mut passes = row_filter(call, filter.as_ref());
        let mut found = Vec::new();
        for object in objects {
            if passes(&self.show(view, &object, detail))? {
                found.push(object);
            }
        }
        let rows: Vec<Value> = select_page(call, found)?
            .iter()
            .map(|object| self.show(view, object, detail))
            .collect();
        CinderReply::ok(self.rows, &rows)
    }

    /// Renders an object. One whose name has the ID of a row is managed already.
    fn show(&self, view: &impl ReadView, object: &BackendObject, detail: bool) -> Value {
        let id = object.name.strip_prefix(self.own).and_then(parse_id);
        let of_volumes = self.own == Self::VOLUMES.own;
        let snapshot = id.and_then(|id| view.get::<statehold_cinder::Snapshot>(id));
        let managed = id.filter(|id| {
            if of_volumes { view.get::<Volume>(*id).is_some() } else { snapshot.is_some() }
        });
        let mut row = json!({
            "reference": { "source-name": object.name },
            "size": object.size_gib,
            "safe_to_manage": managed.is_none(),
        });
        let Some(members) = row.as_object_mut() else { return row };
        if !of_volumes {
            let source = snapshot.map(|row| volume_name(row.volume_id));
            let source = json!({ "source-name": source.unwrap_or_default() });
            members.insert("source_reference".to_owned(), source);
        }
        if detail {
            let reason = managed.map(|_| "already managed");
            members.insert("reason_not_safe".to_owned(), json!(reason));
            members.insert("cinder_id".to_owned(), json!(managed));
            members.insert("extra_info".to_owned(), Value::Null);
        }
        row
    }
}

/// Returns the requested page: sorted by reference or size, in descending order by default.
///
/// # Errors
/// 400 for an unknown sort key or direction, a page size that is not an integer, or an unknown marker.
// Cinder: cinder/volume/volume_utils.py, paginate_entries_list.
fn select_page(
    call: &CinderRequest<'_>,
    mut objects: Vec<BackendObject>,
) -> Result<Vec<BackendObject>, ApiError> {
    let number = |name, default| match call.parameter(name) {
        None => Ok(default),
        Some(text) => text.parse::<usize>().map_err(|_| {
            ApiError::from(Error::Input(format!("{name} param must be an integer").into()))
        }),
    };
    let limit = number("limit", PAGE_MAX)?.min(PAGE_MAX);
    let offset = number("offset", 0)?;
    let sort = call.parameter("sort").or_else(|| call.parameter("sort_key"));
    let sort = sort.unwrap_or("reference");
    let (key, direction) = sort.split_once(':').unwrap_or((sort, ""));
    let direction = match direction {
        "" => call.parameter("sort_dir").unwrap_or("desc"),
        direction => direction,
    };
    match key {
        "reference" => objects.sort_by(|one, other| one.name.cmp(&other.name)),
        "size" => {
            // By name too, so that pages of objects of one size do not overlap.
            objects.sort_by(|one, other| {
                (one.size_gib, &one.name).cmp(&(other.size_gib, &other.name))
            });
        }
        _ => {
            let text = format!("Invalid sort keys passed: {key}");
            return Err(Error::Input(text.into()).into());
        }
    }
    match direction {
        "asc" => {}
        "desc" => objects.reverse(),
        _ => {
            let text = "Unknown sort direction, must be 'desc' or 'asc'.";
            return Err(Error::Input(text.into()).into());
        }
    }
    if let Some(marker) = call.parameter("marker") {
        let at = objects.iter().position(|object| is_marker(object, marker));
        let Some(at) = at else {
            return Err(Error::Input(format!("marker not found: {marker}").into()).into());
        };
        objects.drain(..=at);
    }
    Ok(objects.into_iter().skip(offset).take(limit).collect())
}

/// Returns whether an object is the marker: its name, or the reference of a list in the notation of Python.
fn is_marker(object: &BackendObject, marker: &str) -> bool {
    object.name == marker
        || serde_json::from_str::<Value>(&marker.replace('\'', "\""))
            .is_ok_and(|shown| shown["source-name"] == *object.name)
}
