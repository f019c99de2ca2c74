use statehold_filter::Filterable;

#[derive(Filterable)]
struct Volume {
    id: String,
    #[filterable(rename = "id")]
    name: String,
}

fn main() {}
