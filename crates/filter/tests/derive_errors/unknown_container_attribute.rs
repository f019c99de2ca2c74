use statehold_filter::Filterable;

#[derive(Filterable)]
#[filterable(rename = "Volume")]
struct Volume {
    id: String,
}

fn main() {}
