//! Lists against a naive implementation: every index MUST return the same rows in the same order, and the pages of a
//! list MUST add up to the list.

use std::cmp::Ordering;

use proptest::prelude::*;
use statehold_cinder::*;
use statehold_filter::{Dialect, Filter, Options};
use statehold_store::{KeyRange, Order, ReadView, Store};
use uuid::Uuid;

#[derive(Clone, Debug)]
struct Row {
    id: u128,
    project: usize,
    name: Option<&'static str>,
    size: u32,
    status: VolumeStatus,
    second: i64,
}

fn row() -> impl Strategy<Value = Row> {
    let names = prop_oneof![
        Just(None),
        Just(Some("web")),
        Just(Some("Web")),
        Just(Some("db")),
        Just(Some("ΟΔΟΣ")),
        Just(Some("οδος")),
        Just(Some("1"))
    ];
    let statuses = prop_oneof![Just(VolumeStatus::Available), Just(VolumeStatus::InUse)];
    (any::<u128>(), 0..2_usize, names, 1..4_u32, statuses, 0..6_i64).prop_map(
        |(id, project, name, size, status, second)| Row { id, project, name, size, status, second },
    )
}

fn store(rows: &[Row]) -> Store {
    let store = Store::in_memory(&schema());
    let config = Config::default();
    let mut txn = store.begin_write().unwrap();
    bootstrap(&mut txn, &config, 1, Uuid::from_u128(1)).unwrap();
    let quotas = QuotaDefaults { volumes: -1, gigabytes: -1, ..QuotaDefaults::default() };
    let config = Config { quotas, ..config };
    for row in rows {
        let project = ["p", "q"][row.project].into();
        let caller = Caller { user: "u".into(), project, role: Role::Member, ..Caller::default() };
        let now = row.second * 1_000_000_000;
        let cx = Context {
            config: &config,
            caller: &caller,
            version: Microversion::MAX,
            now,
            request_id: "",
        };
        let id = Uuid::from_u128(row.id);
        let spec = VolumeSpec {
            size: Some(row.size),
            name: row.name.map(Into::into),
            ..VolumeSpec::default()
        };
        create_volume(&mut txn, &cx, id, spec).unwrap();
        let mut stored = Volume::clone(txn.get::<Volume>(id).unwrap());
        stored.status = row.status;
        txn.upsert::<Volume>(stored).unwrap();
    }
    txn.commit().unwrap();
    store
}

fn name_of(row: &Volume) -> Option<String> {
    row.name.as_ref().map(|name| name.to_lowercase())
}

/// An order, as a parameter and as a comparison of columns.
fn order(key: &str, a: &Volume, b: &Volume) -> Ordering {
    match key {
        "name" => name_of(a).cmp(&name_of(b)),
        "size" => a.size.cmp(&b.size),
        "status" => a.status.as_str().cmp(b.status.as_str()),
        "id" => a.id.cmp(&b.id),
        _ => a.created_at.cmp(&b.created_at),
    }
}

fn filters() -> impl Strategy<Value = (Vec<(&'static str, &'static str)>, Option<&'static str>)> {
    let plain = prop_oneof![
        Just(("name", "WEB")),
        Just(("name", "1")),
        Just(("name~", "e")),
        Just(("status", "Available")),
        Just(("status", "['available','in-use']")),
        Just(("size", "2")),
        Just(("created_at", "gte:1970-01-01T00:00:03")),
    ];
    let language = proptest::option::of(prop_oneof![
        Just("size > 1"),
        Just("status == available or name == db"),
        Just("status == \"in-use\""),
    ]);
    let plain = proptest::collection::vec(plain, 0..3).prop_map(|mut plain| {
        // Repeated parameters are rejected.
        plain.sort_unstable();
        plain.dedup_by_key(|(key, _)| *key);
        plain
    });
    (plain, language)
}

fn passes(row: &Volume, (key, value): (&str, &str)) -> bool {
    let name = name_of(row);
    match (key, value) {
        ("name", value) => name == Some(value.to_lowercase()),
        ("name~", value) => name.is_some_and(|name| name.contains(value)),
        ("status", "Available") => row.status == VolumeStatus::Available,
        ("size", _) => row.size == 2,
        ("created_at", _) => row.created_at >= 3_000_000_000,
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_list_equals_a_naive_one_on_pages_too(
        rows in proptest::collection::vec(row(), 0..30),
        keys in proptest::collection::vec(
            (prop_oneof![Just("name"), Just("size"), Just("status"), Just("created_at"), Just("id")],
                any::<bool>()),
            0..3),
        (plain, language) in filters(),
        all in any::<bool>(),
        limit in 1..5_usize,
        sees_all in any::<bool>(),
    ) {
        let store = store(&rows);
        let view = store.snapshot();
        let role = if all { Role::Admin } else { Role::Member };
        let caller = Caller { user: "u".into(), project: "p".into(), role, ..Caller::default() };
        let options = Options::new().dialect(Dialect::Extended);
        let filter =
            language.map(|text| Filter::<Volume>::compile_with(text, &options).unwrap());

        let mut query: Vec<(String, String)> =
            plain.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        if all {
            query.push(("all_tenants".into(), "1".into()));
        }
        let words: Vec<String> = keys
            .iter()
            .map(|(key, up)| format!("{key}:{}", if *up { "asc" } else { "desc" }))
            .collect();
        if !words.is_empty() {
            query.push(("sort".into(), words.join(",")));
        }
        let ask = |more: &[(String, String)]| {
            let query: Vec<_> = query.iter().chain(more).cloned().collect();
            let request =
                ListRequest::parse::<Volume>(&query, &caller, Microversion::MAX).unwrap();
            let request = request.seeing_all(sees_all);
            list::<Volume>(&view, &request, filter.as_ref(), |_| true).unwrap()
        };

        let mut naive: Vec<_> = view
            .scan::<Volume>(&KeyRange::all(), Order::Ascending)
            .filter(|row| all || *row.project_id == *"p")
            .filter(|row| plain.iter().all(|condition| passes(row, *condition)))
            .filter(|row| filter.as_ref().is_none_or(|filter| filter.matches(row)))
            .collect();
        let first_up = keys.first().is_some_and(|(_, up)| *up);
        let ties = [("created_at", first_up), ("id", first_up)];
        naive.sort_by(|a, b| {
            let mut orders = keys.iter().chain(&ties).map(|(key, up)| {
                let order = order(key, a, b);
                if *up { order } else { order.reverse() }
            });
            orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        let naive: Vec<Uuid> = naive.iter().map(|row| row.id).collect();

        let whole: Vec<Uuid> = ask(&[]).rows.iter().map(|row| row.id).collect();
        prop_assert_eq!(&whole, &naive);

        let page = ("limit".to_owned(), limit.to_string());
        let (mut paged, mut more) = (Vec::new(), vec![page.clone()]);
        loop {
            let listing = ask(&more);
            paged.extend(listing.rows.iter().map(|row| row.id));
            prop_assert_eq!(listing.has_next, listing.rows.len() == limit);
            let Some(last) = listing.rows.last().filter(|_| listing.has_next) else { break };
            more = vec![page.clone(), ("marker".into(), last.id.to_string())];
        }
        prop_assert_eq!(&paged, &naive);

        let skipped = ask(&[page.clone(), ("offset".into(), "2".into())]);
        let expected: Vec<Uuid> = naive.iter().skip(2).take(limit).copied().collect();
        let skipped: Vec<Uuid> = skipped.rows.iter().map(|row| row.id).collect();
        prop_assert_eq!(skipped, expected);

        if let Some(marker) = naive.get(1) {
            let after = [("marker".into(), marker.to_string()), ("offset".into(), "1".into())];
            let counting = ("with_count".to_owned(), "true".to_owned());
            let listing = ask(&[page.clone(), after[0].clone(), after[1].clone(), counting]);
            let found: Vec<Uuid> = listing.rows.iter().map(|row| row.id).collect();
            let expected: Vec<Uuid> = naive.iter().skip(3).take(limit).copied().collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(listing.count, Some(naive.len()));
        }

        let counted = ask(&[page, ("with_count".into(), "true".into())]);
        prop_assert_eq!(counted.count, Some(naive.len()));
        prop_assert_eq!(counted.has_next, !naive.is_empty() && limit <= naive.len());
    }
}

#[test]
fn pages_in_index_order_read_their_own_rows_only() {
    let rows: Vec<Row> = (0..200)
        .map(|at| Row {
            id: u128::try_from(at).unwrap() + 10,
            project: 0,
            name: [Some("a"), Some("b"), None][usize::try_from(at % 3).unwrap()],
            size: 1 + u32::try_from(at % 5).unwrap(),
            status: VolumeStatus::Available,
            second: at,
        })
        .collect();
    let store = store(&rows);
    let view = store.snapshot();
    let caller =
        Caller { user: "u".into(), project: "p".into(), role: Role::Admin, ..Caller::default() };
    let looked = |query: &[(&str, &str)], sees_all| {
        let query: Vec<_> = query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let request = ListRequest::parse::<Volume>(&query, &caller, Microversion::MAX).unwrap();
        let looked = std::cell::Cell::new(0);
        let visible = |_: &Volume| {
            looked.set(looked.get() + 1);
            true
        };
        let listing = list::<Volume>(&view, &request.seeing_all(sees_all), None, visible).unwrap();
        assert_eq!(listing.rows.len(), 10, "{query:?}");
        assert!(listing.count.is_none_or(|count| count == 200), "{query:?}");
        looked.get()
    };
    let ten = ("limit", "10");
    for sort in ["name", "name:asc", "size", "size:asc", "status", "created_at"] {
        for more in [("all_tenants", "1"), ("all_tenants", "0")] {
            assert_eq!(looked(&[ten, ("sort", sort), more], false), 10, "{sort} {more:?}");
            let marker = ("marker", "00000000-0000-0000-0000-00000000006e");
            // The row of the marker is read twice: to check that the caller sees it, and as the start of the page.
            assert!(looked(&[ten, ("sort", sort), more, marker], false) <= 12, "{sort} {more:?}");
            let counted = [ten, ("sort", sort), more, ("with_count", "1"), ("offset", "150")];
            assert_eq!(looked(&counted, true), 0, "{sort} {more:?}");
        }
    }
    let mut txn = store.begin_write().unwrap();
    for (at, row) in rows.iter().enumerate() {
        let host = if at < 150 { "h@b#p" } else { "h@c#c" }.into();
        let place = Placement { host, ..Placement::default() };
        place_volume(&mut txn, 1, Uuid::from_u128(row.id), place).unwrap();
    }
    txn.commit().unwrap();
    let view = store.snapshot();
    let on_host = |host: &str, more: &[(&str, &str)]| {
        let query = [&[ten, ("host", host), ("with_count", "1")], more].concat();
        let query: Vec<_> = query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let request = ListRequest::parse::<Volume>(&query, &caller, Microversion::MAX).unwrap();
        let looked = std::cell::Cell::new(0);
        let visible = |_: &Volume| {
            looked.set(looked.get() + 1);
            true
        };
        let listing = list::<Volume>(&view, &request.seeing_all(true), None, visible).unwrap();
        (listing.count.unwrap(), listing.rows.len(), looked.get())
    };
    let up = [("sort", "created_at:asc")];
    assert_eq!(on_host("h@b#p", &up), (150, 10, 10));
    assert_eq!(on_host("h@b", &up), (150, 10, 10));
    assert_eq!(on_host("h@c#c", &[]), (50, 10, 10));
    assert_eq!(on_host("h@c", &[("all_tenants", "1")]), (50, 10, 10));
    assert_eq!(on_host("h@d", &[]), (0, 0, 0));
    // A pool beside another one: totals do not tell, so the rows are counted.
    let mut txn = store.begin_write().unwrap();
    let place = Placement { host: "h@c#other".into(), ..Placement::default() };
    place_volume(&mut txn, 1, Uuid::from_u128(209), place).unwrap();
    txn.commit().unwrap();
    let view = store.snapshot();
    let query = [("host".into(), "h@c#c".into()), ("with_count".into(), "1".into())];
    let request = ListRequest::parse::<Volume>(&query, &caller, Microversion::MAX).unwrap();
    let listing = list::<Volume>(&view, &request.seeing_all(true), None, |_| true).unwrap();
    assert_eq!((listing.count, listing.rows.len()), (Some(49), 49));
    let of_status = [ten, ("status", "available"), ("with_count", "1"), ("offset", "150")];
    assert_eq!(looked(&of_status, true), 0);
}

#[test]
fn callers_without_a_role_list_nothing() {
    let caller =
        Caller { user: "u".into(), project: "p".into(), role: Role::None, ..Caller::default() };
    let error = ListRequest::parse::<Volume>(&[], &caller, Microversion::MAX).unwrap_err();
    assert_eq!(error.status(), 403);
    assert!(ListRequest::parse::<Transfer>(&[], &caller, Microversion::MAX).is_err());
}

#[test]
fn markers_of_other_projects_are_rejected() {
    let row = |id, project| Row {
        id,
        project,
        name: None,
        size: 1,
        status: VolumeStatus::Available,
        second: 1,
    };
    let store = store(&[row(5, 0), row(6, 1)]);
    let view = store.snapshot();
    let caller =
        Caller { user: "u".into(), project: "p".into(), role: Role::Member, ..Caller::default() };
    let ask = |marker: &str| {
        let query = [("marker".to_owned(), marker.to_owned())];
        let request = ListRequest::parse::<Volume>(&query, &caller, Microversion::MAX).unwrap();
        list::<Volume>(&view, &request, None, |_| true).map(|page| page.rows.len())
    };
    assert_eq!(ask(&Uuid::from_u128(5).to_string()), Ok(0));
    let error = ask(&Uuid::from_u128(6).to_string()).unwrap_err();
    assert_eq!(error.status(), 404);
    assert_eq!(ask("nope").unwrap_err().to_string(), "Volume nope could not be found.");
}

#[test]
fn filters_beyond_the_step_limit_are_rejected() {
    let row = |id| Row {
        id,
        project: 0,
        name: None,
        size: 1,
        status: VolumeStatus::Available,
        second: i64::try_from(id).unwrap(),
    };
    let store = store(&(0..4).map(row).collect::<Vec<_>>());
    let mut txn = store.begin_write().unwrap();
    let mut large = Volume::clone(txn.get::<Volume>(Uuid::from_u128(2)).unwrap());
    large.metadata = (0..40).map(|n| (format!("k{n}").into(), "v".into())).collect();
    txn.upsert::<Volume>(large).unwrap();
    txn.commit().unwrap();
    let view = store.snapshot();
    let caller =
        Caller { user: "u".into(), project: "p".into(), role: Role::Member, ..Caller::default() };
    // Three of the rows have no metadata, the fourth needs 40 to the power of four steps.
    let text = "any metadata as a { any metadata as b { any metadata as c { any metadata as d { d == x } } } }";
    let filter = Filter::<Volume>::compile(text).unwrap();
    for query in [vec![], vec![("sort", "name:asc")], vec![("with_count", "true")]] {
        let query: Vec<_> =
            query.iter().map(|(k, v): &(&str, &str)| (k.to_string(), v.to_string())).collect();
        let request = ListRequest::parse::<Volume>(&query, &caller, Microversion::MAX).unwrap();
        let error = list::<Volume>(&view, &request, Some(&filter), |_| true).unwrap_err();
        assert!(matches!(&error, Error::Request(text) if text.contains("row_steps")), "{error}");
    }
}

fn parse(query: &[(&str, &str)]) -> Result<ListRequest, Error> {
    let caller =
        Caller { user: "u".into(), project: "p".into(), role: Role::Member, ..Caller::default() };
    let query: Vec<_> = query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    ListRequest::parse::<Volume>(&query, &caller, Microversion::MAX)
}

#[test]
fn limits_beyond_every_integer_mean_the_largest_page() {
    let most = parse(&[("limit", "1000")]).unwrap();
    for limit in ["1001", "9223372036854775808", "99999999999999999999999999"] {
        assert_eq!(parse(&[("limit", limit)]).unwrap(), most, "{limit}");
    }
    let text = |query: &[(&str, &str)]| parse(query).unwrap_err().to_string();
    assert_eq!(text(&[("limit", "-99999999999999999999")]), "limit param must be positive");
    assert_eq!(text(&[("limit", "9x")]), "limit param must be an integer");
    assert_eq!(text(&[("limit", "")]), "limit param must be an integer");
    let large = text(&[("offset", "99999999999999999999")]);
    assert_eq!(large, "offset must be <= 2147483647");
}

#[test]
fn repeated_parameters_are_rejected() {
    for key in ["limit", "sort", "status", "filter"] {
        let refusal = parse(&[(key, "1"), ("name", "x"), (key, "1")]).unwrap_err();
        let text = format!("Invalid filters {key} are found in query options.");
        assert_eq!((refusal.status(), refusal.to_string()), (400, text));
    }
}
