//! Whose fault an error is, so that a server can answer with the right status without knowing each
//! error.

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

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// The request can't be right as it was sent, whatever the state.
    Request,
    /// What the request is about doesn't exist.
    NotFound,
    /// Another state would allow the same request.
    Conflict,
    /// A node or a storage provider would have to help, and failed or can't be asked.
    Provider,
    /// A storage provider has no room left, or its disk takes no writes: the same request succeeds once an
    /// operator freed space.
    Exhausted,
    /// The store failed.
    Storage,
}

/// An error of an operation. Its text is for the client.
pub trait OperationError: std::fmt::Display {
    /// Whose fault it is.
    fn class(&self) -> ErrorClass;
}

impl OperationError for WriteError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::KeyTooLong { .. } | Self::Unstorable { .. } => ErrorClass::Request,
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
            Self::MissingDefinition
            | Self::Invalid(_)
            | Self::NoPlugin { .. }
            | Self::NoNamespace { .. }
            | Self::NoController
            | Self::CreateUnsupported
            | Self::IdentityChanged { .. } => ErrorClass::Request,
            Self::Controller(error) => error.class(),
            Self::NoHealthyControllers { .. } | Self::DataTaken { .. } => ErrorClass::Conflict,
            Self::Update(error) => error.class(),
            Self::Store(error) => error.class(),
        }
    }
}

impl OperationError for UpdateError {
    fn class(&self) -> ErrorClass {
        match self {
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
            Self::Update { faults, .. } => {
                let in_use = |fault: &_| matches!(fault, HostUpdateViolation::InUse { .. });
                if faults.errors().iter().all(in_use) {
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
            | Self::Placement { fault: PlacementError::NoNode { .. }, .. }
            | Self::Node { error: HostProviderError::Invalid(_), .. } => ErrorClass::Request,
            Self::NotFound { .. } => ErrorClass::NotFound,
            Self::Placement { .. }
            | Self::NamespaceGone { .. }
            | Self::NodeGone { .. }
            | Self::NameTaken
            | Self::InUse { .. }
            | Self::InUseBy { .. }
            | Self::NeedsForce => ErrorClass::Conflict,
            Self::Node { error: HostProviderError::Exhausted(_), .. } => ErrorClass::Exhausted,
            Self::Node { .. } => ErrorClass::Provider,
            Self::Store(error) => error.class(),
        }
    }
}

impl OperationError for ControllerError {
    fn class(&self) -> ErrorClass {
        match self.error().kind() {
            // The caller's mistakes, which the provider found. ErrorClass::Provider is for those that fail.
            ProviderErrorKind::InvalidArgument
            | ProviderErrorKind::OutOfRange
            | ProviderErrorKind::Unimplemented => ErrorClass::Request,
            ProviderErrorKind::NotFound => ErrorClass::NotFound,
            ProviderErrorKind::AlreadyExists | ProviderErrorKind::FailedPrecondition => {
                ErrorClass::Conflict
            }
            ProviderErrorKind::ResourceExhausted => ErrorClass::Exhausted,
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
            Self::MissingIds | Self::NoController { .. } | Self::NoPlugin { .. } => {
                ErrorClass::Request
            }
            Self::NotFound { .. } => ErrorClass::NotFound,
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

/// The fault of the first error.
impl<E: OperationError> OperationError for MultiError<E> {
    fn class(&self) -> ErrorClass {
        self.errors().first().map_or(ErrorClass::Request, OperationError::class)
    }
}
