//! A backup or a dump of any bytes is restored entirely or rejected, and a rejected one changes
//! nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use statehold_store::Store;

#[path = "../tables.rs"]
mod tables;

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    let store = Store::in_memory(&tables::schema());
    tables::put(&store, 1);
    let (index_before, before) = (store.index(), tables::rows(&store));
    let restored = match mode % 3 {
        0 => store.restore(data),
        1 => {
            // With a correct checksum, so that the contents are read too.
            let mut bytes = data.to_vec();
            bytes.extend_from_slice(&crc32fast::hash(data).to_le_bytes());
            store.restore(bytes.as_slice())
        }
        _ => store.load(data),
    };
    match restored {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_eq!((store.index(), tables::rows(&store)), (index_before, before));
        }
        Ok(index) => {
            assert!(index > index_before);
            let rows = tables::rows(&store);
            let (mut backup, mut dump) = (Vec::new(), Vec::new());
            store.backup(&mut backup).expect("memory");
            store.dump(&mut dump).expect("memory");
            let other = Store::in_memory(&tables::schema());
            other.restore(backup.as_slice()).expect("its own backup");
            assert_eq!(tables::rows(&other), rows);
            other.load(dump.as_slice()).expect("its own dump");
            assert_eq!(tables::rows(&other), rows);
        }
    }
});
