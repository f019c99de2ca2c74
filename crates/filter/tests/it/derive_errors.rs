//! Goal: what `#[derive(Filterable)]` refuses, it refuses with a message that says what to do.
//!
//! Method: files that must not compile, each beside the compiler's words.

#[test]
fn wrong_use_of_the_derive_is_explained() {
    trybuild::TestCases::new().compile_fail("tests/derive_errors/*.rs");
}
