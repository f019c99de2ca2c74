//! Expressions and rows that use up a budget: each as slow per step as its kind can be.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use serde_json::json;
use statehold_filter::{Dialect, EvalError, Filter, Filterable, Json, Limits, Options};

/// Elements of the list of nested quantifiers.
const ELEMENTS: usize = 1_000;
/// Bytes of a literal that leaves room for the rest of its expression.
const LONG: usize = 60_000;

/// A name, and an evaluation of one row with the default limits.
pub(crate) type Case = (&'static str, Box<dyn Fn() -> Result<bool, EvalError>>);

#[derive(Filterable)]
struct Row {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
    ids: Vec<uuid::Uuid>,
    wide: Vec<u128>,
    map: BTreeMap<String, String>,
}

/// Returns `a` and `b` in an order that repeats late.
fn noise(length: usize) -> String {
    let mut bits = 1_u64;
    std::iter::repeat_with(|| {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        if bits & 1 == 0 { 'a' } else { 'b' }
    })
    .take(length)
    .collect()
}

/// Returns `levels` quantifiers over `list`, the innermost around `inner`.
fn nested(list: &str, levels: usize, inner: &str) -> String {
    let names = ["v", "w", "x", "y"];
    let open: Vec<String> =
        names[..levels].iter().map(|name| format!("any {list} as {name} {{ ")).collect();
    format!("{}{inner}{}", open.concat(), " }".repeat(levels))
}

/// Returns an `or` of `times` clauses, none of which decides.
fn any_of(clause: impl Fn(usize) -> String, times: usize) -> String {
    (0..times).map(clause).collect::<Vec<String>>().join(" or ")
}

fn case<T: Filterable + 'static>(name: &'static str, text: &str, row: T) -> Case {
    let limits = Limits { text: 32 << 20, ..Limits::default() };
    let options = Options::new().dialect(Dialect::Extended).limits(limits);
    let filter = Filter::<T>::compile_with(text, &options);
    let filter = filter.unwrap_or_else(|error| panic!("{name}: {error}"));
    (name, Box::new(move || filter.try_matches(&row)))
}

fn typed() -> Row {
    let names = || (0..ELEMENTS).map(|n| format!("n{n:09}"));
    let number = |n: usize| u128::try_from(n).unwrap_or_default() | 1 << 100;
    Row {
        names: names().collect(),
        addresses: (0..ELEMENTS).map(|n| Ipv6Addr::from(number(n)).into()).collect(),
        ids: (0..ELEMENTS).map(|n| uuid::Uuid::from_u128(number(n))).collect(),
        wide: (0..ELEMENTS).map(number).collect(),
        map: names().map(|name| (name.clone(), name)).collect(),
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = of_structs();
    cases.extend(of_strings());
    cases.extend(of_lists());
    cases.extend(of_numbers());
    cases.extend(of_long_values());
    cases
}

fn of_structs() -> Vec<Case> {
    let nots = format!("{}w == z{}", "not (".repeat(60), ")".repeat(60));
    [
        ("typed, four quantifiers", nested("names", 4, "y == z")),
        ("typed, four quantifiers over a map", nested("map", 4, "y == z")),
        ("typed, two quantifiers, sixty negations", nested("names", 2, &nots)),
        ("typed, address contains", nested("addresses", 2, "w contains zz")),
        ("typed, address starts with", nested("addresses", 2, "w starts with zz")),
        ("typed, address matches", nested("addresses", 2, "w matches zz")),
        ("typed, UUID contains", nested("ids", 2, "w contains zz")),
        ("typed, wide integers", nested("wide", 2, "w == 7")),
        ("typed, two fields", nested("names", 2, "@v < @w and @w < @v")),
        ("typed, ignoring case", nested("names", 2, "w ==* N00000000Z")),
        ("typed, key of a map", nested("names", 2, "map.n00000000z == a")),
        (
            "typed, starts with, many",
            nested("names", 2, &any_of(|n| format!("w starts with n{n}_"), 1_000)),
        ),
    ]
    .into_iter()
    .map(|(name, text)| case(name, &text, typed()))
    .collect()
}

fn of_strings() -> Vec<Case> {
    let plain = |length: usize| json!({ "s": "a".repeat(length) });
    let noisy = |length: usize| json!({ "s": noise(length) });
    let of = |text: &str, times: usize| json!({ "s": text.repeat(times) });
    let shorts = |length: usize| {
        let long = noise(length + ELEMENTS);
        let texts: Vec<&str> = (0..ELEMENTS).map(|n| &long[n..n + length]).collect();
        json!({ "l": texts })
    };
    // The first one completes within the budget, the second one ends it.
    let twice = |clause: &str| format!("{clause} or {clause} or {clause}");
    let each = |pattern: &str| nested("l", 2, &format!("w matches `{pattern}`"));
    let a = "a".repeat(40);
    vec![
        case(
            "contains, 1,500 times 300 kB",
            &any_of(|n| format!("s contains `{a}{n}`"), 1_500),
            plain(300_000),
        ),
        case(
            "contains, needles that almost fit",
            &any_of(|n| format!("s contains `{a}b{n}{a}`"), 1_000),
            plain(300_000),
        ),
        case("contains*, 5 MB", &twice("s contains* `aaaaaaaaab`"), plain(5 << 20)),
        case("contains*, other scripts", &twice("s contains* `дддй`"), of("Д", 5 << 19)),
        case("matches, table, 15 MB", &twice("s matches `(a*)*c`"), plain(15 << 20)),
        case("matches, table, noise", &twice("s matches `(a|b)*abab[ab]c`"), noisy(15 << 20)),
        case("matches, other scripts", &twice("s matches `\\pL+[0-9]`"), of("Дd", 4 << 20)),
        case("matches, 500 states", &twice("s matches `a[ab]{500}c`"), noisy(6_000)),
        case("matches, states of three", &twice("s matches `(a|ab|b){1000}c`"), noisy(1_500)),
        case("matches, without literal", &twice("s matches `[^9]{1000}9`"), noisy(2_500)),
        case("matches, nested counts", &each("((a{0,30}){0,30}b?)*c"), shorts(100)),
        case("matches, Unicode counts", &each("(\\pL{1,3}.){6}c"), shorts(100)),
        case(
            "matches, many patterns",
            &any_of(|n| format!("s matches `a[ab]{{30}}{n}c`"), 200),
            noisy(20_000),
        ),
        case("matches, short strings, table", &each("(a*)*c"), shorts(40)),
        case("matches, short strings, lazy", &each("a[ab]{30}c"), shorts(40)),
        case("matches, strings of 1 kB, lazy", &each("a[ab]{300}c"), shorts(1_000)),
    ]
}

fn of_lists() -> Vec<Case> {
    let values =
        |value: &dyn Fn(usize) -> String| (0..1_000).map(value).collect::<Vec<String>>().join(", ");
    let plain = values(&|n| format!("v{n}"));
    let numbers = values(&|n| format!("{n}.5"));
    let durations = values(&|n| format!("{}s", n + 1));
    let times = values(&|n| format!("2026-01-02T03:{:02}:{:02}Z", n / 60, n % 60));
    let list: Vec<String> = (0..ELEMENTS).map(|n| format!("n{n:09}")).collect();
    let dates: Vec<String> =
        (0..ELEMENTS).map(|n| format!("2020-01-02T03:04:{:02}Z", n % 60)).collect();
    let row = || json!({ "l": list, "t": dates, "f": 0.25, "s": dates[0], "n": 7 });
    vec![
        case("in [1,000 texts]", &nested("l", 2, &format!("w in [{plain}]")), row()),
        case(
            "in [1,000 decimals] 2,500 times",
            &any_of(|_| format!("f in [{numbers}]"), 2_500),
            row(),
        ),
        case(
            "in [1,000 durations] 2,500 times",
            &any_of(|_| format!("n in [{durations}]"), 2_500),
            row(),
        ),
        case("in [1,000 times], text", &nested("t", 2, &format!("w in [{times}]")), row()),
        case(
            "contains any [1,000 times]",
            &any_of(|_| format!("t contains any [{times}]"), 100),
            row(),
        ),
        case(
            "contains any [1,000 texts]",
            &any_of(|_| format!("l contains any [{plain}]"), 900),
            row(),
        ),
        case(
            "contains all [1,000 texts]",
            &any_of(|_| format!("l contains all [n000000000, {plain}]").replace(", v999", ""), 900),
            row(),
        ),
        case("a time, text", &nested("t", 2, "w < 2019-01-02T03:04:05Z"), row()),
        case("four quantifiers, JSON", &nested("l", 4, "y == z"), row()),
        case("four quantifiers over an object", &nested("m", 4, "y == z"), {
            let map: BTreeMap<&String, u8> = list.iter().map(|name| (name, 1)).collect();
            json!({ "m": map })
        }),
        case("long path", &nested("l", 2, &format!("m{} == 2", ".a".repeat(100))), {
            let mut deep = json!(1);
            for _ in 0..100 {
                deep = json!({ "a": deep });
            }
            json!({ "l": list, "m": deep })
        }),
    ]
}

fn of_numbers() -> Vec<Case> {
    let list = |number: &str| -> Json {
        let numbers = vec![number; ELEMENTS].join(",");
        format!(r#"{{"l": [{numbers}], "x": {number}}}"#)
            .parse()
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let long = format!("0.{}5", "9".repeat(50_000));
    let other = format!("0.{}25", "9".repeat(50_000));
    vec![
        case("JSON integers against a decimal", &nested("l", 2, "w == 7.5"), list("7")),
        case("JSON decimals against a decimal", &nested("l", 2, "w == 7.25"), list("7.5")),
        case("JSON integers of 128 bits", &nested("l", 2, "w == 7"), list("18446744073709551617")),
        case("JSON numbers of 50 kB", &nested("l", 2, &format!("w == {other}")), list(&long)),
        case("JSON numbers of 50 kB, two fields", &nested("l", 2, "@w < @x"), list(&long)),
    ]
}

/// Values that are equal in their first 60 kB.
fn of_long_values() -> Vec<Case> {
    let long = "a".repeat(LONG);
    let texts: Vec<String> = (0..ELEMENTS).map(|n| format!("{long}{n:04}x")).collect();
    let short: Vec<usize> = (0..ELEMENTS).collect();
    let map: BTreeMap<&String, u8> = texts.iter().map(|text| (text, 1)).collect();
    let row = || json!({ "l": texts, "i": short, "m": map, "s": texts[0] });
    vec![
        case("long literal ==", &nested("i", 2, &format!("s == `{long}zzzzx`")), row()),
        case(
            "long literal in a list",
            &nested("i", 1, &format!("l contains `{long}zzzzx`")),
            row(),
        ),
        case(
            "long literal among two in a list",
            &nested("i", 1, &format!("l contains any [z, `{long}zzzzx`]")),
            row(),
        ),
        case("long key of a map", &nested("i", 2, &format!("m contains `{long}zzzzx`")), row()),
        case("long part of a path", &nested("i", 2, &format!("m[`{long}zzzzx`] == 1")), row()),
        case(
            "long keys that decide",
            "all m as k, v { any m as x { not (x is nil) } }",
            json!({ "m": map }),
        ),
    ]
}
