//! The tables of the tests: volumes with every kind of index.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use statehold_store::{Index, IndexSet, Schema, Table, WriteTxn};
use uuid::Uuid;

/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Volume {
    pub(crate) namespace: String,
    pub(crate) id: String,
    pub(crate) plugin: String,
    /// Unique unless it is empty.
    pub(crate) external: String,
    pub(crate) nodes: Vec<Uuid>,
    pub(crate) size: i64,
}

impl Volume {
    pub(crate) fn new(namespace: &str, id: &str) -> Self {
        Self {
            namespace: namespace.into(),
            id: id.into(),
            plugin: "ebs".into(),
            external: String::new(),
            nodes: vec![],
            size: 1,
        }
    }
}

pub(crate) struct Volumes;

pub(crate) const BY_PLUGIN: Index<Volumes, (String, i64)> =
    Index::non_unique("plugin_size", |volume: &Volume, keys| {
        keys.add((&volume.plugin, volume.size));
    });
pub(crate) const BY_EXTERNAL: Index<Volumes, String> =
    Index::unique("external", |volume: &Volume, keys| {
        if !volume.external.is_empty() {
            keys.add(&volume.external);
        }
    });
pub(crate) const BY_NODE: Index<Volumes, Uuid> =
    Index::non_unique("node", |volume: &Volume, keys| {
        for node in &volume.nodes {
            keys.add(*node);
        }
    });

/// Used as an expiry.
pub(crate) const BY_SIZE: Index<Volumes, i64> =
    Index::non_unique("size", |volume: &Volume, keys| keys.add(volume.size));

/// Unique, with several keys for each row: two of them, each added twice.
pub(crate) const BY_ALIAS: Index<Volumes, (String, String, bool)> =
    Index::unique("alias", |volume: &Volume, keys| {
        for _ in 0..2 {
            keys.add((&volume.namespace, &volume.id, false));
            keys.add((&volume.namespace, &volume.id, true));
        }
    });

impl Table for Volumes {
    const NAME: &'static str = "volumes";
    const VERSION: u16 = 1;
    type Key = (String, String);
    type Row = Volume;

    fn key(row: &Volume) -> (&str, &str) {
        (&row.namespace, &row.id)
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&BY_PLUGIN).add(&BY_EXTERNAL).add(&BY_NODE).add(&BY_ALIAS).add(&BY_SIZE);
    }
}

/// A second table, for transactions over two tables.
pub(crate) struct Names;

impl Table for Names {
    const NAME: &'static str = "names";
    const VERSION: u16 = 3;
    type Key = String;
    type Row = String;

    fn key(row: &String) -> &str {
        row
    }
}

pub(crate) fn schema() -> Schema {
    Schema::new().table::<Volumes>().table::<Names>()
}

pub(crate) fn put_name(txn: &mut WriteTxn<'_>, name: &str) {
    txn.upsert::<Names>(name.to_owned()).unwrap();
}

/// Blocks on a future without a runtime; fails if the future is never woken.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let since = Instant::now();
        std::thread::park_timeout(NEVER);
        assert!(since.elapsed() < NEVER, "the future was never woken");
    }
}
