// Tests of the row types of a domain, included by `tests/shapes.rs` of its crate, which names its `schema`
// and its `RECORDED` shapes: the lines of the row types that stores hold.

#[test]
fn row_types_have_the_shapes_of_their_versions() {
    let found: Vec<_> = schema()
        .shapes()
        .map(|shape| format!("{}/{}: {}\n", shape.table, shape.version, shape.text))
        .collect();
    let found = found.concat();
    if std::env::var_os("STATEHOLD_RECORD_SHAPES").is_some() {
        std::fs::write("tests/shapes.txt", &found).unwrap();
    } else {
        assert_eq!(
            found, RECORDED,
            "raise the version of the table, migrate, and record it again with STATEHOLD_RECORD_SHAPES=1"
        );
    }
}

#[test]
fn every_part_of_every_row_is_known() {
    for shape in schema().shapes() {
        // A change of a part that is not known is noticed only by rows that have it.
        assert!(!shape.text.contains('?') && !shape.text.contains(".."), "{shape:?}");
    }
}
