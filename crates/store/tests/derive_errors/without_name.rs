use serde::{Deserialize, Serialize};
use statehold_store::Table;

#[derive(Serialize, Deserialize, Table)]
struct Volume {
    #[table(key)]
    id: String,
}

fn main() {}
