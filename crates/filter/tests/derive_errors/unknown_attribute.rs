use statehold_filter::Filterable;

#[derive(Filterable)]
struct Volume {
    #[filterable(name = "ID")]
    id: String,
}

fn main() {}
