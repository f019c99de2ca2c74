use serde::{Deserialize, Deserializer, Serialize};
use statehold_store::Table;

fn lower<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(|text| text.to_lowercase())
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "skipped")]
struct Skipped {
    #[serde(skip)]
    #[table(key)]
    id: String,
    name: String,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "half_skipped", key(id))]
struct HalfSkipped {
    namespace: String,
    #[serde(skip_deserializing)]
    id: String,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "lowered")]
struct Lowered {
    #[table(key)]
    #[serde(deserialize_with = "lower")]
    id: String,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "indexed", index(name = "owner", on(owner)))]
struct Indexed {
    #[table(key)]
    id: String,
    #[table(index)]
    #[serde(skip)]
    plugin: String,
    #[serde(skip)]
    owner: String,
    #[serde(skip)]
    cache: String,
    #[serde(deserialize_with = "lower")]
    zone: String,
}

fn main() {}
