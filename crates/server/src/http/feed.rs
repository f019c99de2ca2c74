//! `/statehold/v1/…`: how nodes, allocations, jobs and claims get here.
//!
//! A Nomad server learns of them by its own RPC; here an orchestrator, or a test, puts them.
//! Bodies are the bare objects with Nomad's field names.

use axum::extract::{Path, Request, State};
use axum::http::{Method, Uri};
use serde::Serialize;
use statehold_store::{ReadView, Snapshot, WriteTxn};
use statehold_volumes::{
    CsiVolumes, Unpublished, VolumeView, claim as take, delete_allocation, delete_job, delete_node,
    input, parse_id, unpublish as release, upsert_allocation, upsert_job, upsert_node,
};
use uuid::Uuid;

use super::params::Query;
use super::reject::Reject;
use super::reply::{self, Meta};
use super::{App, Reply};

/// What a write answers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    index: u64,
}

/// An ID that nothing else has.
fn fresh_id() -> Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid()
}

/// Runs a write whose reply is its index.
async fn write(
    app: &App,
    uri: &Uri,
    write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<(), Reject> + Send + 'static,
) -> Reply {
    let ((), index) = app.write(write, |_, ()| Ok(())).await?;
    let body = reply::render(&Written { index }, Query::of(uri).pretty())?;
    Ok(reply::json_body(body, &Meta::at(index)))
}

/// `/statehold/v1/nodes/:id`
pub(crate) async fn node(
    State(app): State<App>,
    Path(id): Path<String>,
    request: Request,
) -> Reply {
    let uri = request.uri().clone();
    match *request.method() {
        Method::PUT => {
            let id = parse_id(&id)?;
            let node = input::node_body(&app.body(request.into_body()).await?, id)?;
            write(&app, &uri, move |txn, now| Ok(upsert_node(txn, now, node)?)).await
        }
        Method::DELETE => {
            let id = parse_id(&id)?;
            write(&app, &uri, move |txn, now| Ok(delete_node(txn, now, id)?)).await
        }
        _ => Err(Reject::method()),
    }
}

/// `/statehold/v1/allocations/:id`
pub(crate) async fn allocation(
    State(app): State<App>,
    Path(id): Path<String>,
    request: Request,
) -> Reply {
    let uri = request.uri().clone();
    match *request.method() {
        Method::PUT => {
            let id = parse_id(&id)?;
            let body = input::allocation_body(&app.body(request.into_body()).await?, id)?;
            write(&app, &uri, move |txn, now| {
                Ok(upsert_allocation(txn, now, body.allocation, body.group, &mut fresh_id)?)
            })
            .await
        }
        Method::DELETE => {
            let id = parse_id(&id)?;
            write(&app, &uri, move |txn, now| {
                let found = delete_allocation(txn, now, id)?;
                if found { Ok(()) } else { Err(Reject::not_found("alloc not found")) }
            })
            .await
        }
        _ => Err(Reject::method()),
    }
}

/// `/statehold/v1/jobs/:namespace/:id`
pub(crate) async fn job(
    State(app): State<App>,
    Path((namespace, id)): Path<(String, String)>,
    request: Request,
) -> Reply {
    let uri = request.uri().clone();
    match *request.method() {
        Method::PUT => {
            let body = app.body(request.into_body()).await?;
            let job = input::job_body(&body, &namespace, &id)?;
            write(&app, &uri, move |txn, now| Ok(upsert_job(txn, now, job)?)).await
        }
        Method::DELETE => {
            write(&app, &uri, move |txn, now| Ok(delete_job(txn, now, &namespace, &id)?)).await
        }
        _ => Err(Reject::method()),
    }
}

/// What a claim answers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Claimed<'v> {
    volume: Option<VolumeView<'v>>,
    index: u64,
}

/// `/statehold/v1/volume/csi/:id/claim`
pub(crate) async fn claim(
    State(app): State<App>,
    Path(id): Path<String>,
    request: Request,
) -> Reply {
    if request.method() != Method::PUT {
        return Err(Reject::method());
    }
    let query = Query::of(request.uri());
    let namespace = query.namespace().to_owned();
    let body = input::claim_body(&app.body(request.into_body()).await?)?;
    let key = (namespace.clone(), id.clone());
    let pretty = query.pretty();
    let write = move |txn: &mut WriteTxn<'_>, now| Ok(take(txn, now, &namespace, &id, body)?);
    let after = move |view: &Snapshot, ()| {
        let volume = view.get::<CsiVolumes>((&key.0, &key.1));
        let volume = volume.map(|volume| VolumeView::new(view, volume));
        reply::render(&Claimed { volume, index: view.index() }, pretty)
    };
    let (body, index) = app.write(write, after).await?;
    Ok(reply::json_body(body, &Meta::at(index)))
}

/// `/statehold/v1/volume/csi/:id/unpublish`
///
/// What held a release up is told after the steps before it were committed.
pub(crate) async fn unpublish(
    State(app): State<App>,
    Path(id): Path<String>,
    request: Request,
) -> Reply {
    if request.method() != Method::PUT {
        return Err(Reject::method());
    }
    let query = Query::of(request.uri());
    let namespace = query.namespace().to_owned();
    let body = input::claim_body(&app.body(request.into_body()).await?)?;
    let write = move |txn: &mut WriteTxn<'_>, now| Ok(release(txn, now, &namespace, &id, body)?);
    let (outcome, index) = app.write(write, |_, outcome| Ok(outcome)).await?;
    match outcome {
        Unpublished::Released => {
            let body = reply::render(&Written { index }, query.pretty())?;
            Ok(reply::json_body(body, &Meta::at(index)))
        }
        Unpublished::Held(holdup) => Err(Reject::from(holdup).at(index)),
    }
}
