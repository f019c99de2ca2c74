use serde::{Deserialize, Serialize};
use statehold_store::Table;

#[derive(Serialize, Deserialize, Table)]
#[table(name = "volumes", migrate = from_old)]
struct Volume {
    #[table(key)]
    id: String,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "nodes", version = 0)]
struct Node {
    #[table(key)]
    id: String,
}

fn main() {}
