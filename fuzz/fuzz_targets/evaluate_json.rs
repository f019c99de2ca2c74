//! Any expression over any JSON has a result or an error that renders: first line a document, the
//! rest an expression.
//!
//! A row with a schema always has a result, the same for every way of evaluation, and satisfies the
//! conditions that the filter returns for indexes.
#![no_main]

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use statehold_filter::{
    Budget, Conjunct, Constant, Cover, Dialect, Filter, Filterable, Key, Options, Sarg,
};

#[derive(Filterable)]
struct Row {
    name: String,
    size: Option<u8>,
    offset: i64,
    #[filterable(unit = "bytes")]
    room: i64,
    age: Duration,
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
        room: number("offset"),
        age: Duration::from_nanos(number("age").unsigned_abs()),
        ratio: document["ratio"].as_f64().unwrap_or(f64::NAN),
        ready: document["ready"].as_bool().unwrap_or_default(),
        bytes: text("bytes").into_bytes(),
        meta: tags.iter().map(|tag| (tag.clone(), text(tag))).collect(),
        ports: (0..3).map(|port| (port, vec![i32::from(port)])).collect(),
        tags,
        inner: (depth < 3).then(|| Box::new(row(&document["inner"], depth + 1))),
    }
}

/// Returns whether the field of a conjunct satisfies it; `None` for fields that are checked
/// elsewhere.
fn satisfies(row: &Row, conjunct: &Conjunct) -> Option<bool> {
    let order = |own: &Constant| match (conjunct.selector(), own) {
        ("name", Constant::Text(own)) => Some(row.name.as_str().cmp(own)),
        ("size", Constant::Uint(own)) => row.size.map(|size| u64::from(size).cmp(own)),
        ("room", Constant::Int(own)) | ("offset", Constant::Int(own)) => Some(row.offset.cmp(own)),
        ("ratio", Constant::Float(own)) => row.ratio.partial_cmp(own),
        ("ready", Constant::Bool(own)) => Some(row.ready.cmp(own)),
        _ => None,
    };
    let within = |end: &Bound<Constant>, side: Ordering| match end {
        Bound::Unbounded => true,
        Bound::Included(end) => order(end).is_some_and(|order| order != side),
        Bound::Excluded(end) => order(end) == Some(side.reverse()),
    };
    let scalar =
        ["name", "size", "room", "offset", "ratio", "ready"].contains(&conjunct.selector());
    match (conjunct.sarg(), conjunct.selector()) {
        (Sarg::Points(points), _) if scalar => {
            Some(points.iter().any(|point| order(point) == Some(Ordering::Equal)))
        }
        (Sarg::Range { low, high }, _) if scalar => {
            Some(within(low, Ordering::Less) && within(high, Ordering::Greater))
        }
        (Sarg::Prefix(prefix), "name") => Some(row.name.starts_with(&**prefix)),
        (Sarg::Element(Constant::Text(own)), "tags") => {
            Some(row.tags.iter().any(|tag| **tag == **own))
        }
        (Sarg::Key(Key::Text(own)), "meta") => Some(row.meta.contains_key(&**own)),
        _ => None,
    }
}

fuzz_target!(|text: &str| {
    let Some((document, text)) = text.split_once('\n') else { return };
    let Ok(document) = serde_json::from_str::<Value>(document) else { return };
    let row = row(&document, 0);
    for dialect in [Dialect::Bexpr, Dialect::Extended] {
        let options = Options::new().dialect(dialect);
        if let Ok(filter) = Filter::<Value>::compile_with(text, &options) {
            let answer = filter.try_matches(&document);
            assert_eq!(filter.matches(&document), answer == Ok(true));
            assert_eq!(filter.matches_within(&document, &mut Budget::unlimited()), answer);
            if let Err(error) = answer {
                assert!(!error.to_string().is_empty());
            }
            assert!(!filter.explain().to_string().is_empty());
        }
        if let Ok(filter) = Filter::<Row>::compile_with(text, &options) {
            let answer = filter.matches(&row);
            match filter.try_matches(&row) {
                // The row could match.
                Err(error) if error.is_too_costly() => continue,
                tried => assert_eq!(tried, Ok(answer)),
            }
            let conjuncts = filter.conjuncts();
            for conjunct in &conjuncts {
                let Some(satisfied) = satisfies(&row, conjunct) else { continue };
                assert!(satisfied || !answer, "{conjunct}");
                assert!(conjunct.cover() != Cover::Filter || satisfied == answer, "{conjunct}");
            }
            assert!(filter.bytes_estimated() > 0);
        }
    }
});
