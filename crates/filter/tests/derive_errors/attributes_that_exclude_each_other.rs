use statehold_filter::Filterable;

#[derive(Filterable)]
struct Volume {
    #[filterable(skip, rename = "ID")]
    id: String,
}

#[derive(Filterable)]
struct Renamed {
    #[filterable(flatten, rename = "Inner")]
    inner: Inner,
}

#[derive(Filterable)]
struct Skipped {
    #[filterable(flatten, skip)]
    inner: Inner,
}

#[derive(Filterable)]
struct Measured {
    #[filterable(skip, unit = "bytes")]
    size: u64,
}

#[derive(Filterable)]
struct Inner {
    zone: String,
}

fn main() {}
