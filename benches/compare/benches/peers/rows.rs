//! The rows of every store, about 500 bytes each, and the interface of a store.

use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Rows that share a plugin: the result of a look-up by secondary index.
pub const PER_PLUGIN: usize = 20;

/// Bytes of a row outside all indexes.
const PAYLOAD: usize = 380;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    pub id: Uuid,
    pub namespace: String,
    pub name: String,
    pub plugin: String,
    pub payload: String,
}

/// Returns an ID that is spread over the whole key space, the same on every run.
pub fn id(at: usize) -> Uuid {
    // The finaliser of SplitMix64, twice.
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let high = mix((at as u64).wrapping_add(0x9E37_79B9_7F4A_7C15));
    Uuid::from_u64_pair(high, mix(high))
}

pub fn namespace(at: usize) -> &'static str {
    ["default", "production", "staging"][at % 3]
}

pub fn name(at: usize) -> String {
    format!("volume-{at:08}")
}

pub fn plugin(at: usize) -> String {
    format!("plugin-{:08}", at / PER_PLUGIN)
}

pub fn volume(at: usize) -> Volume {
    Volume {
        id: id(at),
        namespace: namespace(at).to_owned(),
        name: name(at),
        plugin: plugin(at),
        payload: "x".repeat(PAYLOAD),
    }
}

/// A store with volumes by ID, by namespace and name, and by plugin. Each is used as its
/// documentation advises for speed: read transactions and statements are reused where possible.
pub trait Peer {
    const NAME: &'static str;

    /// Creates a store with the first `rows` volumes, in `dir` if it has files.
    fn filled(dir: &Path, rows: usize) -> Self;

    /// Runs `read` with a reader of the newest state.
    fn reading<R>(&self, read: impl FnOnce(&dyn Reader) -> R) -> R;

    /// Replaces volumes in one transaction, with the strongest durability of the store.
    fn replace(&self, rows: &mut dyn Iterator<Item = Volume>);
}

/// Each method returns the bytes of payload that it read: rows are reached, and decoded if they are
/// encoded.
pub trait Reader {
    fn by_id(&self, id: Uuid) -> usize;
    fn by_name(&self, namespace: &str, name: &str) -> usize;
    fn by_plugin(&self, plugin: &str) -> usize;
    /// Reads all volumes, in the order of their IDs.
    fn scan(&self) -> usize;
}
