//! `/statehold/v1/…`: how nodes, allocations, jobs and claims get here.
//!
//! A Nomad server learns of them by its own RPC; here an orchestrator, or a test, puts them.
//! Bodies are the bare objects with Nomad's field names.

use serde::Serialize;
use statehold_nomad::{
    self as domain, ClaimedVolumeView, CsiVolumes, Labels, UnpublishOutcome, VolumeKey,
    attach_with_provider, detach_with_provider, input, parse_id, plan_release, record_release,
    report_node, upsert_allocation, upsert_job,
};
use statehold_store::{ReadView, Snapshot, WriteTxn};

use uuid::Uuid;

use crate::api::Reply;
use crate::api::reply;
use crate::api::reply::Meta;
use crate::error::ApiError;
use crate::node::turns::Subject;
use crate::request::NomadRequest;
use crate::state;
use crate::state::NomadState;

/// `PUT /statehold/v1/nodes/:id`
pub(crate) async fn put_node(mut call: NomadRequest) -> Reply {
    let id = parse_id(call.segment("id"))?;
    let report = call.parse(|body| input::node_body(body, id)).await?;
    let write = move |txn: &mut WriteTxn<'_>, now| Ok(report_node(txn, now, report)?);
    call.app.write_for_index(&call.query, write).await
}

/// `DELETE /statehold/v1/nodes/:id`
pub(crate) async fn delete_node(call: NomadRequest) -> Reply {
    let id = parse_id(call.segment("id"))?;
    let write = move |txn: &mut WriteTxn<'_>, now| Ok(domain::delete_node(txn, now, id)?);
    call.app.write_for_index(&call.query, write).await
}

/// `PUT /statehold/v1/allocations/:id`
pub(crate) async fn put_allocation(mut call: NomadRequest) -> Reply {
    let id = parse_id(call.segment("id"))?;
    let body = call.parse(|body| input::allocation_body(body, id)).await?;
    let write = move |txn: &mut WriteTxn<'_>, now| {
        Ok(upsert_allocation(txn, now, body.allocation, body.group, &mut Uuid::new_v4)?)
    };
    call.app.write_for_index(&call.query, write).await
}

/// `DELETE /statehold/v1/allocations/:id`
pub(crate) async fn delete_allocation(call: NomadRequest) -> Reply {
    let id = parse_id(call.segment("id"))?;
    let write = move |txn: &mut WriteTxn<'_>, now| {
        let found = domain::delete_allocation(txn, now, id)?;
        if found { Ok(()) } else { Err(ApiError::not_found("alloc not found")) }
    };
    call.app.write_for_index(&call.query, write).await
}

/// `PUT /statehold/v1/jobs/:namespace/:id`
pub(crate) async fn put_job(mut call: NomadRequest) -> Reply {
    let (namespace, id) = (call.segment("namespace").to_owned(), call.segment("id").to_owned());
    let job = call.parse(|body| input::job_body(body, &namespace, &id)).await?;
    let write =
        move |txn: &mut WriteTxn<'_>, now| Ok(upsert_job(txn, now, job, &mut Uuid::new_v4)?);
    call.app.write_for_index(&call.query, write).await
}

/// `DELETE /statehold/v1/jobs/:namespace/:id`
pub(crate) async fn delete_job(call: NomadRequest) -> Reply {
    let (namespace, id) = (call.segment("namespace").to_owned(), call.segment("id").to_owned());
    let write =
        move |txn: &mut WriteTxn<'_>, now| Ok(domain::delete_job(txn, now, &namespace, &id)?);
    call.app.write_for_index(&call.query, write).await
}

/// The answer to a claim. Like Nomad's (`nomad/structs/csi.go`, `CSIVolumeClaimResponse`), but without the
/// other claims on the volume: no claimer reads them, and they would cost CPU for each.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Claimed<'v> {
    volume: Option<ClaimedVolumeView<'v>>,
    /// What the node has to know to use the volume, if a provider here attached it.
    publish_context: Labels,
    index: u64,
}

/// `PUT /statehold/v1/volume/csi/:id/claim`
///
/// A new claim stays also when the volume can't be attached: whoever claims tries again.
pub(crate) async fn claim(mut call: NomadRequest) -> Reply {
    let body = call.parse(input::claim_body).await?;
    let (namespace, id) = (call.query.namespace().to_owned(), call.segment("id").to_owned());
    let key = (namespace.clone(), id.clone());
    let pretty = call.query.pretty();
    let plugin = provided_plugin(&call, &namespace, &id).filter(|_| body.is_new());
    let allocation = body.allocation_id;
    let write =
        move |txn: &mut WriteTxn<'_>, now| Ok(domain::claim(txn, now, &namespace, &id, body)?);
    let render = move |view: &Snapshot, publish_context: Labels| {
        let volume = view.get::<CsiVolumes>((&key.0, &key.1));
        let volume = volume.map(|volume| ClaimedVolumeView::new(view, volume));
        reply::render(&Claimed { volume, publish_context, index: view.index() }, pretty)
    };
    let (body, index) = match (plugin, allocation) {
        (Some(plugin), Some(allocation)) => {
            let key = (call.query.namespace().to_owned(), call.segment("id").to_owned());
            let subject = subject(&key.0, &key.1);
            let claim = move |app: &NomadState| {
                let (view, ()) = app.write_blocking(write)?;
                let providers = app.node().providers();
                let context = attach_with_provider(&view, providers, &key.0, &key.1, allocation)?;
                Ok((render(&view, context)?, view.index()))
            };
            call.app.ask([subject], [&*plugin], claim).await?
        }
        _ => call.app.write(write, move |view, ()| render(view, Labels::new())).await?,
    };
    Ok(reply::json_body(body, &Meta::at(index)))
}

/// The row of a volume, which one request at a time works with.
fn subject(namespace: &str, id: &str) -> Subject {
    Subject::Row(VolumeKey { namespace: namespace.into(), id: id.into() })
}

/// The plugin of a volume, if a provider here can be asked for it.
fn provided_plugin(call: &NomadRequest, namespace: &str, id: &str) -> Option<Box<str>> {
    let view = call.app.store().snapshot();
    let volume = view.get::<CsiVolumes>((namespace, id))?;
    call.app.node().providers().get(&volume.plugin_id)?;
    Some(volume.plugin_id.clone())
}

/// `PUT /statehold/v1/volume/csi/:id/unpublish`
///
/// What held a release up is told after the steps before it were committed.
pub(crate) async fn unpublish(mut call: NomadRequest) -> Reply {
    let body = call.parse(input::claim_body).await?;
    let (namespace, id) = (call.query.namespace().to_owned(), call.segment("id").to_owned());
    let plugin = provided_plugin(&call, &namespace, &id);
    let (key, allocation) = ((namespace.clone(), id.clone()), body.allocation_id);
    let write = move |txn: &mut WriteTxn<'_>, now| {
        domain::unpublish(txn, now, &namespace, &id, body).map_err(ApiError::from)
    };
    let (outcome, index) = call.app.write(write, |_, outcome| Ok(outcome)).await?;
    let UnpublishOutcome::Held(holdup) = outcome else { return state::written(index, &call.query) };
    let (Some(plugin), Some(allocation)) = (plugin, allocation) else {
        return Err(ApiError::from(holdup).at(index));
    };
    let subject = subject(&key.0, &key.1);
    let release = move |app: &NomadState| {
        let view = app.store().snapshot();
        let Some(release) = plan_release(&view, &key.0, &key.1, allocation) else {
            return Ok(view.index());
        };
        let answer = detach_with_provider(&view, app.node().providers(), &release);
        let record = |txn: &mut WriteTxn<'_>, now| {
            record_release(txn, now, &release, &answer).map_err(ApiError::from)
        };
        let index = app.write_blocking(record)?.0.index();
        answer.map_or_else(|holdup| Err(ApiError::from(holdup).at(index)), |()| Ok(index))
    };
    state::written(call.app.ask([subject], [&*plugin], release).await?, &call.query)
}
