use statehold_filter::Filterable;

#[derive(Filterable)]
union Size {
    bytes: u64,
    blocks: u64,
}

fn main() {}
