use serde::{Deserialize, Serialize};
use statehold_store::Table;

#[derive(Serialize, Deserialize, Table)]
#[table(name = "volumes", key(namespace, id))]
struct Volume {
    namespace: String,
    #[table(key)]
    id: String,
}

fn main() {}
