use serde::{Deserialize, Serialize};
use statehold_store::Table;

#[derive(Serialize, Deserialize, Table)]
#[table(name = "volumes")]
struct Volume {
    #[table(key)]
    id: f64,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "nodes", key(pool, name), index(name = "place", on(pool, desc(place))))]
struct Node {
    pool: String,
    name: Vec<String>,
    place: f32,
    #[table(index(each))]
    ratios: Vec<f64>,
}

fn main() {}
