//! `/v1/volumes/claims` and `/v1/volumes/claim/…`: the sticky claims of task groups on host volumes.

use statehold_nomad::{
    GroupClaimError, TaskGroupClaimItem, TaskGroupClaimKey, TaskGroupClaimQuery,
    TaskGroupClaimView, delete_group_claim, list_task_group_claims, parse_id,
};
use statehold_store::{Tracked, WriteTxn};
use uuid::Uuid;

use crate::acl::access::{Capability, Rule};
use crate::api::Reply;
use crate::api::list::{List, ListQuery};
use crate::api::parameter::Parameter;
use crate::request::NomadRequest;

/// `GET /v1/volumes/claims`, by namespace, job, task group and volume.
pub(crate) struct TaskGroupClaimList;

impl List for TaskGroupClaimList {
    const ID: &'static str = "listTaskGroupClaims";
    const SUMMARY: &'static str =
        "Lists the claims of task groups on host volumes, by namespace, job, group and volume.";
    const RULE: Rule = Rule::Namespace(&[Capability::HostVolumeRead]);
    // Nomad: command/agent/task_group_host_volume_claim_endpoint.go, TaskGroupHostVolumeClaimListRequest. `claim_id` is
    // the parameter that Nomad's documentation names, and `prefix` the one that its server reads.
    const SELECTORS: &'static [Parameter] = &[
        Parameter::text("prefix", "A prefix of the claim's ID."),
        Parameter::text("claim_id", "Like `prefix`: a prefix of the claim's ID."),
        Parameter::text("job_id", "The job."),
        Parameter::text("task_group", "The task group."),
        Parameter::text("volume_name", "The name of the volume."),
    ];

    type Key = TaskGroupClaimKey;
    type Item = TaskGroupClaimItem;
    type Stub<'i> = TaskGroupClaimView<'i>;

    fn rows<'v>(
        view: &'v Tracked,
        query: &'v ListQuery<Self::Key>,
    ) -> impl Iterator<Item = TaskGroupClaimItem> + 'v {
        let from = query.from().map(|(namespace, (job, group, volume))| {
            (namespace.as_str(), (job.as_str(), group.as_str(), *volume))
        });
        let also = query.text("claim_id").to_ascii_lowercase();
        let query = TaskGroupClaimQuery {
            namespace: query.namespace(),
            prefix: query.text("prefix"),
            job_id: query.text("job_id"),
            task_group: query.text("task_group"),
            volume_name: query.text("volume_name"),
            conjuncts: query.conjuncts(),
            order: query.order(),
            from,
        };
        list_task_group_claims(view, &query)
            .map(TaskGroupClaimItem::new)
            .filter(move |item| item.claim().id.to_string().starts_with(&also))
    }

    fn key(item: &TaskGroupClaimItem) -> (&str, (&str, &str, Uuid)) {
        let claim = item.claim();
        (&claim.namespace, (&claim.job_id, &claim.task_group, claim.volume_id))
    }

    fn namespace(item: &TaskGroupClaimItem) -> Option<&str> {
        Some(&item.claim().namespace)
    }

    fn stub(item: &TaskGroupClaimItem) -> TaskGroupClaimView<'_> {
        item.view()
    }
}

/// `DELETE /v1/volumes/claim/:id`
// Nomad: command/agent/task_group_host_volume_claim_endpoint.go, HTTPServer.taskGroupHostVolumeClaimDelete.
pub(crate) async fn delete(call: NomadRequest) -> Reply {
    let namespace = call.query.namespace().to_owned();
    // No claim has an invalid ID.
    let id = parse_id(call.segment("id")).map_err(|_| GroupClaimError::NotFound)?;
    let write = move |txn: &mut WriteTxn<'_>, _| Ok(delete_group_claim(txn, &namespace, id)?);
    call.app.write_silently(write).await
}
