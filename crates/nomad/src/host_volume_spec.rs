//! A host volume as somebody asks for it: what is wrong with the asking alone, and what a known
//! volume doesn't become.

use std::fmt;

use uuid::Uuid;

use crate::{
    constraint::ConstraintError,
    fmt::{MultiError, Quoted},
    id::parse_id,
    modes::{Capability, access_mode, attachment_mode},
    rows::{Constraint, HostVolume, Labels},
};

/// What a client may say about a host volume.
///
/// IDs are texts as they came, because a wrong one is shown to the client.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HostVolumeSpec {
    /// The namespace; empty means that of the request.
    pub namespace: Box<str>,
    /// The volume to change; empty for a new one.
    pub id: Box<str>,
    /// Its name, by which allocations ask for it.
    pub name: Box<str>,
    /// The plugin that makes it; empty for the default one.
    pub plugin_id: Box<str>,
    /// The pool of nodes it may be on; empty for any.
    pub node_pool: Box<str>,
    /// The node it is to be on; empty for any.
    pub node_id: Box<str>,
    /// What its node has to be like.
    pub constraints: Vec<Constraint>,
    /// The least size wanted, in bytes; 0 is no wish.
    pub requested_capacity_min: i64,
    /// The largest size wanted, in bytes; 0 is no wish.
    pub requested_capacity_max: i64,
    /// The size of a volume that is registered, in bytes.
    pub capacity: i64,
    /// How it must be usable.
    pub requested_capabilities: Vec<Capability>,
    /// For the plugin that makes it.
    pub parameters: Labels,
    /// Where a volume that is registered is on its node.
    pub host_path: Box<str>,
}

/// Names the volume. What is for the plugin is left out.
impl fmt::Debug for HostVolumeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostVolumeSpec")
            .field("namespace", &self.namespace)
            .field("id", &self.id)
            .field("name", &self.name)
            .field("node_id", &self.node_id)
            .finish_non_exhaustive()
    }
}

/// Why a host volume can't be right as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostSpecViolation {
    /// Its ID is none.
    InvalidId {
        /// What was sent.
        id: Box<str>,
    },
    /// It has no name.
    MissingName,
    /// A size is less than nothing.
    NegativeCapacity {
        /// In bytes.
        bytes: i64,
    },
    /// The largest size wanted is below the least one.
    MaxBelowMin {
        /// The largest, in bytes.
        max: i64,
        /// The least, in bytes.
        min: i64,
    },
    /// Host volumes are attached in no such way.
    AttachmentMode {
        /// What was sent.
        mode: Box<str>,
    },
    /// Host volumes are accessed in no such way.
    AccessMode {
        /// What was sent.
        mode: Box<str>,
    },
    /// A constraint makes no sense.
    Constraint(MultiError<ConstraintError>),
    /// A constraint asks for what is always so.
    DistinctConstraint {
        /// Its operator.
        operator: Box<str>,
    },
}

impl fmt::Display for HostSpecViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidId { id } => write!(f, "invalid ID {}", Quoted(id)),
            Self::MissingName => f.write_str("missing name"),
            Self::NegativeCapacity { bytes } => {
                write!(f, "capacity ({bytes}) must not be negative")
            }
            Self::MaxBelowMin { max, min } => {
                write!(f, "capacity_max ({max}) must be larger than capacity_min ({min})")
            }
            Self::AttachmentMode { mode } => {
                write!(f, "invalid attachment mode: {}", Quoted(mode))
            }
            Self::AccessMode { mode } => write!(f, "invalid access mode: {}", Quoted(mode)),
            Self::Constraint(faults) => write!(f, "invalid constraint: {faults}"),
            Self::DistinctConstraint { operator } => write!(
                f,
                "invalid constraint {operator}: host volumes of the same name are always on \
                 distinct hosts"
            ),
        }
    }
}

/// Everything that is wrong with a [`HostVolumeSpec`]: one fault as it is, several as a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSpecError(MultiError<HostSpecViolation>);

impl HostSpecError {
    /// The faults, at least one.
    pub fn faults(&self) -> &[HostSpecViolation] {
        self.0.errors()
    }
}

impl fmt::Display for HostSpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.faults() {
            [fault] => fault.fmt(f),
            _ => self.0.fmt(f),
        }
    }
}

impl std::error::Error for HostSpecError {}

impl HostVolumeSpec {
    /// Checks what can be checked without looking anything up.
    pub fn validate(&self) -> Result<(), HostSpecError> {
        let (min, max) = (self.requested_capacity_min, self.requested_capacity_max);
        let mut faults = Vec::new();
        if !self.id.is_empty() && parse_id(&self.id).is_err() {
            faults.push(HostSpecViolation::InvalidId { id: self.id.clone() });
        }
        if self.name.is_empty() {
            faults.push(HostSpecViolation::MissingName);
        }
        let negative = [min, max, self.capacity].into_iter().find(|bytes| *bytes < 0);
        faults.extend(negative.map(|bytes| HostSpecViolation::NegativeCapacity { bytes }));
        if max < min {
            faults.push(HostSpecViolation::MaxBelowMin { max, min });
        }
        faults.extend(self.requested_capabilities.iter().filter_map(capability_fault));
        for constraint in &self.constraints {
            faults.extend(constraint.validate().err().map(HostSpecViolation::Constraint));
            if constraint.is_distinct() {
                let operator = constraint.operator.clone();
                faults.push(HostSpecViolation::DistinctConstraint { operator });
            }
        }
        MultiError::check(faults).map_err(HostSpecError)
    }

    /// Checks what may change of `known`, which `users` use.
    pub(crate) fn validate_update(
        &self,
        known: &HostVolume,
        users: Vec<Uuid>,
    ) -> Result<(), MultiError<HostUpdateViolation>> {
        let node = known.node_id.to_string();
        let moved = !self.node_id.is_empty() && !self.node_id.eq_ignore_ascii_case(&node);
        let pool_moved = !self.node_pool.is_empty() && self.node_pool != known.node_pool;
        let (max, provisioned) = (self.requested_capacity_max, known.capacity);
        let faults = [
            (!users.is_empty()).then_some(HostUpdateViolation::InUse { allocations: users }),
            moved.then_some(HostUpdateViolation::NodeId),
            pool_moved.then_some(HostUpdateViolation::NodePool),
            (max > 0 && max < provisioned)
                .then_some(HostUpdateViolation::MaxBelowProvisioned { max, provisioned }),
        ];
        MultiError::check(faults.into_iter().flatten().collect())
    }
}

fn capability_fault(capability: &Capability) -> Option<HostSpecViolation> {
    let (attachment, access) = (&capability.attachment_mode, &capability.access_mode);
    if !attachment_mode::is_known(attachment) {
        return Some(HostSpecViolation::AttachmentMode { mode: attachment.clone() });
    }
    (!access_mode::is_of_host(access))
        .then(|| HostSpecViolation::AccessMode { mode: access.clone() })
}

/// A change that a known host volume doesn't allow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostUpdateViolation {
    /// Allocations use it.
    InUse {
        /// Their IDs.
        allocations: Vec<Uuid>,
    },
    /// Another node.
    NodeId,
    /// Another pool.
    NodePool,
    /// Less room than it takes.
    MaxBelowProvisioned {
        /// The largest size wanted, in bytes.
        max: i64,
        /// What it has, in bytes.
        provisioned: i64,
    },
}

impl fmt::Display for HostUpdateViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { allocations } => {
                f.write_str("cannot update a volume in use: claimed by allocs (")?;
                for (at, allocation) in allocations.iter().enumerate() {
                    write!(f, "{}{allocation}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Self::NodeId => f.write_str("node ID cannot be updated"),
            Self::NodePool => f.write_str("node pool cannot be updated"),
            Self::MaxBelowProvisioned { max, provisioned } => write!(
                f,
                "capacity_max ({max}) cannot be less than existing provisioned capacity \
                 ({provisioned})"
            ),
        }
    }
}

impl std::error::Error for HostUpdateViolation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_listed_in_order() {
        let spec = HostVolumeSpec {
            id: "../../not-a-uuid".into(),
            name: "example".into(),
            requested_capacity_min: 200_000,
            requested_capacity_max: 100_000,
            requested_capabilities: vec![
                Capability {
                    attachment_mode: "file-system".into(),
                    access_mode: "single-node-writer".into(),
                },
                Capability { attachment_mode: "bad".into(), access_mode: "invalid".into() },
            ],
            constraints: vec![Constraint {
                right: "r1".into(),
                operator: "=".into(),
                ..Constraint::default()
            }],
            ..HostVolumeSpec::default()
        };
        assert_eq!(
            spec.validate().unwrap_err().to_string(),
            "4 errors occurred:\n\t* invalid ID \"../../not-a-uuid\"\n\t* capacity_max (100000) \
             must be larger than capacity_min (200000)\n\t* invalid attachment mode: \
             \"bad\"\n\t* invalid constraint: 1 error occurred:\n\t* no attribute provided but is \
             required by operator\n\n\n\n"
        );
    }

    #[test]
    fn one_fault_stands_alone() {
        assert_eq!(HostVolumeSpec::default().validate().unwrap_err().to_string(), "missing name");
        let named = HostVolumeSpec { name: "v".into(), ..HostVolumeSpec::default() };
        assert_eq!(named.validate(), Ok(()));
        let negative = HostVolumeSpec { requested_capacity_min: -1, ..named.clone() };
        let text = negative.validate().unwrap_err().to_string();
        assert_eq!(text, "capacity (-1) must not be negative");
        let distinct = Constraint { operator: "distinct_hosts".into(), ..Constraint::default() };
        let text = HostVolumeSpec { constraints: vec![distinct], ..named }.validate();
        assert_eq!(
            text.unwrap_err().to_string(),
            "invalid constraint distinct_hosts: host volumes of the same name are always on \
             distinct hosts"
        );
    }

    #[test]
    fn updates_are_always_a_list() {
        let known = HostVolume {
            node_id: Uuid::from_u128(1),
            node_pool: "prod".into(),
            capacity: 150,
            ..HostVolume::default()
        };
        let update = HostVolumeSpec {
            node_id: "other".into(),
            node_pool: "dev".into(),
            requested_capacity_max: 100,
            ..HostVolumeSpec::default()
        };
        let users = vec![Uuid::from_u128(2), Uuid::from_u128(3)];
        assert_eq!(
            update.validate_update(&known, users).unwrap_err().to_string(),
            "4 errors occurred:\n\t* cannot update a volume in use: claimed by allocs \
             (00000000-0000-0000-0000-000000000002, 00000000-0000-0000-0000-000000000003)\n\t* \
             node ID cannot be updated\n\t* node pool cannot be updated\n\t* capacity_max (100) \
             cannot be less than existing provisioned capacity (150)\n\n"
        );
        let same = HostVolumeSpec { node_pool: "prod".into(), ..HostVolumeSpec::default() };
        assert_eq!(same.validate_update(&known, Vec::new()), Ok(()));
    }
}
