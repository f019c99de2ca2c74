//! `/statehold/v1/…`: nodes, allocations, jobs and claims, fed by an orchestrator.
//!
//! A Nomad server receives them over its internal RPC; here an orchestrator, or a test, sends them over HTTP. Bodies
//! are the bare objects with Nomad's field names.

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
use crate::node::provider_locks::Subject;
use crate::request::NomadRequest;
use crate::state;
use crate::state::NomadState;

/// `PUT /statehold/v1/nodes/:id`
// Nomad: nomad/node_endpoint.go, Node.Register.
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
// Nomad: nomad/node_endpoint.go, Node.UpdateAlloc.
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
// Nomad: nomad/job_endpoint.go, Job.Register.
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

/// The reply to a claim. Unlike Nomad's, it omits the other claims on the volume: claimers do not read them, and
/// rendering them would cost time for each.
// Nomad: nomad/structs/csi.go, CSIVolumeClaimResponse.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Claimed<'v> {
    volume: Option<ClaimedVolumeView<'v>>,
    /// The provider's context for the node to use the volume; empty if no provider here attached it.
    publish_context: Labels,
    index: u64,
}

/// `PUT /statehold/v1/volume/csi/:id/claim`
///
/// A new claim stays even if attaching the volume fails, because the claimer retries.
// Nomad: nomad/csi_endpoint.go, CSIVolume.Claim.
pub(crate) async fn claim(mut call: NomadRequest) -> Reply {
    let body = call.parse(input::claim_body).await?;
    let (namespace, id) = (call.query.namespace().to_owned(), call.segment("id").to_owned());
    let key = (namespace.clone(), id.clone());
    let pretty = call.query.pretty();
    // Only a new claim attaches; an update of one is a single write.
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
                // Committed before the provider is called, so that a concurrent claim counts this one.
                let (view, ()) = app.write_blocking(write)?;
                let providers = app.node().providers();
                let context = attach_with_provider(&view, providers, &key.0, &key.1, allocation)?;
                Ok((render(&view, context)?, view.index()))
            };
            call.app.with_providers([subject], [&*plugin], claim).await?
        }
        _ => call.app.write(write, move |view, ()| render(view, Labels::new())).await?,
    };
    Ok(reply::json_body(body, &Meta::at(index)))
}

/// Returns the lock subject of a volume's row.
fn subject(namespace: &str, id: &str) -> Subject {
    Subject::Row(VolumeKey { namespace: namespace.into(), id: id.into() })
}

/// Returns the plugin of a volume, if this node has its provider.
fn provided_plugin(call: &NomadRequest, namespace: &str, id: &str) -> Option<Box<str>> {
    let view = call.app.store().snapshot();
    let volume = view.get::<CsiVolumes>((namespace, id))?;
    call.app.node().providers().get(&volume.plugin_id)?;
    Some(volume.plugin_id.clone())
}

/// `PUT /statehold/v1/volume/csi/:id/unpublish`
///
/// Commits each step of a release before it reports a blocker of the next one.
// Nomad: nomad/csi_endpoint.go, CSIVolume.Unpublish.
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
        // Without a claim left, the reaper has released it while this request waited.
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
    state::written(call.app.with_providers([subject], [&*plugin], release).await?, &call.query)
}
