//! A tree that was printed is read as the same tree, and printed as the same text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use statehold_filter::{Limits, parse};

fuzz_target!(|text: &str| {
    let Ok(tree) = parse(text, &Limits::default()) else { return };
    let printed = tree.to_string();
    // Printing adds parentheses and escapes, so the limits are wider.
    let limits = Limits { text: 1 << 20, nesting: Limits::NESTING_MAX, ..Limits::default() };
    let again = match parse(&printed, &limits) {
        Ok(again) => again,
        Err(error) => panic!("{error}"),
    };
    assert!(again == tree, "{printed}");
    assert_eq!(again.to_string(), printed);
});
