//! A compiled filter agrees with an interpreter that walks the tree, in both dialects, and an
//! expression of the default dialect has the same result in the extended one: first line a JSON
//! document, the rest an expression.
#![no_main]

#[path = "../../crates/filter/tests/it/naive/mod.rs"]
mod naive;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use statehold_filter::{Dialect, Filter, Options, parse_with};

use self::naive::{Fault, evaluate};

fuzz_target!(|text: &str| {
    let Some((document, text)) = text.split_once('\n') else { return };
    let Ok(document) = serde_json::from_str::<Value>(document) else { return };
    let [bexpr, extended] = [Dialect::Bexpr, Dialect::Extended].map(|dialect| {
        let options = Options::new().dialect(dialect);
        let filter = Filter::<Value>::compile_with(text, &options).ok()?;
        let answer = filter.try_matches(&document);
        let tree = parse_with(text, &options).expect("it compiles");
        match evaluate(&tree, &document) {
            Ok(expected) => assert_eq!(answer, Ok(expected)),
            Err(Fault::NoAnswer) => assert!(answer.is_err(), "{answer:?}"),
            Err(Fault::Unsure) => {}
        }
        Some(answer)
    });
    assert!(bexpr.is_none() || bexpr == extended, "{bexpr:?} {extended:?}");
});
