//! The filter fields of volumes.

use std::collections::BTreeMap;

use statehold_filter::Filterable;
use statehold_store::{Entry, ReadView};
use uuid::Uuid;

use super::HealthCounts;
use crate::{
    health::{HealthReader, VolumeHealth},
    rows::{Claim, CsiClaim, CsiPlugin, CsiVolume},
    views::{NEVER, VolumeStub},
};

/// A volume with the health of its plugin at the time of the read.
///
/// # Examples
/// ```
/// use statehold_filter::Filter;
/// use statehold_nomad::VolumeItem;
///
/// let filter = Filter::<VolumeItem>::compile("Schedulable == true and NodesHealthy != 0");
/// assert!(filter.is_ok());
/// // Secrets cannot be probed with a filter.
/// assert!(Filter::<VolumeItem>::compile("Secrets.password == xyzzy").is_err());
/// ```
#[derive(Clone, Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
#[filterable(computed(name = "Provider", with = Self::provider, ty = str))]
#[filterable(computed(name = "ProviderVersion", with = Self::provider_version, ty = str))]
#[filterable(computed(name = "CurrentReaders", with = Self::current_readers, ty = u64))]
#[filterable(computed(name = "CurrentWriters", with = Self::current_writers, ty = u64))]
#[filterable(computed(name = "ReadAllocs", with = Self::readers, ty = BTreeMap<Uuid, Claim>))]
#[filterable(computed(name = "WriteAllocs", with = Self::writers, ty = BTreeMap<Uuid, Claim>))]
#[filterable(computed(name = "ResourceExhausted", with = Self::resource_exhausted, ty = str))]
#[filterable(computed(name = "CreateIndex", with = Self::create_index, ty = u64))]
#[filterable(computed(name = "ModifyIndex", with = Self::modify_index, ty = u64))]
pub struct VolumeItem {
    #[filterable(flatten(deref))]
    volume: Entry<CsiVolume>,
    /// Active claims that read, by allocation.
    read_claims: BTreeMap<Uuid, Claim>,
    /// Active claims that write, by allocation.
    write_claims: BTreeMap<Uuid, Claim>,
    /// Claims that are being released, by allocation.
    past_claims: BTreeMap<Uuid, Claim>,
    #[filterable(skip)]
    plugin: Option<Entry<CsiPlugin>>,
    schedulable: bool,
    controller_required: bool,
    #[filterable(flatten)]
    counts: HealthCounts,
}

impl VolumeItem {
    /// The fields that are read from the rows of claims.
    pub const CLAIM_FIELDS: [&str; 5] =
        ["ReadClaims", "WriteClaims", "PastClaims", "ReadAllocs", "WriteAllocs"];

    /// Creates the item of a volume, with its health and its claims as `health` reads them.
    pub fn new<'v, V: ReadView>(
        health: &mut HealthReader<'v, V>,
        volume: &'v Entry<CsiVolume>,
    ) -> Self {
        let (state, plugin) = health.of_volume(volume);
        let item = Self {
            volume: volume.clone(),
            read_claims: BTreeMap::new(),
            write_claims: BTreeMap::new(),
            past_claims: BTreeMap::new(),
            plugin: plugin.cloned(),
            schedulable: state.schedulable,
            controller_required: state.plugin.controller_required,
            counts: HealthCounts::new(&state.plugin),
        };
        // Claims are read only for filters that select their fields.
        match health.claims_of(volume) {
            Some(rows) => item.with_claims(rows),
            None => item,
        }
    }

    fn with_claims<'v>(mut self, rows: impl Iterator<Item = &'v CsiClaim>) -> Self {
        for row in rows {
            for (claims, claim) in [
                (&mut self.read_claims, row.reading()),
                (&mut self.write_claims, row.writing()),
                (&mut self.past_claims, row.past.as_ref()),
            ] {
                claims.extend(claim.map(|claim| (row.allocation_id, claim.clone())));
            }
        }
        self
    }

    /// Returns the volume.
    pub fn volume(&self) -> &Entry<CsiVolume> {
        &self.volume
    }

    /// Returns the JSON view for a list.
    pub fn stub(&self) -> VolumeStub<'_> {
        let (provider, version) = (self.provider(), self.provider_version());
        // The stub shows the values that the filter was evaluated on, not later ones.
        let plugin = self.counts.health(provider, version, self.controller_required);
        VolumeStub::new(&self.volume, VolumeHealth { plugin, schedulable: self.schedulable })
    }

    fn provider(&self) -> &str {
        // The row's copy is stale once the plugin is upgraded, so the plugin's own row wins.
        self.plugin.as_ref().map_or(&self.volume.provider, |plugin| &plugin.provider)
    }

    fn provider_version(&self) -> &str {
        self.plugin.as_ref().map_or(&self.volume.provider_version, |plugin| &plugin.version)
    }

    fn current_readers(&self) -> u64 {
        self.volume.claims.readers
    }

    fn current_writers(&self) -> u64 {
        self.volume.claims.writers
    }

    fn readers(&self) -> &BTreeMap<Uuid, Claim> {
        &self.read_claims
    }

    fn writers(&self) -> &BTreeMap<Uuid, Claim> {
        &self.write_claims
    }

    // Filters know the field, because Nomad's list has it.
    #[expect(clippy::unused_self, reason = "no volume has ever been exhausted")]
    fn resource_exhausted(&self) -> &'static str {
        NEVER
    }

    fn create_index(&self) -> u64 {
        self.volume.create_index()
    }

    fn modify_index(&self) -> u64 {
        self.volume.modify_index()
    }
}
