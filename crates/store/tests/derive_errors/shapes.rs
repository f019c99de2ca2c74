use serde::{Deserialize, Serialize};
use statehold_store::Table;

#[derive(Serialize, Deserialize, Table)]
#[table(name = "volumes")]
enum Volume {
    One,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "nodes")]
struct Node(String);

#[derive(Serialize, Deserialize, Table)]
#[table(name = "plugins")]
struct Plugin<T> {
    #[table(key)]
    id: T,
}

fn main() {}
