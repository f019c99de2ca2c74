use serde::{Deserialize, Serialize};
use statehold_store::{KeyPart, Table};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KeyPart)]
enum Status {
    Ready,
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, KeyPart)]
#[repr(i64)]
enum Large {
    One = 1 << 40,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "nodes", key(status, id))]
struct Node {
    #[table(index)]
    status: Status,
    id: u64,
}

fn main() {}
