//! A printed tree parses to the same tree and prints to the same text, in both dialects.
#![no_main]

use libfuzzer_sys::fuzz_target;
use statehold_filter::{Dialect, Limits, Options, parse_with};

fuzz_target!(|text: &str| {
    for dialect in [Dialect::Bexpr, Dialect::Extended] {
        let options = Options::new().dialect(dialect);
        let Ok(tree) = parse_with(text, &options) else { continue };
        let printed = tree.to_string();
        // Printing adds parentheses and escapes, so the limits are wider.
        let limits = Limits { text: 1 << 20, nesting: Limits::NESTING_MAX, ..Limits::default() };
        let again = match parse_with(&printed, &options.limits(limits)) {
            Ok(again) => again,
            Err(error) => panic!("{error}"),
        };
        assert!(again == tree && tree.clone() == tree, "{printed}");
        assert_eq!(again.to_string(), printed);
    }
});
