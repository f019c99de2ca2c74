//! The planner: any plan yields the rows of the filter, in order.

use std::pin::pin;
use std::task::{Context, Waker};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use statehold_filter::{Conjunct, Constant, Dialect, Filter, Filterable, Kind, Options, Sarg};
use statehold_store::{
    Desc, Index, IndexSet, KeyRange, Order, ReadView, RejectReason, Schema, Store, Table, Tracked,
    plan, plan_within,
};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Volume {
    namespace: String,
    #[filterable(rename = "ID")]
    id: String,
    plugin: String,
    node: Uuid,
    size: i32,
    age: u32,
    tags: Vec<String>,
}

struct Volumes;

const BY_PLUGIN: Index<Volumes, (String, u64)> = Volumes::INDEX
    .non_unique("plugin", |row, keys| {
        keys.add((&row.plugin, 7));
        // Some rows have two entries, and must be returned once.
        if row.age % 2 == 1 {
            keys.add((&row.plugin, 8));
        }
    })
    .serves("Plugin");
const BY_NODE: Index<Volumes, Uuid> =
    Volumes::INDEX.non_unique("node", |row, keys| keys.add(row.node)).serves("Node");
const BY_SIZE: Index<Volumes, i32> =
    Volumes::INDEX.non_unique("size", |row, keys| keys.add(row.size)).serves("Size");
const BY_AGE: Index<Volumes, Desc<u32>> =
    Volumes::INDEX.non_unique("age", |row, keys| keys.add(Desc(row.age))).serves("Age");
const BY_TAG: Index<Volumes, String> = Volumes::INDEX
    .non_unique("tag", |row, keys| {
        for tag in &row.tags {
            keys.add(tag);
        }
    })
    .serves("Tags");

impl Table for Volumes {
    const NAME: &'static str = "volumes";
    const VERSION: u16 = 1;
    type Key = (String, String);
    type Row = Volume;

    fn key(row: &Volume) -> (&str, &str) {
        (&row.namespace, &row.id)
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&BY_PLUGIN).add(&BY_NODE).add(&BY_SIZE).add(&BY_AGE).add(&BY_TAG);
    }
}

fn volume() -> impl Strategy<Value = Volume> {
    let tags = proptest::collection::vec("[xyz]", 0..3);
    ("[ab]", "[a-f]{1,2}", "p[qr]?", 0u128..4, -2i32..3, 0u32..5, tags).prop_map(
        |(namespace, id, plugin, node, size, age, tags)| Volume {
            namespace,
            id,
            plugin,
            node: Uuid::from_u128(node << 121),
            size,
            age,
            tags,
        },
    )
}

fn clause() -> impl Strategy<Value = String> {
    prop_oneof![
        "p[qr]?".prop_map(|text| format!("Plugin == {text}")),
        "p[qr]?".prop_map(|text| format!("Plugin != {text}")),
        "[pq]".prop_map(|text| format!("Plugin matches \"^{text}\"")),
        (0u128..4).prop_map(|n| format!("Node == \"{}\"", Uuid::from_u128(n << 121))),
        "[0-6]{1,2}".prop_map(|text| format!("Node matches \"^{text}\"")),
        (-3i32..4).prop_map(|n| format!("Size == {n}")),
        Just("Size == 5000000000".to_owned()),
        ("<|<=|>|>=", -3i32..4).prop_map(|(operator, n)| format!("Size {operator} {n}")),
        ("<|<=|>|>=", 0u32..6).prop_map(|(operator, n)| format!("Age {operator} {n}")),
        (0u32..5, 0u32..5).prop_map(|(low, high)| format!("Age between {low} and {high}")),
        ("<|<=|>|>=", "p[qr]?").prop_map(|(operator, text)| format!("Plugin {operator} {text}")),
        "[xyz]".prop_map(|text| format!("{text} in Tags")),
        "[a-f]".prop_map(|text| format!("ID matches {text}")),
    ]
}

/// Clauses under `and`, `or` and `not`, in parentheses.
fn expression() -> impl Strategy<Value = String> {
    clause().prop_recursive(3, 8, 3, |inner| {
        let many = |word: &'static str| {
            move |parts: Vec<String>| {
                let parts: Vec<_> = parts.iter().map(|part| format!("( {part} )")).collect();
                parts.join(word)
            }
        };
        prop_oneof![
            3 => proptest::collection::vec(inner.clone(), 2..4).prop_map(many(" and ")),
            2 => proptest::collection::vec(inner.clone(), 2..4).prop_map(many(" or ")),
            1 => inner.prop_map(|inner| format!("not ( {inner} )")),
        ]
    })
}

fn compile(text: &str) -> Filter<Volume> {
    Filter::compile_with(text, &Options::new().dialect(Dialect::Extended)).unwrap()
}

fn store(rows: &[Volume]) -> Store {
    let store = Store::in_memory(&Schema::new().table::<Volumes>());
    let mut txn = store.begin_write().unwrap();
    for row in rows {
        txn.upsert::<Volumes>(row.clone()).unwrap();
    }
    txn.commit().unwrap();
    store
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_planned_result_equals_a_naive_scan(
        rows in proptest::collection::vec(volume(), 0..60), text in expression(),
        reverse in any::<bool>(), namespace in proptest::option::of("[abc]"),
        from in proptest::option::of(("[ab]", "[a-f]")),
    ) {
        let store = store(&rows);
        let filter = compile(&text);
        let order = if reverse { Order::Descending } else { Order::Ascending };
        let mut range = match &namespace {
            Some(namespace) => KeyRange::<(String, String)>::starting_with(namespace),
            None => KeyRange::all(),
        };
        if let Some((namespace, id)) = &from {
            range = range.resume((namespace, id), order);
        }
        let view = store.snapshot();
        let naive: Vec<Volume> = view
            .scan::<Volumes>(&range, order)
            .filter(|row| filter.matches(row))
            .map(|row| (**row).clone())
            .collect();
        let planned = plan::<Volumes>(&view, &range, order, &filter.conjuncts());
        let shown = planned.to_string();
        let planned: Vec<Volume> = planned
            .filter(|row| filter.matches(row))
            .map(|row| (**row).clone())
            .collect();
        prop_assert_eq!(planned, naive, "{} by {}", text, shown);
    }

    #[test]
    fn reader_of_a_plan_is_woken_by_every_change_of_its_matches(
        rows in proptest::collection::vec(volume(), 5..40), text in expression(), change in volume(),
    ) {
        let store = store(&rows);
        let filter = compile(&text);
        let conjuncts = filter.conjuncts();
        let query = |view: &Tracked| -> Vec<(Volume, u64)> {
            plan::<Volumes>(view, &KeyRange::all(), Order::Ascending, &conjuncts)
                .filter(|row| filter.matches(row))
                .map(|row| ((**row).clone(), row.modify_index()))
                .collect()
        };
        let before = store.blocking(0, std::time::Instant::now(), query).unwrap();
        let mut changed = false;
        let attempt = store
            .try_blocking(before.index, |view| {
                let found = query(view);
                // Between the read and the parking, so that the reader is woken at once.
                if !changed {
                    changed = true;
                    let mut txn = store.begin_write().unwrap();
                    txn.upsert::<Volumes>(change.clone()).unwrap();
                    txn.commit().unwrap();
                }
                found
            })
            .unwrap();
        let after = store.blocking(0, std::time::Instant::now(), query).unwrap();
        prop_assert!(after.index >= before.index, "the index of a read never goes back");
        if after.value != before.value {
            let woken = match attempt {
                statehold_store::Attempt::Ready(_) => false,
                statehold_store::Attempt::Parked(parked) => {
                    pin!(parked).poll(&mut Context::from_waker(Waker::noop())).is_ready()
                }
            };
            prop_assert!(woken, "parked on a changed range");
        }
    }
}

#[test]
fn plan_uses_and_shows_the_smallest_fitting_index() {
    let rows: Vec<Volume> = (0..200)
        .map(|at| Volume {
            namespace: "a".into(),
            id: format!("{at:03}"),
            plugin: if at % 20 == 0 { "rare".into() } else { "often".into() },
            node: Uuid::from_u128(u128::from(at % 4 == 0)),
            size: at,
            age: at.unsigned_abs(),
            tags: vec![],
        })
        .collect();
    let store = store(&rows);
    let view = store.snapshot();
    let shown = |text: &str| {
        let conjuncts = compile(text).conjuncts();
        plan::<Volumes>(&view, &KeyRange::all(), Order::Ascending, &conjuncts).to_string()
    };
    assert_eq!(shown("Plugin == rare and Size == 3"), "index size: 1 rows where Size == 3");
    assert_eq!(shown("Plugin == rare"), "index plugin: 10 rows where Plugin == \"rare\"");
    assert_eq!(shown("Size == 1 or Size == 7"), "index size: 2 rows where Size in [1, 7]");
    assert_eq!(shown("ID == `007`"), "range of table volumes");
    assert_eq!(shown("Plugin != rare"), "range of table volumes");
    let range = shown("Size >= 190 and Plugin == often");
    assert_eq!(range, "index size: 10 rows where Size >= 190");
    let descending = shown("Age between 10 and 12");
    assert_eq!(descending, "index age: 3 rows where Age between 10 and 12");
    assert_eq!(shown("Age < 2"), "index age: 2 rows where Age < 2");
    let everything = shown("Plugin matches \"^\"");
    assert_eq!(everything, "range of table volumes");
}

#[test]
fn program_states_conditions_and_the_row_limit_of_an_index() {
    let row = |at: i32| Volume {
        namespace: "a".into(),
        id: format!("v{at:02}"),
        plugin: if at % 10 == 0 { "nfs" } else { "ebs" }.into(),
        node: Uuid::nil(),
        size: at,
        age: 0,
        tags: vec![],
    };
    let store = store(&(0..50).map(row).collect::<Vec<_>>());
    let view = store.snapshot();
    let nfs = Sarg::Points(vec![Constant::Text("nfs".into())]);
    let stated = [Conjunct::new("Plugin", Kind::Text, nfs)];
    let (all, up) = (KeyRange::all(), Order::Ascending);

    let few = plan_within::<Volumes>(&view, &all, up, &stated, 5);
    assert_eq!(few.index(), Some("plugin"));
    assert_eq!(few.count(), 5);
    let unlimited = plan_within::<Volumes>(&view, &all, up, &stated, usize::MAX);
    assert_eq!(unlimited.to_string(), "index plugin: 5 rows where Plugin == \"nfs\"");
    let none = plan_within::<Volumes>(&view, &all, up, &stated, 4);
    assert_eq!(none.index(), None);
    assert_eq!(none.rejected()[0].reason(), &RejectReason::TooMany { rows_max: 4 });
    assert_eq!(none.count(), 50);
}

#[test]
fn a_plan_explains_each_index_that_it_does_not_use() {
    let row = |at: i32| Volume {
        namespace: "a".into(),
        id: format!("v{at:02}"),
        plugin: if at % 10 == 0 { "nfs" } else { "ebs" }.into(),
        node: Uuid::nil(),
        size: at,
        age: 0,
        tags: vec![],
    };
    let store = store(&(0..50).map(row).collect::<Vec<_>>());
    let view = store.snapshot();
    let explained = |text: &str| {
        let conjuncts = compile(text).conjuncts();
        let plan = plan::<Volumes>(&view, &KeyRange::all(), Order::Ascending, &conjuncts);
        format!("{plan:#}")
    };
    assert_eq!(
        explained("Plugin == nfs and Size == 3 and Size < 9 and Age >= 0 and Size == 5000000000"),
        "index size: 1 rows where Size == 3\n\
         not used: index plugin where Plugin == \"nfs\": another index gives no more rows\n\
         not used: index size where Size < 9: another index gives no more rows\n\
         not used: index age where Age >= 0: another index gives no more rows\n\
         not used: index size where Size == 5000000000: its keys can't be searched for that\n\
         not used: index node: no condition on Node\n\
         not used: index tag: no condition on Tags"
    );
    let range = explained("Age >= 0");
    assert!(range.starts_with(
        "range of table volumes\nnot used: index age where Age >= 0: the range has no more rows\n"
    ));
    let none = explained("Size == 77 and Plugin == nfs");
    assert!(none.contains("index plugin where Plugin == \"nfs\": another index"), "{none}");
}
