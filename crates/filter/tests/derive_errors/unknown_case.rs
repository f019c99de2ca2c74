use statehold_filter::Filterable;

#[derive(Filterable)]
#[filterable(rename_all = "Pascal")]
struct Volume {
    id: String,
}

fn main() {}
