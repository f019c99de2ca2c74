use statehold_filter::Filterable;

#[derive(Filterable)]
struct Row {
    #[filterable(unit = "furlongs")]
    size: u64,
}

fn main() {}
