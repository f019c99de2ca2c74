//! Any expression over any JSON has an answer or an error that can be shown: first line a document, the rest an expression.
//!
//! A row with a schema always has an answer, and satisfies what the filter says that an index could serve.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use statehold_filter::{Filter, Filterable, Sarg};

#[derive(Filterable)]
struct Row {
    name: String,
    size: Option<u8>,
    offset: i64,
    ratio: f64,
    ready: bool,
    tags: Vec<String>,
    bytes: Vec<u8>,
    meta: BTreeMap<String, String>,
    ports: BTreeMap<u16, Vec<i32>>,
    inner: Option<Box<Row>>,
}

fn row(document: &Value, depth: usize) -> Row {
    let text = |key: &str| document[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| document[key].as_i64().unwrap_or_default();
    let tags: Vec<String> = document["tags"]
        .as_array()
        .map_or_else(Vec::new, |list| list.iter().map(|item| item.to_string()).collect());
    Row {
        name: text("name"),
        size: u8::try_from(number("size")).ok(),
        offset: number("offset"),
        ratio: document["ratio"].as_f64().unwrap_or(f64::NAN),
        ready: document["ready"].as_bool().unwrap_or_default(),
        bytes: text("bytes").into_bytes(),
        meta: tags.iter().map(|tag| (tag.clone(), text(tag))).collect(),
        ports: (0..3).map(|port| (port, vec![i32::from(port)])).collect(),
        tags,
        inner: (depth < 3).then(|| Box::new(row(&document["inner"], depth + 1))),
    }
}

fuzz_target!(|text: &str| {
    let Some((document, text)) = text.split_once('\n') else { return };
    let Ok(document) = serde_json::from_str::<Value>(document) else { return };
    if let Ok(filter) = Filter::<Value>::compile(text) {
        if let Err(error) = filter.try_matches(&document) {
            assert!(!error.to_string().is_empty());
        }
        assert!(!filter.explain().to_string().is_empty());
    }
    if let Ok(filter) = Filter::<Row>::compile(text) {
        let row = row(&document, 0);
        let answer = filter.try_matches(&row);
        assert!(answer.is_ok(), "{answer:?}");
        for conjunct in filter.conjuncts() {
            let (Sarg::Prefix(prefix), "name") = (conjunct.sarg(), conjunct.selector()) else {
                continue;
            };
            assert!(answer != Ok(true) || row.name.starts_with(&**prefix), "{conjunct}");
        }
    }
});
