use serde::{Deserialize, Serialize};
use statehold_store::Table;

#[derive(Serialize, Deserialize, Table)]
#[table(name = "volumes")]
struct Volume {
    #[table(key)]
    id: String,
    #[table(index(each))]
    plugin: String,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "nodes")]
struct Node {
    #[table(key)]
    id: String,
    #[table(unique(some))]
    external: Vec<String>,
}

fn main() {}
