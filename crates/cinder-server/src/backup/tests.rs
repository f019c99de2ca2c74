use std::fs;
use std::os::unix::fs::FileExt as _;

use crate::backup::*;

const MIB: u64 = 1 << 20;

struct Bench {
    dir: tempfile::TempDir,
    vault: BackupRepository,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let vault = BackupRepository::open(&dir.path().join("vault")).unwrap();
        sparse::create(&dir.path().join("volume"), 64 * MIB).unwrap();
        Self { dir, vault }
    }

    fn volume(&self) -> PathBuf {
        self.dir.path().join("volume")
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        File::options().write(true).open(self.volume()).unwrap().write_all_at(bytes, at).unwrap();
    }

    fn back_up(&self, id: u128, parent: Option<u128>) -> u32 {
        let parent = parent.map(Uuid::from_u128);
        let volume = File::open(self.volume()).unwrap();
        self.vault.create(Uuid::from_u128(id), parent, &volume).unwrap()
    }

    fn restored(&self, id: u128) -> io::Result<Vec<u8>> {
        let path = self.dir.path().join("restored");
        let _ = fs::remove_file(&path);
        sparse::create(&path, 64 * MIB)?;
        let file = File::options().write(true).open(&path)?;
        self.vault.restore(Uuid::from_u128(id), &file)?;
        fs::read(path)
    }
}

#[test]
fn each_backup_gives_back_what_was_there_when_it_was_made() {
    let bench = Bench::new();
    let mut expected = Vec::new();
    bench.write(0, b"first");
    bench.write(40 * MIB - 3, b"across blocks");
    assert_eq!(bench.back_up(1, None), 1);
    expected.push(fs::read(bench.volume()).unwrap());
    // One block changes, one is zero from now on, the rest stays.
    bench.write(5, b" and more");
    bench.write(40 * MIB - 3, &[0; 13]);
    bench.write(64 * MIB - 1, b"e");
    assert_eq!(bench.back_up(2, Some(1)), 1);
    expected.push(fs::read(bench.volume()).unwrap());
    assert_eq!(bench.back_up(3, Some(2)), 0, "nothing has changed");
    expected.push(fs::read(bench.volume()).unwrap());
    for (id, expected) in (1..).zip(&expected) {
        assert!(bench.restored(id).unwrap() == *expected, "backup {id}");
        let (id, parent) = (Uuid::from_u128(id), id.checked_sub(1).filter(|id| *id > 0));
        bench.vault.check(id, parent.map(Uuid::from_u128)).unwrap();
        assert!(bench.vault.check(id, Some(id)).is_err(), "upon itself");
    }
}

#[test]
fn what_is_restored_makes_no_volume_longer() {
    let bench = Bench::new();
    bench.write(8 * MIB - 1, b"ab");
    bench.back_up(1, None);
    let path = bench.dir.path().join("small");
    sparse::create(&path, 8 * MIB).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    assert!(bench.vault.restore(Uuid::from_u128(1), &file).is_err());
    assert_eq!(file.metadata().unwrap().len(), 8 * MIB);
}

#[test]
fn only_data_is_kept_and_only_changes_again() {
    let bench = Bench::new();
    let random: Vec<u8> = (1..=u8::MAX).cycle().take(4 << 20).collect();
    bench.write(8 * MIB, &random);
    bench.back_up(1, None);
    bench.write(9 * MIB, b"\0");
    bench.back_up(2, Some(1));
    let size = |id: u128| {
        let dir = fs::read_dir(bench.vault.place(Uuid::from_u128(id))).unwrap();
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
    let place = bench.vault.place(Uuid::from_u128(1));
    for name in [MANIFEST, "data-000000"] {
        let path = place.join(name);
        let whole = fs::read(&path).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut other = whole.clone();
            other[at] ^= 1;
            fs::write(&path, &other).unwrap();
            let error = bench.restored(1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{name} at {at}: {error}");
        }
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(bench.restored(1).is_err(), "{name} cut off");
        fs::remove_file(&path).unwrap();
        assert!(bench.restored(1).is_err(), "{name} gone");
        fs::write(&path, &whole).unwrap();
    }
    assert!(bench.restored(1).is_ok());
}

#[test]
fn everything_can_be_done_again_and_nothing_is_left() {
    let bench = Bench::new();
    bench.write(0, b"data");
    for _ in 0..2 {
        assert_eq!(bench.back_up(1, None), 1);
    }
    let volume = File::open(bench.volume()).unwrap();
    assert!(bench.vault.create(Uuid::from_u128(2), Some(Uuid::nil()), &volume).is_err());
    for _ in 0..2 {
        bench.vault.delete(Uuid::from_u128(1)).unwrap();
    }
    let dir = bench.dir.path().join("vault");
    let half = dir.join(NEW).join(Uuid::from_u128(3).to_string());
    fs::create_dir(&half).unwrap();
    assert!(BackupRepository::open(&dir).is_err(), "two servers at once");
    drop(bench.vault);
    BackupRepository::open(&dir).unwrap();
    for inner in [NEW, TRASH] {
        assert_eq!(fs::read_dir(dir.join(inner)).unwrap().count(), 0, "{inner}");
    }
}
