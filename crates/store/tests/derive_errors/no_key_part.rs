use serde::{Deserialize, Serialize};
use statehold_store::Table;

#[derive(Serialize, Deserialize)]
struct Version {
    major: u16,
    minor: u16,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "releases")]
struct Release {
    #[table(key)]
    version: Version,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "nodes", key(pool, release))]
struct Node {
    pool: String,
    release: Box<Version>,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "agents", index(name = "place", on(pool, desc(release))))]
struct Agent {
    #[table(key)]
    name: String,
    pool: String,
    release: Version,
    #[table(unique)]
    before: Option<Version>,
    #[table(index(each))]
    after: Vec<Version>,
}

fn main() {}
