use statehold_filter::Filterable;

#[derive(Filterable)]
#[filterable(computed(name = "Ready", with = Self::ready))]
struct Volume {
    id: String,
}

impl Volume {
    fn ready(&self) -> bool {
        true
    }
}

fn main() {}
