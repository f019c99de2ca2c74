use serde::{Deserialize, Serialize};
use statehold_store::Table;

#[derive(Serialize, Deserialize, Table)]
#[table(name = "volumes")]
struct Volume {
    #[table(key)]
    id: String,
    #[table(index)]
    key: String,
}

fn main() {}
