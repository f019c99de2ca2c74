//! The views of an allocation.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use statehold_store::{Entry, ReadView};
use uuid::Uuid;

use super::JobView;
use crate::rows::{Allocation, Jobs};

/// An allocation in a list, without its job and its resources.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/structs.go, AllocListStub.
pub struct AllocationStub<'v> {
    #[serde(rename = "ID")]
    id: Uuid,
    #[serde(rename = "EvalID")]
    eval_id: &'v str,
    name: &'v str,
    namespace: &'v str,
    #[serde(rename = "NodeID")]
    node_id: OptionalId,
    node_name: &'v str,
    #[serde(rename = "JobID")]
    job_id: &'v str,
    job_type: &'v str,
    job_version: u64,
    task_group: &'v str,
    desired_status: &'v str,
    desired_description: &'v str,
    client_status: &'v str,
    client_description: &'v str,
    desired_transition: Transition<'v>,
    task_states: Json<'v>,
    deployment_status: Json<'v>,
    #[serde(rename = "FollowupEvalID")]
    followup_eval_id: &'v str,
    next_allocation: &'v str,
    reschedule_tracker: Json<'v>,
    preempted_allocations: Option<&'v [Box<str>]>,
    preempted_by_allocation: &'v str,
    create_index: u64,
    modify_index: u64,
    create_time: i64,
    modify_time: i64,
}

impl<'v> AllocationStub<'v> {
    /// Returns its namespace.
    pub(super) fn namespace(&self) -> &str {
        self.namespace
    }

    /// Creates the view of `entry`.
    pub fn new(entry: &'v Entry<Allocation>) -> Self {
        let preempted = &entry.preempted_allocations;
        Self {
            id: entry.id,
            eval_id: &entry.eval_id,
            name: &entry.name,
            namespace: &entry.namespace,
            node_id: OptionalId(entry.node_id),
            node_name: &entry.node_name,
            job_id: &entry.job_id,
            job_type: &entry.job_type,
            job_version: entry.job_version,
            task_group: &entry.task_group,
            desired_status: &entry.desired_status,
            desired_description: &entry.desired_description,
            client_status: &entry.client_status,
            client_description: &entry.client_description,
            desired_transition: Transition(&entry.desired_transition_json),
            task_states: Json(&entry.task_states_json),
            deployment_status: Json(&entry.deployment_status_json),
            followup_eval_id: &entry.followup_eval_id,
            next_allocation: &entry.next_allocation,
            reschedule_tracker: Json(&entry.reschedule_tracker_json),
            // Go encodes a slice that was never set as `null`.
            preempted_allocations: (!preempted.is_empty()).then_some(preempted),
            preempted_by_allocation: &entry.preempted_by_allocation,
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
            create_time: entry.create_time,
            modify_time: entry.modify_time,
        }
    }
}

/// An allocation with its job.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/structs.go, Allocation.
pub struct AllocationView<'v> {
    #[serde(flatten)]
    stub: AllocationStub<'v>,
    job: Option<JobView<'v>>,
    resources: Resources,
    allocated_resources: (),
    metrics: (),
    #[serde(rename = "DeploymentID")]
    deployment_id: &'static str,
    previous_allocation: &'static str,
    network_status: (),
    alloc_modify_index: u64,
}

impl<'v> AllocationView<'v> {
    /// Creates the view of `entry`, with its job if `view` has it.
    pub fn new<V: ReadView>(view: &'v V, entry: &'v Entry<Allocation>) -> Self {
        let job = view.get::<Jobs>((&entry.namespace, &entry.job_id));
        Self {
            stub: AllocationStub::new(entry),
            job: job.map(|job| JobView::new(view, job)),
            resources: Resources::default(),
            allocated_resources: (),
            metrics: (),
            deployment_id: "",
            previous_allocation: "",
            network_status: (),
            alloc_modify_index: entry.modify_index(),
        }
    }
}

/// The resources of an allocation. They are not stored, so each is 0: Nomad's command line reads
/// the numbers without a check for their presence.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Resources {
    #[serde(rename = "CPU")]
    pub(super) cpu: u64,
    #[serde(rename = "Cores")]
    pub(super) cores: u64,
    #[serde(rename = "MemoryMB")]
    pub(super) memory_mb: u64,
    #[serde(rename = "MemoryMaxMB")]
    pub(super) memory_max_mb: u64,
    #[serde(rename = "DiskMB")]
    pub(super) disk_mb: u64,
    #[serde(rename = "IOPS")]
    pub(super) iops: u64,
    #[serde(rename = "Networks")]
    pub(super) networks: (),
    #[serde(rename = "Devices")]
    pub(super) devices: (),
}

/// An ID, or an empty string.
#[derive(Clone, Copy, Debug)]
struct OptionalId(Option<Uuid>);

impl Serialize for OptionalId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(id) => id.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }
}

/// A JSON value that is stored as a string; an empty one is `null`.
#[derive(Clone, Copy, Debug)]
struct Json<'v>(&'v str);

impl Json<'_> {
    fn value(self) -> Option<Value> {
        // The decoder stored valid JSON; a damaged row shows `null` instead of failing the
        // response.
        serde_json::from_str(self.0).ok()
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

/// A desired transition, which is always an object.
#[derive(Clone, Copy, Debug)]
struct Transition<'v>(&'v str);

impl Serialize for Transition<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Nomad: nomad/structs/structs.go, DesiredTransition is a struct and never null.
        let known = Json(self.0).value().filter(Value::is_object);
        let none = || {
            json!({
                "Migrate": null,
                "Reschedule": null,
                "ForceReschedule": null,
                "NoShutdownDelay": null,
            })
        };
        known.unwrap_or_else(none).serialize(serializer)
    }
}
