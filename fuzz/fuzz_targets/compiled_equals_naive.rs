//! A compiled filter answers like an interpreter that walks the tree: first line a JSON document, the rest an expression.
#![no_main]

#[path = "../../crates/filter/tests/naive/mod.rs"]
mod naive;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use statehold_filter::{Filter, Limits, parse};

use self::naive::{Fault, evaluate};

fuzz_target!(|text: &str| {
    let Some((document, text)) = text.split_once('\n') else { return };
    let Ok(document) = serde_json::from_str::<Value>(document) else { return };
    let Ok(filter) = Filter::<Value>::compile(text) else { return };
    let Ok(tree) = parse(text, &Limits::default()) else { return };
    let expected = match evaluate(&tree, &document) {
        Ok(answer) => Some(answer),
        Err(Fault::NoAnswer) => None,
        Err(Fault::Unsure) => return,
    };
    let answer = filter.try_matches(&document);
    assert_eq!(answer.clone().ok(), expected, "{answer:?}");
});
