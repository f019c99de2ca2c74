use serde::{Deserialize, Serialize};
use statehold_store::Table;

#[derive(Serialize, Deserialize, Table)]
#[table(name = "volumes", keys(id))]
struct Volume {
    id: String,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "plugins")]
struct Plugin {
    #[table(primary)]
    id: String,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "nodes")]
struct Node {
    #[table(key, index(multi))]
    id: String,
}

fn main() {}
