//! Classes of errors, so that a server can choose an HTTP status without knowing each error type.

use statehold_store::WriteError;

use crate::{
    claim_state::ClaimRejection,
    controller::{ControllerError, PluginLookupError},
    fmt::MultiError,
    host_volume_spec::HostUpdateViolation,
    id::IdError,
    input::DecodeError,
    ops::{
        AttachError, ClaimError, CreateError, DeleteError, DeregisterError, DetachError,
        ExternalListError, GroupClaimError, HostProviderError, HostVolumeError, JobError,
        NamespaceError, NodeError, OwnershipError, PlacementError, RegisterError, SnapshotError,
        UnpublishError,
    },
    provider::ProviderErrorKind,
    release::ReleaseBlocker,
    search::UnknownContext,
    update::{CapacityError, UpdateError},
};

/// The class of an error: which party must act before the request can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// The request is invalid in any state.
    Request,
    /// The object of the request does not exist.
    NotFound,
    /// The request is valid, and the current state forbids it.
    Conflict,
    /// A node or a storage provider failed or cannot be reached.
    Provider,
    /// A storage provider has no room left, or its disk rejects writes: the same request succeeds
    /// once an operator has freed space.
    Exhausted,
    /// The store failed.
    Storage,
}

/// An error of an operation. `Display` is the message for the client.
pub trait OperationError: std::fmt::Display {
    /// Returns the class of the error.
    fn class(&self) -> ErrorClass;
}

impl OperationError for WriteError {
    fn class(&self) -> ErrorClass {
        match self {
            // The row itself cannot be stored, so a retry of the same request fails again.
            Self::KeyTooLong { .. } | Self::Unstorable { .. } => ErrorClass::Request,
            // Another row or another writer is in the way; the request may succeed later.
            Self::NotUnique { .. } | Self::Unexpected { .. } => ErrorClass::Conflict,
            _ => ErrorClass::Storage,
        }
    }
}

impl OperationError for DecodeError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }
}

impl OperationError for IdError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }
}

impl OperationError for UnknownContext {
    fn class(&self) -> ErrorClass {
        ErrorClass::Request
    }
}

impl OperationError for NodeError {
    fn class(&self) -> ErrorClass {
        match self {
            // Both are checked on the report alone.
            Self::InvalidStatus { .. } | Self::AllPool => ErrorClass::Request,
            Self::NotFound { .. } => ErrorClass::NotFound,
            Self::VolumeInUse { .. } => ErrorClass::Conflict,
            Self::Store(error) => error.class(),
        }
    }
}

impl OperationError for JobError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::MissingId => ErrorClass::Request,
            Self::NotFound => ErrorClass::NotFound,
            Self::Store(error) => error.class(),
        }
    }
}

impl OperationError for NamespaceError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::InvalidName { .. }
            | Self::LongDescription
            | Self::NoQuota { .. }
            | Self::AllowedAndDenied { .. }
            | Self::IsDefault => ErrorClass::Request,
            Self::NotFound => ErrorClass::NotFound,
            Self::HasJob { .. }
            | Self::HasVolume { .. }
            | Self::HasHostVolume { .. }
            | Self::HasGroupClaim { .. } => ErrorClass::Conflict,
            Self::Store(error) => error.class(),
        }
    }
}

impl OperationError for RegisterError {
    fn class(&self) -> ErrorClass {
        match self {
            // A missing plugin or namespace is named by the body, not by the path, so it is no 404.
            Self::MissingDefinition
            | Self::Invalid(_)
            | Self::NoPlugin { .. }
            | Self::NoNamespace { .. }
            | Self::NoController
            | Self::CreateUnsupported
            | Self::IdentityChanged { .. } => ErrorClass::Request,
            Self::Controller(error) => error.class(),
            // A controller may become healthy, and the other volume may be deregistered.
            Self::NoHealthyControllers { .. } | Self::DataTaken { .. } => ErrorClass::Conflict,
            Self::Update(error) => error.class(),
            Self::Store(error) => error.class(),
        }
    }
}

impl OperationError for UpdateError {
    fn class(&self) -> ErrorClass {
        match self {
            // The request is valid: it only lacks a provider that this server can reach.
            Self::Capacity(CapacityError::NoController) => ErrorClass::Provider,
            Self::Capacity(CapacityError::Expand(error)) => error.class(),
            Self::Merge(_) | Self::Capacity(_) => ErrorClass::Request,
        }
    }
}

impl OperationError for DeregisterError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::MissingIds => ErrorClass::Request,
            Self::NotFound { .. } => ErrorClass::NotFound,
            Self::InUse { .. } => ErrorClass::Conflict,
            Self::Store(error) => error.class(),
        }
    }
}

impl OperationError for ClaimError {
    fn class(&self) -> ErrorClass {
        match self {
            // The allocation is named by the body, like the modes.
            Self::MissingVolumeId
            | Self::UnknownAllocation { .. }
            | Self::UnknownMode { .. }
            | Self::Refused { cause: ClaimRejection::AllocationMissing { .. }, .. } => {
                ErrorClass::Request
            }
            Self::VolumeNotFound { .. } => ErrorClass::NotFound,
            Self::Refused { .. } => ErrorClass::Conflict,
            Self::Store(error) => error.class(),
        }
    }
}

impl OperationError for UnpublishError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::MissingVolumeId | Self::MissingClaim => ErrorClass::Request,
            Self::NoVolume => ErrorClass::NotFound,
            Self::Store(error) => error.class(),
        }
    }
}

impl OperationError for ReleaseBlocker {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Controller { .. } => ErrorClass::Provider,
            Self::Failed { error } => error.class(),
            // An operator or the node can change the state, so the loop over overdue claims
            // retries.
            Self::Node { .. } | Self::NoPlugin { .. } | Self::NoExternalNode { .. } => {
                ErrorClass::Conflict
            }
        }
    }
}

impl OperationError for AttachError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NoClaim { .. } => ErrorClass::Request,
            // The claim was granted; its node may be registered again or report its plugin.
            Self::UnknownNode { .. } | Self::NoExternalNode { .. } => ErrorClass::Conflict,
            Self::Controller(error) => error.class(),
        }
    }
}

impl OperationError for DetachError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NoVolume => ErrorClass::NotFound,
            Self::InUse { .. } => ErrorClass::Conflict,
        }
    }
}

impl OperationError for GroupClaimError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NotFound => ErrorClass::NotFound,
            Self::Store(error) => error.class(),
        }
    }
}

impl OperationError for HostVolumeError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Update { violations, .. } => {
                // Only the end of an allocation resolves the conflict. Any other violation needs a
                // new request.
                let in_use = |violation: &_| matches!(violation, HostUpdateViolation::InUse { .. });
                if violations.errors().iter().all(in_use) {
                    ErrorClass::Conflict
                } else {
                    ErrorClass::Request
                }
            }
            Self::MissingNodeId
            | Self::MissingHostPath
            | Self::MissingId
            | Self::Invalid(_)
            | Self::NoNamespace { .. }
            | Self::NothingToUpdate { .. }
            | Self::State { .. }
            // The request names the node itself, unlike a placement that found none feasible.
            | Self::Placement { error: PlacementError::NoNode { .. }, .. }
            | Self::Node { error: HostProviderError::Invalid(_), .. } => ErrorClass::Request,
            Self::NotFound { .. } => ErrorClass::NotFound,
            // Each of these may change with the nodes, the allocations or the other volumes.
            Self::Placement { .. }
            | Self::NamespaceGone { .. }
            | Self::NodeGone { .. }
            | Self::NameTaken
            | Self::InUse { .. }
            | Self::InUseBy { .. }
            | Self::NeedsForce => ErrorClass::Conflict,
            // Distinct from a failure of the node: an operator has to free space.
            Self::Node { error: HostProviderError::Exhausted(_), .. } => ErrorClass::Exhausted,
            Self::Node { .. } => ErrorClass::Provider,
            Self::Store(error) => error.class(),
        }
    }
}

impl OperationError for ControllerError {
    fn class(&self) -> ErrorClass {
        match self.error().kind() {
            // The caller's mistakes, found by the provider. `ErrorClass::Provider` is for providers
            // that fail.
            ProviderErrorKind::InvalidArgument
            | ProviderErrorKind::OutOfRange
            | ProviderErrorKind::Unimplemented => ErrorClass::Request,
            ProviderErrorKind::NotFound => ErrorClass::NotFound,
            ProviderErrorKind::AlreadyExists | ProviderErrorKind::FailedPrecondition => {
                ErrorClass::Conflict
            }
            // CSI maps a full pool to this code; retrying at once cannot help.
            ProviderErrorKind::ResourceExhausted => ErrorClass::Exhausted,
            // The provider's own failure, which a proxy reports as a bad gateway.
            ProviderErrorKind::Unavailable | ProviderErrorKind::Internal => ErrorClass::Provider,
        }
    }
}

impl OperationError for PluginLookupError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NoPlugin => ErrorClass::NotFound,
            Self::Ambiguous { .. } => ErrorClass::Request,
        }
    }
}

impl OperationError for CreateError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::MissingName => ErrorClass::Request,
            Self::NameTaken { .. } => ErrorClass::Conflict,
            Self::Update(error) => error.class(),
            Self::Controller(error) => error.class(),
        }
    }
}

impl OperationError for DeleteError {
    fn class(&self) -> ErrorClass {
        match self {
            // A volume without a controller can only be deregistered, never deleted.
            Self::MissingIds | Self::NoController { .. } | Self::NoPlugin { .. } => {
                ErrorClass::Request
            }
            Self::NotFound { .. } => ErrorClass::NotFound,
            // A release or a deregistration of the other volume resolves these.
            Self::InUse { .. } | Self::Shared { .. } => ErrorClass::Conflict,
            Self::Controller(error) => error.class(),
        }
    }
}

impl OperationError for SnapshotError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::MissingPluginId
            | Self::MissingSnapshotId
            | Self::NoVolume { .. }
            | Self::NoPlugin { .. }
            | Self::Unsupported { .. } => ErrorClass::Request,
            Self::Lookup(error) => error.class(),
            Self::Create(error) | Self::Delete { error, .. } => error.class(),
        }
    }
}

impl OperationError for OwnershipError {
    fn class(&self) -> ErrorClass {
        match self {
            // The request itself is valid: with a management token it succeeds.
            Self::ForeignData { .. }
            | Self::ForeignSnapshot { .. }
            | Self::UnknownSource { .. } => ErrorClass::Conflict,
            Self::Controller(error) => error.class(),
        }
    }
}

impl OperationError for ExternalListError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Lookup(error) => error.class(),
            Self::VolumesUnsupported | Self::SnapshotsUnsupported => ErrorClass::Request,
            Self::Controller(error) => error.class(),
        }
    }
}

/// Returns the class of the first error.
impl<E: OperationError> OperationError for MultiError<E> {
    fn class(&self) -> ErrorClass {
        self.errors().first().map_or(ErrorClass::Request, OperationError::class)
    }
}
