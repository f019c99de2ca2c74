//! Whose fault an error is, so that a server can answer with the right status without knowing each
//! error.

use statehold_store::WriteError;

use crate::{
    claim::ClaimRefusal,
    host_spec::HostUpdateFault,
    id::IdError,
    input::DecodeError,
    merge::{CapacityError, UpdateError},
    ops::{
        AttachError, ClaimError, ControllerError, CreateFault, DeleteError, DeregisterError,
        DetachError, ExternalListError, GroupClaimError, Holdup, HostProviderError,
        HostVolumeError, JobError, NamespaceError, NodeError, OwnershipError, PlacementFault,
        PluginLookupError, RegisterError, SnapshotFault, UnpublishError,
    },
    provider::ProviderErrorKind,
    search::UnknownContext,
    text::MultiError,
};

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
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
    fn fault(&self) -> Fault;
}

impl OperationError for WriteError {
    fn fault(&self) -> Fault {
        match self {
            Self::KeyTooLong { .. } | Self::Unstorable { .. } => Fault::Request,
            Self::NotUnique { .. } | Self::Unexpected { .. } => Fault::Conflict,
            _ => Fault::Storage,
        }
    }
}

impl OperationError for DecodeError {
    fn fault(&self) -> Fault {
        Fault::Request
    }
}

impl OperationError for IdError {
    fn fault(&self) -> Fault {
        Fault::Request
    }
}

impl OperationError for UnknownContext {
    fn fault(&self) -> Fault {
        Fault::Request
    }
}

impl OperationError for NodeError {
    fn fault(&self) -> Fault {
        match self {
            Self::InvalidStatus { .. } | Self::AllPool => Fault::Request,
            Self::NotFound { .. } => Fault::NotFound,
            Self::VolumeInUse { .. } => Fault::Conflict,
            Self::Store(error) => error.fault(),
        }
    }
}

impl OperationError for JobError {
    fn fault(&self) -> Fault {
        match self {
            Self::MissingId => Fault::Request,
            Self::NotFound => Fault::NotFound,
            Self::Store(error) => error.fault(),
        }
    }
}

impl OperationError for NamespaceError {
    fn fault(&self) -> Fault {
        match self {
            Self::InvalidName { .. }
            | Self::LongDescription
            | Self::NoQuota { .. }
            | Self::AllowedAndDenied { .. }
            | Self::IsDefault => Fault::Request,
            Self::NotFound => Fault::NotFound,
            Self::HasJob { .. }
            | Self::HasVolume { .. }
            | Self::HasHostVolume { .. }
            | Self::HasGroupClaim { .. } => Fault::Conflict,
            Self::Store(error) => error.fault(),
        }
    }
}

impl OperationError for RegisterError {
    fn fault(&self) -> Fault {
        match self {
            Self::MissingDefinition
            | Self::Invalid(_)
            | Self::NoPlugin { .. }
            | Self::NoNamespace { .. }
            | Self::NoController
            | Self::CreateUnsupported
            | Self::IdentityChanged { .. } => Fault::Request,
            Self::Controller(error) => error.fault(),
            Self::NoHealthyControllers { .. } | Self::DataTaken { .. } => Fault::Conflict,
            Self::Update(error) => error.fault(),
            Self::Store(error) => error.fault(),
        }
    }
}

impl OperationError for UpdateError {
    fn fault(&self) -> Fault {
        match self {
            Self::Capacity(CapacityError::NoController) => Fault::Provider,
            Self::Capacity(CapacityError::Expand(error)) => error.fault(),
            Self::Merge(_) | Self::Capacity(_) => Fault::Request,
        }
    }
}

impl OperationError for DeregisterError {
    fn fault(&self) -> Fault {
        match self {
            Self::MissingIds => Fault::Request,
            Self::NotFound { .. } => Fault::NotFound,
            Self::InUse { .. } => Fault::Conflict,
            Self::Store(error) => error.fault(),
        }
    }
}

impl OperationError for ClaimError {
    fn fault(&self) -> Fault {
        match self {
            Self::MissingVolumeId
            | Self::UnknownAllocation { .. }
            | Self::UnknownMode { .. }
            | Self::Refused { cause: ClaimRefusal::AllocationMissing { .. }, .. } => Fault::Request,
            Self::VolumeNotFound { .. } => Fault::NotFound,
            Self::Refused { .. } => Fault::Conflict,
            Self::Store(error) => error.fault(),
        }
    }
}

impl OperationError for UnpublishError {
    fn fault(&self) -> Fault {
        match self {
            Self::MissingVolumeId | Self::MissingClaim => Fault::Request,
            Self::NoVolume => Fault::NotFound,
            Self::Store(error) => error.fault(),
        }
    }
}

impl OperationError for Holdup {
    fn fault(&self) -> Fault {
        match self {
            Self::Controller { .. } => Fault::Provider,
            Self::Failed { error } => error.fault(),
            Self::Node { .. } | Self::NoPlugin { .. } | Self::NoExternalNode { .. } => {
                Fault::Conflict
            }
        }
    }
}

impl OperationError for AttachError {
    fn fault(&self) -> Fault {
        match self {
            Self::NoClaim { .. } => Fault::Request,
            Self::UnknownNode { .. } | Self::NoExternalNode { .. } => Fault::Conflict,
            Self::Controller(error) => error.fault(),
        }
    }
}

impl OperationError for DetachError {
    fn fault(&self) -> Fault {
        match self {
            Self::NoVolume => Fault::NotFound,
            Self::InUse { .. } => Fault::Conflict,
        }
    }
}

impl OperationError for GroupClaimError {
    fn fault(&self) -> Fault {
        match self {
            Self::NotFound => Fault::NotFound,
            Self::Store(error) => error.fault(),
        }
    }
}

impl OperationError for HostVolumeError {
    fn fault(&self) -> Fault {
        match self {
            Self::Update { faults, .. } => {
                let in_use = |fault: &_| matches!(fault, HostUpdateFault::InUse { .. });
                if faults.errors().iter().all(in_use) { Fault::Conflict } else { Fault::Request }
            }
            Self::MissingNodeId
            | Self::MissingHostPath
            | Self::MissingId
            | Self::Invalid(_)
            | Self::NoNamespace { .. }
            | Self::NothingToUpdate { .. }
            | Self::State { .. }
            | Self::Placement { fault: PlacementFault::NoNode { .. }, .. }
            | Self::Node { error: HostProviderError::Invalid(_), .. } => Fault::Request,
            Self::NotFound { .. } => Fault::NotFound,
            Self::Placement { .. }
            | Self::NamespaceGone { .. }
            | Self::NodeGone { .. }
            | Self::NameTaken
            | Self::InUse { .. }
            | Self::InUseBy { .. }
            | Self::NeedsForce => Fault::Conflict,
            Self::Node { error: HostProviderError::Exhausted(_), .. } => Fault::Exhausted,
            Self::Node { .. } => Fault::Provider,
            Self::Store(error) => error.fault(),
        }
    }
}

impl OperationError for ControllerError {
    fn fault(&self) -> Fault {
        match self.error().kind() {
            // The caller's mistakes, which the provider found. Fault::Provider is for those that fail.
            ProviderErrorKind::InvalidArgument
            | ProviderErrorKind::OutOfRange
            | ProviderErrorKind::Unimplemented => Fault::Request,
            ProviderErrorKind::NotFound => Fault::NotFound,
            ProviderErrorKind::AlreadyExists | ProviderErrorKind::FailedPrecondition => {
                Fault::Conflict
            }
            ProviderErrorKind::ResourceExhausted => Fault::Exhausted,
            ProviderErrorKind::Unavailable | ProviderErrorKind::Internal => Fault::Provider,
        }
    }
}

impl OperationError for PluginLookupError {
    fn fault(&self) -> Fault {
        match self {
            Self::NoPlugin => Fault::NotFound,
            Self::Ambiguous { .. } => Fault::Request,
        }
    }
}

impl OperationError for CreateFault {
    fn fault(&self) -> Fault {
        match self {
            Self::MissingName => Fault::Request,
            Self::NameTaken { .. } => Fault::Conflict,
            Self::Update(error) => error.fault(),
            Self::Controller(error) => error.fault(),
        }
    }
}

impl OperationError for DeleteError {
    fn fault(&self) -> Fault {
        match self {
            Self::MissingIds | Self::NoController { .. } | Self::NoPlugin { .. } => Fault::Request,
            Self::NotFound { .. } => Fault::NotFound,
            Self::InUse { .. } | Self::Shared { .. } => Fault::Conflict,
            Self::Controller(error) => error.fault(),
        }
    }
}

impl OperationError for SnapshotFault {
    fn fault(&self) -> Fault {
        match self {
            Self::MissingPluginId
            | Self::MissingSnapshotId
            | Self::NoVolume { .. }
            | Self::NoPlugin { .. }
            | Self::Unsupported { .. } => Fault::Request,
            Self::Lookup(error) => error.fault(),
            Self::Create(error) | Self::Delete { error, .. } => error.fault(),
        }
    }
}

impl OperationError for OwnershipError {
    fn fault(&self) -> Fault {
        match self {
            Self::ForeignData { .. }
            | Self::ForeignSnapshot { .. }
            | Self::UnknownSource { .. } => Fault::Conflict,
            Self::Controller(error) => error.fault(),
        }
    }
}

impl OperationError for ExternalListError {
    fn fault(&self) -> Fault {
        match self {
            Self::Lookup(error) => error.fault(),
            Self::VolumesUnsupported | Self::SnapshotsUnsupported => Fault::Request,
            Self::Controller(error) => error.fault(),
        }
    }
}

/// The fault of the first error.
impl<E: OperationError> OperationError for MultiError<E> {
    fn fault(&self) -> Fault {
        self.errors().first().map_or(Fault::Request, OperationError::fault)
    }
}
