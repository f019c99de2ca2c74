use statehold_filter::Filterable;

#[derive(Filterable)]
enum State {
    Up,
    #[filterable(skip)]
    Down,
}

fn main() {}
