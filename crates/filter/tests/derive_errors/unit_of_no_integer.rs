use statehold_filter::Filterable;

#[derive(Filterable)]
struct Row {
    #[filterable(unit = "bytes")]
    name: String,
}

#[derive(Filterable)]
struct Other {
    #[filterable(unit = "ns")]
    age: std::time::Duration,
}

fn main() {}
