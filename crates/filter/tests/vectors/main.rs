//! Goal: the answers of the reference, case by case.
//!
//! Method: `testdata/filter/vectors.jsonl` holds expressions with the answer for each document of a data set. Sets that are
//! described in `types.json` are built as a model of Go's values ([`go`]), others are JSON. An expression that does not
//! compile counts as "error" for every document. `STATEHOLD_VECTORS` and `STATEHOLD_VECTORS_DATA` name another file and folder.

#![expect(clippy::unwrap_used, reason = "a corpus that can't be read fails the test")]

mod differences;
mod go;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value as Json;
use statehold_filter::{Absent, CompileError, Dialect, Filter, Filterable, Limits, Options, parse};

use self::differences::{Answer, DIFFERENCES, PARSING};
use self::go::{Go, Types};

#[derive(Deserialize)]
struct Case {
    r#type: String,
    expr: String,
    expr_b64: Option<String>,
    parse: Option<String>,
    #[serde(default)]
    expect: Vec<Json>,
    #[serde(default)]
    kinds: Vec<String>,
}

/// The documents of a data set.
enum Documents {
    Json(Vec<Json>),
    Typed(Vec<Go>),
}

struct Corpus {
    cases: Vec<Case>,
    sets: HashMap<String, Documents>,
}

impl Corpus {
    fn load() -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/filter");
        let given = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let vectors = given("STATEHOLD_VECTORS").unwrap_or_else(|| root.join("vectors.jsonl"));
        let data = given("STATEHOLD_VECTORS_DATA").unwrap_or_else(|| root.join("data"));
        let text = fs::read_to_string(vectors).unwrap();
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let cases: Vec<Case> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        let types: Types =
            serde_json::from_str(&fs::read_to_string(data.join("types.json")).unwrap()).unwrap();
        let mut sets = HashMap::new();
        for case in &cases {
            if sets.contains_key(&case.r#type) {
                continue;
            }
            let path = data.join(format!("{}.json", case.r#type));
            let documents: Vec<Json> =
                serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
            let documents = match types.set(&case.r#type) {
                Some(ty) => {
                    Documents::Typed(documents.iter().map(|json| types.build(ty, json)).collect())
                }
                None => Documents::Json(documents),
            };
            sets.insert(case.r#type.clone(), documents);
        }
        Self { cases, sets }
    }
}

/// The answer for one document: true, false or "error".
fn answers(
    case: &Case,
    documents: &Documents,
    options: &Options,
) -> Result<Vec<Json>, CompileError> {
    fn each<T: Filterable>(
        case: &Case,
        rows: &[T],
        options: &Options,
    ) -> Result<Vec<Json>, CompileError> {
        let filter = Filter::<T>::compile_with(&case.expr, options)?;
        let answer = |row| filter.try_matches(row).map_or_else(|_| Json::from("error"), Json::from);
        Ok(rows.iter().map(answer).collect())
    }
    match documents {
        Documents::Json(rows) => each(case, rows, options),
        Documents::Typed(rows) => each(case, rows, options),
    }
}

/// What was compared with the reference.
#[derive(Default)]
struct Outcome {
    checked: usize,
    mismatches: usize,
    /// How often each of the [`DIFFERENCES`] was met.
    differences: Vec<usize>,
    /// How often each of [`PARSING`] was met.
    parsing: Vec<usize>,
    /// Documents that answer as if something absent was missing, where the reference has no answer.
    behind_absent: usize,
}

/// Which of the deliberate differences an answer is.
fn difference(case: &Case, document: usize, answer: &Json, compiled: bool) -> Option<usize> {
    let answer = Answer::of(answer, compiled)?;
    DIFFERENCES.iter().position(|known| {
        known.set == case.r#type
            && known.expr == case.expr
            && known.answer == answer
            && known.documents.contains(&document)
    })
}

/// Runs all cases, prints the mismatches, and counts.
fn run(corpus: &Corpus, absent: Absent) -> Outcome {
    let mut outcome = Outcome {
        differences: vec![0; DIFFERENCES.len()],
        parsing: vec![0; PARSING.len()],
        ..Outcome::default()
    };
    for case in &corpus.cases {
        if case.expr_b64.is_some() {
            // Not UTF-8, so it can't even be passed in.
            continue;
        }
        let parsed = parse(&case.expr, &Limits::default());
        let expected = case.parse.as_deref();
        if expected.is_some_and(|expected| (expected == "ok") != parsed.is_ok()) {
            let known =
                |(expr, ok, _): &(&str, bool, &str)| case.expr == *expr && parsed.is_ok() == *ok;
            if let Some(known) = PARSING.iter().position(known) {
                outcome.parsing[known] += 1;
            } else {
                let given = parsed.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
                println!("parse {:?}: expected {expected:?}, got {given}", case.expr);
                outcome.mismatches += 1;
                continue;
            }
        }
        let result = answers(case, &corpus.sets[&case.r#type], &Options::new().absent(absent));
        let error = result.as_ref().err().cloned();
        let strict = Options::new().absent(Absent::Error);
        let strict = answers(case, &corpus.sets[&case.r#type], &strict).ok();
        let answers = result.unwrap_or_else(|_| vec!["error".into(); case.expect.len()]);
        for (document, (expected, answer)) in case.expect.iter().zip(&answers).enumerate() {
            if expected.is_null() {
                continue;
            }
            outcome.checked += 1;
            let kind = case.kinds.get(document).map_or("", String::as_str);
            if expected == answer {
                continue;
            }
            if let Some(known) = difference(case, document, answer, error.is_none()) {
                outcome.differences[known] += 1;
                continue;
            }
            // Under the reference's rule the answer is the reference's, so that nothing but the rule differs.
            let strict = strict.as_ref().and_then(|strict| strict.get(document));
            if absent == Absent::Missing && strict == Some(expected) && answer.is_boolean() {
                outcome.behind_absent += 1;
                continue;
            }
            outcome.mismatches += 1;
            println!(
                "{} {:?} [{document}]: expected {expected} {kind}, got {answer}",
                case.r#type, case.expr
            );
            if let Some(error) = &error {
                println!("{error}");
            }
        }
    }
    outcome
}

/// Whether the project's own cases are run.
fn own_corpus() -> bool {
    std::env::var_os("STATEHOLD_VECTORS").is_none()
}

#[test]
fn agrees_with_the_reference_but_for_the_listed_differences() {
    let corpus = Corpus::load();
    let outcome = run(&corpus, Absent::Error);
    println!(
        "vectors: {} cases, {} documents checked, {} mismatches",
        corpus.cases.len(),
        outcome.checked,
        outcome.mismatches
    );
    assert_eq!(outcome.mismatches, 0);
    if own_corpus() {
        assert!(outcome.checked > 40_000, "{}", outcome.checked);
        for (known, met) in DIFFERENCES.iter().zip(outcome.differences) {
            assert_eq!(met, known.documents.len(), "{}: {}", known.expr, known.reason);
        }
        for ((expr, _, reason), met) in PARSING.iter().zip(outcome.parsing) {
            assert_eq!(met, 1, "{expr}: {reason}");
        }
    }
}

#[test]
fn differs_by_default_only_behind_what_is_absent() {
    let outcome = run(&Corpus::load(), Absent::Missing);
    assert_eq!(outcome.mismatches, 0);
    assert!(!own_corpus() || outcome.behind_absent == 3_707, "{}", outcome.behind_absent);
}

#[test]
fn the_extended_dialect_answers_each_case_the_same() {
    let corpus = Corpus::load();
    let mut compared = 0;
    for case in &corpus.cases {
        let documents = &corpus.sets[&case.r#type];
        let options = Options::new().absent(Absent::Error);
        if let Ok(expected) = answers(case, documents, &options) {
            let extended = answers(case, documents, &options.dialect(Dialect::Extended));
            assert_eq!(extended, Ok(expected), "{}", case.expr);
            compared += 1;
        }
    }
    assert!(compared > 0);
}

#[test]
fn canonical_text_parses_to_the_same_tree() {
    for case in Corpus::load().cases {
        if let Ok(expr) = parse(&case.expr, &Limits::default()) {
            let text = expr.to_string();
            let again = parse(&text, &Limits::default());
            assert_eq!(again.as_ref(), Ok(&expr), "{:?} printed as {text:?}", case.expr);
            assert_eq!(again.map(|again| again.to_string()), Ok(text));
        }
    }
}
