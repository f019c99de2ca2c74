use statehold_filter::Filterable;

#[derive(Filterable)]
struct Volume {
    #[filterable(flatten(boxed))]
    inner: Box<Inner>,
}

#[derive(Filterable)]
struct Inner {
    id: String,
}

fn main() {}
