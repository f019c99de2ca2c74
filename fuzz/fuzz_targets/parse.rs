//! Any text is parsed or rejected in both dialects; an error renders, and its span is in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use statehold_filter::{Dialect, Options, parse_with};

fuzz_target!(|text: &str| {
    let [bexpr, extended] = [Dialect::Bexpr, Dialect::Extended].map(|dialect| {
        let read = parse_with(text, &Options::new().dialect(dialect));
        if let Err(error) = &read {
            assert!(error.span().end() <= text.len(), "{error}");
            assert!(!error.to_string().is_empty());
        }
        read.ok()
    });
    assert!(bexpr.is_none() || bexpr == extended, "{bexpr:?} {extended:?}");
});
