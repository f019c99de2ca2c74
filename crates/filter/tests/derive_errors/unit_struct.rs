use statehold_filter::Filterable;

#[derive(Filterable)]
struct Volume;

fn main() {}
