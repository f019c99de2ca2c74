use serde::{Deserialize, Serialize};
use statehold_store::Table;

#[derive(Serialize, Deserialize)]
struct Size {
    bytes: u64,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "volumes")]
#[serde(rename_all = "camelCase", tag = "kind")]
struct Volume {
    #[table(key)]
    #[serde(rename = "ID")]
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(flatten)]
    size: Size,
    #[serde(skip_serializing, default)]
    secret: String,
    #[serde(skip_deserializing)]
    shown: String,
}

fn main() {}
