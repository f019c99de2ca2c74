//! What a storage provider's controller can be asked to do, and what it answers.
//!
//! The requests follow the controller service of the [CSI specification]: whoever has a gRPC
//! client, an in-process store of files or a fake for tests implements [`CsiProvider`] and puts it
//! into [`Providers`]. The operations of this crate say what to ask and make rows of the answers;
//! they never call a provider while a write transaction is open.
//!
//! Every request is idempotent: asking again for what is already so is a success with the same
//! answer.
//!
//! [CSI specification]: https://github.com/container-storage-interface/spec/blob/master/spec.md

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{
    modes::Capability,
    rows::{ControllerInfo, Labels, NodeInfo, Topology, TopologyRequest},
    secrets::Secrets,
};

/// A controller that makes, attaches and removes volumes.
///
/// Calls may block: on disks, or on a network. Calls for different volumes come at the same time, from
/// several threads; for one volume one after the other, as far as the server knows it. What it can't do it answers with
/// [`ProviderErrorKind::Unimplemented`]; the capabilities in its [`ProviderInfo`] say so beforehand.
pub trait CsiProvider: Send + Sync + fmt::Debug {
    /// Says what it is and what it can do. An error says that it isn't well.
    fn probe(&self) -> Result<ProviderInfo, ProviderError>;

    /// Makes a volume, or finds the one that was made for the same name.
    fn create_volume(&self, request: &CreateVolume<'_>) -> Result<CreatedVolume, ProviderError>;

    /// Removes a volume. One that isn't there is a success.
    fn delete_volume(&self, external_id: &str, secrets: &Secrets) -> Result<(), ProviderError>;

    /// Says whether a volume exists and can be used as asked.
    fn validate_volume(&self, request: &ValidateVolume<'_>) -> Result<(), ProviderError>;

    /// Makes a volume larger.
    fn expand_volume(&self, request: &ExpandVolume<'_>) -> Result<ExpandedVolume, ProviderError>;

    /// Attaches a volume to a node; gives what the node needs to know to use it.
    fn attach_volume(&self, request: &AttachVolume<'_>) -> Result<Labels, ProviderError>;

    /// Detaches a volume from a node. One that isn't attached is a success.
    fn detach_volume(&self, request: &DetachVolume<'_>) -> Result<(), ProviderError>;

    /// Lists the volumes that the provider has, whoever made them.
    fn list_volumes(&self, page: &ProviderPage<'_>) -> Result<ExternalVolumes, ProviderError>;

    /// Takes a snapshot of a volume, or finds the one that was taken under the same name.
    fn create_snapshot(&self, request: &CreateSnapshot<'_>) -> Result<Snapshot, ProviderError>;

    /// Removes a snapshot. One that isn't there is a success.
    fn delete_snapshot(&self, id: &str, secrets: &Secrets) -> Result<(), ProviderError>;

    /// Lists the snapshots that the provider has.
    fn list_snapshots(
        &self,
        page: &ProviderPage<'_>,
        secrets: &Secrets,
    ) -> Result<Snapshots, ProviderError>;
}

/// What a provider is and can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderInfo {
    /// The name that the provider gives itself, such as `org.example.disks`.
    pub name: Box<str>,
    /// Its version.
    pub version: Box<str>,
    /// What its controller can do.
    pub controller: ControllerInfo,
    /// What its node service can do, and what it calls the node it runs on.
    pub node: NodeInfo,
}

/// A volume to be made.
#[derive(Clone, Copy, Debug)]
pub struct CreateVolume<'r> {
    /// The name; making a volume twice under one name gives the same volume.
    pub name: &'r str,
    /// The least capacity in bytes; 0 for whatever the provider likes.
    pub capacity_min: i64,
    /// The largest capacity in bytes; 0 for no limit.
    pub capacity_max: i64,
    /// How the volume is to be usable.
    pub capabilities: &'r [Capability],
    /// What the volume starts as a copy of.
    pub source: Option<VolumeSource<'r>>,
    /// From where it must or should be reachable.
    pub topologies: Option<&'r TopologyRequest>,
    /// For the provider only.
    pub parameters: &'r Labels,
    /// For the provider only.
    pub secrets: &'r Secrets,
}

/// What a new volume starts as a copy of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeSource<'r> {
    /// A volume, by the provider's ID.
    Volume(&'r str),
    /// A snapshot, by the provider's ID.
    Snapshot(&'r str),
}

/// A volume that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatedVolume {
    /// The provider's ID.
    pub external_id: Box<str>,
    /// In bytes; 0 if the provider doesn't say.
    pub capacity: i64,
    /// What the provider wants to be told with each later request.
    pub context: Labels,
    /// From where the volume is reachable; empty for everywhere.
    pub topologies: Vec<Topology>,
}

/// A volume that somebody wants to register.
#[derive(Clone, Copy, Debug)]
pub struct ValidateVolume<'r> {
    /// The provider's ID.
    pub external_id: &'r str,
    /// How the volume is to be usable.
    pub capabilities: &'r [Capability],
    /// For the provider only.
    pub parameters: &'r Labels,
    /// What the provider said when the volume was made.
    pub context: &'r Labels,
    /// For the provider only.
    pub secrets: &'r Secrets,
}

/// A volume to be made larger.
#[derive(Clone, Copy, Debug)]
pub struct ExpandVolume<'r> {
    /// The provider's ID.
    pub external_id: &'r str,
    /// The least capacity in bytes.
    pub capacity_min: i64,
    /// The largest capacity in bytes; 0 for no limit.
    pub capacity_max: i64,
    /// For the provider only.
    pub secrets: &'r Secrets,
}

/// A volume that was made larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpandedVolume {
    /// The capacity it has now, in bytes.
    pub capacity: i64,
    /// Whether the nodes that use the volume have to be told.
    pub node_expansion_required: bool,
}

/// A volume to be attached to a node.
#[derive(Clone, Copy, Debug)]
pub struct AttachVolume<'r> {
    /// The provider's ID of the volume.
    pub external_id: &'r str,
    /// The provider's ID of the node.
    pub external_node_id: &'r str,
    /// Whether for reading only.
    pub read_only: bool,
    /// How it is to be used.
    pub capability: &'r Capability,
    /// What the provider said when the volume was made.
    pub context: &'r Labels,
    /// For the provider only.
    pub secrets: &'r Secrets,
}

/// A volume to be detached from a node.
#[derive(Clone, Copy, Debug)]
pub struct DetachVolume<'r> {
    /// The provider's ID of the volume.
    pub external_id: &'r str,
    /// The provider's ID of the node.
    pub external_node_id: &'r str,
    /// For the provider only.
    pub secrets: &'r Secrets,
}

/// Which part of a provider's listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProviderPage<'r> {
    /// At most as many entries; 0 for as many as the provider likes.
    pub entries_max: u32,
    /// Where to go on: the token of the page before, empty for the first page.
    pub token: &'r str,
}

/// A page of the volumes that a provider has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalVolumes {
    /// In the provider's order.
    pub volumes: Vec<ExternalVolume>,
    /// The token of the next page; empty after the last.
    pub next_token: Box<str>,
}

/// A volume as its provider tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalVolume {
    /// The provider's ID.
    pub external_id: Box<str>,
    /// In bytes.
    pub capacity: i64,
    /// What the provider said when the volume was made.
    pub context: Labels,
    /// The volume that this one was copied from, if any.
    pub clone_id: Box<str>,
    /// The snapshot that this one was made from, if any.
    pub snapshot_id: Box<str>,
    /// The nodes it is attached to, by the provider's IDs.
    pub attached_to: Vec<Box<str>>,
    /// Whether something is wrong with it.
    pub abnormal: bool,
    /// What, for people.
    pub status: Box<str>,
}

/// A snapshot to be taken.
#[derive(Clone, Copy, Debug)]
pub struct CreateSnapshot<'r> {
    /// The provider's ID of the volume.
    pub external_id: &'r str,
    /// The name; taking a snapshot twice under one name gives the same snapshot.
    pub name: &'r str,
    /// For the provider only.
    pub parameters: &'r Labels,
    /// For the provider only.
    pub secrets: &'r Secrets,
}

/// A snapshot as its provider tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The provider's ID.
    pub id: Box<str>,
    /// The provider's ID of the volume it was taken of.
    pub external_volume_id: Box<str>,
    /// In bytes.
    pub size: i64,
    /// When it was taken, in unix seconds.
    pub create_time: i64,
    /// Whether volumes can be made from it already.
    pub ready: bool,
}

/// A page of the snapshots that a provider has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshots {
    /// In the provider's order.
    pub snapshots: Vec<Snapshot>,
    /// The token of the next page; empty after the last.
    pub next_token: Box<str>,
}

/// Why a provider didn't do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    kind: ProviderErrorKind,
    message: Box<str>,
}

impl ProviderError {
    /// An error with a text for people.
    pub fn new(kind: ProviderErrorKind, message: impl Into<Box<str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What kind of error it is.
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

/// The kinds of [`ProviderError`]: those of gRPC's status codes that CSI gives a meaning to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProviderErrorKind {
    /// The request makes no sense as it is.
    InvalidArgument,
    /// There is no such volume or snapshot.
    NotFound,
    /// The name is taken by something else.
    AlreadyExists,
    /// The volume is in another state: it is attached, or has snapshots.
    FailedPrecondition,
    /// There is no room for so many bytes.
    OutOfRange,
    /// Some other resource is used up.
    ResourceExhausted,
    /// The provider can't do that.
    Unimplemented,
    /// The provider can't be reached now; later it may.
    Unavailable,
    /// Something went wrong on the provider's side.
    Internal,
}

/// The providers that can be reached, by the ID of their plugin.
#[derive(Clone, Debug, Default)]
pub struct Providers(BTreeMap<Box<str>, Arc<dyn CsiProvider>>);

impl Providers {
    /// Adds a provider, or replaces the one of the same plugin.
    pub fn insert(&mut self, plugin_id: impl Into<Box<str>>, provider: Arc<dyn CsiProvider>) {
        self.0.insert(plugin_id.into(), provider);
    }

    /// The provider of a plugin.
    pub fn get(&self, plugin_id: &str) -> Option<&dyn CsiProvider> {
        self.0.get(plugin_id).map(|provider| &**provider)
    }

    /// All of them, in the order of their plugins' IDs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &dyn CsiProvider)> {
        self.0.iter().map(|(plugin_id, provider)| (&**plugin_id, &**provider))
    }
}
