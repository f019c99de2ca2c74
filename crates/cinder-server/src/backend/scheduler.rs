//! The back ends of the server, and the choice of one for a volume.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use statehold_cinder::{Placement, Volume, VolumeType, parse_id};
use statehold_store::ReadView;
use uuid::Uuid;

use crate::backend::driver::{Connection, Driver, VOLUME_PREFIX};

/// The factor by which the sizes of volumes may exceed the capacity: volumes are thin, so they take only the space
/// that is written to.
// Cinder: the option max_over_subscription_ratio, whose default is 20.0.
pub(crate) const OVERSUBSCRIPTION: u32 = 20;

/// The scope of extra specs for the scheduler. It ignores specs of another scope.
// Cinder: cinder/scheduler/filters/capabilities_filter.py, CapabilitiesFilter._satisfies_extra_specs.
const CAPABILITIES: &str = "capabilities:";

/// A back end before it is served.
#[derive(Debug)]
pub struct BackendSpec {
    /// The name. It MUST differ from those of the other back ends, and MUST NOT contain `@` or `#`, because rows refer
    /// to a volume's back end as `host@name#name`.
    pub name: Box<str>,
    /// The availability zone.
    pub zone: Box<str>,
    /// The driver.
    pub driver: Box<dyn Driver>,
}

#[derive(Debug)]
pub(crate) struct Backend {
    name: Box<str>,
    /// `host@backend#pool`.
    host: Box<str>,
    zone: Box<str>,
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
    /// Creates the back ends of a machine.
    ///
    /// # Errors
    /// A name that two of them have, or that can't be part of `host@backend#pool`.
    pub(crate) fn new(
        machine: &str,
        default_zone: &str,
        specs: impl IntoIterator<Item = BackendSpec>,
    ) -> Result<Self, Box<str>> {
        let mut all: Vec<Arc<Backend>> = Vec::new();
        for BackendSpec { name, zone, driver } in specs {
            let is_valid = !name.is_empty() && !name.contains(['@', '#']);
            if !is_valid || all.iter().any(|other| other.name == name) {
                return Err(name);
            }
            let host = format!("{machine}@{name}#{name}").into();
            all.push(Arc::new(Backend { name, host, zone, service: OnceLock::new(), driver }));
        }
        Ok(Self { all, machine: machine.into(), default_zone: default_zone.into() })
    }

    /// Returns the back end that a row calls `host@backend#pool`.
    ///
    /// The host is ignored: the machine may have had another name when the row was written.
    pub(crate) fn of(&self, host: &str) -> Option<&Arc<Backend>> {
        let (_, backend) = host.split_once('@')?;
        let name = backend.split_once('#').map_or(backend, |(name, _)| name);
        self.all.iter().find(|backend| *backend.name == *name)
    }

    /// Returns all back ends, in the order of their declaration.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Backend> {
        self.all.iter().map(|backend| &**backend)
    }

    /// Returns the name of the machine that they are on.
    pub(crate) fn machine(&self) -> &str {
        &self.machine
    }

    /// Returns the availability zone of services that are no back end, and of volumes that name none.
    pub(crate) fn default_zone(&self) -> &str {
        &self.default_zone
    }

    /// Returns whether a back end has this service host, `host@backend`.
    pub(crate) fn has_service(&self, host: &str) -> bool {
        self.all().any(|backend| backend.service_host() == host)
    }

    /// Returns whether a back end has this host, with or without its pool.
    pub(crate) fn is_up(&self, host: &str) -> bool {
        self.is_host(host) || self.has_service(host)
    }

    /// Deletes the data of volumes whose row names another back end that has them: the server died between the end of
    /// a migration and the deletion of the original.
    pub(crate) fn delete_stale_volumes(&self, view: &impl ReadView) {
        for backend in self.all() {
            let objects = backend.driver.list_objects().unwrap_or_else(|error| {
                tracing::error!(%error, host = %backend.host, "can't list the objects of a back end");
                Vec::new()
            });
            for object in objects {
                let id = object.name.strip_prefix(VOLUME_PREFIX).and_then(parse_id);
                let row = id.and_then(|id| view.get::<Volume>(id));
                let own = row.and_then(|row| row.host.as_deref()).and_then(|host| self.of(host));
                let (Some(id), Some(own)) = (id, own) else { continue };
                if own.name != backend.name {
                    delete_stale_volume(id, backend, own);
                }
            }
        }
    }

    /// Returns whether a back end has this host in full, `host@backend#pool`.
    pub(crate) fn is_host(&self, host: &str) -> bool {
        self.all.iter().any(|backend| *backend.host == *host)
    }

    /// Returns the back end for a volume of a type, like [`choose_for`](Self::choose_for).
    pub(crate) fn choose(
        &self,
        zone: &str,
        gib: u32,
        volume_type: Option<&VolumeType>,
        disabled: &BTreeSet<Box<str>>,
    ) -> Option<&Arc<Backend>> {
        self.choose_for(zone, gib, volume_type.as_slice(), disabled, |_| true)
    }

    /// Returns the back end with the most free space among those that fit: they are in the zone, or in any if it is
    /// empty, not in `disabled`, which has service hosts, they meet the extra specs of all types, `allow` accepts them,
    /// and they have space for `gib`.
    pub(crate) fn choose_for(
        &self,
        zone: &str,
        gib: u32,
        types: &[&VolumeType],
        disabled: &BTreeSet<Box<str>>,
        allow: impl Fn(&Backend) -> bool,
    ) -> Option<&Arc<Backend>> {
        // A volume without a zone has a type with several of them, which the extra specs check.
        let in_zone = self.all.iter().filter(|backend| zone.is_empty() || *backend.zone == *zone);
        let enabled = in_zone.filter(|backend| !disabled.contains(backend.service_host()));
        let fitting =
            enabled.filter(|backend| types.iter().all(|volume_type| backend.fits(volume_type)));
        let allowed = fitting.filter(|backend| allow(backend));
        let known = allowed.filter_map(|backend| match backend.driver.capacity() {
            Ok(capacity) => Some((capacity, backend)),
            Err(error) => {
                let location = backend.driver.location();
                tracing::error!(%error, location, "can't read the capacity of a back end");
                None
            }
        });
        let size = u64::from(gib) << 30;
        known
            .filter(|(known, _)| size <= known.total.saturating_mul(OVERSUBSCRIPTION.into()))
            .filter(|(known, _)| size <= known.free.saturating_mul(OVERSUBSCRIPTION.into()))
            // Of several with the same free space the first one, so that the choice is predictable.
            .reduce(|best, next| if next.0.free > best.0.free { next } else { best })
            .map(|(_, backend)| backend)
    }
}

/// Deletes the data of a volume at `stale` if `own`, the back end of its row, has the volume.
fn delete_stale_volume(id: Uuid, stale: &Backend, own: &Backend) {
    // An operator may have exchanged the names of two back ends: the data could be the only copy.
    match own.driver.has_volume(id) {
        Ok(true) => {}
        Ok(false) => {
            tracing::error!(
                volume = %id, host = %stale.host, own = %own.host,
                "keeping a volume at another back end than its row names, which doesn't have it"
            );
            return;
        }
        Err(error) => {
            tracing::error!(%error, volume = %id, own = %own.host, "can't look up a volume at its back end");
            return;
        }
    }
    tracing::info!(volume = %id, host = %stale.host, "deleting stale data of a migrated volume");
    if let Err(error) = stale.driver.delete_volume(id) {
        tracing::error!(%error, volume = %id, "can't delete stale data of a migrated volume");
    }
}

impl Backend {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns `host@backend#pool`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Returns the availability zone.
    pub(crate) fn zone(&self) -> &str {
        &self.zone
    }

    /// Returns how hosts reach its volumes, as types demand it by `storage_protocol`.
    pub(crate) fn protocol(&self) -> &str {
        self.driver.protocol()
    }

    /// Returns how a host reaches a volume.
    pub(crate) fn connection(&self, volume: Uuid) -> Connection {
        self.driver.connection(volume)
    }

    /// Returns `host@backend`.
    pub(crate) fn service_host(&self) -> &str {
        self.host.split_once('#').map_or(&*self.host, |(service, _)| service)
    }

    /// Records the ID of its service.
    pub(crate) fn set_service(&self, service: Uuid) {
        // A repeated start registers the same service again: the first ID stays.
        let _ = self.service.set(service);
    }

    pub(crate) fn placement(&self) -> Placement {
        let service = self.service.get().copied();
        let (host, zone) = (self.host.clone(), Some(self.zone.clone()));
        Placement { host, service, shared_targets: Some(false), zone }
    }

    /// Returns whether its capabilities meet the extra specs of a type.
    // Cinder: cinder/scheduler/filters/capabilities_filter.py, CapabilitiesFilter._satisfies_extra_specs.
    pub(crate) fn fits(&self, volume_type: &VolumeType) -> bool {
        volume_type.extra_specs.iter().all(|(key, wanted)| {
            let name = key.strip_prefix(CAPABILITIES).unwrap_or(key);
            match name {
                // Cinder: cinder/volume/volume_utils.py, extract_availability_zones_from_volume_type.
                "RESKEY:availability_zones" => {
                    wanted.split(',').any(|wanted| wanted.trim() == &*self.zone)
                }
                // Specs of another scope are for the driver or for hosts.
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

/// Returns whether a capability meets an extra spec: `<is> True`, `<in> part`, `<or> a <or> b`, or the value itself.
// Cinder: cinder/scheduler/filters/extra_specs_ops.py, match.
fn is_met(wanted: &str, own: &str) -> bool {
    let wanted = wanted.trim();
    // Cinder's other operators compare numbers, or order strings: no capability needs them.
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
    use std::path::Path;

    use super::*;
    use crate::backend::local_dir::LocalDir;

    #[test]
    fn a_volume_goes_to_a_back_end_that_meets_its_extra_specs() {
        let dir = tempfile::tempdir().unwrap();
        let specs = ["a", "b"].map(|name| spec(name, &dir.path().join(name)));
        let backends = Backends::new("m", "nova", specs).unwrap();
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

    fn spec(name: &str, dir: &Path) -> BackendSpec {
        let driver = Box::new(LocalDir::open(dir, None).unwrap());
        BackendSpec { name: name.into(), zone: "nova".into(), driver }
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
    fn names_of_back_ends_are_unique_and_fit_into_a_host() {
        let dir = tempfile::tempdir().unwrap();
        for names in [["a", "a"], ["a", "b#c"], ["a@b", "c"], ["", "a"]] {
            let dirs =
                ["1", "2"].map(|name| tempfile::tempdir_in(dir.path()).unwrap().keep().join(name));
            let specs = names.into_iter().zip(&dirs).map(|(name, dir)| spec(name, dir));
            assert!(Backends::new("m", "nova", specs).is_err(), "{names:?}");
        }
    }
}
