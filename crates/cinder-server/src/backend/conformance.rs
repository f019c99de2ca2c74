//! A suite that tests the contract of [`Driver`], for the tests of a driver's author.

use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};

use uuid::Uuid;

use crate::backend::driver::{
    CloneSource, Driver, DriverError, ReadExtents, snapshot_name, volume_name,
};

const GIB: u64 = 1 << 30;

/// The unit in which data is compared, in bytes.
const PAGE: u64 = 4096;

/// Offsets of the data that the suite writes: at the begin, across pages, and at the end of a volume of 1 GiB.
const OFFSETS: [u64; 3] = [0, 5 * PAGE - 2, GIB - 4];

/// The maximum number of steps of a call at which the suite lets the driver crash.
const STEPS_MAX: u32 = 1000;

/// A back end under test, and the ways to reach it past its driver.
pub trait TestBackend {
    /// The driver under test.
    type Driver: Driver;

    /// Opens the back end with the objects that it has: none at first. The suite drops a driver before it opens the
    /// next, which simulates a restart of the server.
    fn open(&mut self) -> Self::Driver;

    /// Writes to a volume in place, like a host that uses it.
    fn write(&mut self, driver: &Self::Driver, volume: Uuid, offset: u64, data: &[u8]);

    /// Creates an object of `size` bytes that the server does not manage.
    fn create_unmanaged(&mut self, driver: &Self::Driver, reference: &str, size: u64);

    /// Lets the driver call [`simulate_crash`] at the `step`-th step from now on that changes its storage, counted from
    /// 0; `None` stops that. Returns whether the driver can do so: the suite skips the tests of crashes in the middle
    /// of calls without it, except for imports.
    fn crash_at(&mut self, driver: &Self::Driver, step: Option<u32>) -> bool {
        let _ = (driver, step);
        false
    }
}

/// The payload of a simulated crash.
struct SimulatedCrash;

/// Simulates the death of the server in the middle of a call: unwinds to the suite, which opens the back end again.
///
/// The driver MUST NOT clean up while it unwinds, because a process that dies does not either.
pub fn simulate_crash() -> ! {
    // No panic hook runs: a crash is the expected course of a test.
    panic::resume_unwind(Box::new(SimulatedCrash))
}

/// A rule of the contract that a driver breaks.
#[derive(Debug)]
pub struct ContractViolation {
    rule: &'static str,
    detail: String,
}

impl ContractViolation {
    /// Returns the rule, as a claim.
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

impl fmt::Display for ContractViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the driver breaks a rule: {}: {}", self.rule, self.detail)
    }
}

impl std::error::Error for ContractViolation {}

/// The rule that is tested, for the errors.
#[derive(Clone, Copy)]
struct Rule(&'static str);

impl Rule {
    fn broken<T>(self, detail: impl Into<String>) -> Result<T, ContractViolation> {
        Err(ContractViolation { rule: self.0, detail: detail.into() })
    }

    /// Returns the value of a call that MUST succeed.
    fn ok<T>(self, call: &str, done: Result<T, DriverError>) -> Result<T, ContractViolation> {
        done.or_else(|error| self.broken(format!("{call} failed: {error}")))
    }

    fn holds(self, condition: bool, detail: impl Into<String>) -> Result<(), ContractViolation> {
        if condition { Ok(()) } else { self.broken(detail) }
    }

    /// Checks that a call failed with a certain error.
    fn fails<T>(
        self,
        call: &str,
        done: Result<T, DriverError>,
        expected: impl FnOnce(&DriverError) -> bool,
    ) -> Result<(), ContractViolation> {
        match done {
            Ok(_) => self.broken(format!("{call} succeeded")),
            Err(error) => {
                self.holds(expected(&error), format!("{call} failed otherwise: {error:?}"))
            }
        }
    }
}

type Test<B> = fn(&mut Bench<'_, B>) -> Result<(), ContractViolation>;

/// Tests a driver against the contract of [`Driver`]. The back end MUST be empty, and MUST hold ten volumes of 1 to 3
/// GiB with little data. The suite leaves it empty.
///
/// # Errors
/// The first rule that the driver breaks.
///
/// # Examples
/// ```
/// use statehold_cinder_server::backend::{ContractViolation, TestBackend, conformance};
///
/// /// The body of a driver's test.
/// fn driver_keeps_the_contract(mut backend: impl TestBackend) -> Result<(), ContractViolation> {
///     conformance(&mut backend)
/// }
/// ```
pub fn conformance<B: TestBackend>(backend: &mut B) -> Result<(), ContractViolation> {
    // In the order in which an author implements the methods: the first violation is the one to mend.
    let tests: [Test<B>; 14] = [
        properties_are_known,
        new_volumes_are_zeros,
        volumes_are_created_together,
        extension_keeps_the_data,
        snapshots_are_of_one_moment,
        clones_are_of_one_moment,
        reverted_volumes_keep_their_size,
        imports_copy_the_data,
        failed_imports_change_nothing,
        crashed_imports_change_nothing,
        frozen_copies_are_of_one_moment,
        readers_cover_the_data,
        objects_are_adopted,
        crashed_calls_are_repeatable,
    ];
    for test in tests {
        let driver = backend.open();
        let mut bench = Bench { backend, driver: Some(driver), ids: Vec::new(), next: 1 };
        test(&mut bench)?;
        bench.delete_all()?;
    }
    Ok(())
}

/// The back end under test, and its open driver.
struct Bench<'b, B: TestBackend> {
    backend: &'b mut B,
    /// Open, except while it is exchanged.
    driver: Option<B::Driver>,
    /// The objects that may exist.
    ids: Vec<Uuid>,
    next: u128,
}

/// Non-zero pages by offset.
type Pages = BTreeMap<u64, Vec<u8>>;

impl<B: TestBackend> Bench<'_, B> {
    fn id(&mut self) -> Uuid {
        let id = Uuid::from_u128(self.next);
        self.next += 1;
        self.ids.push(id);
        id
    }

    fn driver(&mut self) -> &B::Driver {
        let Self { backend, driver, .. } = self;
        driver.get_or_insert_with(|| backend.open())
    }

    /// Opens the back end again, as after a crash.
    fn reopen(&mut self) {
        // First, because a back end is one server's at a time.
        self.driver = None;
        self.driver = Some(self.backend.open());
    }

    fn write(&mut self, volume: Uuid, data: &str) {
        let Self { backend, driver, .. } = self;
        let driver = driver.get_or_insert_with(|| backend.open());
        for offset in OFFSETS {
            backend.write(driver, volume, offset, data.as_bytes());
        }
    }

    /// Creates a volume of 1 GiB with data.
    fn volume(&mut self, rule: Rule, data: &str) -> Result<Uuid, ContractViolation> {
        let volume = self.id();
        rule.ok("create_volume", self.driver().create_volume(volume, 1))?;
        self.write(volume, data);
        Ok(volume)
    }

    /// Checks the size and the data of a volume.
    fn expect(
        &mut self,
        rule: Rule,
        volume: Uuid,
        size_gib: u64,
        data: &Pages,
    ) -> Result<(), ContractViolation> {
        let reader = rule.ok("open_volume", self.driver().open_volume(volume))?;
        expect(rule, &*reader, size_gib, data)
    }

    /// Deletes all objects, and checks that none is left.
    fn delete_all(&mut self) -> Result<(), ContractViolation> {
        let rule = Rule("a deletion is repeatable, and nothing is left of the objects");
        let ids = mem::take(&mut self.ids);
        for _ in 0..2 {
            for id in &ids {
                rule.ok("delete_snapshot", self.driver().delete_snapshot(*id))?;
                rule.ok("delete_volume", self.driver().delete_volume(*id))?;
                let exists = rule.ok("has_volume", self.driver().has_volume(*id))?;
                rule.holds(!exists, "has_volume returns true after the deletion")?;
            }
        }
        self.reopen();
        let objects = rule.ok("list_objects", self.driver().list_objects())?;
        rule.holds(objects.is_empty(), format!("list_objects returns {objects:?}"))
    }
}

/// Returns the pages of `data` at the offsets that [`Bench::write`] writes to.
fn pages(data: &str) -> Pages {
    let mut pages = Pages::new();
    for offset in OFFSETS {
        put(&mut pages, offset, data.as_bytes());
    }
    pages
}

fn put(pages: &mut Pages, offset: u64, data: &[u8]) {
    for (at, byte) in (offset..).zip(data) {
        let page = pages.entry(at / PAGE * PAGE).or_insert_with(|| vec![0; zero_page().len()]);
        let slot = usize::try_from(at % PAGE).ok().and_then(|at| page.get_mut(at));
        if let Some(slot) = slot {
            *slot = *byte;
        }
    }
}

fn zero_page() -> Vec<u8> {
    vec![0; usize::try_from(PAGE).unwrap_or_default()]
}

/// Returns the non-zero pages of a reader, by its extents.
// Extents may include zeros, and their bounds are the driver's choice: only pages with data are comparable.
fn contents(rule: Rule, reader: &dyn ReadExtents) -> Result<Pages, ContractViolation> {
    let (mut pages, mut from) = (Pages::new(), 0);
    while let Some(extent) = rule.ok("next_extent", reader.next_extent(from))? {
        let is_sound =
            from <= extent.start && extent.start < extent.end && extent.end <= reader.size();
        rule.holds(is_sound, format!("next_extent({from}) returns {extent:?}"))?;
        let mut at = extent.start / PAGE * PAGE;
        while at < extent.end {
            let mut page = zero_page();
            rule.ok("read_at", reader.read_at(&mut page, at))?;
            if page.iter().any(|byte| *byte != 0) {
                pages.insert(at, page);
            }
            at += PAGE;
        }
        from = extent.end;
    }
    Ok(pages)
}

fn expect(
    rule: Rule,
    reader: &dyn ReadExtents,
    size_gib: u64,
    data: &Pages,
) -> Result<(), ContractViolation> {
    let size = reader.size();
    rule.holds(size == size_gib * GIB, format!("the size is {size} bytes, not {size_gib} GiB"))?;
    let found = contents(rule, reader)?;
    let at: Vec<&u64> = found.keys().collect();
    rule.holds(found == *data, format!("other data is read; it has data in the pages at {at:?}"))?;
    // Offsets that no extent covers must read as zeros, and so must those behind the end.
    for offset in [GIB / 2 + 1, size - 5, size + PAGE] {
        let mut buffer = [1; 3];
        rule.ok("read_at", reader.read_at(&mut buffer, offset))?;
        let is_data = data.contains_key(&(offset / PAGE * PAGE));
        rule.holds(is_data || buffer == [0; 3], format!("{buffer:?} is read at {offset}"))?;
    }
    Ok(())
}

/// A source in memory.
struct Source {
    size: u64,
    pages: Pages,
    /// The result of the call of `next_extent` that follows the last extent.
    end: fn() -> Result<(), DriverError>,
}

impl Source {
    fn new(size_gib: u64, pages: Pages) -> Self {
        Self { size: size_gib * GIB, pages, end: || Ok(()) }
    }
}

impl ReadExtents for Source {
    fn size(&self) -> u64 {
        self.size
    }

    fn next_extent(&self, from: u64) -> Result<Option<Range<u64>>, DriverError> {
        let first = from / PAGE * PAGE;
        match self.pages.range(first..).next() {
            Some((at, _)) => Ok(Some((*at).max(from)..at + PAGE)),
            None => (self.end)().map(|()| None),
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), DriverError> {
        for (at, byte) in (offset..).zip(buffer) {
            let page = self.pages.get(&(at / PAGE * PAGE));
            let found = usize::try_from(at % PAGE).ok().and_then(|at| page?.get(at));
            *byte = found.copied().unwrap_or(0);
        }
        Ok(())
    }
}

fn properties_are_known<B: TestBackend>(bench: &mut Bench<'_, B>) -> Result<(), ContractViolation> {
    let rule = Rule("a back end has a capacity, a protocol and a location");
    let driver = bench.driver();
    let capacity = rule.ok("capacity", driver.capacity())?;
    rule.holds(
        0 < capacity.total && capacity.free <= capacity.total,
        format!("capacity returns {capacity:?}"),
    )?;
    rule.holds(!driver.protocol().is_empty(), "protocol returns no name")?;
    rule.holds(!driver.location().is_empty(), "location returns no place")?;
    let data = driver.connection(Uuid::from_u128(1)).data;
    rule.holds(data.is_object(), format!("connection returns {data}, which is no object"))
}

fn new_volumes_are_zeros<B: TestBackend>(
    bench: &mut Bench<'_, B>,
) -> Result<(), ContractViolation> {
    let rule = Rule(
        "a new volume has its size and reads as zeros, and a repeated creation keeps its data",
    );
    let volume = bench.id();
    rule.fails(
        "open_volume of an absent volume",
        bench.driver().open_volume(volume),
        |error| matches!(error, DriverError::NoVolume(id) if *id == volume),
    )?;
    rule.ok("create_volume", bench.driver().create_volume(volume, 1))?;
    rule.holds(rule.ok("has_volume", bench.driver().has_volume(volume))?, "has_volume is false")?;
    bench.expect(rule, volume, 1, &Pages::new())?;
    let objects = rule.ok("list_objects", bench.driver().list_objects())?;
    let listed = matches!(&objects[..], [object] if object.name == volume_name(volume) && object.size_gib == 1);
    rule.holds(listed, format!("list_objects returns {objects:?}"))?;
    bench.write(volume, "data");
    rule.ok("create_volume", bench.driver().create_volume(volume, 1))?;
    bench.expect(rule, volume, 1, &pages("data"))?;
    rule.ok("create_volume of a larger size", bench.driver().create_volume(volume, 2))?;
    // A restart must not undo it.
    bench.reopen();
    bench.expect(rule, volume, 2, &pages("data"))
}

fn volumes_are_created_together<B: TestBackend>(
    bench: &mut Bench<'_, B>,
) -> Result<(), ContractViolation> {
    let rule = Rule("volumes are created together, and the outcomes are in their order");
    let volumes = [(bench.id(), 1), (bench.id(), 2), (bench.id(), 1)];
    for _ in 0..2 {
        let created = bench.driver().create_volumes(&volumes);
        rule.holds(created.len() == 3, format!("{} outcomes are returned", created.len()))?;
        for done in created {
            rule.ok("create_volumes", done)?;
        }
    }
    for (volume, size_gib) in volumes {
        bench.expect(rule, volume, size_gib.into(), &Pages::new())?;
    }
    rule.holds(bench.driver().create_volumes(&[]).is_empty(), "an outcome of no volume is returned")
}

fn extension_keeps_the_data<B: TestBackend>(
    bench: &mut Bench<'_, B>,
) -> Result<(), ContractViolation> {
    let rule = Rule("an extension keeps the data, and never makes a volume smaller");
    let volume = bench.volume(rule, "data")?;
    // The worker repeats an extension, and an operator may have reset the size in the row to a smaller one.
    for size_gib in [2, 2, 1] {
        rule.ok("extend_volume", bench.driver().extend_volume(volume, size_gib))?;
        bench.expect(rule, volume, 2, &pages("data"))?;
    }
    let absent = bench.id();
    let done = bench.driver().extend_volume(absent, 1);
    rule.fails("extend_volume of an absent volume", done, is_no_volume)
}

fn snapshots_are_of_one_moment<B: TestBackend>(
    bench: &mut Bench<'_, B>,
) -> Result<(), ContractViolation> {
    let rule = Rule("a snapshot holds the data of one moment, and a repeated creation keeps it");
    let volume = bench.volume(rule, "then")?;
    let snapshot = bench.id();
    for _ in 0..2 {
        rule.ok("create_snapshot", bench.driver().create_snapshot(snapshot, volume))?;
        bench.write(volume, "next");
        let reader = rule.ok("open_snapshot", bench.driver().open_snapshot(snapshot))?;
        expect(rule, &*reader, 1, &pages("then"))?;
    }
    bench.reopen();
    let objects = rule.ok("list_objects", bench.driver().list_objects())?;
    let listed = objects.iter().any(|object| object.name == snapshot_name(snapshot));
    rule.holds(listed, format!("list_objects returns {objects:?}"))?;
    bench.expect(rule, volume, 1, &pages("next"))?;
    let absent = bench.id();
    let done = bench.driver().create_snapshot(absent, absent);
    rule.fails("create_snapshot of an absent volume", done, is_no_volume)?;
    rule.fails(
        "open_snapshot of an absent one",
        bench.driver().open_snapshot(absent),
        is_no_snapshot,
    )
}

fn clones_are_of_one_moment<B: TestBackend>(
    bench: &mut Bench<'_, B>,
) -> Result<(), ContractViolation> {
    let rule =
        Rule("a clone holds the data of one moment, and a repeated creation keeps its own data");
    let volume = bench.volume(rule, "then")?;
    let (snapshot, of_snapshot, of_volume) = (bench.id(), bench.id(), bench.id());
    rule.ok("create_snapshot", bench.driver().create_snapshot(snapshot, volume))?;
    bench.write(volume, "next");
    for (clone, source, data) in [
        (of_snapshot, CloneSource::Snapshot(snapshot), "then"),
        (of_volume, CloneSource::Volume(volume), "next"),
    ] {
        rule.ok("clone_volume", bench.driver().clone_volume(clone, 2, source))?;
        bench.write(volume, "last");
        bench.expect(rule, clone, 2, &pages(data))?;
        bench.write(clone, "mine");
        rule.ok("clone_volume", bench.driver().clone_volume(clone, 3, source))?;
        bench.expect(rule, clone, 3, &pages("mine"))?;
        bench.expect(rule, volume, 1, &pages("last"))?;
        bench.write(volume, "next");
    }
    // A clone does not depend on its original.
    rule.ok("delete_snapshot", bench.driver().delete_snapshot(snapshot))?;
    rule.ok("delete_volume", bench.driver().delete_volume(volume))?;
    bench.reopen();
    bench.expect(rule, of_snapshot, 3, &pages("mine"))?;
    let absent = bench.id();
    for (source, is_expected) in [
        (CloneSource::Volume(absent), is_no_volume as fn(&DriverError) -> bool),
        (CloneSource::Snapshot(absent), is_no_snapshot),
    ] {
        let clone = bench.id();
        let done = bench.driver().clone_volume(clone, 1, source);
        rule.fails("clone_volume of an absent original", done, is_expected)?;
        rule.holds(!rule.ok("has_volume", bench.driver().has_volume(clone))?, "a volume is left")?;
    }
    Ok(())
}

fn reverted_volumes_keep_their_size<B: TestBackend>(
    bench: &mut Bench<'_, B>,
) -> Result<(), ContractViolation> {
    let rule = Rule("a reverted volume has the data of its snapshot, and keeps its size");
    let volume = bench.volume(rule, "then")?;
    let snapshot = bench.id();
    rule.ok("create_snapshot", bench.driver().create_snapshot(snapshot, volume))?;
    rule.ok("extend_volume", bench.driver().extend_volume(volume, 2))?;
    bench.write(volume, "next");
    for _ in 0..2 {
        rule.ok("revert_volume", bench.driver().revert_volume(volume, snapshot))?;
        bench.expect(rule, volume, 2, &pages("then"))?;
    }
    let absent = bench.id();
    rule.fails(
        "revert_volume to an absent one",
        bench.driver().revert_volume(volume, absent),
        is_no_snapshot,
    )?;
    bench.expect(rule, volume, 2, &pages("then"))
}

fn imports_copy_the_data<B: TestBackend>(
    bench: &mut Bench<'_, B>,
) -> Result<(), ContractViolation> {
    let rule = Rule("an import copies the data of its source, and replaces that of the volume");
    let volume = bench.id();
    for (data, block_at) in [("one ", 49), ("two ", 50), ("two ", 50)] {
        let mut expected = pages(data);
        // Larger than any buffer, with an odd end.
        let block: Vec<u8> = (1..=u8::MAX).cycle().take(300_001).collect();
        put(&mut expected, GIB / 4 + block_at * PAGE, &block);
        let source = Source::new(1, expected.clone());
        rule.ok("import_volume", bench.driver().import_volume(volume, 2, &source))?;
        bench.expect(rule, volume, 2, &expected)?;
        bench.write(volume, "mine");
    }
    // From the back end itself, whose reader may offer a file.
    let source = rule.ok("open_volume", bench.driver().open_volume(volume))?;
    let copy = bench.id();
    rule.ok("import_volume", bench.driver().import_volume(copy, 2, &*source))?;
    let expected = contents(rule, &*source)?;
    drop(source);
    rule.ok("delete_volume", bench.driver().delete_volume(volume))?;
    bench.expect(rule, copy, 2, &expected)
}

fn failed_imports_change_nothing<B: TestBackend>(
    bench: &mut Bench<'_, B>,
) -> Result<(), ContractViolation> {
    let rule = Rule("an import that fails leaves the state before it");
    let (volume, absent) = (bench.volume(rule, "data")?, bench.id());
    // Zeros behind the end are no data.
    let mut longer = Source::new(2, pages("long"));
    longer.pages.insert(GIB, zero_page());
    let fitting = bench.id();
    rule.ok("import_volume of zeros", bench.driver().import_volume(fitting, 1, &longer))?;
    bench.expect(rule, fitting, 1, &pages("long"))?;
    put(&mut longer.pages, GIB, b"d");
    let too_large: fn(&DriverError) -> bool =
        |error| matches!(error, DriverError::SourceTooLarge { .. });
    let mut failing = Source::new(1, pages("more"));
    failing.end = || Err(DriverError::Cancelled);
    let cancelled: fn(&DriverError) -> bool = |error| matches!(error, DriverError::Cancelled);
    for (source, is_expected) in [(longer, too_large), (failing, cancelled)] {
        for id in [volume, absent] {
            let done = bench.driver().import_volume(id, 1, &source);
            rule.fails("import_volume of such a source", done, is_expected)?;
        }
        let exists = rule.ok("has_volume", bench.driver().has_volume(absent))?;
        rule.holds(!exists, "a volume exists after its import failed")?;
        bench.expect(rule, volume, 1, &pages("data"))?;
    }
    Ok(())
}

fn crashed_imports_change_nothing<B: TestBackend>(
    bench: &mut Bench<'_, B>,
) -> Result<(), ContractViolation> {
    let rule =
        Rule("an import that a crash cuts short leaves the state before it, and is repeatable");
    let (volume, absent) = (bench.volume(rule, "data")?, bench.id());
    let mut dying = Source::new(1, pages("more"));
    dying.end = || simulate_crash();
    for id in [volume, absent] {
        let call = || bench.driver().import_volume(id, 1, &dying);
        let done = catch_crash(call);
        rule.holds(
            done.is_none(),
            "import_volume returns before it has read the source to its end",
        )?;
        bench.reopen();
        bench.expect(rule, volume, 1, &pages("data"))?;
        let exists = rule.ok("has_volume", bench.driver().has_volume(absent))?;
        rule.holds(!exists, "a volume exists after its import crashed")?;
    }
    let objects = rule.ok("list_objects", bench.driver().list_objects())?;
    rule.holds(objects.len() == 1, format!("list_objects returns {objects:?}"))?;
    dying.end = || Ok(());
    rule.ok("import_volume", bench.driver().import_volume(absent, 1, &dying))?;
    bench.expect(rule, absent, 1, &pages("more"))
}

/// Returns the result of a call, or `None` if it ends with a simulated crash.
fn catch_crash<T>(call: impl FnOnce() -> T) -> Option<T> {
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(done) => Some(done),
        Err(payload) if payload.is::<SimulatedCrash>() => None,
        Err(payload) => panic::resume_unwind(payload),
    }
}

fn frozen_copies_are_of_one_moment<B: TestBackend>(
    bench: &mut Bench<'_, B>,
) -> Result<(), ContractViolation> {
    let rule =
        Rule("a frozen copy holds the data of one moment, is not listed, and ends with its reader");
    let volume = bench.volume(rule, "then")?;
    let reader = bench.id();
    // Twice with the same ID: a backup that failed is created again under its own.
    for (data, next) in [("then", "next"), ("next", "last")] {
        let copy = bench.driver().open_frozen_copy(volume, reader);
        let copy = rule.ok("open_frozen_copy", copy)?;
        bench.write(volume, next);
        expect(rule, &*copy, 1, &pages(data))?;
        let objects = rule.ok("list_objects", bench.driver().list_objects())?;
        rule.holds(objects.len() == 1, format!("list_objects returns {objects:?}"))?;
    }
    let absent = bench.driver().open_frozen_copy(reader, reader);
    rule.fails("open_frozen_copy of an absent volume", absent, is_no_volume)
}

fn readers_cover_the_data<B: TestBackend>(
    bench: &mut Bench<'_, B>,
) -> Result<(), ContractViolation> {
    let rule = Rule("a reader returns extents that cover the data, from any offset");
    let volume = bench.volume(rule, "data")?;
    let reader = rule.ok("open_volume", bench.driver().open_volume(volume))?;
    for offset in OFFSETS {
        for from in [offset.saturating_sub(PAGE * 2), offset, offset + 3] {
            let extent = rule.ok("next_extent", reader.next_extent(from))?;
            let covers = extent.as_ref().is_some_and(|extent| {
                extent.start >= from && extent.start <= offset.max(from) && extent.end > offset
            });
            rule.holds(covers, format!("next_extent({from}) returns {extent:?}"))?;
        }
        let mut buffer = [0; 4];
        rule.ok("read_at", reader.read_at(&mut buffer, offset))?;
        rule.holds(buffer == *b"data", format!("{buffer:?} is read at {offset}"))?;
    }
    let behind = rule.ok("next_extent", reader.next_extent(GIB))?;
    rule.holds(behind.is_none(), format!("next_extent at the end returns {behind:?}"))?;
    let mut buffer = [1; 6];
    rule.ok("read_at", reader.read_at(&mut buffer, GIB - 4))?;
    rule.holds(buffer == *b"data\0\0", format!("{buffer:?} is read across the end"))
}

fn objects_are_adopted<B: TestBackend>(bench: &mut Bench<'_, B>) -> Result<(), ContractViolation> {
    let rule = Rule("an unmanaged object is adopted once, by its own name only");
    let (volume, snapshot, absent) = (bench.id(), bench.id(), bench.id());
    for (reference, size) in [("disk", GIB + 1), ("large", 2 * GIB + 1), ("small", PAGE)] {
        let Bench { backend, driver, .. } = bench;
        let driver = driver.get_or_insert_with(|| backend.open());
        backend.create_unmanaged(driver, reference, size);
    }
    let objects = rule.ok("list_objects", bench.driver().list_objects())?;
    let listed = |name: &str| {
        objects.iter().find(|object| object.name == name).map(|object| object.size_gib)
    };
    let sizes = ["disk", "large", "small"].map(listed);
    rule.holds(sizes == [Some(2), Some(3), Some(1)], format!("list_objects returns {objects:?}"))?;
    for _ in 0..2 {
        let size_gib = rule.ok("adopt_volume", bench.driver().adopt_volume(volume, "disk"))?;
        rule.holds(size_gib == 2, format!("adopt_volume returns {size_gib} GiB, not 2"))?;
        bench.expect(rule, volume, 2, &Pages::new())?;
    }
    let too_large = bench.driver().adopt_snapshot(snapshot, volume, "large");
    rule.fails("adopt_snapshot of a larger object", too_large, |error| {
        matches!(error, DriverError::SnapshotTooLarge { size, max } if *size == 2 * GIB + 1 && *max == 2 * GIB)
    })?;
    bench.write(volume, "data");
    for _ in 0..2 {
        rule.ok("adopt_snapshot", bench.driver().adopt_snapshot(snapshot, volume, "small"))?;
    }
    // A snapshot that is shorter than its volume reads as zeros behind its end.
    rule.ok("revert_volume", bench.driver().revert_volume(volume, snapshot))?;
    bench.expect(rule, volume, 2, &Pages::new())?;
    // `disk` is adopted already, and must not be found under its old name.
    for reference in ["", ".", "..", "../disk", "/disk", "disk", "absent", "a\0b"] {
        let done = bench.driver().adopt_volume(absent, reference);
        rule.fails("adopt_volume of such a name", done, |error| {
            matches!(error, DriverError::NoObject(_))
        })?;
    }
    rule.ok("adopt_volume", bench.driver().adopt_volume(absent, "large"))?;
    bench.reopen();
    let objects = rule.ok("list_objects", bench.driver().list_objects())?;
    rule.holds(objects.len() == 3, format!("list_objects returns {objects:?}"))
}

fn crashed_calls_are_repeatable<B: TestBackend>(
    bench: &mut Bench<'_, B>,
) -> Result<(), ContractViolation> {
    let rule =
        Rule("a call that a crash cuts short leaves whole objects or none, and is repeatable");
    type Call<D> = fn(&D, Subjects) -> Result<(), DriverError>;
    let calls: [(&str, Call<B::Driver>); 10] = [
        ("create_volume", |driver, own| driver.create_volume(own.new, 1)),
        ("create_volumes", |driver, own| {
            driver.create_volumes(&[(own.new, 1)]).into_iter().collect()
        }),
        ("clone_volume of a volume", |driver, own| {
            driver.clone_volume(own.new, 1, CloneSource::Volume(own.volume))
        }),
        ("clone_volume of a snapshot", |driver, own| {
            driver.clone_volume(own.new, 1, CloneSource::Snapshot(own.snapshot))
        }),
        ("import_volume", |driver, own| {
            driver.import_volume(own.new, 1, &Source::new(1, pages("more")))
        }),
        ("create_snapshot", |driver, own| driver.create_snapshot(own.new, own.volume)),
        ("extend_volume", |driver, own| driver.extend_volume(own.volume, 2)),
        ("revert_volume", |driver, own| driver.revert_volume(own.volume, own.snapshot)),
        ("delete_snapshot", |driver, own| driver.delete_snapshot(own.snapshot)),
        ("delete_volume", |driver, own| driver.delete_volume(own.volume)),
    ];
    for (name, call) in calls {
        for step in 0..STEPS_MAX {
            let volume = bench.volume(rule, "then")?;
            let own = Subjects { volume, snapshot: bench.id(), new: bench.id() };
            rule.ok("create_snapshot", bench.driver().create_snapshot(own.snapshot, volume))?;
            bench.write(volume, "next");
            if !bench.crash_at(Some(step)) {
                // The driver simulates no crashes.
                return Ok(());
            }
            let driver = bench.driver();
            let done = catch_crash(|| call(driver, own));
            let crashed = done.is_none();
            bench.crash_at(None);
            if crashed {
                bench.reopen();
                bench.expect_whole(rule, own, name, step)?;
            }
            // Again after a crash, and again after a success.
            let done = call(bench.driver(), own);
            rule.ok(&format!("{name}, repeated after a crash at step {step},"), done)?;
            bench.expect_whole(rule, own, name, step)?;
            bench.delete_all()?;
            // The call has fewer steps: it is tested at each of them.
            if !crashed {
                break;
            }
        }
    }
    Ok(())
}

/// The objects that a call is about.
#[derive(Clone, Copy)]
struct Subjects {
    volume: Uuid,
    snapshot: Uuid,
    /// A volume or snapshot that the call creates.
    new: Uuid,
}

impl<B: TestBackend> Bench<'_, B> {
    fn crash_at(&mut self, step: Option<u32>) -> bool {
        let Self { backend, driver, .. } = self;
        let driver = driver.get_or_insert_with(|| backend.open());
        backend.crash_at(driver, step)
    }

    /// Checks that each object is absent, or has the data of one of the two moments.
    fn expect_whole(
        &mut self,
        rule: Rule,
        own: Subjects,
        name: &str,
        step: u32,
    ) -> Result<(), ContractViolation> {
        let known = ["then", "next", "more"].map(pages);
        let driver = self.driver();
        let readers = [
            driver.open_volume(own.volume),
            driver.open_volume(own.new),
            driver.open_snapshot(own.snapshot),
            driver.open_snapshot(own.new),
        ];
        for reader in readers {
            let reader = match reader {
                Ok(reader) => reader,
                Err(DriverError::NoVolume(_) | DriverError::NoSnapshot(_)) => continue,
                Err(error) => return rule.broken(format!("opening an object failed: {error}")),
            };
            let found = contents(rule, &*reader)?;
            let is_whole = reader.size() % GIB == 0 && (found.is_empty() || known.contains(&found));
            rule.holds(
                is_whole,
                format!("{name}, cut short at step {step}, leaves a part of an object"),
            )?;
        }
        Ok(())
    }
}

fn is_no_volume(error: &DriverError) -> bool {
    matches!(error, DriverError::NoVolume(_))
}

fn is_no_snapshot(error: &DriverError) -> bool {
    matches!(error, DriverError::NoSnapshot(_))
}
