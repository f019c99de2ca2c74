use statehold_filter::Filterable;

#[derive(Filterable)]
enum Mode {
    Reader,
    Writer { exclusive: bool },
}

fn main() {}
