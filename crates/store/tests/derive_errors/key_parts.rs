use statehold_store::KeyPart;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, KeyPart)]
enum Shape {
    Point,
    Circle(u32),
}

#[derive(KeyPart)]
struct Pair(u32, u32);

#[derive(KeyPart)]
struct Named {
    id: u32,
}

#[derive(KeyPart)]
#[key_part(name = "id")]
struct Unknown(u32);

fn main() {}
