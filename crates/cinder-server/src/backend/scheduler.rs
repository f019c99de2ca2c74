//! The back ends, and which of them takes a volume.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use statehold_cinder::{Placement, Volume, VolumeType, parse_id};
use statehold_store::ReadView;
use uuid::Uuid;

use crate::backend::declared::Declared;
use crate::backend::driver::Driver;
use crate::backend::export::{Export, MOUNT_POINT_BASE};
use crate::backend::local_dir::LocalDir;

/// How many times over the free room may be promised, as volumes take only what is written to them.
pub(crate) const OVERSUBSCRIPTION: u32 = 20;

/// Extra specs with such a name say something to others than the scheduler.
const CAPABILITIES: &str = "capabilities:";

#[derive(Debug)]
pub(crate) struct Backend {
    name: Box<str>,
    /// `host@backend#pool`.
    host: Box<str>,
    zone: Box<str>,
    export: Option<Export>,
    /// The ID of its service, once that is registered.
    service: OnceLock<Uuid>,
    pub(crate) driver: Box<dyn Driver>,
}

#[derive(Debug)]
pub(crate) struct Backends {
    all: Vec<Arc<Backend>>,
    machine: Box<str>,
    default_zone: Box<str>,
}

impl Backends {
    /// Opens the directories of back ends.
    pub(crate) fn open(
        machine: &str,
        default_zone: &str,
        declared: impl IntoIterator<Item = Declared>,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let mut all: Vec<Arc<Backend>> = Vec::new();
        for Declared { name, dir, zone, export } in declared {
            // Before it is opened: it would be locked by ourselves.
            let place = dir.canonicalize().ok();
            let taken = |other: &Arc<Backend>| {
                other.name == name || place.as_deref() == Some(other.driver.place())
            };
            if all.iter().any(taken) {
                let error = io::Error::other("two back ends have the same name or directory");
                return Err((dir, error));
            }
            let driver = LocalDir::open(&dir).map_err(|error| (dir.clone(), error))?;
            let host = format!("{machine}@{name}#{name}").into();
            let (service, driver) = (OnceLock::new(), Box::new(driver));
            all.push(Arc::new(Backend { name, host, zone, export, service, driver }));
        }
        Ok(Self { all, machine: machine.into(), default_zone: default_zone.into() })
    }

    /// The back end that a row calls `host@backend#pool`. The machine may have had another name then.
    pub(crate) fn of(&self, host: &str) -> Option<&Arc<Backend>> {
        let (_, backend) = host.split_once('@')?;
        let name = backend.split_once('#').map_or(backend, |(name, _)| name);
        self.all.iter().find(|backend| *backend.name == *name)
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Backend> {
        self.all.iter().map(|backend| &**backend)
    }

    /// The name of the machine that they are on.
    pub(crate) fn machine(&self) -> &str {
        &self.machine
    }

    /// The availability zone of services that are no back end, and of volumes that name none.
    pub(crate) fn default_zone(&self) -> &str {
        &self.default_zone
    }

    /// Whether a service is a back end, by its host without a pool.
    pub(crate) fn has_service(&self, host: &str) -> bool {
        self.all().any(|backend| backend.service_host() == host)
    }

    /// Whether a back end is called so, with or without its pool.
    pub(crate) fn is_up(&self, host: &str) -> bool {
        self.is_host(host) || self.has_service(host)
    }

    /// Deletes the files of volumes that are whole at another back end: a server died before it did.
    pub(crate) fn drop_left_behind(&self, view: &impl ReadView) {
        for backend in self.all() {
            let files = backend.driver.files().unwrap_or_else(|error| {
                tracing::error!(%error, host = %backend.host, "can't list what a back end has");
                Vec::new()
            });
            for held in files {
                let id = held.name.strip_prefix("volume-").and_then(parse_id);
                let row = id.and_then(|id| view.get::<Volume>(id));
                let own = row.and_then(|row| row.host.as_deref()).and_then(|host| self.of(host));
                let (Some(id), Some(own)) = (id, own) else { continue };
                if own.name == backend.name {
                    continue;
                }
                // Somebody may have given the directories other names.
                if !own.driver.path(id).is_file() {
                    tracing::error!(
                        volume = %id, host = %backend.host, own = %own.host,
                        "the volume isn't where it should be"
                    );
                    continue;
                }
                tracing::info!(volume = %id, host = %backend.host, "the volume has moved: its old file goes");
                if let Err(error) = backend.driver.delete_volume(id) {
                    tracing::error!(%error, volume = %id, "the old file of a volume that moved is left");
                }
            }
        }
    }

    /// Whether a back end is called so, in full.
    pub(crate) fn is_host(&self, host: &str) -> bool {
        self.all.iter().any(|backend| *backend.host == *host)
    }

    /// The back end for a volume of a type in a zone, or in any for an empty one: of those that can take it and aren't among `off`, which are
    /// hosts without pools, the one with the most room.
    pub(crate) fn choose(
        &self,
        zone: &str,
        gib: u32,
        volume_type: Option<&VolumeType>,
        off: &BTreeSet<Box<str>>,
    ) -> Option<&Arc<Backend>> {
        self.choose_for(zone, gib, volume_type.as_slice(), off, |_| true)
    }

    /// The same for volumes of several types, each of which it can take, among those that `allow` allows.
    pub(crate) fn choose_for(
        &self,
        zone: &str,
        gib: u32,
        types: &[&VolumeType],
        off: &BTreeSet<Box<str>>,
        allow: impl Fn(&Backend) -> bool,
    ) -> Option<&Arc<Backend>> {
        // A volume without a zone is of a type that allows several, which the type is asked for.
        let there = self.all.iter().filter(|backend| zone.is_empty() || *backend.zone == *zone);
        let enabled = there.filter(|backend| !off.contains(backend.service_host()));
        let roomy =
            enabled.filter(|backend| types.iter().all(|volume_type| backend.fits(volume_type)));
        let roomy = roomy.filter(|backend| allow(backend));
        let roomy = roomy.filter_map(|backend| match backend.driver.room() {
            Ok(room) => Some((room, backend)),
            Err(error) => {
                let place = backend.driver.place().display();
                tracing::error!(%error, %place, "can't tell how much room there is");
                None
            }
        });
        let size = u64::from(gib) << 30;
        roomy
            .filter(|(room, _)| size <= room.total.saturating_mul(OVERSUBSCRIPTION.into()))
            .filter(|(room, _)| size <= room.free.saturating_mul(OVERSUBSCRIPTION.into()))
            // The first of those with as much.
            .reduce(|best, next| if next.0.free > best.0.free { next } else { best })
            .map(|(_, backend)| backend)
    }
}

impl Backend {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `host@backend#pool`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Its availability zone.
    pub(crate) fn zone(&self) -> &str {
        &self.zone
    }

    /// How hosts reach its volumes, as types demand it by `storage_protocol`.
    pub(crate) fn protocol(&self) -> &'static str {
        if self.export.is_some() { "nfs" } else { "local" }
    }

    /// Whether hosts have its files mounted: a host that uses a volume then learns of its size from the
    /// file system, and MUST say when it has.
    pub(crate) fn is_exported(&self) -> bool {
        self.export.is_some()
    }

    /// Returns how a host reaches a volume: `data`, and where the host mounts the export, if there is one.
    pub(crate) fn connection(&self, volume: Uuid) -> (Value, Option<&'static str>) {
        match &self.export {
            Some(export) => (export.connection(volume), Some(MOUNT_POINT_BASE)),
            None => (self.driver.connection(volume), None),
        }
    }

    /// `host@backend`.
    pub(crate) fn service_host(&self) -> &str {
        self.host.split_once('#').map_or(&*self.host, |(service, _)| service)
    }

    /// Notes the ID of its service.
    pub(crate) fn registered(&self, service: Uuid) {
        // There is one back end of a name, and it is registered once.
        let _ = self.service.set(service);
    }

    pub(crate) fn placement(&self) -> Placement {
        let service = self.service.get().copied();
        let (host, zone) = (self.host.clone(), Some(self.zone.clone()));
        Placement { host, service, shared_targets: Some(false), zone }
    }

    /// Whether it can do what a type demands. Specs with a scope are for others, except for
    /// `capabilities:`.
    pub(crate) fn fits(&self, volume_type: &VolumeType) -> bool {
        volume_type.extra_specs.iter().all(|(key, wanted)| {
            let name = key.strip_prefix(CAPABILITIES).unwrap_or(key);
            match name {
                "RESKEY:availability_zones" => {
                    wanted.split(',').any(|wanted| wanted.trim() == &*self.zone)
                }
                _ if name.contains(':') => true,
                _ => self.capability(name).is_some_and(|own| is_met(wanted, own)),
            }
        })
    }

    fn capability(&self, name: &str) -> Option<&str> {
        Some(match name {
            "volume_backend_name" => &self.name,
            "storage_protocol" => self.protocol(),
            "vendor_name" => "Statehold",
            "multiattach" | "thin_provisioning_support" => "True",
            "thick_provisioning_support" | "QoS_support" | "replication_enabled" => "False",
            _ => return None,
        })
    }
}

/// Whether a capability is what a spec demands: `<is> True`, `<in> part`, `<or> a <or> b`, or the
/// value itself.
fn is_met(wanted: &str, own: &str) -> bool {
    let wanted = wanted.trim();
    if let Some(wanted) = wanted.strip_prefix("<is>") {
        return wanted.trim().eq_ignore_ascii_case(own);
    }
    if let Some(part) = wanted.strip_prefix("<in>") {
        return own.contains(part.trim());
    }
    if wanted.starts_with("<or>") {
        return wanted.split("<or>").any(|wanted| wanted.trim() == own);
    }
    wanted.strip_prefix("s==").map_or(wanted, str::trim) == own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_taken_by_back_ends_that_can_do_what_they_demand() {
        let dir = tempfile::tempdir().unwrap();
        let declared = ["a", "b"].map(|name| declared(name, dir.path().join(name)));
        let backends = Backends::open("m", "nova", declared).unwrap();
        let chosen = |specs: &[(&str, &str)]| {
            let extra_specs = specs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            let backend = backends.all.iter().find(|backend| {
                let mut row = volume_type();
                row.extra_specs = std::collections::BTreeMap::clone(&extra_specs);
                backend.fits(&row)
            });
            backend.map(|backend| &*backend.host)
        };
        assert_eq!(chosen(&[("volume_backend_name", "b")]), Some("m@b#b"));
        assert_eq!(chosen(&[("volume_backend_name", "<or> c <or> a")]), Some("m@a#a"));
        assert_eq!(chosen(&[("multiattach", "<is> true"), ("x:y", "z")]), Some("m@a#a"));
        assert_eq!(chosen(&[("capabilities:volume_backend_name", "s== b")]), Some("m@b#b"));
        assert_eq!(chosen(&[("RESKEY:availability_zones", "a,nova")]), Some("m@a#a"));
        for specs in
            [("volume_backend_name", "c"), ("a", "b"), ("replication_enabled", "<is> True")]
        {
            assert_eq!(chosen(&[specs]), None, "{specs:?}");
        }
        let none = BTreeSet::new();
        assert!(backends.choose("mars", 1, None, &none).is_none());
        assert!(backends.choose("nova", u32::MAX, None, &none).is_none());
        assert!(backends.choose("nova", 1, None, &none).is_some());
        let off = BTreeSet::from(["m@a".into()]);
        let chosen = backends.choose("nova", 1, None, &off);
        assert!(chosen.is_some_and(|backend| *backend.name == *"b"));
        assert!(backends.of("renamed@b#b").is_some_and(|backend| *backend.name == *"b"));
    }

    fn declared(name: &str, dir: PathBuf) -> Declared {
        Declared { name: name.into(), dir, zone: "nova".into(), export: None }
    }

    fn volume_type() -> VolumeType {
        use statehold_cinder::{Config, bootstrap};
        use statehold_store::ReadView as _;
        let store = statehold_store::Store::in_memory(&statehold_cinder::schema());
        let mut txn = store.begin_write().unwrap();
        let id = uuid::Uuid::from_u128(1);
        bootstrap(&mut txn, &Config::default(), 1, id).unwrap();
        VolumeType::clone(txn.get::<VolumeType>(id).unwrap())
    }

    #[test]
    fn one_directory_is_one_back_end() {
        let dir = tempfile::tempdir().unwrap();
        let declared = ["a", "b"].map(|name| declared(name, dir.path().join("same")));
        assert!(Backends::open("m", "nova", declared).is_err());
    }
}
