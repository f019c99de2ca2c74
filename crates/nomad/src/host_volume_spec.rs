//! A requested host volume: its validation, and the rules for updating an existing volume.
//!
//! Nomad: `nomad/structs/host_volumes.go`, `HostVolume.Validate` and `ValidateUpdate`.

use std::fmt;

use uuid::Uuid;

use crate::{
    constraint::ConstraintError,
    fmt::{MultiError, Quoted},
    id::parse_id,
    modes::{Capability, access_mode, attachment_mode},
    rows::{Constraint, HostVolume, Labels},
};

/// The fields of a host volume that a client may set.
///
/// IDs are kept as the strings that were sent, because errors quote them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HostVolumeSpec {
    /// The namespace; empty selects the namespace of the request.
    pub namespace: Box<str>,
    /// The volume to update; empty for a new one.
    pub id: Box<str>,
    /// Its name, by which allocations request it.
    pub name: Box<str>,
    /// The plugin that creates it; empty for the default one.
    pub plugin_id: Box<str>,
    /// The pool of its node; empty for any.
    pub node_pool: Box<str>,
    /// Its node; empty for any.
    pub node_id: Box<str>,
    /// Constraints on its node.
    pub constraints: Vec<Constraint>,
    /// The requested minimum capacity in bytes; 0 for none.
    pub requested_capacity_min: i64,
    /// The requested maximum capacity in bytes; 0 for none.
    pub requested_capacity_max: i64,
    /// The capacity of a registered volume, in bytes.
    pub capacity: i64,
    /// The capabilities that it must offer.
    pub requested_capabilities: Vec<Capability>,
    /// Parameters for its plugin.
    pub parameters: Labels,
    /// The path of a registered volume on its node.
    pub host_path: Box<str>,
}

/// Prints the volume's keys. Parameters are left out, because they may hold secrets.
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

/// A rule that a requested host volume violates.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostSpecViolation {
    /// Its ID is malformed.
    InvalidId {
        /// The ID that was sent.
        id: Box<str>,
    },
    /// It has no name.
    MissingName,
    /// A capacity is negative.
    NegativeCapacity {
        /// In bytes.
        bytes: i64,
    },
    /// The requested maximum is below the requested minimum.
    MaxBelowMin {
        /// The maximum, in bytes.
        max: i64,
        /// The minimum, in bytes.
        min: i64,
    },
    /// Host volumes do not support the attachment mode.
    AttachmentMode {
        /// The mode that was sent.
        mode: Box<str>,
    },
    /// Host volumes do not support the access mode.
    AccessMode {
        /// The mode that was sent.
        mode: Box<str>,
    },
    /// A constraint is malformed.
    Constraint(MultiError<ConstraintError>),
    /// A constraint requires distinct hosts, which host volumes always are on.
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
            // This server's own rule: Nomad leaves a negative capacity to the plugin.
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
            Self::Constraint(errors) => write!(f, "invalid constraint: {errors}"),
            Self::DistinctConstraint { operator } => write!(
                f,
                "invalid constraint {operator}: host volumes of the same name are always on \
                 distinct hosts"
            ),
        }
    }
}

/// All violations of a [`HostVolumeSpec`]. A single one is printed alone, several as a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSpecError(MultiError<HostSpecViolation>);

impl HostSpecError {
    /// Returns the violations, at least one.
    pub fn violations(&self) -> &[HostSpecViolation] {
        self.0.errors()
    }
}

impl fmt::Display for HostSpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nomad: helper/funcs.go, FlattenMultierror.
        match self.violations() {
            [violation] => violation.fmt(f),
            _ => self.0.fmt(f),
        }
    }
}

impl std::error::Error for HostSpecError {}

impl HostVolumeSpec {
    /// Checks every rule that needs no other state.
    pub fn validate(&self) -> Result<(), HostSpecError> {
        let (min, max) = (self.requested_capacity_min, self.requested_capacity_max);
        let mut violations = Vec::new();
        // An empty ID requests a new volume.
        if !self.id.is_empty() && parse_id(&self.id).is_err() {
            violations.push(HostSpecViolation::InvalidId { id: self.id.clone() });
        }
        if self.name.is_empty() {
            violations.push(HostSpecViolation::MissingName);
        }
        let negative = [min, max, self.capacity].into_iter().find(|bytes| *bytes < 0);
        violations.extend(negative.map(|bytes| HostSpecViolation::NegativeCapacity { bytes }));
        // An absent maximum is 0, so a minimum alone violates this rule, too.
        if max < min {
            violations.push(HostSpecViolation::MaxBelowMin { max, min });
        }
        violations.extend(self.requested_capabilities.iter().filter_map(capability_violation));
        for constraint in &self.constraints {
            violations.extend(constraint.validate().err().map(HostSpecViolation::Constraint));
            // Nomad: nomad/structs/host_volumes.go, HostVolume.Validate.
            if constraint.is_distinct() {
                let operator = constraint.operator.clone();
                violations.push(HostSpecViolation::DistinctConstraint { operator });
            }
        }
        MultiError::check(violations).map_err(HostSpecError)
    }

    /// Checks which fields of `known` may change while the allocations `users` use it.
    pub(crate) fn validate_update(
        &self,
        known: &HostVolume,
        users: Vec<Uuid>,
    ) -> Result<(), MultiError<HostUpdateViolation>> {
        let node = known.node_id.to_string();
        // An empty field keeps the stored value.
        let moved = !self.node_id.is_empty() && !self.node_id.eq_ignore_ascii_case(&node);
        let pool_moved = !self.node_pool.is_empty() && self.node_pool != known.node_pool;
        let (max, provisioned) = (self.requested_capacity_max, known.capacity);
        let violations = [
            (!users.is_empty()).then_some(HostUpdateViolation::InUse { allocations: users }),
            moved.then_some(HostUpdateViolation::NodeId),
            pool_moved.then_some(HostUpdateViolation::NodePool),
            // A maximum of 0 requests no limit.
            (max > 0 && max < provisioned)
                .then_some(HostUpdateViolation::MaxBelowProvisioned { max, provisioned }),
        ];
        MultiError::check(violations.into_iter().flatten().collect())
    }
}

fn capability_violation(capability: &Capability) -> Option<HostSpecViolation> {
    let (attachment, access) = (&capability.attachment_mode, &capability.access_mode);
    // Only the first violation of a capability is reported, as in HostVolumeCapability.Validate.
    if !attachment_mode::is_known(attachment) {
        return Some(HostSpecViolation::AttachmentMode { mode: attachment.clone() });
    }
    (!access_mode::is_of_host(access))
        .then(|| HostSpecViolation::AccessMode { mode: access.clone() })
}

/// A change that an existing host volume does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostUpdateViolation {
    /// Allocations use the volume.
    InUse {
        /// Their IDs.
        allocations: Vec<Uuid>,
    },
    /// A different node.
    NodeId,
    /// A different pool.
    NodePool,
    /// A maximum below the provisioned capacity.
    MaxBelowProvisioned {
        /// The requested maximum, in bytes.
        max: i64,
        /// The provisioned capacity, in bytes.
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
    fn all_violations_are_listed_in_order() {
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
    fn a_single_violation_is_printed_alone() {
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
    fn update_violations_are_always_printed_as_a_list() {
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
