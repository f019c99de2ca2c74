use statehold_filter::Filterable;

#[derive(Filterable)]
enum Skipped {
    Up,
    #[filterable(skip)]
    Down,
}

#[derive(Filterable)]
enum Flattened {
    Up,
    #[filterable(flatten)]
    Down,
}

#[derive(Filterable)]
enum Measured {
    Up,
    #[filterable(unit = "bytes")]
    Down,
}

fn main() {}
