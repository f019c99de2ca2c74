//! Goal: the promises of the extended dialect, operator by operator.
//!
//! Method: one row with a field of each kind, and claims about it; rejected expressions as
//! rendered.

mod errors;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use statehold_filter::{CompileErrorKind, Dialect, Filter, Filterable, Limits, Options};
use uuid::Uuid;

#[derive(Filterable)]
enum Mode {
    Block,
    File,
}

#[derive(Filterable)]
#[filterable(rename_all = "PascalCase")]
#[filterable(computed(name = "Half", with = Self::half, ty = u64, unit = "bytes"))]
struct Volume {
    name: String,
    #[filterable(rename = "ID")]
    id: Uuid,
    mode: Mode,
    letter: char,
    #[filterable(unit = "bytes")]
    capacity: u64,
    #[filterable(unit = "bytes")]
    requested: Option<i64>,
    #[filterable(unit = "bytes")]
    parts: Vec<u64>,
    #[filterable(unit = "ns")]
    timeout: i64,
    #[filterable(unit = "unix_ns")]
    modified: u64,
    #[filterable(unit = "ns")]
    waited: u64,
    small: i8,
    age: Duration,
    created: SystemTime,
    deleted: Option<SystemTime>,
    count: i32,
    ratio: f64,
    weight: f32,
    on: bool,
    tags: Vec<String>,
    meta: BTreeMap<String, String>,
    note: Option<String>,
    json: Value,
}

impl Volume {
    fn half(&self) -> u64 {
        self.capacity / 2
    }
}

/// 2026-01-02T03:04:05Z.
const CREATED: Duration = Duration::from_secs(1_767_323_045);

fn row() -> Volume {
    Volume {
        name: "Web-1".to_owned(),
        id: Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        mode: Mode::Block,
        letter: 'É',
        capacity: 10 << 30,
        requested: Some(500_000_000),
        parts: vec![1 << 20, 2 << 20],
        timeout: 5_400_000_000_000,
        modified: 1_767_323_045_000_000_000,
        waited: 1,
        small: -1,
        age: Duration::from_millis(1_500),
        created: SystemTime::UNIX_EPOCH + CREATED,
        deleted: None,
        count: -3,
        ratio: 0.5,
        weight: 2.25,
        on: true,
        tags: vec!["web".to_owned(), "Prod".to_owned()],
        meta: BTreeMap::from([("env".to_owned(), "Prod".to_owned())]),
        note: None,
        json: json!({
            "n": 3, "f": 2.5, "s": "abc", "nothing": null, "list": ["a", 1, null], "b": true,
            "at": "2026-01-02T03:04:05Z", "for": "90m", "size": 1024
        }),
    }
}

fn options() -> Options {
    Options::new().dialect(Dialect::Extended)
}

fn compile(text: &str) -> Filter<Volume> {
    Filter::compile_with(text, &options()).unwrap_or_else(|error| panic!("{error}"))
}

fn compile_any(text: &str) -> Result<Filter<Value>, statehold_filter::CompileError> {
    Filter::compile_with(text, &options())
}

#[track_caller]
fn holds(text: &str) {
    assert_eq!(compile(text).try_matches(&row()), Ok(true), "{text}");
    let negated = format!("not ({text}\n)");
    assert_eq!(compile(&negated).try_matches(&row()), Ok(false), "{negated}");
}

#[track_caller]
fn fails(text: &str) {
    holds(&format!("not ({text})"));
}

#[test]
fn numbers_are_ordered_by_value() {
    holds("Count < -2 and Count <= -3 and Count > -4 and Count >= -3");
    fails("Count < -3 or Count > -3 or Count >= 0");
    holds("Ratio < 0.75 and Ratio >= \"5e-1\" and Weight > 2 and Weight <= 2.25");
    fails("Ratio < \"nan\" or Ratio >= \"nan\"");
    holds("Count<0 and Ratio>0 and (Weight>=1)");
    holds("Json.n < 4 and Json.n > 2.5 and Json.f >= 2.5 and Json.f < 3");
}

#[test]
fn bare_word_that_names_a_field_warns() {
    let warnings = |text| compile(text).warnings().len();
    assert_eq!(warnings("Name < Note and Name between A and Note and Name in [Note]"), 3);
    assert_eq!(warnings("@Name < @Note and Name < \"Note\""), 0);
}

#[test]
fn text_is_ordered_by_its_bytes() {
    holds("Name < a and Name > Web and Name >= \"Web-1\" and Json.s < abd");
    holds("Mode < File and Letter > Z and ID >= \"0123\" and ID < \"02\"");
}

#[test]
fn ranges_include_both_ends() {
    holds("Count between -3 and 0 and Count between -9 and -3 and Ratio between 0 and 1");
    holds("Count not between -2 and 5 and Name between A and X and Json.n between 1 and 3");
    fails("Count between 0 and -3");
    holds("Capacity between 1GiB and 10GiB and On == true");
}

#[test]
fn in_list_equals_a_chain_of_or() {
    let file = Volume { mode: Mode::File, ..row() };
    assert!(compile("Mode in [File, x] and Mode > Block").matches(&file));
    holds(
        r#"Name in ["a", "Web-1"] and Name not in [a, b] and Count in [1, -3,] and Mode in [Block]"#,
    );
    holds(
        "Tags contains any [x, web] and Tags contains all [web, Prod] and Meta contains any [env]",
    );
    holds(
        "Tags not contains all [web, x] and Tags not contains any [x, y] and Name contains any [x, eb]",
    );
    holds("Json.n in [1, 3] and Json.list contains any [b, a] and Json.list contains all [a, 1]");
    holds("Capacity in [1GiB, 10GiB] and Parts contains all [1MiB, 2MiB] and 1MiB in Parts");
    fails("Name in []");
    fails("Tags contains any []");
    holds("Tags contains all [] and not Json.absent contains all []");
}

#[test]
fn starts_with_and_ends_with_test_the_ends() {
    holds("Name starts with Web and Name ends with \"-1\" and Name not starts with web");
    holds(
        "Mode starts with Bl and Letter ends with \"É\" and ID starts with \"0123\" and Name not ends with 2",
    );
    holds("Json.s starts with a and Json.s ends with \"\"");
}

#[test]
fn starred_operators_ignore_case() {
    holds(
        "Name ==* \"WEB-1\" and Name !=* x and Name contains* \"EB-\" and Name matches* \"^wEB\"",
    );
    holds(
        "Name not contains* x and Name not matches* \"^x\" and Letter ==* \"é\" and Mode ==* block",
    );
    holds(
        "Tags contains* PROD and Tags not contains* PRO and Json.s ==* ABC and Json.list contains* A",
    );
}

#[test]
fn sizes_durations_and_times_are_read_by_the_unit_of_the_field() {
    holds("Capacity == 10GiB and Capacity >= 10GB and Capacity == 10737418240 and Half == 5GiB");
    holds("Requested == 500MB and Requested < 1GiB and Requested == \"0.5GB\"");
    holds("Timeout == 1h30m and Timeout > 89m and Timeout == \"90m\" and Timeout == 5400000000000");
    holds("Age == 1.5s and Age > -1s and Age between 1s and 2s and Age == \"1500ms\"");
    holds("Created == 2026-01-02T03:04:05Z and Created < 2026-01-02T04:04:05.5+01:00");
    holds("Modified == \"2026-01-02T03:04:05Z\" and Modified > 1999-12-31T23:59:59Z");
    holds("Created < 9999-12-31T00:00:00Z and Created > 0001-01-01T00:00:00Z");
    holds("any Parts as p { p == 2MiB } and all Parts as i, p { p < 1GiB } and Parts.0 == 1MiB");
}

#[test]
fn untyped_quantities_match_numbers_and_text() {
    holds("Json.size == 1KiB and Json.size < 1MB and Json.size in [1KiB]");
    holds("Json.at == 2026-01-02T04:04:05+01:00 and Json.at < 2027-01-01T00:00:00Z");
    holds("Json.for == 1h30m and Json.for <= 2h");
    let filter = compile("Json.s < 1h");
    assert!(filter.try_matches(&row()).is_err());
}

#[test]
fn quoted_quantities_work_in_both_dialects() {
    for text in ["Capacity == \"10GiB\"", "Age == \"1.5s\"", "Created == \"2026-01-02T03:04:05Z\""]
    {
        let filter = Filter::<Volume>::compile(text).unwrap_or_else(|error| panic!("{error}"));
        assert!(filter.matches(&row()), "{text}");
    }
}

#[test]
fn fields_are_compared_with_each_other() {
    holds("@Capacity >= @Requested and Capacity > @Half and @Half < @Capacity and @Name != @Mode");
    holds("@Capacity == @Capacity and @Ratio > @Count and @On == @On and @Weight >= @Ratio");
    holds("@Json.n > @Json.f and @Json.s > @Name");
    holds("any Parts as p { @p < @Capacity } and @Name == \"Web-1\" and @Tags contains web");
}

#[test]
fn elements_are_counted() {
    holds("count(Tags) == 2 and count(Meta) >= 1 and count( Tags ) != 3 and count(Json.list) > 2");
    fails("count(Tags) < 2");
    holds("Count < 0 and count(Tags)<=2");
}

#[test]
fn comments_reach_to_the_end_of_the_line() {
    holds("Count < 0 # and Count > 0");
    holds("# first \"\nCount < 0 # second `\r\n and # third (\n Name == \"Web-1\"#");
    holds("Name != \"#\" and Name != `#` and Name != \"\\\"#\"");
    let kind = |text| Filter::<Volume>::compile_with(text, &options()).map(drop);
    let error = kind("# nothing").expect_err("it is empty");
    assert_eq!(error.kind(), &CompileErrorKind::Empty);
    let error = kind("Count < 0 # äö\n Nme == x").expect_err("no such field");
    assert_eq!(error.span().text(error.text()), "Nme");
}

#[test]
fn missing_and_null_fail_every_extended_operator() {
    for missing in ["Note", "Meta.none", "Json.absent", "Json.nothing", "Json.absent.deep"] {
        for test in [
            "< a",
            "<= a",
            "> a",
            ">= a",
            "between a and z",
            "in [a, \"\"]",
            "starts with \"\"",
            "ends with \"\"",
            "==* \"\"",
            "contains* \"\"",
            "matches* \"\"",
            "< @Name",
            "== @Name",
            "contains any [a]",
            "contains all [a]",
        ] {
            fails(&format!("{missing} {test}"));
        }
        holds(&format!(
            "{missing} not in [a] and {missing} not between a and z and {missing} !=* a"
        ));
        holds(&format!("{missing} != @{missing} and @Name != @{missing}"));
    }
    fails("Deleted < 2030-01-01T00:00:00Z or Deleted >= 1970-01-01T00:00:00Z");
    fails("count(Json.absent) == 0 or count(Json.nothing) >= 0");
    holds("count(Json.absent) != 0 and Deleted is nil");
}

#[test]
fn untyped_rows_of_another_kind_fail() {
    for text in [
        "Json.b < 1",
        "Json.s contains any [1] and Json.n starts with 3",
        "Json.n < abc",
        "@Json.n < @Json.s",
        "count(Json.n) > 1",
        "Json.list ==* a",
        "@Json.b < @Json.b",
        "Json.b == 1h",
    ] {
        assert!(compile(text).try_matches(&row()).is_err() || text.contains(" and "), "{text}");
        assert!(!compile(text).matches(&row()), "{text}");
    }
}

#[test]
fn extended_keywords_are_not_reserved() {
    let document =
        json!({ "starts": 1, "between": 2, "count": 3, "any": ["k"], "in": "x", "ends": "any.k" });
    for text in [
        "starts == 1 and between == 2 and count == 3 and count < 4 and between between 1 and 2",
        "any contains any [k] and any contains k and ends == any[\"k\"] and not starts > 1",
    ] {
        let filter = compile_any(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(filter.try_matches(&document), Ok(true), "{text}");
    }
}

#[test]
fn lists_beyond_the_limit_are_rejected() {
    let options = options().limits(Limits { list: 2, ..Limits::default() });
    let compile = |text| Filter::<Volume>::compile_with(text, &options).map(drop);
    assert!(compile("Name in [a, b]").is_ok());
    let error = compile("Name in [a, b, c]").expect_err("three values");
    assert_eq!(error.kind(), &CompileErrorKind::TooManyValues { max: 2 });
    assert_eq!(error.span().text(error.text()), "c");
}
