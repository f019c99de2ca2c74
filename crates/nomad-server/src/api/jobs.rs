//! `/v1/jobs`, `/v1/job/…`, `/v1/allocations` and `/v1/allocation/…`: the workloads that orchestrators fed.

use serde_json::{Value, json};
use statehold_nomad::{
    ALL_NAMESPACES, Allocation, AllocationItem, AllocationStub, AllocationView, Allocations, Job,
    JobItem, JobStub, JobSummary, JobSummaryView, JobView, Jobs, job_allocations, list_allocations,
    list_jobs, node_allocations, parse_id,
};
use statehold_store::{Entry, HexPrefix, ReadView, Tracked};
use uuid::Uuid;

use crate::acl::access::{Capability, Rule};
use crate::api::Reply;
use crate::api::list::{List, ListQuery};
use crate::api::parameter::Parameter;
use crate::api::params::Read;
use crate::api::reply;
use crate::api::reply::Meta;
use crate::error::ApiError;
use crate::request::NomadRequest;

/// The capability to read a job or an allocation.
pub(crate) const READ_JOB: &[Capability] = &[Capability::ReadJob];

/// `GET /v1/jobs`, by namespace and ID.
pub(crate) struct JobList;

impl List for JobList {
    const ID: &'static str = "listJobs";
    const SUMMARY: &'static str = "Lists the jobs, by namespace and ID.";
    const RULE: Rule = Rule::Namespace(&[Capability::ListJobs, Capability::ReadJob]);
    const SELECTORS: &'static [Parameter] = &[Parameter::text("prefix", "A prefix of the ID.")];

    type Key = (String, String);
    type Item = JobItem;
    type Stub<'i> = JobStub<'i>;

    fn rows<'v>(
        view: &'v Tracked,
        query: &'v ListQuery<Self::Key>,
    ) -> impl Iterator<Item = JobItem> + 'v {
        let from = query.from().map(|(namespace, id)| (namespace.as_str(), id.as_str()));
        let jobs = list_jobs(view, query.namespace(), query.text("prefix"), query.order(), from);
        jobs.map(|job| JobItem::new(view, job))
    }

    fn key(item: &JobItem) -> (&str, &str) {
        (&item.job().namespace, &item.job().id)
    }

    fn namespace(item: &JobItem) -> Option<&str> {
        Some(&item.job().namespace)
    }

    fn stub(item: &JobItem) -> JobStub<'_> {
        item.stub()
    }
}

/// `GET /v1/allocations`, by ID.
pub(crate) struct AllocationList;

impl List for AllocationList {
    const ID: &'static str = "listAllocations";
    const SUMMARY: &'static str = "Lists the allocations, by ID.";
    const RULE: Rule = Rule::Namespace(READ_JOB);
    const SELECTORS: &'static [Parameter] = &[Parameter::even_hex("prefix", "A prefix of the ID.")];

    type Key = Uuid;
    type Item = AllocationItem;
    type Stub<'i> = AllocationStub<'i>;

    fn rows<'v>(
        view: &'v Tracked,
        query: &'v ListQuery<Uuid>,
    ) -> impl Iterator<Item = AllocationItem> + 'v {
        // The empty prefix matches every ID.
        let prefix = query.hex("prefix").copied().or_else(|| HexPrefix::parse("").ok());
        let rows = prefix.into_iter().flat_map(|prefix| {
            let from = query.from().copied();
            list_allocations(view, query.namespace(), &prefix, query.order(), from)
        });
        rows.map(AllocationItem::new)
    }

    fn key(item: &AllocationItem) -> Uuid {
        item.allocation().id
    }

    fn namespace(item: &AllocationItem) -> Option<&str> {
        Some(&item.allocation().namespace)
    }

    fn stub(item: &AllocationItem) -> AllocationStub<'_> {
        item.stub()
    }
}

/// Returns the job of an ID in the namespace of a read.
///
/// # Errors
/// 404 if it does not exist. `*` is no namespace of a job.
fn find<'v>(view: &'v Tracked, read: &Read, id: &str) -> Result<&'v Entry<Job>, ApiError> {
    view.get::<Jobs>((&read.namespace, id))
        .filter(|_| read.namespace != ALL_NAMESPACES)
        .ok_or_else(|| ApiError::not_found("job not found"))
}

/// `GET /v1/job/:id`
// Nomad: command/agent/job_endpoint.go, HTTPServer.jobQuery.
pub(crate) async fn get(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    call.app
        .large_object(&call, &read, |view, render, _| {
            render.json(&JobView::new(view, find(view, &read, call.segment("id"))?))
        })
        .await
}

/// `GET /v1/job/:id/summary`
// Nomad: command/agent/job_endpoint.go, HTTPServer.jobSummaryRequest.
pub(crate) async fn summary(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    call.app
        .large_object(&call, &read, |view, render, _| {
            let job = find(view, &read, call.segment("id"))?;
            render.json(&JobSummaryView::new(job, &JobSummary::of(view, job)))
        })
        .await
}

/// `GET /v1/job/:id/allocations`. A deleted job is no error, because its allocations may still exist.
// Nomad: command/agent/job_endpoint.go, HTTPServer.jobAllocations.
pub(crate) async fn allocations(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    call.app
        .large_object(&call, &read, |view, render, meter| {
            let rows = job_allocations(view, &read.namespace, call.segment("id"));
            let rows = rows.take_while(|_| meter.goes_on(false));
            render.json(&rows.map(AllocationStub::new).collect::<Vec<_>>())
        })
        .await
}

/// `GET /v1/node/:id/allocations`: those of namespaces whose jobs the caller may read.
// Nomad: nomad/node_endpoint.go, Node.GetAllocs.
pub(crate) async fn of_node(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    let node = parse_id(call.segment("id")).map_err(|_| ApiError::not_found("node not found"))?;
    call.app
        .large_object(&call, &read, |view, render, meter| {
            let rows = node_allocations(view, node).take_while(|_| meter.goes_on(false));
            let seen = rows.filter(|row| call.access.has(&row.namespace, READ_JOB));
            render.json(&seen.map(|row| AllocationView::new(view, row)).collect::<Vec<_>>())
        })
        .await
}

/// `GET /v1/allocation/:id`, in any namespace. Replies 404 for an allocation that the caller may not read.
// Nomad: command/agent/alloc_endpoint.go, HTTPServer.allocGet.
pub(crate) async fn allocation(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    let unknown = || ApiError::not_found("alloc not found");
    let id = parse_id(call.segment("id")).map_err(|_| unknown())?;
    let seen = |row: &&Entry<Allocation>| call.access.has(&row.namespace, READ_JOB);
    call.app
        .large_object(&call, &read, |view, render, _| {
            let row = view.get::<Allocations>(id).filter(seen).ok_or_else(unknown)?;
            render.json(&AllocationView::new(view, row))
        })
        .await
}

/// Replies with an empty list of evaluations or deployments, because this server schedules no work. Never waits.
pub(crate) fn none(call: &NomadRequest) -> Reply {
    Read::of(&call.query)?;
    Ok(reply::nothing(call.app.store()))
}

/// `GET /v1/job/:id/deployment`: always `null`, which is Nomad's reply for a job without a deployment.
pub(crate) fn no_deployment(call: &NomadRequest) -> Reply {
    Read::of(&call.query)?;
    let body = reply::render(&Value::Null, call.query.pretty())?;
    Ok(reply::json_body(body, &Meta::at(call.app.store().index().max(1))))
}

/// `GET /v1/job/:id/versions`: the current version, because the store keeps no older ones.
// Nomad: command/agent/job_endpoint.go, HTTPServer.jobVersions.
pub(crate) async fn versions(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    call.app
        .large_object(&call, &read, |view, render, _| {
            let job = JobView::new(view, find(view, &read, call.segment("id"))?);
            render.json(&json!({ "Versions": [job], "Diffs": null }))
        })
        .await
}
