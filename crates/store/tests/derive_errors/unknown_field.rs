use serde::{Deserialize, Serialize};
use statehold_store::Table;

#[derive(Serialize, Deserialize, Table)]
#[table(name = "volumes", index(name = "plugin_size", on(plugin, desc(length))))]
struct Volume {
    #[table(key)]
    id: String,
    plugin: String,
    size: u64,
}

fn main() {}
