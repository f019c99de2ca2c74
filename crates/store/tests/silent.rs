//! A damaged file yields a typed error, without the message of the file layer's panic on stderr.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use statehold_store::{Options, Schema, Store, Table};

struct Names;

impl Table for Names {
    const NAME: &'static str = "names";
    const VERSION: u16 = 1;
    type Key = String;
    type Row = String;

    fn key(row: &String) -> &str {
        row
    }
}

/// Number of panics that reached the program's own hook.
static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn damaged_file_reaches_no_panic_hook() {
    std::panic::set_hook(Box::new(|_| {
        PANICS.fetch_add(1, Ordering::SeqCst);
    }));
    let schema = Schema::new().table::<Names>();
    let origin = tempfile::tempdir().unwrap();
    let store = Store::open(origin.path(), &schema).unwrap();
    for step in 0..60 {
        let mut txn = store.begin_write().unwrap();
        txn.upsert::<Names>(format!("name {step}")).unwrap();
        txn.commit().unwrap();
        if step == 30 {
            store.checkpoint().unwrap();
        }
    }
    drop(store);
    let mut luck = fastrand::Rng::with_seed(7);
    let mut refused = 0;
    for name in ["rows.redb", "log.redb"] {
        let bytes = fs::read(origin.path().join(name)).unwrap();
        for _ in 0..60 {
            let dir = tempfile::tempdir().unwrap();
            for file in ["rows.redb", "log.redb"] {
                fs::copy(origin.path().join(file), dir.path().join(file)).unwrap();
            }
            let mut damaged = bytes.clone();
            let at = luck.usize(..damaged.len());
            let end = (at + 200).min(damaged.len());
            damaged[at..end].iter_mut().for_each(|byte| *byte = luck.u8(..));
            fs::write(dir.path().join(name), damaged).unwrap();
            let options = Options::default().read_only(true);
            refused += usize::from(Store::open_with(dir.path(), &schema, &options).is_err());
            refused += usize::from(Store::verify(dir.path(), &schema).is_err());
        }
    }
    let panics = PANICS.load(Ordering::SeqCst);
    drop(std::panic::take_hook());
    assert!(refused > 20, "{refused} refused");
    assert_eq!(panics, 0);
}
