//! CSI volumes.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, IndexSet, KeyRange, OldRow, Order, ReadView, RowError, Table};

use super::{
    Claim, CsiClaim, Labels,
    old::{ClaimV1, CsiVolumeV2},
};
use crate::{fmt::beginning, modes::Capability, secrets::Secrets};

/// The key of a volume: its namespace and its ID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeKey {
    /// The namespace.
    pub namespace: Box<str>,
    /// The ID within it.
    pub id: Box<str>,
}

/// A volume of a storage provider. The claims on it have their own rows, [`CsiClaim`].
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct CsiVolume {
    /// The namespace, first half of the key.
    pub namespace: Box<str>,
    /// Its ID, second half of the key.
    #[filterable(rename = "ID")]
    pub id: Box<str>,
    /// Its name, for users and for the provider.
    pub name: Box<str>,
    /// The provider's own ID.
    #[filterable(rename = "ExternalID")]
    pub external_id: Box<str>,
    /// The ID of its plugin.
    #[filterable(rename = "PluginID")]
    pub plugin_id: Box<str>,
    /// The plugin's name as of the last write. Readers prefer the plugin's own row while it exists.
    #[filterable(skip)]
    pub provider: Box<str>,
    /// The plugin's version, as of the last write.
    #[filterable(skip)]
    pub provider_version: Box<str>,
    /// Whether a controller is required, as of the last write.
    #[filterable(skip)]
    pub controller_required: bool,
    /// The requested topology.
    pub requested_topologies: Option<TopologyRequest>,
    /// The topologies it is accessible from; empty for everywhere.
    pub topologies: Vec<Topology>,
    /// The current access mode; empty while it is unclaimed.
    pub access_mode: Box<str>,
    /// The current attachment mode; empty while it is unclaimed.
    pub attachment_mode: Box<str>,
    /// The options that nodes mount it with.
    pub mount_options: Option<MountOptions>,
    /// Secrets that are sent to the provider with each call.
    #[filterable(skip)]
    pub secrets: Secrets,
    /// Parameters for the provider on creation.
    pub parameters: Labels,
    /// The provider's context for its node plugins.
    pub context: Labels,
    /// Its capacity in bytes, 0 if unknown.
    pub capacity: i64,
    /// The requested minimum capacity, in bytes.
    pub requested_capacity_min: i64,
    /// The requested maximum capacity, in bytes.
    pub requested_capacity_max: i64,
    /// The capabilities that it must offer.
    pub requested_capabilities: Vec<Capability>,
    /// The volume that it is a copy of.
    #[filterable(rename = "CloneID")]
    pub clone_id: Box<str>,
    /// The snapshot that it was created from.
    #[filterable(rename = "SnapshotID")]
    pub snapshot_id: Box<str>,
    /// The number of claims on it.
    #[filterable(skip)]
    pub claims: ClaimCounts,
    /// Its registration time, in unix nanoseconds.
    pub create_time: i64,
    /// Its last change, in unix nanoseconds.
    pub modify_time: i64,
    /// The claims in a row of version 2. [`bootstrap`](crate::bootstrap), or the next write of the
    /// volume, moves them to rows of [`CsiClaims`](super::CsiClaims); then it stays empty.
    #[filterable(skip)]
    pub unmoved_claims: Vec<CsiClaim>,
}

/// The number of claims on a volume.
///
/// Stored in the volume's row, by the transaction that writes a claim, so that claims are granted,
/// and volumes listed, without reading the other claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimCounts {
    /// Active claims that read.
    pub readers: u64,
    /// Active claims that write.
    pub writers: u64,
    /// Claims that are being released, which may be active, too.
    pub releasing: u64,
}

impl CsiVolume {
    /// Returns the provider's ID of the volume.
    pub fn remote_id(&self) -> &str {
        // Nomad: nomad/structs/csi.go, CSIVolume.RemoteID.
        if self.external_id.is_empty() { &self.id } else { &self.external_id }
    }
}

/// A part of a cluster, described by labels such as a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[serde(rename_all = "PascalCase")]
#[filterable(rename_all = "PascalCase")]
pub struct Topology {
    /// The labels, all of which apply.
    pub segments: Labels,
}

/// The topologies that a volume should be accessible from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[serde(rename_all = "PascalCase")]
#[filterable(rename_all = "PascalCase")]
pub struct TopologyRequest {
    /// At least one of these.
    pub required: Option<Vec<Topology>>,
    /// These if possible, in order of preference.
    pub preferred: Option<Vec<Topology>>,
}

/// The options that nodes mount a volume with. `Debug` hides the mount flags, because they may hold
/// credentials.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
pub struct MountOptions {
    /// The file system's type.
    #[filterable(rename = "FSType")]
    pub fs_type: Box<str>,
    /// Flags for the mount.
    #[filterable(skip)]
    pub mount_flags: Vec<Box<str>>,
}

impl std::fmt::Debug for MountOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Nomad: nomad/structs/csi.go, CSIMountOptions.GoString prints the same.
        let flags = if self.mount_flags.is_empty() { "nil" } else { "[REDACTED]" };
        write!(f, "csi.CSIOptions(FSType: {}, MountFlags: {flags})", self.fs_type)
    }
}

impl std::fmt::Debug for CsiVolume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Prints the names of parameters and context only, because operators put secrets into their
        // values.
        f.debug_struct("CsiVolume")
            .field("namespace", &self.namespace)
            .field("id", &self.id)
            .field("external_id", &self.external_id)
            .field("plugin_id", &self.plugin_id)
            .field("access_mode", &self.access_mode)
            .field("attachment_mode", &self.attachment_mode)
            .field("mount_options", &self.mount_options)
            .field("secrets", &self.secrets)
            .field("parameters", &self.parameters.keys())
            .field("context", &self.context.keys())
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

/// Maximum length of an external ID in an index key, in bytes, because keys have a maximum length
/// and these IDs have none.
const INDEXED_ID_MAX: usize = 1024;

fn indexed_id(remote_id: &str) -> &str {
    beginning(remote_id, INDEXED_ID_MAX)
}

/// Table of the CSI volumes, by namespace and ID.
#[derive(Clone, Copy, Debug)]
pub struct CsiVolumes;

impl CsiVolumes {
    /// Volumes by their plugin.
    pub const BY_PLUGIN: Index<Self, String> = Self::INDEX
        .non_unique("plugin", |volume, keys| keys.add(&volume.plugin_id))
        .serves("PluginID");

    /// Volumes by ID, in any namespace.
    pub const BY_ID: Index<Self, String> =
        Self::INDEX.non_unique("id", |volume, keys| keys.add(&volume.id)).serves("ID");

    /// Volumes by name.
    pub const BY_NAME: Index<Self, String> =
        Self::INDEX.non_unique("name", |volume, keys| keys.add(&volume.name)).serves("Name");

    /// Volumes by their plugin and their ID at its provider, that is by their data. Long IDs are
    /// cut.
    pub const BY_DATA: Index<Self, (String, String)> =
        Self::INDEX.non_unique("data", |volume, keys| {
            keys.add((&volume.plugin_id, indexed_id(volume.remote_id())));
        });

    /// Returns the volumes with the data that the plugin's provider calls `remote_id`, ordered by
    /// namespace and ID.
    ///
    /// Cost: reads only those.
    pub fn with_data<'v>(
        view: &'v impl ReadView,
        plugin_id: &str,
        remote_id: &'v str,
    ) -> impl Iterator<Item = &'v CsiVolume> {
        let range = KeyRange::<(String, String)>::exact((plugin_id, indexed_id(remote_id)));
        let rows = view.scan_by(&Self::BY_DATA, &range, Order::Ascending);
        // The index key holds only the first bytes of a long ID.
        rows.map(|row| &**row).filter(move |row| row.remote_id() == remote_id)
    }
}

impl Table for CsiVolumes {
    const NAME: &'static str = "csi_volumes";
    const VERSION: u16 = 3;
    type Key = (String, String);
    type Row = CsiVolume;

    fn key(row: &CsiVolume) -> (&str, &str) {
        (&row.namespace, &row.id)
    }

    fn migrate(old: OldRow<'_>) -> Result<CsiVolume, RowError> {
        match old.version() {
            1 => old.read::<CsiVolumeV2<ClaimV1>>().map(CsiVolume::from),
            2 => old.read::<CsiVolumeV2<Claim>>().map(CsiVolume::from),
            _ => Err(old.unknown(Self::VERSION)),
        }
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&Self::BY_PLUGIN);
        set.add(&Self::BY_DATA);
        set.add(&Self::BY_ID).add(&Self::BY_NAME);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_neither_secrets_nor_mount_flags() {
        let volume = CsiVolume {
            secrets: [("password", "xyzzy")].into_iter().collect(),
            mount_options: Some(MountOptions {
                fs_type: "cifs".into(),
                mount_flags: vec!["password=xyzzy".into()],
            }),
            parameters: [("token".into(), "xyzzy".into())].into(),
            ..Default::default()
        };
        let shown = format!("{volume:?}");
        assert!(!shown.contains("xyzzy"), "{shown}");
        assert!(shown.contains("csi.CSIOptions(FSType: cifs, MountFlags: [REDACTED])"), "{shown}");
    }

    #[test]
    fn debug_of_no_mount_flags_prints_nil() {
        let options = MountOptions { fs_type: "ext4".into(), mount_flags: Vec::new() };
        assert_eq!(format!("{options:?}"), "csi.CSIOptions(FSType: ext4, MountFlags: nil)");
    }
}
