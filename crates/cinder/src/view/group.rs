//! The JSON of groups, their types and their snapshots, and of consistency groups.
#![expect(clippy::option_option, reason = "a member that is null and one that is not there differ")]

use serde::Serialize;
use statehold_store::ReadView;
use uuid::Uuid;

use super::{Viewer, member_if};
use crate::{
    Pairs,
    caller::policy,
    ops::volumes_of,
    rows::{Group, GroupSnapshot, GroupType},
    time::timestamp,
};

/// A group type.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct GroupTypeView<'v> {
    id: Uuid,
    name: &'v str,
    description: Option<&'v str>,
    is_public: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_specs: Option<&'v Pairs>,
}

impl<'v> GroupTypeView<'v> {
    /// Returns the view of `row`; admins see the group specs.
    pub fn new(viewer: Viewer<'_>, row: &'v GroupType) -> Self {
        Self {
            id: row.id,
            name: &row.name,
            description: row.description.as_deref(),
            is_public: row.is_public,
            group_specs: viewer
                .caller
                .allows(policy::GROUP_TYPE_SHOW_SPECS)
                .then_some(&row.group_specs),
        }
    }
}

/// A group or consistency group in a list, or one that was just created.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct GroupStub<'v> {
    id: Uuid,
    name: Option<&'v str>,
}

impl<'v> GroupStub<'v> {
    /// Returns the view of `row`.
    pub fn new(row: &'v Group) -> Self {
        Self { id: row.id, name: row.name.as_deref() }
    }
}

/// A group alone, or in a detailed list.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct GroupView<'v> {
    id: Uuid,
    status: &'static str,
    availability_zone: &'v str,
    created_at: String,
    name: Option<&'v str>,
    description: Option<&'v str>,
    group_type: Uuid,
    volume_types: &'v [Uuid],
    #[serde(skip_serializing_if = "Option::is_none")]
    group_snapshot_id: Option<Option<Uuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_group_id: Option<Option<Uuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volumes: Option<Vec<Uuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<&'v str>,
}

impl<'v> GroupView<'v> {
    /// Returns the view of `row`, with its volumes if requested.
    pub fn new(
        view: &impl ReadView,
        viewer: Viewer<'_>,
        row: &'v Group,
        list_volumes: bool,
    ) -> Self {
        let version = viewer.version;
        let project = version.at_least(58) && viewer.caller.allows(policy::GROUP_SHOW_PROJECT);
        // Cinder: cinder/api/v3/views/groups.py, ViewBuilder.detail.
        let sources = version.at_least(14);
        let volumes = list_volumes && version.at_least(25);
        Self {
            id: row.id,
            status: row.status.as_str(),
            availability_zone: &row.availability_zone,
            created_at: timestamp(row.created_at),
            name: row.name.as_deref(),
            description: row.description.as_deref(),
            group_type: row.group_type_id,
            volume_types: &row.volume_types,
            group_snapshot_id: member_if(sources, row.group_snapshot_id),
            source_group_id: member_if(sources, row.source_group_id),
            volumes: volumes.then(|| volumes_of(view, row.id).map(|volume| volume.id).collect()),
            replication_status: version.at_least(38).then_some(Group::REPLICATION_STATUS),
            project_id: project.then_some(&row.project_id),
        }
    }
}

/// A group snapshot in a list, or a snapshot of a consistency group.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct GroupSnapshotStub<'v> {
    id: Uuid,
    name: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_type_id: Option<Uuid>,
}

impl<'v> GroupSnapshotStub<'v> {
    /// Returns the view of `row`.
    pub fn new(row: &'v GroupSnapshot) -> Self {
        Self { id: row.id, name: row.name.as_deref(), group_type_id: None }
    }

    /// Returns the view of a group snapshot that was just created.
    pub fn created(row: &'v GroupSnapshot) -> Self {
        Self { group_type_id: Some(row.group_type_id), ..Self::new(row) }
    }
}

/// A group snapshot alone, or in a detailed list.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct GroupSnapshotView<'v> {
    id: Uuid,
    group_id: Uuid,
    group_type_id: Uuid,
    status: &'static str,
    created_at: String,
    name: Option<&'v str>,
    description: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<&'v str>,
}

impl<'v> GroupSnapshotView<'v> {
    /// Returns the view of `row`.
    pub fn new(viewer: Viewer<'_>, row: &'v GroupSnapshot) -> Self {
        let project = viewer.version.at_least(58)
            && viewer.caller.allows(policy::GROUP_SNAPSHOT_SHOW_PROJECT);
        Self {
            id: row.id,
            group_id: row.group_id,
            group_type_id: row.group_type_id,
            status: row.status.as_str(),
            created_at: timestamp(row.created_at),
            name: row.name.as_deref(),
            description: row.description.as_deref(),
            project_id: project.then_some(&row.project_id),
        }
    }
}

/// A consistency group alone, or in a detailed list.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct ConsistencyGroupView<'v> {
    id: Uuid,
    status: &'static str,
    availability_zone: &'v str,
    created_at: String,
    name: Option<&'v str>,
    description: Option<&'v str>,
    volume_types: &'v [Uuid],
}

impl<'v> ConsistencyGroupView<'v> {
    /// Returns the view of `row`.
    pub fn new(row: &'v Group) -> Self {
        Self {
            id: row.id,
            status: row.status.as_str(),
            availability_zone: &row.availability_zone,
            created_at: timestamp(row.created_at),
            name: row.name.as_deref(),
            description: row.description.as_deref(),
            volume_types: &row.volume_types,
        }
    }
}

/// A snapshot of a consistency group, alone or in a detailed list.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct CgSnapshotView<'v> {
    id: Uuid,
    consistencygroup_id: Uuid,
    status: &'static str,
    created_at: String,
    name: Option<&'v str>,
    description: Option<&'v str>,
}

impl<'v> CgSnapshotView<'v> {
    /// Returns the view of `row`.
    pub fn new(row: &'v GroupSnapshot) -> Self {
        Self {
            id: row.id,
            consistencygroup_id: row.group_id,
            status: row.status.as_str(),
            created_at: timestamp(row.created_at),
            name: row.name.as_deref(),
            description: row.description.as_deref(),
        }
    }
}
