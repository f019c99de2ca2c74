use statehold_filter::Filterable;

#[derive(Filterable)]
#[filterable(computed(name = "Ready", with = Self::ready, type = bool))]
struct Volume {
    id: String,
}

fn main() {}
