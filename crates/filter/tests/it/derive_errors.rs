//! Goal: `#[derive(Filterable)]` rejects wrong input with an error that suggests a fix.
//!
//! Method: files that must not compile, each beside the compiler's output.

#[test]
fn misuse_of_the_derive_has_a_helpful_error() {
    trybuild::TestCases::new().compile_fail("tests/derive_errors/*.rs");
}
