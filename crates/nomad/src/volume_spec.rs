//! A volume as somebody asks for it, and what is wrong with the asking alone.

use std::fmt;

use crate::{
    fmt::Quoted,
    modes::{Capability, access_mode, attachment_mode},
    rows::{Labels, MountOptions, Topology, TopologyRequest},
    secrets::Secrets,
};

/// What a client may say about a volume that it registers.
///
/// Fields that belong to the server have no place in here: claims, current modes, health, times and
/// indexes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct VolumeSpec {
    /// The namespace; empty means that of the request.
    pub namespace: Box<str>,
    /// The volume's ID.
    pub id: Box<str>,
    /// Its name, for people and for the provider.
    pub name: Box<str>,
    /// The provider's own ID.
    pub external_id: Box<str>,
    /// The plugin that serves it.
    pub plugin_id: Box<str>,
    /// Where it should be reachable from.
    pub requested_topologies: Option<TopologyRequest>,
    /// Where it is reachable from.
    pub topologies: Vec<Topology>,
    /// How nodes mount it.
    pub mount_options: Option<MountOptions>,
    /// What the provider wants to hear with each call.
    pub secrets: Secrets,
    /// For the provider, when it creates the volume.
    pub parameters: Labels,
    /// From the provider, for its node plugins.
    pub context: Labels,
    /// Its size in bytes, 0 when unknown.
    pub capacity: i64,
    /// The least size wanted, in bytes; 0 is no wish.
    pub requested_capacity_min: i64,
    /// The largest size wanted, in bytes; 0 is no wish.
    pub requested_capacity_max: i64,
    /// How it must be usable.
    pub requested_capabilities: Vec<Capability>,
    /// The volume that it is a copy of.
    pub clone_id: Box<str>,
    /// The snapshot that it was made from.
    pub snapshot_id: Box<str>,
}

/// Names the volume. What is for the provider may be secret, and is left out.
impl fmt::Debug for VolumeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VolumeSpec")
            .field("namespace", &self.namespace)
            .field("id", &self.id)
            .field("plugin_id", &self.plugin_id)
            .finish_non_exhaustive()
    }
}

/// Why a volume can't be right as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpecViolation {
    /// It has no ID.
    MissingId,
    /// It names no plugin.
    MissingPluginId,
    /// It has no namespace.
    MissingNamespace,
    /// It claims two origins.
    TwoOrigins,
    /// It doesn't say how it must be usable.
    NoCapability,
    /// A capability has an access mode that no CSI volume can have.
    AccessMode {
        /// The mode.
        mode: Box<str>,
    },
    /// A capability has an attachment mode that does not exist.
    AttachmentMode {
        /// The mode.
        mode: Box<str>,
    },
    /// A size is less than nothing.
    NegativeCapacity,
    /// One of the required topologies says nothing.
    RequiredWithoutSegments,
    /// One of the preferred topologies says nothing.
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
            Self::MissingId => "missing volume id",
            Self::MissingPluginId => "missing plugin id",
            Self::MissingNamespace => "missing namespace",
            Self::TwoOrigins => "only one of snapshot_id and clone_id is allowed",
            Self::NoCapability => "must include at least one capability block",
            Self::NegativeCapacity => "capacity must not be negative",
            Self::RequiredWithoutSegments => "required topology is missing segments field",
            Self::PreferredWithoutSegments => "preferred topology is missing segments field",
        })
    }
}

/// Everything that is wrong with a [`VolumeSpec`], in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSpecError {
    faults: Vec<SpecViolation>,
}

impl VolumeSpecError {
    /// The faults, at least one.
    pub fn faults(&self) -> &[SpecViolation] {
        &self.faults
    }
}

impl fmt::Display for VolumeSpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("validation: ")?;
        for (at, fault) in self.faults.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for VolumeSpecError {}

impl VolumeSpec {
    /// Checks what can be checked without looking anything up.
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
        let mut faults: Vec<SpecViolation> =
            checks.into_iter().filter_map(|(wrong, fault)| wrong.then_some(fault)).collect();
        faults.extend(self.requested_capabilities.iter().flat_map(mode_faults));
        if let Some(request) = &self.requested_topologies {
            for (topologies, fault) in [
                (&request.required, SpecViolation::RequiredWithoutSegments),
                (&request.preferred, SpecViolation::PreferredWithoutSegments),
            ] {
                let empty = topologies.iter().flatten().filter(|one| one.segments.is_empty());
                faults.extend(empty.map(|_| fault.clone()));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(VolumeSpecError { faults }) }
    }
}

/// The modes of a capability that do not exist: no claim on such a volume could ever succeed. An
/// empty mode stands for any.
fn mode_faults(capability: &Capability) -> impl Iterator<Item = SpecViolation> + use<> {
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
    fn all_faults_are_listed_in_order() {
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
