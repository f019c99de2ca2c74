//! CSI volumes.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, IndexSet, KeyRange, OldRow, Order, ReadView, RowError, Table};

use super::{
    Claim, CsiClaim, Labels,
    old::{ClaimV1, CsiVolumeV2},
};
use crate::{fmt::beginning, modes::Capability, secrets::Secrets};

/// Which volume: its namespace and its ID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeKey {
    /// The namespace.
    pub namespace: Box<str>,
    /// The ID within it.
    pub id: Box<str>,
}

/// A volume of a storage provider. The claims on it have rows of their own, [`CsiClaim`].
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct CsiVolume {
    /// The namespace, first half of the key.
    pub namespace: Box<str>,
    /// Its ID, second half of the key.
    #[filterable(rename = "ID")]
    pub id: Box<str>,
    /// Its name, for people and for the provider.
    pub name: Box<str>,
    /// The provider's own ID.
    #[filterable(rename = "ExternalID")]
    pub external_id: Box<str>,
    /// The plugin that serves it.
    #[filterable(rename = "PluginID")]
    pub plugin_id: Box<str>,
    /// The plugin's name for itself, as of the last write; what is shown is the plugin's own while
    /// it is there.
    #[filterable(skip)]
    pub provider: Box<str>,
    /// The plugin's version, in the same way.
    #[filterable(skip)]
    pub provider_version: Box<str>,
    /// Whether a controller is needed, in the same way.
    #[filterable(skip)]
    pub controller_required: bool,
    /// Where it should be reachable from.
    pub requested_topologies: Option<TopologyRequest>,
    /// Where it is reachable from; empty is everywhere.
    pub topologies: Vec<Topology>,
    /// How it is accessed now; empty while nobody claims it.
    pub access_mode: Box<str>,
    /// How it is attached now; empty while nobody claims it.
    pub attachment_mode: Box<str>,
    /// How nodes mount it.
    pub mount_options: Option<MountOptions>,
    /// What the provider wants to hear with each call.
    #[filterable(skip)]
    pub secrets: Secrets,
    /// For the provider, when it creates the volume.
    pub parameters: Labels,
    /// From the provider, for its node plugins.
    pub context: Labels,
    /// Its size in bytes, 0 when unknown.
    pub capacity: i64,
    /// The least size that was asked for, in bytes.
    pub requested_capacity_min: i64,
    /// The largest size that was asked for, in bytes.
    pub requested_capacity_max: i64,
    /// How it must be usable.
    pub requested_capabilities: Vec<Capability>,
    /// The volume that it is a copy of.
    #[filterable(rename = "CloneID")]
    pub clone_id: Box<str>,
    /// The snapshot that it was made from.
    #[filterable(rename = "SnapshotID")]
    pub snapshot_id: Box<str>,
    /// Numbers of the claims on it.
    #[filterable(skip)]
    pub claims: ClaimCounts,
    /// When it was registered, in unix nanoseconds.
    pub create_time: i64,
    /// When it was last changed, in unix nanoseconds.
    pub modify_time: i64,
    /// The claims that a row of version 2 carried. [`bootstrap`](crate::bootstrap), or the next write of
    /// the volume, moves them to rows of [`CsiClaims`](super::CsiClaims); empty from then on.
    #[filterable(skip)]
    pub unmoved_claims: Vec<CsiClaim>,
}

/// Numbers of the claims on a volume.
///
/// Kept in the volume's row, in the transaction that writes a claim, so that claims are granted, and
/// volumes listed, without reading the claims of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimCounts {
    /// Active claims that read.
    pub readers: u64,
    /// Active claims that write.
    pub writers: u64,
    /// Claims that are being released, which may be active as well.
    pub releasing: u64,
}

impl CsiVolume {
    /// What the provider calls it.
    pub fn remote_id(&self) -> &str {
        if self.external_id.is_empty() { &self.id } else { &self.external_id }
    }
}

/// A part of a cluster, named by labels such as a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[serde(rename_all = "PascalCase")]
#[filterable(rename_all = "PascalCase")]
pub struct Topology {
    /// All of these apply.
    pub segments: Labels,
}

/// Where a volume should be reachable from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[serde(rename_all = "PascalCase")]
#[filterable(rename_all = "PascalCase")]
pub struct TopologyRequest {
    /// At least one of these.
    pub required: Option<Vec<Topology>>,
    /// These if possible, the first most.
    pub preferred: Option<Vec<Topology>>,
}

/// How nodes mount a volume. Mount flags can hold credentials: `Debug` doesn't show them.
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
        let flags = if self.mount_flags.is_empty() { "nil" } else { "[REDACTED]" };
        write!(f, "csi.CSIOptions(FSType: {}, MountFlags: {flags})", self.fs_type)
    }
}

impl std::fmt::Debug for CsiVolume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Parameters and context can carry what operators should have put into secrets: names only.
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

/// Bytes of a provider's ID that are in a key: keys have a limit, and these IDs have none.
const INDEXED_ID_MAX: usize = 1024;

fn indexed_id(remote_id: &str) -> &str {
    beginning(remote_id, INDEXED_ID_MAX)
}

/// Table of the CSI volumes, by namespace and ID.
#[derive(Clone, Copy, Debug)]
pub struct CsiVolumes;

impl CsiVolumes {
    /// Volumes by the plugin that serves them.
    pub const BY_PLUGIN: Index<Self, String> = Self::INDEX
        .non_unique("plugin", |volume, keys| keys.add(&volume.plugin_id))
        .serves("PluginID");

    /// Volumes by ID, in whatever namespace.
    pub const BY_ID: Index<Self, String> =
        Self::INDEX.non_unique("id", |volume, keys| keys.add(&volume.id)).serves("ID");

    /// Volumes by name.
    pub const BY_NAME: Index<Self, String> =
        Self::INDEX.non_unique("name", |volume, keys| keys.add(&volume.name)).serves("Name");

    /// Volumes by the plugin and their names at its provider: the data that they are. Of a long ID by
    /// its beginning.
    pub const BY_DATA: Index<Self, (String, String)> =
        Self::INDEX.non_unique("data", |volume, keys| {
            keys.add((&volume.plugin_id, indexed_id(volume.remote_id())));
        });

    /// The volumes with the data that the plugin's provider calls `remote_id`, by namespace and ID.
    ///
    /// Cost: reads those alone.
    pub fn with_data<'v>(
        view: &'v impl ReadView,
        plugin_id: &str,
        remote_id: &'v str,
    ) -> impl Iterator<Item = &'v CsiVolume> {
        let range = KeyRange::<(String, String)>::exact((plugin_id, indexed_id(remote_id)));
        let rows = view.scan_by(&Self::BY_DATA, &range, Order::Ascending);
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
    fn debug_shows_neither_secrets_nor_mount_flags() {
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
    fn debug_of_no_mount_flags_says_nil() {
        let options = MountOptions { fs_type: "ext4".into(), mount_flags: Vec::new() };
        assert_eq!(format!("{options:?}"), "csi.CSIOptions(FSType: ext4, MountFlags: nil)");
    }
}
