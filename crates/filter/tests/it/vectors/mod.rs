//! Goal: the results of go-bexpr, the reference, case by case.
//!
//! Method: `testdata/filter/vectors.jsonl` has expressions with the result for each document of a
//! data set. Sets described in `types.json` are built as a model of Go's values ([`go`]), others
//! are JSON. An expression that does not compile counts as "error" for every document.
//! `STATEHOLD_VECTORS` and `STATEHOLD_VECTORS_DATA` set another file and folder.

mod go;
mod missing;
mod rules;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value as Json, json};
use statehold_filter::{
    Absent, CompileError, Datum, Dialect, Filter, Filterable, Limits, Options, parse,
};

use self::go::{Go, Types};
use self::rules::{Differing, Rule};

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

/// Returns the documents of a data set.
enum Documents {
    Json(Vec<Json>),
    Typed(Vec<Go>),
}

impl Documents {
    fn row(&self, document: usize) -> Datum<'_> {
        match self {
            Self::Json(rows) => rows[document].datum(),
            Self::Typed(rows) => rows[document].datum(),
        }
    }
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
        let cases = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        Self::of(cases, &data)
    }

    /// Cases on the project's own documents.
    fn made_up(cases: impl IntoIterator<Item = Json>) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/filter");
        let cases = cases.into_iter().map(|case| serde_json::from_value(case).unwrap()).collect();
        Self::of(cases, &root.join("data"))
    }

    fn of(cases: Vec<Case>, data: &Path) -> Self {
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

/// Returns the result for one document: true, false or "error".
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

/// The counts of a comparison with the reference.
#[derive(Default)]
struct Outcome {
    checked: usize,
    mismatches: usize,
    /// The number of cases for each deliberate difference.
    rules: HashMap<Rule, usize>,
    /// Documents whose result treats an absent value as missing, where the reference fails.
    behind_absent: usize,
}

impl Outcome {
    fn met(&self, rule: Rule) -> usize {
        self.rules.get(&rule).copied().unwrap_or(0)
    }
}

/// Runs all cases, prints the mismatches, and counts.
fn run(corpus: &Corpus, absent: Absent) -> Outcome {
    let mut outcome = Outcome::default();
    for case in &corpus.cases {
        if case.expr_b64.is_some() {
            // Not UTF-8, so it cannot be passed to the parser.
            continue;
        }
        let parsed = parse(&case.expr, &Limits::default());
        let expected = case.parse.as_deref();
        if expected.is_some_and(|expected| (expected == "ok") != parsed.is_ok()) {
            if let Some(rule) = Rule::of_parse(&case.expr, parsed.as_ref()) {
                *outcome.rules.entry(rule).or_default() += 1;
                // Cases with another result in the reference, or with none.
                continue;
            }
            let given = parsed.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
            println!("parse {:?}: expected {expected:?}, got {given}", case.expr);
            outcome.mismatches += 1;
            continue;
        }
        let documents = &corpus.sets[&case.r#type];
        let result = answers(case, documents, &Options::new().absent(absent));
        let error = result.as_ref().err().cloned();
        let strict = Options::new().absent(Absent::Error);
        let strict = answers(case, documents, &strict).ok();
        let answers = result.unwrap_or_else(|_| vec!["error".into(); case.expect.len()]);
        for (document, (expected, answer)) in case.expect.iter().zip(&answers).enumerate() {
            let kind = case.kinds.get(document).map_or("", String::as_str);
            // Cases of a known difference have no recorded result; missing keys are checked all the
            // same.
            let unrecorded = Json::from("error");
            let expected = match expected.is_null() {
                true if kind == "not_found" => &unrecorded,
                true => continue,
                false => expected,
            };
            outcome.checked += 1;
            if expected == answer {
                continue;
            }
            let differing = Differing {
                expr: &case.expr,
                row: documents.row(document),
                expected,
                kind,
                answer: error.as_ref().map_or(Ok(answer), Err),
            };
            if let Some(rule) = Rule::of_answer(&differing) {
                *outcome.rules.entry(rule).or_default() += 1;
                continue;
            }
            // Under the reference's rule the result is the reference's, so that only the rule
            // differs.
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

/// Returns whether the project's own cases run.
fn own_corpus() -> bool {
    std::env::var_os("STATEHOLD_VECTORS").is_none()
}

#[test]
fn agrees_with_go_bexpr_except_for_the_rules() {
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
        for (rule, met) in [
            (Rule::MissingKey, 1_967),
            (Rule::NoNumber, 1),
            (Rule::BadPattern, 51),
            (Rule::NameTwice, 3),
            (Rule::ByteEscape, 3),
            (Rule::EscapedQuote, 1),
        ] {
            assert_eq!(outcome.met(rule), met, "{rule:?}");
        }
    }
}

/// Creates a case whose reference result is `expected` for one document, without recorded results
/// for others.
fn made_up(set: &str, expr: &str, document: usize, expected: &Json, kind: &str) -> Json {
    let (mut expect, mut kinds) = (vec![Json::Null; document], vec![""; document]);
    expect.push(expected.clone());
    kinds.push(kind);
    json!({ "type": set, "expr": expr, "parse": "ok", "expect": expect, "kinds": kinds })
}

#[test]
fn rules_cover_expressions_beyond_the_vectors() {
    let error = Json::from("error");
    let no = Json::from(false);
    for (set, expr, document, expected, kind, rule) in [
        // A missing key behind a pointer, at the root, inside interfaces and inside elements.
        ("kitchen_sink", "PMSS.gone != 7", 0, &error, "not_found", Rule::MissingKey),
        ("kitchen_sink", "Int != 9 and PMSS.gone is nil", 2, &error, "not_found", Rule::MissingKey),
        ("kitchen_sink", "MSIface.m.gone is empty", 0, &error, "not_found", Rule::MissingKey),
        ("any_json", "gone matches x", 3, &error, "not_found", Rule::MissingKey),
        ("any_json", "nested.deep.gone not contains x", 6, &error, "not_found", Rule::MissingKey),
        (
            "any_json",
            "not (items.0.gone == 1 or gone == 2)",
            1,
            &error,
            "not_found",
            Rule::MissingKey,
        ),
        (
            "any_json",
            "any items as _, item { item.gone is nil }",
            1,
            &error,
            "not_found",
            Rule::MissingKey,
        ),
        ("any_json", "all gone as x { x == 1 }", 0, &error, "not_found", Rule::MissingKey),
        ("kitchen_sink", "Iface is not nil", 16, &error, "bad_json_number", Rule::NoNumber),
        ("kitchen_sink", "MSIface.n matches `(`", 4, &no, "", Rule::BadPattern),
        ("any_json", "count == 77 and name matches `(`", 1, &no, "", Rule::BadPattern),
        ("any_json", "any nums as n, n { n == 1 }", 2, &no, "", Rule::NameTwice),
        ("any_json", "count == 77 and any tags as y, y { y == 1 }", 1, &no, "", Rule::NameTwice),
        ("any_json", r#"name == "\376""#, 1, &no, "", Rule::ByteEscape),
    ] {
        let outcome =
            run(&Corpus::made_up([made_up(set, expr, document, expected, kind)]), Absent::Error);
        assert_eq!((outcome.mismatches, outcome.met(rule)), (0, 1), "{expr}: {rule:?}");
    }
    let quoted = json!({ "type": "any_json", "expr": r#"x contains "\\\"""#, "parse": "error" });
    let outcome = run(&Corpus::made_up([quoted]), Absent::Error);
    assert_eq!((outcome.mismatches, outcome.met(Rule::EscapedQuote)), (0, 1));
}

#[test]
fn results_outside_the_rules_are_mismatches() {
    let error = Json::from("error");
    let no = Json::from(false);
    let yes = Json::from(true);
    for (set, expr, document, expected, kind) in [
        // The key exists, or the error is another than a missing key.
        ("kitchen_sink", "PMSS.foo != 7", 0, &error, "not_found"),
        ("kitchen_sink", "PMSS.gone != 7", 0, &error, "cannot_descend"),
        ("kitchen_sink", "PMSS.gone != 7", 0, &no, ""),
        ("any_json", "count != 77 or gone == 1", 1, &error, "not_found"),
        ("any_json", "gone.deeper == 1", 1, &no, "not_found"),
        // A value that every language has.
        ("kitchen_sink", "Iface is not nil", 14, &error, "bad_json_number"),
        // The pattern is reached, or the result is not that of a missing value.
        ("any_json", "name matches `(`", 1, &no, ""),
        ("kitchen_sink", "MSIface.n matches `(`", 4, &yes, ""),
        ("any_json", "any tags as x, x { x == foo }", 1, &no, ""),
        // Rejected for another reason than its bytes.
        ("any_json", r#"name == "\q""#, 1, &no, ""),
        ("any_json", "name == web-1", 1, &yes, ""),
    ] {
        let outcome =
            run(&Corpus::made_up([made_up(set, expr, document, expected, kind)]), Absent::Error);
        assert_eq!(outcome.mismatches, 1, "{expr}: {:?}", outcome.rules);
    }
    for expr in [r#"x == "a" and y == "b""#, r#"x == `a\"b`"#] {
        let accepted = json!({ "type": "any_json", "expr": expr, "parse": "error" });
        let outcome = run(&Corpus::made_up([accepted]), Absent::Error);
        assert_eq!(outcome.mismatches, 1, "{expr}: {:?}", outcome.rules);
    }
}

#[test]
fn default_differs_only_behind_absent_values() {
    let outcome = run(&Corpus::load(), Absent::Missing);
    assert_eq!(outcome.mismatches, 0);
    if own_corpus() {
        // The others go through a null, or have a clause on one.
        assert_eq!((outcome.met(Rule::MissingKey), outcome.behind_absent), (3_944, 2_639));
    }
}

#[test]
fn extended_dialect_agrees_on_every_vector() {
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
