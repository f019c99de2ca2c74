//! Bodies derived from the tables.
//!
//! Goal: each row of each table is enforced by the reader of its request, with the status and text of the
//! row. Method: each check yields values that pass and values that fail, edges first; each value is set
//! in a body that is right otherwise, at the versions at which the table changes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Microversion, REQUESTS, Request, Rule};
use crate::{
    python,
    schema::{
        Check, ITEMS_MAX, Type,
        format::{Format, Pattern},
    },
};

const NOWHERE: &str = "is not valid under any of the given schemas";

const ID: &str = "30e6632e-3432-4cd1-84a1-a9905457833e";

const TRUE: [&str; 12] =
    ["True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t"];
const FALSE: [&str; 12] =
    ["False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f"];

/// The verdict on a value.
#[derive(Clone, Debug)]
enum Verdict {
    Accepted,
    /// Refused where the value is; the reason follows the value in the text.
    Here(String),
    /// Refused with this text.
    Text(String),
}

type Cases = Vec<(Value, Verdict)>;

/// The refusal of `value`, the member `name`, for `reason`.
fn refusal(name: &str, value: &Value, reason: &str) -> String {
    if name.is_empty() {
        return reason.into();
    }
    let shown = python::str(value);
    format!("Invalid input for field/attribute {name}. Value: {shown}. {reason}")
}

/// Fixes the verdict on a member's value, whose place is known now.
fn placed(name: &str, value: &Value, verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Here(reason) => Verdict::Text(refusal(name, value, &reason)),
        other => other,
    }
}

fn is(value: &Value, reason: &str) -> Verdict {
    Verdict::Here(format!("{} {reason}", python::repr(value)))
}

/// A string of `count` characters that all patterns take.
fn chars(count: usize) -> Value {
    "1".repeat(count).into()
}

fn has(rule: &Rule, kind: Type) -> bool {
    rule.types.contains(&kind)
}

fn applies(check: &Check, version: Microversion) -> &Check {
    match check {
        Check::Since(minor, check) if version.at_least(*minor) => check,
        check => check,
    }
}

fn is_closed(rule: &Rule, version: Microversion) -> bool {
    rule.checks.iter().any(|check| matches!(applies(check, version), Check::Closed))
}

/// Returns a status that its check accepts.
fn good_status(check: fn(&str) -> Result<(), crate::Error>) -> &'static str {
    ["error", "detached"].into_iter().find(|status| check(status).is_ok()).unwrap()
}

/// Returns a value that the rule accepts.
pub(super) fn sample(rule: &Rule, version: Microversion) -> Value {
    let mut value = match rule.types.first() {
        Some(Type::Object) => return object(rule, version).into(),
        Some(Type::Array) => json!([]),
        Some(Type::Integer) => json!(1),
        Some(Type::Boolean) => json!(true),
        Some(Type::Null) => Value::Null,
        Some(Type::String) | None => json!("1"),
    };
    for check in rule.checks {
        match applies(check, version) {
            Check::OneOf(texts) => value = json!(texts[0]),
            Check::Either(rules) => value = sample(&rules[0], version),
            Check::Items(item) => value = json!([sample(item, version)]),
            Check::Format(format) => match format {
                Format::Uuid => value = json!(ID),
                Format::Base64 => value = json!("abcd"),
                Format::Progress => value = json!("80%"),
                Format::Level => value = json!("INFO"),
                Format::Status(check) => value = json!(good_status(*check)),
                _ => {}
            },
            _ => {}
        }
    }
    value
}

/// Returns the smallest object that the rule accepts.
fn object(rule: &Rule, version: Microversion) -> Map<String, Value> {
    let all = rule.checks.iter().any(|check| matches!(check, Check::Format(Format::StatusReset)));
    let mut members = Map::new();
    let mut chosen: Vec<&str> = Vec::new();
    for check in rule.checks {
        match applies(check, version) {
            Check::AnyOf(names) | Check::ExactlyOne(names) => chosen.push(names[0]),
            Check::MinMembers(1) => drop(members.insert("k".into(), json!("1"))),
            _ => {}
        }
    }
    for field in rule.fields() {
        if field.required || all || chosen.contains(&field.name) {
            members.insert(field.name.into(), sample(&field.rule, version));
        }
    }
    members
}

/// Derives values of each verdict from a rule.
fn cases(rule: &Rule, version: Microversion) -> Cases {
    let mut cases = types(rule, version);
    for check in rule.checks {
        cases.extend(check_cases(rule, applies(check, version), version));
    }
    cases
}

/// A value of each type: those of the rule pass, the others fail.
fn types(rule: &Rule, version: Microversion) -> Cases {
    let all = [
        (Type::Object, json!({})),
        (Type::Array, json!([])),
        (Type::String, json!("1")),
        (Type::Integer, json!(7)),
        (Type::Boolean, json!(true)),
        (Type::Null, Value::Null),
    ];
    let names: Vec<_> = rule.types.iter().map(|kind| format!("'{}'", kind.as_str())).collect();
    let mut cases = vec![(sample(rule, version), Verdict::Accepted)];
    if rule.types.is_empty() {
        return cases;
    }
    let wrong = format!("is not of type {}", names.join(", "));
    cases.push((json!(1.5), is(&json!(1.5), &wrong)));
    for (kind, value) in all {
        if !has(rule, kind) {
            cases.push((value.clone(), is(&value, &wrong)));
        }
    }
    // A list of values excludes null even where the type allows it.
    let listed = rule.checks.iter().any(|check| matches!(check, Check::OneOf(_)));
    let null_fails =
        listed || rule.checks.iter().any(|check| matches!(check, Check::Format(Format::Level)));
    if has(rule, Type::Null) && !null_fails {
        cases.push((Value::Null, Verdict::Accepted));
    }
    cases
}

fn check_cases(rule: &Rule, check: &Check, version: Microversion) -> Cases {
    let encoded = rule.checks.iter().any(|check| matches!(check, Check::Format(Format::Base64)));
    let mut cases = Cases::new();
    let mut fail = |value: Value, reason: &str| {
        let verdict = is(&value, reason);
        cases.push((value, verdict));
    };
    match check {
        Check::MinChars(min) => {
            fail(chars(min - 1), "is too short");
            if !encoded {
                cases.push((chars(*min), Verdict::Accepted));
            }
        }
        Check::MaxChars(max) => {
            fail(chars(max + 1), "is too long");
            cases.push((chars(*max), Verdict::Accepted));
        }
        Check::Pattern(pattern) => {
            let (good, bad): (&[&str], &[&str]) = match pattern {
                Pattern::Printable => (&["", "é ñ", "1\n"], &["a\0", "a\nb", "\u{200b}", "😀"]),
                Pattern::Digits => (&["1\n", "007"], &["", "1x", "-1", " 1", "1.5", "\0"]),
                Pattern::MaybeDigits => (&["12"], &["1x", "-1", " 1", "1\n1"]),
                Pattern::Host => (&["h-1.x_y@b#p:/+"], &["a b", "a\0", "a\nb", "[::1]", "é"]),
                Pattern::BracketHost => (&["h@b#[::1]:/p"], &["a b", "a\0", "a\nb", "é"]),
                Pattern::MetaKey | Pattern::SpecKey | Pattern::QuotaKey => (&[], &[]),
            };
            let reason = format!("does not match {}", python::quoted(pattern.as_str()));
            for text in bad {
                fail(json!(text), &reason);
            }
            cases.extend(good.iter().map(|text| (json!(text), Verdict::Accepted)));
        }
        Check::Min(min) | Check::Max(min) => {
            let (beyond, bound) = match check {
                Check::Min(_) => (min - 1, "less than the minimum"),
                _ => (min + 1, "greater than the maximum"),
            };
            let reason = Verdict::Here(format!("{beyond} is {bound} of {min}"));
            cases.push((json!(beyond), reason.clone()));
            cases.push((json!(min), Verdict::Accepted));
            // Signs are not in the patterns of digits.
            if has(rule, Type::String) && *min >= 0 && beyond >= 0 {
                cases.push((json!(beyond.to_string()), reason));
                cases.push((json!(min.to_string()), Verdict::Accepted));
            }
        }
        Check::OneOf(texts) => {
            let list: Vec<_> = texts.iter().map(|text| format!("'{text}'")).collect();
            let reason = format!("is not one of [{}]", list.join(", "));
            fail(json!("zz"), &reason);
            fail(json!(texts.last().map(|text| text.to_uppercase() + "Z")), &reason);
            if has(rule, Type::Null) {
                fail(Value::Null, &reason);
            }
            cases.extend(texts.iter().map(|text| (json!(text), Verdict::Accepted)));
        }
        Check::Flag => {
            let quoted = |texts: [&str; 12]| texts.map(|text| format!("'{text}'")).join(", ");
            let list = format!("[True, {}, False, {}]", quoted(TRUE), quoted(FALSE));
            for bad in ["maybe", "tRuE", "", "2", " on"] {
                fail(json!(bad), &format!("is not one of {list}"));
            }
            let good = TRUE.iter().chain(&FALSE).map(|text| json!(text));
            let good = good.chain([json!(true), json!(false), json!(0), json!(1)]);
            cases.extend(good.map(|value| (value, Verdict::Accepted)));
        }
        Check::Format(format) => {
            let bounded = rule.checks.iter().any(|check| matches!(check, Check::MaxChars(_)));
            if matches!(format, Format::Reason) && !bounded {
                fail(chars(256), "is not a 'disabled_reason'");
            }
            cases.extend(format_cases(*format));
        }
        Check::Either(rules) => {
            let all: Cases = rules.iter().flat_map(|rule| self::cases(rule, version)).collect();
            let good: Vec<Value> = all
                .iter()
                .filter(|(_, verdict)| matches!(verdict, Verdict::Accepted))
                .map(|(value, _)| value.clone())
                .collect();
            let bad = all.into_iter().map(|(value, _)| value).filter(|value| !good.contains(value));
            for value in bad {
                fail(value, NOWHERE);
            }
            cases.extend(good.into_iter().map(|value| (value, Verdict::Accepted)));
        }
        check => return container_cases(rule, check, version),
    }
    cases
}

/// Derives values from a check of objects or lists.
fn container_cases(rule: &Rule, check: &Check, version: Microversion) -> Cases {
    let mut cases = Cases::new();
    let mut fail = |value: Value, reason: &str| {
        let verdict = is(&value, reason);
        cases.push((value, verdict));
    };
    match check {
        Check::Fields(_) => cases.extend(field_cases(rule, version)),
        Check::Closed => {
            for name in ["zz", "z'z", "Name"] {
                let mut members = object(rule, version);
                members.insert(name.into(), json!("1"));
                let value = Value::from(members);
                let quoted = python::quoted(name);
                let reason =
                    format!("Additional properties are not allowed ({quoted} was unexpected)");
                cases.push((value, Verdict::Here(reason)));
            }
        }
        Check::Keys(pattern, item) => cases.extend(key_cases(*pattern, item, rule, version)),
        Check::AnyOf(names) => {
            for name in *names {
                let field = rule.fields().find(|field| field.name == *name).unwrap();
                let one = json!({ *name: sample(&field.rule, version) });
                let alone = rule.fields().all(|field| !field.required);
                cases.extend(alone.then_some((one, Verdict::Accepted)));
            }
            let mut members = object(rule, version);
            members.retain(|key, _| !names.contains(&key.as_str()));
            let none = Value::from(members);
            let verdict = is(&none, NOWHERE);
            cases.push((none, verdict));
        }
        Check::ExactlyOne(names) => {
            let [first, second] = **names else { panic!("two names") };
            let [one, other] = [json!({ first: ID }), json!({ second: ID })];
            let both = json!({ first: ID, second: ID });
            fail(json!({}), NOWHERE);
            let reason = format!(
                "is valid under each of {{'required': ['{second}']}}, {{'required': ['{first}']}}"
            );
            fail(both, &reason);
            cases.extend([(one, Verdict::Accepted), (other, Verdict::Accepted)]);
        }
        Check::MinMembers(_) => fail(json!({}), "does not have enough properties"),
        Check::MaxMembers(_) => {
            fail(json!({"a": "1", "b": "1"}), "has too many properties");
        }
        Check::MinItems(_) => fail(json!([]), "is too short"),
        Check::Items(item) => {
            for (value, verdict) in self::cases(item, version) {
                let verdict = placed("0", &value, verdict);
                cases.push((json!([value]), verdict));
            }
            if !rule.checks.iter().any(|check| matches!(check, Check::MinItems(_))) {
                cases.push((json!([]), Verdict::Accepted));
            }
            let many: Vec<_> = (0..=ITEMS_MAX).map(|at| at.to_string()).collect();
            let verdict = is(&json!(many), "is too long");
            cases.push((json!(many), verdict));
        }
        Check::Unique => {
            let Some(Check::Items(item)) =
                rule.checks.iter().find(|check| matches!(check, Check::Items(_)))
            else {
                panic!("items come with their rule")
            };
            let one = sample(item, version);
            fail(json!([one, one]), "has non-unique elements");
        }
        // It applies at another version, or is no check of these types.
        _ => {}
    }
    cases
}

fn format_cases(format: Format) -> Cases {
    let good = |values: &[Value]| -> Cases {
        values.iter().map(|value| (value.clone(), Verdict::Accepted)).collect()
    };
    let text = |value: &str, text: &str| (json!(value), Verdict::Text(text.into()));
    let (long, longer) = (format!(" {} ", "1".repeat(255)), "1".repeat(256));
    let invalid_name = "An invalid 'name' value was provided. The 'name' can not be";
    let input = "Invalid input received:";
    let mut cases = Cases::new();
    match format {
        Format::Name => cases.push(text("  ", &format!("{invalid_name} empty."))),
        Format::BareName => {
            cases.push(text("", &format!("{invalid_name} None.")));
            cases.push(text("  ", &format!("{invalid_name} empty.")));
            cases.push(text(&longer, &format!("{invalid_name} greater than 255 characters.")));
            cases.extend(good(&[json!(long)]));
        }
        Format::TrimmedName | Format::TrimmedDescription => {
            let name = if matches!(format, Format::TrimmedName) { "name" } else { "description" };
            let reason = format!("{input} {name} has 256 characters, more than 255.");
            cases.push(text(&longer, &reason));
            cases.extend(good(&[json!(long), json!(""), json!("  "), json!("a\nb")]));
        }
        Format::Uuid => {
            for bad in ["", "zz", &ID[1..], "30e6632e-3432-4cd1-84a1-a9905457833e0"] {
                cases.push((json!(bad), is(&json!(bad), "is not a 'uuid'")));
            }
            let urn = format!("urn:uuid:{ID}");
            cases.extend(good(&[json!(ID.to_uppercase()), json!(ID.replace('-', "")), json!(urn)]));
        }
        Format::GroupType => {
            for bad in ["", "  ", &longer] {
                cases.push((json!(bad), is(&json!(bad), "is not a 'group_type'")));
            }
            cases.extend(good(&[json!(long)]));
        }
        Format::Zone => {
            cases.push(text("", "The 'availability_zone' can not be None."));
            let zone = format!("{input} availability_zone has");
            cases.push(text("  ", &format!("{zone} 0 characters, less than 1.")));
            cases.push(text(&longer, &format!("{zone} 256 characters, more than 255.")));
            cases.extend(good(&[json!(long)]));
        }
        Format::Progress => {
            let percentage = format!("{input} progress must be an integer percentage");
            for bad in ["a%", "%", "5%%"] {
                cases.push(text(bad, &percentage));
            }
            for bad in ["80", "101%", "-1%"] {
                cases.push(text(bad, &format!("{percentage} between 0 and 100")));
            }
            cases.push((json!(5), Verdict::Text(percentage)));
            cases.extend(good(&[json!("0%"), json!("100%"), json!(""), json!(null), json!(0)]));
        }
        Format::Base64 => {
            for bad in ["a", "ab=", "abcde"] {
                cases.push((json!(bad), is(&json!(bad), "is not a 'base64'")));
            }
            cases.extend(good(&[json!("abcd"), json!("abc="), json!("a b c d")]));
        }
        Format::Reason => {
            cases.push((json!("  "), is(&json!("  "), "is not a 'disabled_reason'")));
            cases.extend(good(&[json!(" x ")]));
        }
        Format::KeySize => {
            for bad in ["x", " 5", "05", "1.5", ""] {
                cases.push(text(bad, &format!("{input} key_size must be an integer.")));
            }
            cases.extend(good(&[json!("5"), json!("0")]));
        }
        Format::Level => {
            cases.push(text("zz", &format!("{input} zz is not a valid log level.")));
            cases.push(text("", &format!("{input}  is not a valid log level.")));
            cases.push((Value::Null, text("", &format!("{input}  is not a valid log level.")).1));
            cases.extend(good(&[json!("debug"), json!("WARNING"), json!("Error")]));
        }
        Format::Status(check) => {
            cases.push(text("zz", &check("zz").unwrap_err().to_string()));
            cases.push(text("a\nb", &check("a\nb").unwrap_err().to_string()));
            cases.extend(good(&[json!(good_status(check).to_uppercase())]));
        }
        Format::StatusReset => {
            let reason = "Must specify 'status', 'attach_status' or 'migration_status' for update.";
            for none in [json!({}), json!({"status": ""}), json!({"status": null})] {
                cases.push((none, Verdict::Text(reason.into())));
            }
        }
    }
    cases
}

fn field_cases(rule: &Rule, version: Microversion) -> Cases {
    let base = object(rule, version);
    let excluded: Vec<&str> = rule
        .checks
        .iter()
        .flat_map(|check| match check {
            Check::ExactlyOne(names) => *names,
            _ => &[],
        })
        .copied()
        .collect();
    let mut cases = Cases::new();
    for field in rule.fields() {
        let name = field.name;
        let with = |value: &Value| {
            let mut members = base.clone();
            if excluded.contains(&name) {
                members.retain(|other, _| !excluded.contains(&other.as_str()));
            }
            members.insert(name.into(), value.clone());
            Value::from(members)
        };
        if !version.at_least(field.since) {
            // A later member is like any unknown one.
            let value = with(&sample(&field.rule, version));
            let reason = format!("Additional properties are not allowed ('{name}' was unexpected)");
            let closed = is_closed(rule, version);
            let verdict = if closed { Verdict::Here(reason) } else { Verdict::Accepted };
            cases.push((value, verdict));
            continue;
        }
        for (value, verdict) in self::cases(&field.rule, version) {
            cases.push((with(&value), placed(name, &value, verdict)));
        }
        let mut without = base.clone();
        if field.required && without.remove(name).is_some() {
            let reason = format!("'{name}' is a required property");
            cases.push((without.into(), Verdict::Here(reason)));
        }
    }
    cases
}

fn key_cases(pattern: Pattern, item: &Rule, rule: &Rule, version: Microversion) -> Cases {
    let mut good = vec!["k".repeat(255), "aZ0-_:.".into()];
    let mut bad = vec![String::new(), "k".repeat(256), "k$".into(), "é".into(), "a\nb".into()];
    match pattern {
        Pattern::MetaKey => good.push("a b/c".into()),
        Pattern::SpecKey => bad.extend(["a b".into(), "a/b".into()]),
        _ => bad.push("a/b".into()),
    }
    let value = sample(item, version);
    let mut cases = Cases::new();
    for key in good {
        cases.push((json!({ key: value }), Verdict::Accepted));
    }
    let regexes = format!("match any of the regexes: '{}'", pattern.as_str());
    for key in &bad {
        let reason = format!("{} does not {regexes}", python::quoted(key));
        cases.push((json!({ key.as_str(): value }), Verdict::Here(reason)));
    }
    for (value, verdict) in self::cases(item, version) {
        let verdict = placed("k", &value, verdict);
        cases.push((json!({ "k": value }), verdict));
    }
    let single = rule.checks.iter().any(|check| matches!(check, Check::MaxMembers(1)));
    if !single {
        let reason = format!("'a$', 'b$' do not {regexes}");
        cases.push((json!({"a$": value, "b$": value}), Verdict::Here(reason)));
    }
    cases
}

/// Returns the minor versions at which a table changes, and those before them.
fn versions(rule: &Rule) -> BTreeSet<u16> {
    let mut all: BTreeSet<u16> = [0, 70].into();
    for check in rule.checks {
        if let Check::Since(minor, _) = check {
            all.extend([minor - 1, *minor]);
        }
    }
    for field in rule.fields() {
        all.extend(versions(&field.rule));
        if field.since > 0 {
            all.extend([field.since - 1, field.since]);
        }
    }
    all
}

/// Whether the reader checks the body further than the table, in a member that this body has.
fn is_further(request: &Request, body: &Value) -> bool {
    fn has(value: &Value, name: &str) -> bool {
        value.as_object().is_some_and(|members| {
            members.contains_key(name) || members.values().any(|value| has(value, name))
        })
    }
    request.further.iter().any(|name| has(body, name))
}

/// Gives the cases of a request to its reader; the number of them.
fn run(request: &Request, version: Microversion, differences: &mut Vec<String>) -> usize {
    let place = request.action.unwrap_or_default();
    let cases = cases(request.rule, version);
    let count = cases.len();
    for (value, verdict) in cases {
        let verdict = placed(place, &value, verdict);
        let body = request.action.map_or(value.clone(), |action| json!({ action: value }));
        let outcome = (request.read)(body.to_string().as_bytes(), version);
        let right = match (&verdict, &outcome) {
            (Verdict::Accepted, Ok(())) => true,
            (Verdict::Accepted, Err(_)) => is_further(request, &body),
            (Verdict::Text(text), Err(error)) => {
                error.status() == 400 && error.to_string() == *text
            }
            _ => false,
        };
        if !right {
            let name = request.name;
            differences.push(format!("{name} {version:?} {body}: {outcome:?}, not {verdict:?}"));
        }
    }
    count
}

#[test]
fn each_row_of_each_table_is_enforced() {
    let (mut differences, mut count) = (Vec::new(), 0);
    for request in REQUESTS {
        for minor in versions(request.rule) {
            // Actions that came later are unknown before.
            let late = match request.action {
                Some("os-reimage") => minor < 68,
                Some("revert") => minor < 40,
                _ => false,
            };
            if !late {
                count += run(request, Microversion::new(minor), &mut differences);
            }
        }
    }
    assert!(count > 10_000, "{count}");
    let shown: Vec<_> = differences.iter().take(40).cloned().collect();
    assert!(differences.is_empty(), "{} of {count}:\n{}", differences.len(), shown.join("\n"));
}

#[test]
fn samples_of_all_tables_pass() {
    for request in REQUESTS {
        let value = sample(request.rule, Microversion::MAX);
        let body = request.action.map_or(value.clone(), |action| json!({ action: value }));
        let outcome = (request.read)(body.to_string().as_bytes(), Microversion::MAX);
        assert!(outcome.is_ok(), "{} {body}: {outcome:?}", request.name);
    }
}
