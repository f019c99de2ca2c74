use statehold_filter::Filterable;

#[derive(Filterable)]
#[filterable(computed(name = "Ready", with = Self::ready, ty = bool))]
enum State {
    Up,
    Down,
}

fn main() {}
