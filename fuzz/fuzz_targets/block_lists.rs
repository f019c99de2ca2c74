//! Any query string is a list of Block Storage or rejected; the pages of one order together are the
//! whole list. The first byte is the minor version, the second the caller, the third the list and
//! the page size.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use statehold_cinder::{
    Attachment, Backup, BackupSpec, Caller, Config, Context, Error, FailureCause, Group,
    GroupSnapshot, GroupType, ListRequest, ListResource, Message, Microversion, Outcome, Placement,
    QosSpecs, Role, Snapshot, SnapshotSpec, Transfer, TransferKey, TransferSpec, Volume,
    VolumeSpec, VolumeType, WorkItem, bootstrap, bootstrap_groups, create_backup, create_snapshot,
    create_transfer, create_volume, finish_work, list, list_types, next_work, place_volume, schema,
    start_work,
};
use statehold_filter::Filter;
use statehold_store::{Store, WriteTxn};
use uuid::Uuid;

/// The number of volumes.
const VOLUMES: u128 = 8;

fn caller(role: Role, project: &str) -> Caller {
    Caller { user: "u".into(), project: project.into(), role, ..Caller::default() }
}

/// Completes the queued work; every third item fails.
fn work(txn: &mut WriteTxn<'_>, config: &Config, number: u128) -> Result<(), Error> {
    while let Some(item) = next_work(txn).map(|item| WorkItem::clone(item)) {
        let begun =
            start_work(txn, 6, item.kind, item.target)?.expect("the next item is not started");
        let placement = Placement { host: "h@b#b".into(), ..Placement::default() };
        place_volume(txn, 6, item.target, placement)?;
        let message = Uuid::from_u128(0xeeee + number);
        let failed = Outcome::Failed { cause: FailureCause::NoBackend, message };
        let outcome = if number % 3 == 2 { failed } else { Outcome::DONE };
        finish_work(txn, config, 6, &begun, &outcome)?;
    }
    Ok(())
}

fn fill(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    let config = Config::default();
    bootstrap(txn, &config, 1, Uuid::from_u128(1))?;
    bootstrap_groups(txn, 1, Uuid::from_u128(2))?;
    for number in 0..VOLUMES {
        let owner = caller(Role::Admin, if number % 4 == 3 { "q" } else { "p" });
        let (config, caller, version) = (&config, &owner, Microversion::MAX);
        // Some share a time.
        let now = i64::try_from(number / 2 + 1).unwrap_or(1) * 1_000_000_000;
        let cx = Context { config, caller, version, now, request_id: "req-1" };
        let id = Uuid::from_u128(0x1000 + number);
        let mut spec = VolumeSpec { size: Some(1 + number as u32 % 3), ..VolumeSpec::default() };
        spec.name = ["web", "Web", "db"].get(number as usize % 4).map(|name| (*name).into());
        spec.metadata.insert("k".into(), ["a", "b"][number as usize % 2].into());
        create_volume(txn, &cx, id, spec)?;
        work(txn, config, number)?;
        if number % 3 == 2 {
            continue;
        }
        let of = id.to_string();
        let snapshot = SnapshotSpec { volume_id: of.clone().into(), ..SnapshotSpec::default() };
        create_snapshot(txn, &cx, Uuid::from_u128(0x2000 + number), snapshot)?;
        work(txn, config, 0)?;
        let backup = BackupSpec { volume_id: of.clone().into(), ..BackupSpec::default() };
        create_backup(txn, &cx, Uuid::from_u128(0x3000 + number), backup)?;
        work(txn, config, 0)?;
        let offer = TransferSpec { volume_id: of.into(), ..TransferSpec::default() };
        let key = TransferKey { key: "0123456789abcdef", salt: *b"01234567" };
        create_transfer(txn, &cx, Uuid::from_u128(0x4000 + number), offer, key)?;
    }
    Ok(())
}

static STORE: LazyLock<Store> = LazyLock::new(|| {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().expect("a store in memory accepts writes");
    fill(&mut txn).expect("an empty store accepts the defaults");
    txn.commit().expect("written rows can be committed");
    store
});

/// Returns the result; an error must have a message, and must not be an internal one.
fn accepted<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!((400..500).contains(&error.status()), "{} {error}", error.status());
            None
        }
    }
}

type Query = Vec<(String, String)>;

/// Returns the rows of a page, and whether there are more.
fn page<T: ListResource>(
    query: &Query,
    caller: &Caller,
    version: Microversion,
) -> Option<(Vec<Uuid>, bool)> {
    let request = accepted(ListRequest::parse::<T>(query, caller, version))?;
    let filter = match request.filter().map(Filter::<T>::compile) {
        Some(Ok(filter)) => Some(filter),
        None => None,
        Some(Err(error)) => {
            assert!(!error.to_string().is_empty());
            return None;
        }
    };
    let view = STORE.snapshot();
    let listing = accepted(list::<T>(&view, &request, filter.as_ref(), |_| true))?;
    if let Some(count) = listing.count {
        assert!(count >= listing.rows.len());
    }
    Some((listing.rows.iter().map(|row| row.id()).collect(), listing.has_next))
}

fn with(query: &Query, more: &[(&str, String)]) -> Query {
    let more = more.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    query.iter().cloned().chain(more).collect()
}

fn check<T: ListResource>(query: &Query, caller: &Caller, version: Microversion, limit: usize) {
    let Some((rows, _)) = page::<T>(query, caller, version) else { return };
    let asked = query.iter().rev().find(|(key, _)| key == "limit");
    if let Some(asked) = asked.and_then(|(_, value)| value.parse::<usize>().ok()) {
        assert!(rows.len() <= asked, "more than the page may have");
    }
    if query.iter().any(|(key, _)| ["limit", "marker", "offset"].contains(&&**key)) {
        return;
    }
    let mut found: Vec<Uuid> = Vec::new();
    loop {
        let mut more = vec![("limit", limit.to_string())];
        more.extend(found.last().map(|last| ("marker", last.to_string())));
        let part = page::<T>(&with(query, &more), caller, version);
        let (part, has_next) = part.expect("the list exists");
        assert!(part.len() <= limit, "more than the page may have");
        found.extend(&part);
        assert!(found.len() <= rows.len(), "pages have more than the whole");
        if !has_next || part.is_empty() {
            break;
        }
    }
    assert_eq!(found, rows, "pages are not the whole");
}

fuzz_target!(|bytes: &[u8]| {
    let [minor, caller_byte, which, query @ ..] = bytes else { return };
    let query: Query = form_urlencoded::parse(query).into_owned().collect();
    let role = [Role::Admin, Role::Member, Role::Reader][usize::from(caller_byte % 3)];
    let caller = &caller(role, ["p", "q"][usize::from(caller_byte / 3 % 2)]);
    let version = Microversion::new(u16::from(minor % 71));
    let limit = 1 + usize::from(which / 16 % 4);
    match which % 11 {
        0 | 1 => check::<Volume>(&query, caller, version, limit),
        2 => check::<Snapshot>(&query, caller, version, limit),
        3 => check::<Backup>(&query, caller, version, limit),
        4 => check::<Transfer>(&query, caller, version, limit),
        5 => check::<Message>(&query, caller, version, limit),
        6 => check::<Group>(&query, caller, version, limit),
        7 => check::<GroupSnapshot>(&query, caller, version, limit),
        8 => check::<GroupType>(&query, caller, version, limit),
        9 => check::<QosSpecs>(&query, caller, version, limit),
        _ => {
            check::<Attachment>(&query, caller, version, limit);
            check::<VolumeType>(&query, caller, version, limit);
            accepted(
                list_types(&STORE.snapshot(), &query, caller, version, None, || true).map(drop),
            );
        }
    }
});
