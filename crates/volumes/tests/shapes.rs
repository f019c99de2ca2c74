//! The rows of the volumes' tables, as a directory records them.

/// The shapes of the rows that are out there. A row type that changes needs a new version and a migration; its
/// line here changes with both.
const RECORDED: &str = include_str!("shapes.txt");

#[test]
fn row_types_have_the_shapes_of_their_versions() {
    let schema = statehold_volumes::schema();
    let found: Vec<_> = schema
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
    for shape in statehold_volumes::schema().shapes() {
        // A part that is not known is read back at every write, and a change of it is not noticed.
        assert!(!shape.text.contains('?') && !shape.text.contains(".."), "{shape:?}");
    }
}
