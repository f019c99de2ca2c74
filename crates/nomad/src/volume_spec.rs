//! A requested CSI volume, and the validation that needs no other state.

use std::fmt;

use crate::{
    fmt::Quoted,
    modes::{Capability, access_mode, attachment_mode},
    rows::{Labels, MountOptions, Topology, TopologyRequest},
    secrets::Secrets,
};

/// The fields of a volume that a client may set on registration.
///
/// Fields that belong to the server are absent: claims, current modes, health, times and indexes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct VolumeSpec {
    /// The namespace; empty selects the namespace of the request.
    pub namespace: Box<str>,
    /// The volume's ID.
    pub id: Box<str>,
    /// Its name, for users and for the provider.
    pub name: Box<str>,
    /// The provider's own ID.
    pub external_id: Box<str>,
    /// The ID of its plugin.
    pub plugin_id: Box<str>,
    /// The requested topology.
    pub requested_topologies: Option<TopologyRequest>,
    /// The topology it is accessible from.
    pub topologies: Vec<Topology>,
    /// The options that nodes mount it with.
    pub mount_options: Option<MountOptions>,
    /// Secrets that are sent to the provider with each call.
    pub secrets: Secrets,
    /// Parameters for the provider on creation.
    pub parameters: Labels,
    /// The provider's context for its node plugins.
    pub context: Labels,
    /// Its capacity in bytes, 0 if unknown.
    pub capacity: i64,
    /// The requested minimum capacity in bytes; 0 for none.
    pub requested_capacity_min: i64,
    /// The requested maximum capacity in bytes; 0 for none.
    pub requested_capacity_max: i64,
    /// The capabilities that it must offer.
    pub requested_capabilities: Vec<Capability>,
    /// The volume that it is a copy of.
    pub clone_id: Box<str>,
    /// The snapshot that it was created from.
    pub snapshot_id: Box<str>,
}

/// Prints the keys of the volume alone, because the other fields may hold secrets.
impl fmt::Debug for VolumeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VolumeSpec")
            .field("namespace", &self.namespace)
            .field("id", &self.id)
            .field("plugin_id", &self.plugin_id)
            .finish_non_exhaustive()
    }
}

/// A rule that a requested volume violates.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpecViolation {
    /// It has no ID.
    MissingId,
    /// It names no plugin.
    MissingPluginId,
    /// It has no namespace.
    MissingNamespace,
    /// It names both a snapshot and a volume as its source.
    TwoOrigins,
    /// It requests no capability.
    NoCapability,
    /// A capability has an access mode that CSI volumes do not support.
    AccessMode {
        /// The mode.
        mode: Box<str>,
    },
    /// A capability has an unknown attachment mode.
    AttachmentMode {
        /// The mode.
        mode: Box<str>,
    },
    /// A capacity is negative.
    NegativeCapacity,
    /// A required topology has no segments.
    RequiredWithoutSegments,
    /// A preferred topology has no segments.
    PreferredWithoutSegments,
}

impl fmt::Display for SpecViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessMode { mode } => {
                return write!(f, "invalid access mode: {}", Quoted(mode));
            }
            Self::AttachmentMode { mode } => {
                return write!(f, "invalid attachment mode: {}", Quoted(mode));
            }
            // Nomad: nomad/structs/csi.go, CSIVolume.Validate, down to the missing segments.
            Self::MissingId => "missing volume id",
            Self::MissingPluginId => "missing plugin id",
            Self::MissingNamespace => "missing namespace",
            Self::TwoOrigins => "only one of snapshot_id and clone_id is allowed",
            Self::NoCapability => "must include at least one capability block",
            // This server's own rule: Nomad leaves a negative capacity to the provider.
            Self::NegativeCapacity => "capacity must not be negative",
            Self::RequiredWithoutSegments => "required topology is missing segments field",
            Self::PreferredWithoutSegments => "preferred topology is missing segments field",
        })
    }
}

/// All violations of a [`VolumeSpec`], printed on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSpecError {
    violations: Vec<SpecViolation>,
}

impl VolumeSpecError {
    /// Returns the violations, at least one.
    pub fn violations(&self) -> &[SpecViolation] {
        &self.violations
    }
}

impl fmt::Display for VolumeSpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nomad: nomad/structs/csi.go, CSIVolume.Validate joins its errors like this.
        f.write_str("validation: ")?;
        for (at, violation) in self.violations.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            violation.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for VolumeSpecError {}

impl VolumeSpec {
    /// Checks every rule that needs no other state.
    pub fn validate(&self) -> Result<(), VolumeSpecError> {
        let capacities = [self.capacity, self.requested_capacity_min, self.requested_capacity_max];
        let negative = capacities.into_iter().any(|bytes| bytes < 0);
        let checks = [
            (self.id.is_empty(), SpecViolation::MissingId),
            (self.plugin_id.is_empty(), SpecViolation::MissingPluginId),
            (self.namespace.is_empty(), SpecViolation::MissingNamespace),
            (!self.snapshot_id.is_empty() && !self.clone_id.is_empty(), SpecViolation::TwoOrigins),
            (self.requested_capabilities.is_empty(), SpecViolation::NoCapability),
            (negative, SpecViolation::NegativeCapacity),
        ];
        let mut violations: Vec<SpecViolation> = checks
            .into_iter()
            .filter_map(|(wrong, violation)| wrong.then_some(violation))
            .collect();
        violations.extend(self.requested_capabilities.iter().flat_map(mode_violations));
        if let Some(request) = &self.requested_topologies {
            for (topologies, violation) in [
                (&request.required, SpecViolation::RequiredWithoutSegments),
                (&request.preferred, SpecViolation::PreferredWithoutSegments),
            ] {
                // Each topology without segments is a violation of its own, as in Nomad.
                let empty = topologies.iter().flatten().filter(|one| one.segments.is_empty());
                violations.extend(empty.map(|_| violation.clone()));
            }
        }
        if violations.is_empty() { Ok(()) } else { Err(VolumeSpecError { violations }) }
    }
}

/// Returns the unknown modes of a capability: no claim on such a volume could ever succeed. An
/// empty mode matches any.
fn mode_violations(capability: &Capability) -> impl Iterator<Item = SpecViolation> + use<> {
    // An empty mode is allowed: a claim then brings its own.
    let wrong = |mode: &str, known: fn(&str) -> bool| !mode.is_empty() && !known(mode);
    let (access, attachment) = (&capability.access_mode, &capability.attachment_mode);
    let access = wrong(access, access_mode::is_of_csi)
        .then(|| SpecViolation::AccessMode { mode: access.clone() });
    let attachment = wrong(attachment, attachment_mode::is_known)
        .then(|| SpecViolation::AttachmentMode { mode: attachment.clone() });
    access.into_iter().chain(attachment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_violations_are_listed_in_order() {
        let spec = VolumeSpec {
            id: "test".into(),
            plugin_id: "test".into(),
            snapshot_id: "test-snapshot".into(),
            clone_id: "test-clone".into(),
            requested_topologies: Some(TopologyRequest {
                required: Some(vec![Topology::default(), Topology::default()]),
                preferred: None,
            }),
            ..Default::default()
        };
        assert_eq!(
            spec.validate().unwrap_err().to_string(),
            "validation: missing namespace, only one of snapshot_id and clone_id is allowed, \
             must include at least one capability block, \
             required topology is missing segments field, \
             required topology is missing segments field"
        );
    }

    #[test]
    fn an_empty_volume_lacks_id_plugin_namespace_and_capability() {
        assert_eq!(
            VolumeSpec::default().validate().unwrap_err().to_string(),
            "validation: missing volume id, missing plugin id, missing namespace, \
             must include at least one capability block"
        );
    }

    #[test]
    fn preferred_topologies_need_segments_too() {
        let spec = VolumeSpec {
            id: "v".into(),
            plugin_id: "p".into(),
            namespace: "default".into(),
            requested_capabilities: vec![Capability::default()],
            requested_topologies: Some(TopologyRequest {
                required: None,
                preferred: Some(vec![Topology::default()]),
            }),
            ..Default::default()
        };
        assert_eq!(
            spec.validate().unwrap_err().to_string(),
            "validation: preferred topology is missing segments field"
        );
    }
}
