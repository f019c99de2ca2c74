//! The rows that every store holds, about 500 bytes each, and what is asked of a store.

use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Rows that share a plugin: what a look-up by secondary index finds.
pub const PER_PLUGIN: usize = 20;

/// Bytes of a row that no index knows.
const PAYLOAD: usize = 380;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    pub id: Uuid,
    pub namespace: String,
    pub name: String,
    pub plugin: String,
    pub payload: String,
}

/// An id that is spread over the whole key space, the same on every run.
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

/// A store with volumes by id, by namespace and name, and by plugin. Each is used as its documentation
/// advises for speed: transactions and statements of reads are kept where they can be.
pub trait Peer {
    const NAME: &'static str;

    /// The first `rows` volumes, in a directory of its own if it has files.
    fn filled(dir: &Path, rows: usize) -> Self;

    /// Runs `read` with a reader of the newest state.
    fn reading<R>(&self, read: impl FnOnce(&dyn Reader) -> R) -> R;

    /// Replaces volumes in one transaction, as durable as it gets.
    fn replace(&self, rows: &mut dyn Iterator<Item = Volume>);
}

/// Each answers with the bytes of payload that it saw: rows are reached, and decoded where they lie encoded.
pub trait Reader {
    fn by_id(&self, id: Uuid) -> usize;
    fn by_name(&self, namespace: &str, name: &str) -> usize;
    fn by_plugin(&self, plugin: &str) -> usize;
    /// All volumes, in the order of their ids.
    fn scan(&self) -> usize;
}
