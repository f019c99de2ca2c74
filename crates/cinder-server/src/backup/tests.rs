use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use statehold_server_core::fs::sparse;

use crate::backend::{DriverError, copy_extents};
use crate::backup::*;
use crate::locked_dir::{NEW, TRASH};

const MIB: u64 = 1 << 20;

struct Bench {
    dir: tempfile::TempDir,
    repository: BackupRepository,
}

/// A sparse file as the source of a backup.
struct Source(File);

impl ReadExtents for Source {
    fn size(&self) -> u64 {
        self.0.metadata().unwrap().len()
    }

    fn next_extent(&self, from: u64) -> Result<Option<Range<u64>>, DriverError> {
        Ok(sparse::data(&self.0, from)?)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), DriverError> {
        let read = sparse::read_at(&self.0, buffer, offset)?;
        buffer[read..].fill(0);
        Ok(())
    }
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let repository = BackupRepository::open(&dir.path().join("repository")).unwrap();
        sparse::create(&dir.path().join("volume"), 64 * MIB).unwrap();
        Self { dir, repository }
    }

    fn volume(&self) -> PathBuf {
        self.dir.path().join("volume")
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        File::options().write(true).open(self.volume()).unwrap().write_all_at(bytes, at).unwrap();
    }

    fn back_up(&self, id: u128, parent: Option<u128>) -> u32 {
        self.try_back_up(id, parent).unwrap()
    }

    fn try_back_up(&self, id: u128, parent: Option<u128>) -> Result<u32, BackupError> {
        let source = Source(File::open(self.volume()).unwrap());
        self.repository.create(Uuid::from_u128(id), parent.map(Uuid::from_u128), &source)
    }

    fn verify(&self, id: u128, parent: Option<u128>) -> Result<(), BackupError> {
        let backup = self.repository.open_backup(Uuid::from_u128(id))?;
        backup.verify(parent.map(Uuid::from_u128))
    }

    fn restored(&self, id: u128) -> Result<Vec<u8>, DriverError> {
        let mut restored = vec![0; usize::try_from(64 * MIB).unwrap()];
        let backup = self.repository.open_backup(Uuid::from_u128(id))?;
        copy_extents(&backup, 64 * MIB, |offset, bytes| {
            let at = usize::try_from(offset).unwrap();
            restored[at..at + bytes.len()].copy_from_slice(bytes);
            Ok(())
        })?;
        Ok(restored)
    }
}

#[test]
fn each_backup_restores_the_data_of_its_moment() {
    let bench = Bench::new();
    let mut expected = Vec::new();
    bench.write(0, b"first");
    bench.write(40 * MIB - 3, b"across blocks");
    assert_eq!(bench.back_up(1, None), 1);
    expected.push(fs::read(bench.volume()).unwrap());
    // One block changes, one becomes zero, the rest stays.
    bench.write(5, b" and more");
    bench.write(40 * MIB - 3, &[0; 13]);
    bench.write(64 * MIB - 1, b"e");
    assert_eq!(bench.back_up(2, Some(1)), 1);
    expected.push(fs::read(bench.volume()).unwrap());
    assert_eq!(bench.back_up(3, Some(2)), 0, "nothing has changed");
    expected.push(fs::read(bench.volume()).unwrap());
    for (id, expected) in (1..).zip(&expected) {
        assert!(bench.restored(id).unwrap() == *expected, "backup {id}");
        bench.verify(id, id.checked_sub(1).filter(|id| *id > 0)).unwrap();
        let other = bench.verify(id, Some(id)).unwrap_err();
        assert!(matches!(other, BackupError::ParentMismatch), "{other}");
    }
}

#[test]
fn a_backup_is_read_at_any_offset() {
    let bench = Bench::new();
    // More blocks than a reader of the manifest holds at a time, with holes between them.
    for at in 0..1500 {
        bench.write(at * 40 * 1024 + at, &at.to_le_bytes());
    }
    bench.back_up(1, None);
    let expected = fs::read(bench.volume()).unwrap();
    let backup = bench.repository.open_backup(Uuid::from_u128(1)).unwrap();
    let mut buffer = vec![0; 100_000];
    for offset in [63 * MIB, 7, 30 * MIB + 5, 32768, 0, 59 * MIB, 12 * MIB, 64 * MIB - 9] {
        backup.read_at(&mut buffer, offset).unwrap();
        let at = usize::try_from(offset).unwrap();
        let end = expected.len().min(at + buffer.len());
        assert!(buffer[..end - at] == expected[at..end], "at {offset}");
        assert!(buffer[end - at..].iter().all(|byte| *byte == 0), "behind the end, at {offset}");
        let extent = backup.next_extent(offset).unwrap();
        let next =
            extent.as_ref().map_or(expected.len(), |extent| extent.start.try_into().unwrap());
        assert!(next >= at && expected[at..next].iter().all(|byte| *byte == 0), "at {offset}");
        assert!(extent.is_none_or(|extent| !extent.is_empty() && extent.end <= 64 * MIB));
    }
}

#[test]
fn a_restore_never_extends_a_volume() {
    let bench = Bench::new();
    bench.write(8 * MIB - 1, b"ab");
    bench.back_up(1, None);
    let backup = bench.repository.open_backup(Uuid::from_u128(1)).unwrap();
    let error = copy_extents(&backup, 8 * MIB, |_, _| Ok(())).unwrap_err();
    assert!(matches!(error, DriverError::SourceTooLarge { .. }), "{error}");
    copy_extents(&backup, 8 * MIB + 1, |_, _| Ok(())).unwrap();
}

#[test]
fn only_data_and_changed_blocks_are_stored() {
    let bench = Bench::new();
    let random: Vec<u8> = (1..=u8::MAX).cycle().take(4 << 20).collect();
    bench.write(8 * MIB, &random);
    bench.back_up(1, None);
    bench.write(9 * MIB, b"\0");
    bench.back_up(2, Some(1));
    let size = |id: u128| {
        let dir = fs::read_dir(bench.repository.backup_path(Uuid::from_u128(id))).unwrap();
        dir.map(|entry| entry.unwrap())
            .filter(|entry| entry.file_name() != MANIFEST)
            .map(|entry| entry.metadata().unwrap().len())
            .sum::<u64>()
    };
    assert_eq!(size(1), 4 * MIB);
    assert_eq!(size(2), u64::from(BLOCK));
}

#[test]
fn damage_is_found() {
    let bench = Bench::new();
    bench.write(3 * MIB, b"data");
    bench.back_up(1, None);
    let backup = bench.repository.backup_path(Uuid::from_u128(1));
    for name in [MANIFEST, "data-000000"] {
        let path = backup.join(name);
        let complete = fs::read(&path).unwrap();
        for at in [0, complete.len() / 2, complete.len() - 1] {
            let mut other = complete.clone();
            other[at] ^= 1;
            fs::write(&path, &other).unwrap();
            let error = bench.verify(1, None).unwrap_err();
            assert!(matches!(error, BackupError::Damaged(_)), "{name} at {at}: {error}");
            let error = bench.restored(1).unwrap_err();
            assert!(matches!(error, DriverError::Source(_)), "{name} at {at}: {error}");
        }
        fs::write(&path, &complete[..complete.len() - 1]).unwrap();
        assert!(bench.restored(1).is_err(), "{name} truncated");
        fs::remove_file(&path).unwrap();
        assert!(bench.restored(1).is_err(), "{name} missing");
        fs::write(&path, &complete).unwrap();
    }
    assert!(bench.restored(1).is_ok());
}

#[test]
fn a_backup_fails_if_its_source_fails() {
    struct Failing;
    impl ReadExtents for Failing {
        fn size(&self) -> u64 {
            64 * MIB
        }
        fn next_extent(&self, from: u64) -> Result<Option<Range<u64>>, DriverError> {
            if from > MIB {
                Err(DriverError::NoVolume(Uuid::nil()))
            } else {
                Ok(Some(from..2 * MIB))
            }
        }
        fn read_at(&self, buffer: &mut [u8], _: u64) -> Result<(), DriverError> {
            buffer.fill(1);
            Ok(())
        }
    }
    let bench = Bench::new();
    let error = bench.repository.create(Uuid::from_u128(1), None, &Failing).unwrap_err();
    assert!(matches!(error, BackupError::Source(DriverError::NoVolume(_))), "{error}");
    assert_eq!(fs::read_dir(bench.dir.path().join("repository").join(NEW)).unwrap().count(), 0);
    assert_eq!(bench.back_up(1, None), 0, "a repeated backup starts anew");
}

#[test]
fn calls_are_repeatable_and_leave_no_parts() {
    let bench = Bench::new();
    bench.write(0, b"data");
    for _ in 0..2 {
        assert_eq!(bench.back_up(1, None), 1);
    }
    let error = bench.try_back_up(2, Some(0)).unwrap_err();
    assert!(
        matches!(&error, BackupError::Io(error) if error.kind() == ErrorKind::NotFound),
        "{error}"
    );
    for _ in 0..2 {
        bench.repository.delete(Uuid::from_u128(1)).unwrap();
    }
    let dir = bench.dir.path().join("repository");
    let part = dir.join(NEW).join(Uuid::from_u128(3).to_string());
    fs::create_dir(&part).unwrap();
    assert!(BackupRepository::open(&dir).is_err(), "two servers at once");
    drop(bench.repository);
    BackupRepository::open(&dir).unwrap();
    for inner in [NEW, TRASH] {
        assert_eq!(fs::read_dir(dir.join(inner)).unwrap().count(), 0, "{inner}");
    }
}
