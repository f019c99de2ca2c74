use statehold_filter::Filterable;

struct Opaque;

#[derive(Filterable)]
struct Volume {
    opaque: Opaque,
}

fn main() {}
