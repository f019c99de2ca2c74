//! The interface to a storage provider's controller.
//!
//! The requests follow the controller service of the [CSI specification]. A gRPC client, an
//! in-process store of files or a fake for tests implements [`CsiProvider`] and is added to
//! [`Providers`]. The operations of this crate build the requests and record the results; they
//! never call a provider while a write transaction is open.
//!
//! Every request MUST be idempotent: repeating a request that already took effect succeeds with the
//! same result.
//!
//! [CSI specification]: https://github.com/container-storage-interface/spec/blob/master/spec.md

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{
    modes::Capability,
    rows::{ControllerInfo, Labels, NodeInfo, Topology, TopologyRequest},
    secrets::Secrets,
};

/// A controller that creates, attaches and deletes volumes.
///
/// Calls may block on disks or on a network. The server calls concurrently for different volumes,
/// from several threads, and one after the other for one volume. An operation that the provider
/// does not support MUST fail with [`ProviderErrorKind::Unimplemented`]; the capabilities in its
/// [`ProviderInfo`] announce which those are.
pub trait CsiProvider: Send + Sync + fmt::Debug {
    /// Returns the provider's identity and capabilities; an error marks it unhealthy.
    fn probe(&self) -> Result<ProviderInfo, ProviderError>;

    /// Creates a volume, or returns the one that was created under the same name.
    fn create_volume(&self, request: &CreateVolume<'_>) -> Result<CreatedVolume, ProviderError>;

    /// Deletes a volume. Succeeds if it does not exist.
    fn delete_volume(&self, external_id: &str, secrets: &Secrets) -> Result<(), ProviderError>;

    /// Fails if a volume does not exist or does not support the requested capabilities.
    fn validate_volume(&self, request: &ValidateVolume<'_>) -> Result<(), ProviderError>;

    /// Expands a volume.
    fn expand_volume(&self, request: &ExpandVolume<'_>) -> Result<ExpandedVolume, ProviderError>;

    /// Attaches a volume to a node. Returns the publish context, which the node needs to use the
    /// volume.
    fn attach_volume(&self, request: &AttachVolume<'_>) -> Result<Labels, ProviderError>;

    /// Detaches a volume from a node. Succeeds if it is not attached.
    fn detach_volume(&self, request: &DetachVolume<'_>) -> Result<(), ProviderError>;

    /// Lists all volumes of the provider, including those that this server did not create.
    fn list_volumes(&self, page: &ProviderPage<'_>) -> Result<ExternalVolumes, ProviderError>;

    /// Creates a snapshot of a volume, or returns the one that was created under the same name.
    fn create_snapshot(&self, request: &CreateSnapshot<'_>) -> Result<Snapshot, ProviderError>;

    /// Deletes a snapshot. Succeeds if it does not exist.
    fn delete_snapshot(&self, id: &str, secrets: &Secrets) -> Result<(), ProviderError>;

    /// Lists the snapshots of the provider.
    fn list_snapshots(
        &self,
        page: &ProviderPage<'_>,
        secrets: &Secrets,
    ) -> Result<Snapshots, ProviderError>;
}

/// The identity and the capabilities of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderInfo {
    /// The name that the provider reports, such as `org.example.disks`.
    pub name: Box<str>,
    /// Its version.
    pub version: Box<str>,
    /// The capabilities of its controller.
    pub controller: ControllerInfo,
    /// The capabilities of its node service, and its own ID of the node it runs on.
    pub node: NodeInfo,
}

/// A request to create a volume.
#[derive(Clone, Copy, Debug)]
pub struct CreateVolume<'r> {
    /// The name; creating a volume twice under one name returns the same volume.
    pub name: &'r str,
    /// The minimum capacity in bytes; 0 for the provider's default.
    pub capacity_min: i64,
    /// The maximum capacity in bytes; 0 for no limit.
    pub capacity_max: i64,
    /// The capabilities that the volume must offer.
    pub capabilities: &'r [Capability],
    /// The source of its initial data.
    pub source: Option<VolumeSource<'r>>,
    /// The topologies that it must or should be accessible from.
    pub topologies: Option<&'r TopologyRequest>,
    /// Opaque parameters for the provider.
    pub parameters: &'r Labels,
    /// Secrets for the provider.
    pub secrets: &'r Secrets,
}

/// The source of a new volume's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeSource<'r> {
    /// A volume, by the provider's ID.
    Volume(&'r str),
    /// A snapshot, by the provider's ID.
    Snapshot(&'r str),
}

/// A volume that was created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatedVolume {
    /// The provider's ID.
    pub external_id: Box<str>,
    /// In bytes; 0 if the provider does not report it.
    pub capacity: i64,
    /// The volume context that each later request must carry.
    pub context: Labels,
    /// The topologies the volume is accessible from; empty for everywhere.
    pub topologies: Vec<Topology>,
}

/// A request to validate a volume before it is registered.
#[derive(Clone, Copy, Debug)]
pub struct ValidateVolume<'r> {
    /// The provider's ID.
    pub external_id: &'r str,
    /// The capabilities that the volume must offer.
    pub capabilities: &'r [Capability],
    /// Opaque parameters for the provider.
    pub parameters: &'r Labels,
    /// The volume context from its creation.
    pub context: &'r Labels,
    /// Secrets for the provider.
    pub secrets: &'r Secrets,
}

/// A request to expand a volume.
#[derive(Clone, Copy, Debug)]
pub struct ExpandVolume<'r> {
    /// The provider's ID.
    pub external_id: &'r str,
    /// The minimum capacity in bytes.
    pub capacity_min: i64,
    /// The maximum capacity in bytes; 0 for no limit.
    pub capacity_max: i64,
    /// Secrets for the provider.
    pub secrets: &'r Secrets,
}

/// A volume that was expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpandedVolume {
    /// The new capacity, in bytes.
    pub capacity: i64,
    /// Whether the nodes that use the volume must expand it too.
    pub node_expansion_required: bool,
}

/// A request to attach a volume to a node.
#[derive(Clone, Copy, Debug)]
pub struct AttachVolume<'r> {
    /// The provider's ID of the volume.
    pub external_id: &'r str,
    /// The provider's ID of the node.
    pub external_node_id: &'r str,
    /// Whether the node only reads it.
    pub read_only: bool,
    /// The capability that it is used with.
    pub capability: &'r Capability,
    /// The volume context from its creation.
    pub context: &'r Labels,
    /// Secrets for the provider.
    pub secrets: &'r Secrets,
}

/// A request to detach a volume from a node.
#[derive(Clone, Copy, Debug)]
pub struct DetachVolume<'r> {
    /// The provider's ID of the volume.
    pub external_id: &'r str,
    /// The provider's ID of the node.
    pub external_node_id: &'r str,
    /// Secrets for the provider.
    pub secrets: &'r Secrets,
}

/// A page of a provider's listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProviderPage<'r> {
    /// The maximum number of entries; 0 for the provider's default.
    pub entries_max: u32,
    /// The token of the previous page; empty for the first page.
    pub token: &'r str,
}

/// A page of the volumes of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalVolumes {
    /// In the provider's order.
    pub volumes: Vec<ExternalVolume>,
    /// The token of the next page; empty after the last.
    pub next_token: Box<str>,
}

/// A volume as its provider reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalVolume {
    /// The provider's ID.
    pub external_id: Box<str>,
    /// In bytes.
    pub capacity: i64,
    /// The volume context from its creation.
    pub context: Labels,
    /// The volume that it was copied from, if any.
    pub clone_id: Box<str>,
    /// The snapshot that it was created from, if any.
    pub snapshot_id: Box<str>,
    /// The nodes it is attached to, by the provider's IDs.
    pub attached_to: Vec<Box<str>>,
    /// Whether the provider reports it as abnormal.
    pub abnormal: bool,
    /// Human-readable reason for its condition.
    pub status: Box<str>,
}

/// A request to create a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct CreateSnapshot<'r> {
    /// The provider's ID of the volume.
    pub external_id: &'r str,
    /// The name; creating a snapshot twice under one name returns the same snapshot.
    pub name: &'r str,
    /// Opaque parameters for the provider.
    pub parameters: &'r Labels,
    /// Secrets for the provider.
    pub secrets: &'r Secrets,
}

/// A snapshot as its provider reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The provider's ID.
    pub id: Box<str>,
    /// The provider's ID of its source volume.
    pub external_volume_id: Box<str>,
    /// In bytes.
    pub size: i64,
    /// Its creation time, in unix seconds.
    pub create_time: i64,
    /// Whether volumes can be created from it already.
    pub ready: bool,
}

/// A page of the snapshots of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshots {
    /// In the provider's order.
    pub snapshots: Vec<Snapshot>,
    /// The token of the next page; empty after the last.
    pub next_token: Box<str>,
}

/// An error of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    kind: ProviderErrorKind,
    message: Box<str>,
}

impl ProviderError {
    /// Creates an error with a human-readable message.
    pub fn new(kind: ProviderErrorKind, message: impl Into<Box<str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> ProviderErrorKind {
        self.kind
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ProviderError {}

/// The kinds of [`ProviderError`]: the gRPC status codes that CSI assigns a meaning to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProviderErrorKind {
    /// The request is malformed.
    InvalidArgument,
    /// The volume or snapshot does not exist.
    NotFound,
    /// The name belongs to a different object.
    AlreadyExists,
    /// The state of the volume forbids the request: it is attached, or has snapshots.
    FailedPrecondition,
    /// The requested capacity is not available.
    OutOfRange,
    /// Another resource is exhausted.
    ResourceExhausted,
    /// The provider does not support the operation.
    Unimplemented,
    /// The provider cannot be reached now.
    Unavailable,
    /// The provider failed internally.
    Internal,
}

/// The registered providers, by plugin ID.
#[derive(Clone, Debug, Default)]
pub struct Providers(BTreeMap<Box<str>, Arc<dyn CsiProvider>>);

impl Providers {
    /// Adds a provider, or replaces the one of the same plugin.
    pub fn insert(&mut self, plugin_id: impl Into<Box<str>>, provider: Arc<dyn CsiProvider>) {
        self.0.insert(plugin_id.into(), provider);
    }

    /// Returns the provider of a plugin.
    pub fn get(&self, plugin_id: &str) -> Option<&dyn CsiProvider> {
        self.0.get(plugin_id).map(|provider| &**provider)
    }

    /// Returns all providers, ordered by plugin ID.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &dyn CsiProvider)> {
        self.0.iter().map(|(plugin_id, provider)| (&**plugin_id, &**provider))
    }
}
