use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use statehold_store::Table;

#[derive(Serialize, Deserialize, Table)]
#[table(name = "one")]
struct One {
    #[table(key)]
    id: String,
    #[table(index)]
    tags: Vec<String>,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "two", index(name = "pool_tag", on(pool, tags)))]
struct Two {
    #[table(key)]
    id: String,
    pool: String,
    tags: BTreeSet<String>,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "three", key(pool, nodes))]
struct Three {
    pool: String,
    nodes: [u32; 3],
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "four")]
struct Four {
    #[table(key)]
    ratio: f64,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "five")]
struct Five {
    #[table(key)]
    id: String,
    #[table(index)]
    meta: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "six")]
struct Six {
    #[table(key)]
    id: String,
    #[table(index(each))]
    ratios: Vec<f32>,
}

fn main() {}
