//! Any cursor in any text has candidates that replace whole characters before it; the first byte is
//! the cursor.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use statehold_filter::{CANDIDATES_MAX, Dialect, Filterable, complete};

#[derive(Filterable)]
struct Inner {
    zone: String,
    segments: BTreeMap<String, Vec<bool>>,
}

#[derive(Filterable)]
struct Row {
    name: String,
    ready: bool,
    tags: Vec<String>,
    inner: Vec<Inner>,
    meta: BTreeMap<String, Inner>,
}

fn keys(map: &str) -> Vec<String> {
    vec![map.to_owned(), "env".to_owned(), "a b".to_owned(), "0".to_owned()]
}

fuzz_target!(|input: (u8, &str)| {
    let (cursor, text) = input;
    let cursor = text.len().saturating_add(8).saturating_sub(usize::from(cursor));
    for (kind, dialect) in [
        (Row::KIND, Dialect::Bexpr),
        (Row::KIND, Dialect::Extended),
        (serde_json::Value::KIND, Dialect::Extended),
    ] {
        let candidates = complete(kind, dialect, text, cursor, &keys);
        assert!(candidates.len() <= CANDIDATES_MAX);
        for candidate in candidates {
            let span = candidate.replaces();
            assert!(span.end() <= cursor);
            assert!(text.get(span.start()..span.end()).is_some(), "{candidate:?}");
        }
    }
});
