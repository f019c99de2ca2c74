//! Decoding of jobs and allocations.

use uuid::Uuid;

use super::{
    bodies::AllocationBody,
    error::DecodeError,
    fields::{Fields, first_value},
    node::{same_id, same_name},
};
use crate::rows::{Allocation, Job, PluginKind, RequestKind, TaskGroup, TaskPlugin, VolumeRequest};

/// The statuses of an allocation that nodes report.
const CLIENT_STATUSES: [&str; 6] = ["pending", "running", "complete", "failed", "lost", "unknown"];

/// Decodes a job; `namespace` and `id` are those of the path.
pub fn job_body(body: &[u8], namespace: &str, id: &str) -> Result<Job, DecodeError> {
    let value = first_value(body)?;
    let mut job = job(&Fields::of_body("Job", &value)?)?;
    same_name("Namespace", &mut job.namespace, namespace)?;
    same_name("ID", &mut job.id, id)?;
    Ok(job)
}

fn job(fields: &Fields<'_>) -> Result<Job, DecodeError> {
    Ok(Job {
        namespace: fields.text("Namespace")?,
        id: fields.text("ID")?,
        kind: fields.one_of("Type", &["service", "batch", "system", "sysbatch"])?,
        status: fields.one_of("Status", &["pending", "running", "dead"])?,
        stop: fields.flag("Stop")?,
        groups: fields.objects("TaskGroups", "TaskGroup", group)?.unwrap_or_default(),
        ..Job::default()
    })
}

fn group(fields: &Fields<'_>) -> Result<TaskGroup, DecodeError> {
    let tasks = fields.objects("Tasks", "Task", |task| {
        let plugin = task.object("CSIPluginConfig", "TaskCSIPluginConfig")?;
        // A task without this block runs no plugin, and is not stored.
        plugin.as_ref().map(task_plugin).transpose()
    })?;
    Ok(TaskGroup {
        name: fields.text("Name")?,
        // Nomad: an absent count of a group is 1.
        count: if fields.has("Count") { fields.count("Count")? } else { 1 },
        volumes: fields
            .objects_by_name("Volumes", "VolumeRequest", volume_request)?
            .into_values()
            .collect(),
        plugins: tasks.into_iter().flatten().flatten().collect(),
    })
}

fn task_plugin(fields: &Fields<'_>) -> Result<TaskPlugin, DecodeError> {
    let kind = match &*fields.text("Type")? {
        // Nomad: nomad/structs/csi.go, CSIPluginTypeIsValid; an absent type is Go's zero value.
        "" | "node" => PluginKind::Node,
        "controller" => PluginKind::Controller,
        "monolith" => PluginKind::Monolith,
        other => {
            return Err(DecodeError::value(format_args!("unknown CSI plugin type: {other:?}")));
        }
    };
    Ok(TaskPlugin { id: fields.text("ID")?, kind })
}

fn volume_request(name: &str, fields: &Fields<'_>) -> Result<VolumeRequest, DecodeError> {
    // The key of the map names the request, unless the request names itself.
    let own_name = fields.text("Name")?;
    Ok(VolumeRequest {
        name: if own_name.is_empty() { name.into() } else { own_name },
        kind: match &*fields.text("Type")? {
            "csi" => RequestKind::Csi,
            "" | "host" => RequestKind::Host,
            other => {
                return Err(DecodeError::value(format_args!("unknown volume type: {other:?}")));
            }
        },
        source: fields.text("Source")?,
        read_only: fields.flag("ReadOnly")?,
        per_alloc: fields.flag("PerAlloc")?,
        sticky: fields.flag("Sticky")?,
    })
}

/// Decodes an allocation; `id` is that of the path.
pub fn allocation_body(body: &[u8], id: Uuid) -> Result<AllocationBody, DecodeError> {
    let value = first_value(body)?;
    let fields = Fields::of_body("Allocation", &value)?;
    same_id(&fields, id)?;
    let embedded = fields.object("Job", "Job")?;
    let job = embedded.as_ref().map(job).transpose()?;
    let mut allocation = allocation(&fields, id)?;
    // The embedded job carries the version in Nomad's own bodies.
    if let Some(embedded) = embedded.filter(|_| !fields.has("JobVersion")) {
        allocation.job_version = embedded.count("Version")?;
    }
    let Some(job) = job else { return Ok(AllocationBody { allocation, group: None }) };
    for (text, of_job) in [
        (&mut allocation.namespace, &job.namespace),
        (&mut allocation.job_id, &job.id),
        (&mut allocation.job_type, &job.kind),
    ] {
        if text.is_empty() {
            text.clone_from(of_job);
        }
    }
    // Only this group is stored with the allocation; the job has its own endpoint.
    let group = job.group(&allocation.task_group).cloned();
    Ok(AllocationBody { allocation, group })
}

fn allocation(fields: &Fields<'_>, id: Uuid) -> Result<Allocation, DecodeError> {
    Ok(Allocation {
        id,
        namespace: fields.text("Namespace")?,
        eval_id: fields.text("EvalID")?,
        name: fields.text("Name")?,
        node_id: fields.id("NodeID")?,
        node_name: fields.text("NodeName")?,
        job_id: fields.text("JobID")?,
        job_type: fields.text("JobType")?,
        job_version: fields.count("JobVersion")?,
        task_group: fields.text("TaskGroup")?,
        desired_status: fields.one_of("DesiredStatus", &["run", "stop", "evict"])?,
        desired_description: fields.text("DesiredDescription")?,
        client_status: fields.one_of("ClientStatus", &CLIENT_STATUSES)?,
        client_description: fields.text("ClientDescription")?,
        followup_eval_id: fields.text("FollowupEvalID")?,
        next_allocation: fields.text("NextAllocation")?,
        preempted_allocations: fields.texts("PreemptedAllocations")?,
        preempted_by_allocation: fields.text("PreemptedByAllocation")?,
        desired_transition_json: fields.json("DesiredTransition"),
        task_states_json: fields.json("TaskStates"),
        deployment_status_json: fields.json("DeploymentStatus"),
        reschedule_tracker_json: fields.json("RescheduleTracker"),
        ..Allocation::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = r#"{
      "ID": "web", "Version": 3, "Type": "service", "Status": "running", "TaskGroups": [{
        "Name": "cache", "Count": 2,
        "Volumes": {"data": {"Type": "csi", "Source": "vol", "ReadOnly": true, "PerAlloc": true,
                             "Sticky": true}},
        "Tasks": [{"Name": "redis"}, {"CSIPluginConfig": {"ID": "ebs", "Type": "monolith"}}]
      }, {"Name": "single"}]
    }"#;

    #[test]
    fn jobs_keep_volumes_and_plugins() {
        let job = job_body(JOB.as_bytes(), "default", "web").unwrap();
        assert_eq!((&*job.namespace, &*job.kind), ("default", "service"));
        let [cache, single] = &job.groups[..] else { panic!("two groups") };
        assert_eq!((cache.count, single.count), (2, 1));
        let request = &cache.volumes[0];
        assert_eq!((&*request.name, &*request.source), ("data", "vol"));
        assert_eq!(request.kind, RequestKind::Csi);
        assert!(request.read_only && request.per_alloc && request.sticky);
        assert_eq!(cache.plugins, [TaskPlugin { id: "ebs".into(), kind: PluginKind::Monolith }]);
    }

    #[test]
    fn allocations_take_the_group_of_their_embedded_job() {
        let id = Uuid::from_u128(1);
        let body = format!(
            r#"{{"TaskGroup": "cache", "NodeID": "{id}", "TaskStates": {{"redis": {{}}}}, "Job": {JOB}}}"#
        );
        let body = allocation_body(body.as_bytes(), id).unwrap();
        assert_eq!((&*body.allocation.job_id, &*body.allocation.job_type), ("web", "service"));
        assert_eq!(body.allocation.job_version, 3);
        assert_eq!(&*body.allocation.task_states_json, r#"{"redis":{}}"#);
        assert_eq!(body.group.unwrap().volumes.len(), 1);
        assert_eq!(allocation_body(b"{}", id).unwrap().group, None);
    }

    #[test]
    fn unknown_types_are_errors() {
        let body = r#"{"TaskGroups": [{"Volumes": {"v": {"Type": "nfs"}}}]}"#;
        let error = job_body(body.as_bytes(), "default", "web").unwrap_err();
        assert_eq!(error.to_string(), "unknown volume type: \"nfs\"");
    }
}
