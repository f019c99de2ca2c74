use serde::{Deserialize, Serialize};
use statehold_store::Table;

#[derive(Serialize, Deserialize, Table)]
#[table(name = "one", index(name = "both", on(each(tags), each(nodes))))]
struct One {
    #[table(key)]
    id: String,
    tags: Vec<String>,
    nodes: Vec<String>,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "two", key(id, fold(name)))]
struct Two {
    id: String,
    name: String,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "three", index(name = "pool_tag", on(pool, each(tags)), serves = "pool"))]
struct Three {
    #[table(key)]
    id: String,
    pool: String,
    tags: Vec<String>,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "four", index(name = "pool", on(desc(desc(pool)))))]
struct Four {
    #[table(key)]
    id: String,
    pool: String,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "five", index(name = "pool", on(lower(pool))))]
struct Five {
    #[table(key)]
    id: String,
    pool: String,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "six", index(name = "pool_tag", on(pool, each(id))))]
struct Six {
    #[table(key)]
    id: String,
    pool: String,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "seven", index(name = "POOL", on(id)))]
struct Seven {
    #[table(key)]
    id: String,
    #[table(index)]
    pool: String,
}

fn main() {}
