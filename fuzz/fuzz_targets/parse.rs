//! Any text is parsed or refused, and an error can be shown and points into the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use statehold_filter::{Limits, parse};

fuzz_target!(|text: &str| {
    if let Err(error) = parse(text, &Limits::default()) {
        assert!(error.span().end() <= text.len(), "{error}");
        assert!(!error.to_string().is_empty());
    }
});
