//! A driver that keeps volumes in memory: no part of the contract needs a path.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use statehold_cinder_server::backend::{
    BackendObject, Capacity, CloneSource, Connection, Driver, DriverError, ReadExtents,
    TestBackend, copy_extents, simulate_crash, snapshot_name, volume_name,
};
use uuid::Uuid;

const GIB: u64 = 1 << 30;
const PAGE: u64 = 4096;
const CAPACITY: u64 = 100 * GIB;

/// A fault of a driver, which the conformance suite must find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    EmptiesOnRepeatedCreation,
    FollowsVolumeInSnapshot,
    ImportsInPlace,
    ImportsBeforeEnd,
    ListsFrozenCopies,
    FailsToDeleteAbsent,
    Shrinks,
    RevertsSize,
    HidesLastExtent,
    AdoptsAbsent,
    ClonesInTwoSteps,
}

/// A disk of zeros and pages of data. A clone is a copy of one moment.
#[derive(Clone, Debug, Default)]
struct Disk {
    size: u64,
    pages: BTreeMap<u64, Arc<[u8]>>,
}

impl Disk {
    fn write(&mut self, offset: u64, data: &[u8]) {
        for (at, byte) in (offset..).zip(data) {
            let page = self.pages.entry(at / PAGE).or_insert_with(|| vec![0; 4096].into());
            Arc::make_mut(page)[usize::try_from(at % PAGE).unwrap()] = *byte;
        }
    }
}

/// A disk as a reader has it.
struct OpenDisk {
    disk: Disk,
    fault: Fault,
}

impl ReadExtents for OpenDisk {
    fn size(&self) -> u64 {
        self.disk.size
    }

    fn next_extent(&self, from: u64) -> Result<Option<Range<u64>>, DriverError> {
        let found = self.disk.pages.range(from / PAGE..).next();
        let is_last = self.disk.pages.last_key_value().map(|(page, _)| page);
        Ok(found
            .filter(|(page, _)| self.fault != Fault::HidesLastExtent || Some(*page) != is_last)
            .map(|(page, _)| (page * PAGE).max(from)..(page + 1) * PAGE))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), DriverError> {
        for (at, byte) in (offset..).zip(buffer) {
            let page = self.disk.pages.get(&(at / PAGE));
            *byte = page.map_or(0, |page| page[usize::try_from(at % PAGE).unwrap()]);
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Storage {
    volumes: BTreeMap<Uuid, Disk>,
    /// With their volumes.
    snapshots: BTreeMap<Uuid, (Uuid, Disk)>,
    unmanaged: BTreeMap<String, Disk>,
    frozen: Vec<Uuid>,
    crash_at: Option<u32>,
}

/// A back end in memory. Clones share it, so that it outlives its driver.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryDriver {
    storage: Arc<Mutex<Storage>>,
    fault: Fault,
}

impl MemoryDriver {
    pub(crate) fn with_fault(fault: Fault) -> Self {
        Self { fault, ..Self::default() }
    }

    pub(crate) fn write(&self, volume: Uuid, offset: u64, data: &[u8]) {
        self.storage.lock().volumes.get_mut(&volume).unwrap().write(offset, data);
    }

    pub(crate) fn read(&self, volume: Uuid, offset: u64) -> [u8; 4] {
        let mut buffer = [0; 4];
        self.open_volume(volume).unwrap().read_at(&mut buffer, offset).unwrap();
        buffer
    }

    pub(crate) fn create_unmanaged(&self, reference: &str, size: u64) {
        let disk = Disk { size, ..Disk::default() };
        self.storage.lock().unmanaged.insert(reference.to_owned(), disk);
    }

    /// Marks a change of the storage, before which a test lets the server die.
    fn step(&self) {
        let mut storage = self.storage.lock();
        match storage.crash_at {
            Some(0) => {
                storage.crash_at = None;
                drop(storage);
                simulate_crash()
            }
            Some(steps) => storage.crash_at = Some(steps - 1),
            None => {}
        }
    }

    fn volume(&self, volume: Uuid) -> Result<Disk, DriverError> {
        let found = self.storage.lock().volumes.get(&volume).cloned();
        found.ok_or(DriverError::NoVolume(volume))
    }

    fn snapshot(&self, snapshot: Uuid) -> Result<Disk, DriverError> {
        let storage = self.storage.lock();
        let (volume, disk) =
            storage.snapshots.get(&snapshot).ok_or(DriverError::NoSnapshot(snapshot))?;
        let current = storage.volumes.get(volume);
        let follows = self.fault == Fault::FollowsVolumeInSnapshot;
        Ok(current.filter(|_| follows).unwrap_or(disk).clone())
    }

    fn put(&self, volume: Uuid, disk: Disk) {
        self.step();
        self.storage.lock().volumes.insert(volume, disk);
        self.step();
    }

    fn open(&self, disk: Disk) -> Box<dyn ReadExtents> {
        Box::new(OpenDisk { disk, fault: self.fault })
    }

    fn adopt(&self, reference: &str) -> Result<Disk, DriverError> {
        let found = self.storage.lock().unmanaged.get(reference).cloned();
        if self.fault == Fault::AdoptsAbsent {
            return Ok(found.unwrap_or_default());
        }
        found.ok_or_else(|| DriverError::NoObject(reference.into()))
    }
}

fn gib_of(size: u64) -> u32 {
    u32::try_from(size.div_ceil(GIB).max(1)).unwrap()
}

impl Driver for MemoryDriver {
    fn create_volume(&self, volume: Uuid, size_gib: u32) -> Result<(), DriverError> {
        if self.has_volume(volume)? && self.fault != Fault::EmptiesOnRepeatedCreation {
            return self.extend_volume(volume, size_gib);
        }
        self.put(volume, Disk { size: u64::from(size_gib) * GIB, ..Disk::default() });
        Ok(())
    }

    fn clone_volume(
        &self,
        volume: Uuid,
        size_gib: u32,
        source: CloneSource,
    ) -> Result<(), DriverError> {
        if self.has_volume(volume)? {
            return self.extend_volume(volume, size_gib);
        }
        let disk = match source {
            CloneSource::Volume(id) => self.volume(id)?,
            CloneSource::Snapshot(id) => self.snapshot(id)?,
        };
        let size = u64::from(size_gib) * GIB;
        if self.fault == Fault::ClonesInTwoSteps {
            let first = disk.pages.iter().take(1).map(|(at, page)| (*at, Arc::clone(page)));
            self.put(volume, Disk { size, pages: first.collect() });
        }
        self.put(volume, Disk { size, ..disk });
        Ok(())
    }

    fn import_volume(
        &self,
        volume: Uuid,
        size_gib: u32,
        source: &dyn ReadExtents,
    ) -> Result<(), DriverError> {
        let size = u64::from(size_gib) * GIB;
        let mut disk = Disk { size, ..Disk::default() };
        let before = self.volume(volume);
        let imported = copy_extents(source, size, |offset, data| {
            disk.write(offset, data);
            if matches!(self.fault, Fault::ImportsInPlace | Fault::ImportsBeforeEnd) {
                self.storage.lock().volumes.insert(volume, disk.clone());
            }
            Ok(())
        });
        if self.fault == Fault::ImportsBeforeEnd && imported.is_err() {
            match before {
                Ok(before) => self.storage.lock().volumes.insert(volume, before),
                Err(_) => self.storage.lock().volumes.remove(&volume),
            };
        }
        imported?;
        self.put(volume, disk);
        Ok(())
    }

    fn extend_volume(&self, volume: Uuid, size_gib: u32) -> Result<(), DriverError> {
        let mut disk = self.volume(volume)?;
        let size = u64::from(size_gib) * GIB;
        disk.size = if self.fault == Fault::Shrinks { size } else { disk.size.max(size) };
        self.put(volume, disk);
        Ok(())
    }

    fn revert_volume(&self, volume: Uuid, snapshot: Uuid) -> Result<(), DriverError> {
        let (disk, before) = (self.snapshot(snapshot)?, self.volume(volume)?);
        let size = if self.fault == Fault::RevertsSize { disk.size } else { before.size };
        self.put(volume, Disk { size, ..disk });
        Ok(())
    }

    fn delete_volume(&self, volume: Uuid) -> Result<(), DriverError> {
        self.step();
        let deleted = self.storage.lock().volumes.remove(&volume);
        if deleted.is_none() && self.fault == Fault::FailsToDeleteAbsent {
            return Err(DriverError::NoVolume(volume));
        }
        Ok(())
    }

    fn has_volume(&self, volume: Uuid) -> Result<bool, DriverError> {
        Ok(self.storage.lock().volumes.contains_key(&volume))
    }

    fn create_snapshot(&self, snapshot: Uuid, volume: Uuid) -> Result<(), DriverError> {
        let disk = self.volume(volume)?;
        self.step();
        self.storage.lock().snapshots.entry(snapshot).or_insert((volume, disk));
        self.step();
        Ok(())
    }

    fn delete_snapshot(&self, snapshot: Uuid) -> Result<(), DriverError> {
        self.step();
        self.storage.lock().snapshots.remove(&snapshot);
        Ok(())
    }

    fn open_volume(&self, volume: Uuid) -> Result<Box<dyn ReadExtents>, DriverError> {
        Ok(self.open(self.volume(volume)?))
    }

    fn open_snapshot(&self, snapshot: Uuid) -> Result<Box<dyn ReadExtents>, DriverError> {
        Ok(self.open(self.snapshot(snapshot)?))
    }

    fn open_frozen_copy(
        &self,
        volume: Uuid,
        reader: Uuid,
    ) -> Result<Box<dyn ReadExtents>, DriverError> {
        let disk = self.volume(volume)?;
        if self.fault == Fault::ListsFrozenCopies {
            self.storage.lock().frozen.push(reader);
        }
        Ok(self.open(disk))
    }

    fn list_objects(&self) -> Result<Vec<BackendObject>, DriverError> {
        let storage = self.storage.lock();
        let object = |name, size| BackendObject { name, size_gib: gib_of(size) };
        let volumes = storage.volumes.iter().map(|(id, disk)| object(volume_name(*id), disk.size));
        let snapshots =
            storage.snapshots.iter().map(|(id, (_, disk))| object(snapshot_name(*id), disk.size));
        let unmanaged =
            storage.unmanaged.iter().map(|(name, disk)| object(name.clone(), disk.size));
        let frozen = storage.frozen.iter().map(|id| object(id.to_string(), GIB));
        Ok(volumes.chain(snapshots).chain(unmanaged).chain(frozen).collect())
    }

    fn adopt_volume(&self, volume: Uuid, reference: &str) -> Result<u32, DriverError> {
        if let Ok(disk) = self.volume(volume) {
            return Ok(gib_of(disk.size));
        }
        let disk = self.adopt(reference)?;
        let size_gib = gib_of(disk.size);
        let mut storage = self.storage.lock();
        storage.unmanaged.remove(reference);
        storage.volumes.insert(volume, Disk { size: u64::from(size_gib) * GIB, ..disk });
        Ok(size_gib)
    }

    fn adopt_snapshot(
        &self,
        snapshot: Uuid,
        volume: Uuid,
        reference: &str,
    ) -> Result<(), DriverError> {
        let max = self.volume(volume)?.size;
        if self.storage.lock().snapshots.contains_key(&snapshot) {
            return Ok(());
        }
        let disk = self.adopt(reference)?;
        if disk.size > max {
            return Err(DriverError::SnapshotTooLarge { size: disk.size, max });
        }
        let mut storage = self.storage.lock();
        storage.unmanaged.remove(reference);
        storage.snapshots.insert(snapshot, (volume, disk));
        Ok(())
    }

    fn capacity(&self) -> Result<Capacity, DriverError> {
        let used = self.storage.lock().volumes.values().map(|disk| disk.size).sum();
        Ok(Capacity { free: CAPACITY.saturating_sub(used), total: CAPACITY })
    }

    fn connection(&self, volume: Uuid) -> Connection {
        Connection { data: json!({ "image": volume_name(volume) }), mount_point_base: None }
    }

    fn protocol(&self) -> &'static str {
        "memory"
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }
}

/// A back end in memory for the conformance suite: the driver shares its storage.
#[derive(Debug, Default)]
pub(crate) struct TestedMemory(pub(crate) MemoryDriver);

impl TestBackend for TestedMemory {
    type Driver = MemoryDriver;

    fn open(&mut self) -> MemoryDriver {
        self.0.clone()
    }

    fn write(&mut self, driver: &MemoryDriver, volume: Uuid, offset: u64, data: &[u8]) {
        driver.write(volume, offset, data);
    }

    fn create_unmanaged(&mut self, driver: &MemoryDriver, reference: &str, size: u64) {
        driver.create_unmanaged(reference, size);
    }

    fn crash_at(&mut self, driver: &MemoryDriver, step: Option<u32>) -> bool {
        driver.storage.lock().crash_at = step;
        true
    }
}
