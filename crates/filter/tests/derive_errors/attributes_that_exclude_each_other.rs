use statehold_filter::Filterable;

#[derive(Filterable)]
struct Volume {
    #[filterable(skip, rename = "ID")]
    id: String,
}

fn main() {}
