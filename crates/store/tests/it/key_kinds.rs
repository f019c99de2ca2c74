//! Keys of every kind of field: times, durations, addresses, characters, enums and newtypes.

use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use statehold_filter::{Dialect, Filter, Filterable, Options};
use statehold_store::{
    Desc, KeyPart, KeyRange, Order, ReadView, Schema, SchemaError, Store, Table, plan,
};
use uuid::Uuid;

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Filterable,
    KeyPart,
)]
#[serde(rename_all = "kebab-case")]
enum Status {
    InUse = 30,
    Available = 10,
    #[serde(rename = "gone")]
    Deleted = -5,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, KeyPart)]
struct Id<T>(Uuid, PhantomData<T>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KeyPart)]
struct Rack(Option<Box<str>>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "hosts", key(status, id))]
#[table(index(name = "place", on(rack, unit, port)))]
#[table(index(name = "newest", on(zone, desc(created)), serves = "zone"))]
struct Host {
    #[table(index(serves = "status"))]
    status: Status,
    #[filterable(skip)]
    id: Id<u8>,
    #[table(index(serves = "created"))]
    created: SystemTime,
    #[table(index(serves = "timeout"))]
    timeout: Duration,
    #[table(index(serves = "zone"))]
    zone: char,
    #[table(index(serves = "address"))]
    address: IpAddr,
    #[filterable(skip)]
    rack: Rack,
    #[filterable(skip)]
    unit: NonZero<u16>,
    #[filterable(skip)]
    port: usize,
    #[filterable(skip)]
    #[table(index(name = "mac"))]
    mac: [u8; 6],
}

fn host(at: u128) -> Host {
    Host {
        status: Status::Available,
        id: Id(Uuid::from_u128(at), PhantomData),
        created: SystemTime::UNIX_EPOCH,
        timeout: Duration::ZERO,
        zone: 'a',
        address: Ipv4Addr::LOCALHOST.into(),
        rack: Rack(Some("r1".into())),
        unit: NonZero::new(1).unwrap(),
        port: 0,
        mac: [2; 6],
    }
}

fn store(hosts: impl IntoIterator<Item = Host>) -> Store {
    let store = Store::in_memory(&Host::schema());
    let mut txn = store.begin_write().unwrap();
    for host in hosts {
        txn.put(host).unwrap();
    }
    txn.commit().unwrap();
    store
}

#[test]
fn fields_of_many_types_are_found_by_their_values() {
    let v6 = Host { address: Ipv6Addr::LOCALHOST.into(), ..host(2) };
    let in_use = Host { status: Status::InUse, ..host(3) };
    let store = store([host(1), v6, in_use]);
    let view = store.snapshot();
    let up = Order::Ascending;

    let id = Uuid::from_u128(1);
    assert!(Host::BY_KEY.get(&view, (Status::Available, id)).is_some());
    let available = Host::BY_KEY.starting_with(Status::Available);
    assert_eq!(Host::BY_KEY.scan(&view, &available, up).count(), 2);
    let from_in_use = Host::BY_STATUS.between(Excluded(Status::Available), Unbounded);
    assert_eq!(view.scan_by(&Host::BY_STATUS, &from_in_use, up).count(), 1);
    assert!(view.find(&Host::BY_ADDRESS, IpAddr::from(Ipv6Addr::LOCALHOST)).is_some());
    let v4 = Host::BY_ADDRESS
        .between(Included(Ipv4Addr::UNSPECIFIED.into()), Included(Ipv4Addr::BROADCAST.into()));
    assert_eq!(view.scan_by(&Host::BY_ADDRESS, &v4, up).count(), 2, "v4 before v6");
    let mapped = Filter::<Host>::compile("address == \"0:0::0:1\"").unwrap();
    let plan = Host::BY_KEY.plan(&view, &Host::BY_KEY.all(), up, &mapped.conjuncts());
    assert_eq!(plan.to_string(), r#"index address: 1 rows where address == "::1""#);
    assert_eq!(plan.filter(|row| mapped.matches(row)).count(), 1, "by value, however written");
    assert!(view.find(&Host::BY_MAC, [2; 6]).is_some());
    assert!(view.find(&Host::BY_PLACE, (Some("r1"), 1, 0)).is_some());
    let rack = Rack(Some("r1".into()));
    let in_rack = Host::BY_PLACE.starting_with((&rack, 1));
    assert_eq!(view.scan_by(&Host::BY_PLACE, &in_rack, up).count(), 3);
    let newest = Host::BY_NEWEST.exact(('a', Desc(SystemTime::UNIX_EPOCH)));
    assert_eq!(view.scan_by(&Host::BY_NEWEST, &newest, up).count(), 3);
}

#[test]
fn a_stored_enum_key_is_found_after_a_variant_came_in_between() {
    mod old {
        use super::*;

        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KeyPart)]
        pub(super) enum Color {
            Red = 10,
            Blue = 20,
        }

        #[derive(Serialize, Deserialize, Table)]
        #[table(name = "paints")]
        pub(super) struct Paint {
            #[table(key)]
            pub(super) color: Color,
        }
    }
    mod new {
        use super::*;

        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KeyPart)]
        pub(super) enum Color {
            Red = 10,
            Blue = 20,
            // Sorted last by the row's own bytes, but between them by its number.
            Green = 15,
        }

        #[derive(Serialize, Deserialize, Table)]
        #[table(name = "paints", version = 2, migrate = from_old)]
        pub(super) struct Paint {
            #[table(key)]
            pub(super) color: Color,
        }

        fn from_old(old: statehold_store::OldRow<'_>) -> Result<Paint, statehold_store::RowError> {
            old.read()
        }
    }
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path(), &old::Paint::schema()).unwrap();
        let mut txn = store.begin_write().unwrap();
        txn.put(old::Paint { color: old::Color::Blue }).unwrap();
        txn.put(old::Paint { color: old::Color::Red }).unwrap();
        txn.commit().unwrap();
    }
    let store = Store::open(dir.path(), &new::Paint::schema()).unwrap();
    let mut txn = store.begin_write().unwrap();
    txn.put(new::Paint { color: new::Color::Green }).unwrap();
    let all = new::Paint::BY_KEY.all();
    let colors: Vec<_> =
        new::Paint::BY_KEY.scan(&txn, &all, Order::Ascending).map(|row| row.color).collect();
    assert_eq!(colors, [new::Color::Red, new::Color::Green, new::Color::Blue]);
}

/// A filter enum with other names than those of the key.
#[derive(Serialize, Deserialize, Filterable, Table)]
#[table(name = "others")]
struct Other {
    #[table(key)]
    id: u64,
    #[filterable(skip)]
    #[table(index(serves = "status"))]
    status: Status,
    #[filterable(rename = "status")]
    shown: Shown,
}

#[derive(Serialize, Deserialize, Filterable)]
enum Shown {
    #[serde(rename = "in-use")]
    InUse,
    Unknown,
}

#[test]
fn enum_key_serves_only_a_filter_with_its_names() {
    let error = Schema::new().try_table::<Other>().unwrap_err();
    assert!(matches!(error, SchemaError::UnfitKeys { index: "status", .. }), "{error}");
}

fn hosts() -> impl Strategy<Value = Host> {
    let status = prop_oneof![Just(Status::InUse), Just(Status::Available), Just(Status::Deleted)];
    // Includes years beyond 2262, the last one that filters distinguish. Serde has no times before 1970.
    let seconds = prop_oneof![0u64..3, Just(20_000_000_000)];
    let timeout = prop_oneof![0u64..4, Just(u64::MAX)];
    (any::<u8>(), status, seconds, timeout, prop_oneof![Just('a'), Just('b'), Just('é')]).prop_map(
        |(at, status, seconds, timeout, zone)| {
            let created = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let timeout = Duration::from_secs(timeout);
            Host { status, created, timeout, zone, ..host(at.into()) }
        },
    )
}

fn clause() -> impl Strategy<Value = String> {
    let operator = "==|<|<=|>|>=";
    prop_oneof![
        prop_oneof![Just("in-use"), Just("gone"), Just("InUse"), Just("available")]
            .prop_flat_map(|name| "==|<|>=".prop_map(move |op| format!("status {op} \"{name}\""))),
        "[abé]".prop_map(|zone| format!("zone == \"{zone}\"")),
        (operator, 0u8..4).prop_map(|(op, secs)| format!("timeout {op} \"{secs}s\"")),
        (operator, 0u8..3)
            .prop_map(|(op, secs)| format!("created {op} \"1970-01-01T00:00:0{secs}Z\"")),
        operator.prop_map(|op| format!("created {op} 9223372036854775807")),
        operator.prop_map(|op| format!("timeout {op} 9223372036854775807")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_by_such_keys_equals_a_naive_scan(
        rows in proptest::collection::vec(hosts(), 0..40),
        clauses in proptest::collection::vec(clause(), 1..3),
    ) {
        let text = clauses.join(" and ");
        let options = Options::new().dialect(Dialect::Extended);
        let Ok(filter) = Filter::<Host>::compile_with(&text, &options) else { return Ok(()) };
        let store = store(rows);
        let view = store.snapshot();
        let all = KeyRange::all();
        let naive: Vec<&Host> = view
            .scan::<Host>(&all, Order::Ascending)
            .map(|row| &**row)
            .filter(|row| filter.matches(row))
            .collect();
        let planned = plan::<Host>(&view, &all, Order::Ascending, &filter.conjuncts());
        let shown = planned.to_string();
        let planned: Vec<&Host> =
            planned.map(|row| &**row).filter(|row| filter.matches(row)).collect();
        prop_assert_eq!(planned, naive, "{} by {}", text, shown);
    }
}

#[derive(Debug, Serialize, Deserialize, Table)]
#[table(name = "leases")]
struct Lease {
    #[table(key)]
    id: u8,
    #[table(index(some))]
    ends: Option<SystemTime>,
    #[table(index)]
    left: Option<Duration>,
}

#[derive(Debug, Serialize, Deserialize, Filterable, Table)]
#[table(name = "peers")]
struct Peer {
    #[table(key)]
    id: SocketAddr,
    #[table(index(name = "at", serves = "at.ip"))]
    at: SocketAddr,
}

#[test]
fn sockets_are_keys_and_serve_filters_on_their_address() {
    let store = Store::in_memory(&Peer::schema());
    let mut txn = store.begin_write().unwrap();
    for at in ["10.0.0.1:80", "10.0.0.1:443", "10.0.0.2:80", "[::1]:80"] {
        let at: SocketAddr = at.parse().unwrap();
        txn.put(Peer { id: at, at }).unwrap();
    }
    let id: SocketAddr = "[::1]:80".parse().unwrap();
    assert!(Peer::BY_KEY.contains(&txn, id) && txn.find(&Peer::BY_AT, id).is_some());
    let filter: Filter<Peer> = Filter::compile("at.ip == \"10.0.0.1\"").unwrap();
    let all = Peer::BY_KEY.all();
    let plan = Peer::BY_KEY.plan(&txn, &all, Order::Ascending, &filter.conjuncts());
    assert_eq!(plan.to_string(), r#"index at: 2 rows where at.ip == "10.0.0.1""#);
    assert_eq!(plan.filter(|row| filter.matches(row)).count(), 2);
}

#[test]
fn times_and_durations_expire() {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let store = Store::in_memory(&Lease::schema());
    let mut txn = store.begin_write().unwrap();
    for (id, seconds) in [(1, Some(10)), (2, Some(20)), (3, None)] {
        let left = seconds.map(Duration::from_secs);
        txn.put(Lease { id, ends: seconds.map(at), left }).unwrap();
    }
    assert_eq!(txn.next_expiry(&Lease::BY_ENDS), Some(at(10)));
    let gone = txn.expire_until(&Lease::BY_ENDS, at(10), 9).unwrap();
    assert_eq!(gone.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [1]);
    assert_eq!(txn.next_expiry(&Lease::BY_LEFT), Some(Some(Duration::from_secs(20))));
    let gone = txn.expire_until(&Lease::BY_LEFT, Some(Duration::MAX), 9).unwrap();
    assert_eq!(gone.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [2]);
    assert!(Lease::BY_KEY.contains(&txn, 3), "`None` never expires");
}
