//! The requirements of volume types on requests (encryption, sizes, zones), and the limits that hosts enforce.

use serde_json::json;
use statehold_cinder::*;
use statehold_store::{ReadView, Store, WriteTxn};
use uuid::Uuid;

const VOLUME: Uuid = Uuid::from_u128(1);
const DEFAULT: Uuid = Uuid::from_u128(2);
const TYPE: Uuid = Uuid::from_u128(3);

fn config() -> Config {
    let zones = ["nova", "mars"].map(Box::from).into();
    Config { zones, ..Config::default() }
}

fn admin<T>(run: impl FnOnce(&Context<'_>) -> T) -> T {
    let config = config();
    let caller =
        Caller { user: "u".into(), project: "p".into(), role: Role::Admin, ..Caller::default() };
    let version = Microversion::MAX;
    run(&Context { config: &config, caller: &caller, version, now: 5, request_id: "req-1" })
}

/// A store with a volume of the default type and a type `t`.
fn store(specs: &[(&str, &str)]) -> Store {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    bootstrap(&mut txn, &config(), 1, DEFAULT).unwrap();
    let extra_specs = specs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let spec = TypeSpec { name: "t".into(), extra_specs, ..TypeSpec::default() };
    admin(|cx| create_type(&mut txn, cx, TYPE, spec)).unwrap();
    create(&mut txn, VOLUME, 3, None, None).unwrap();
    finish(&mut txn);
    txn.commit().unwrap();
    store
}

fn create(
    txn: &mut WriteTxn<'_>,
    id: Uuid,
    size: u32,
    volume_type: Option<&str>,
    zone: Option<&str>,
) -> Result<(), Error> {
    let spec = VolumeSpec {
        size: Some(size),
        volume_type: volume_type.map(Box::from),
        availability_zone: zone.map(Box::from),
        ..VolumeSpec::default()
    };
    admin(|cx| create_volume(txn, cx, id, spec))
}

fn finish(txn: &mut WriteTxn<'_>) {
    let item = WorkItem::clone(next_work(txn).unwrap());
    let item = start_work(txn, 5, item.kind, item.target).unwrap().unwrap();
    place_volume(txn, 5, item.target, Placement { host: "h@b#p".into(), ..Placement::default() })
        .unwrap();
    finish_work(txn, &config(), 5, &item, &Outcome::DONE).unwrap();
}

fn retype(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    admin(|cx| retype_volume(txn, cx, &VOLUME.to_string(), "t", true, Uuid::from_u128(9)))
}

fn encrypt(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    let encryption = Encryption {
        id: Uuid::from_u128(8),
        provider: "luks".into(),
        control_location: "front-end".into(),
        cipher: None,
        key_size: None,
        created_at: 5,
        updated_at: None,
    };
    admin(|cx| set_encryption(txn, cx, &TYPE.to_string(), encryption).map(drop))
}

#[test]
fn encrypted_types_reject_new_volumes() {
    let store = store(&[]);
    let mut txn = store.begin_write().unwrap();
    encrypt(&mut txn).unwrap();
    let refusal = Error::from(VolumeRefusal::NoKeyManager { volume_type: TYPE });
    let id = Uuid::from_u128(10);
    assert_eq!(create(&mut txn, id, 1, Some("t"), None), Err(refusal.clone()));
    assert_eq!(retype(&mut txn), Err(refusal.clone()));
    let spec = ManageVolumeSpec {
        host: Some("h@b#p".into()),
        reference: Some("disk".into()),
        volume_type: Some("t".into()),
        ..ManageVolumeSpec::default()
    };
    let managed = admin(|cx| manage_volume(&mut txn, cx, id, spec, |host| Some(host.into())));
    assert_eq!(managed, Err(refusal.clone()));
    assert_eq!(refusal.status(), 400);
    assert!(refusal.to_string().contains("no key manager"), "{refusal}");
    // The default type of a project is checked, too.
    admin(|cx| set_default_type(&mut txn, cx, "p", Some("t"))).unwrap();
    assert_eq!(create(&mut txn, id, 1, None, None), Err(refusal));
    assert_eq!(txn.count::<Volume>(), 1);
}

#[test]
fn types_awaited_by_a_retype_cannot_be_encrypted() {
    let store = store(&[]);
    let mut txn = store.begin_write().unwrap();
    retype(&mut txn).unwrap();
    assert!(encrypt(&mut txn).is_err());
    finish(&mut txn);
    assert!(encrypt(&mut txn).is_err());
}

#[test]
fn volumes_without_a_key_are_not_marked_encrypted() {
    let store = store(&[]);
    let mut txn = store.begin_write().unwrap();
    // A row of an earlier release.
    let mut row = Volume::clone(txn.get::<Volume>(VOLUME).unwrap());
    row.encrypted = true;
    txn.upsert::<Volume>(row).unwrap();
    bootstrap(&mut txn, &config(), 7, DEFAULT).unwrap();
    let row = txn.get::<Volume>(VOLUME).unwrap();
    assert_eq!((row.encrypted, row.updated_at), (false, Some(7)));
    bootstrap(&mut txn, &config(), 8, DEFAULT).unwrap();
    assert_eq!(txn.get::<Volume>(VOLUME).unwrap().updated_at, Some(7));
}

#[test]
fn types_limit_the_size_of_their_volumes() {
    let specs = [("provisioning:min_vol_size", "4"), ("provisioning:max_vol_size", "6")];
    let store = store(&specs);
    let mut txn = store.begin_write().unwrap();
    let small = "Invalid input received: Specified volume size of '3' is less than the minimum required \
                 size of '4' for volume type 't'.";
    let large = "Invalid input received: Specified volume size of '7' is greater than the maximum \
                 allowable size of '6' for volume type 't'.";
    let id = Uuid::from_u128(10);
    let text = |done: Result<(), Error>| done.unwrap_err().to_string();
    assert_eq!(text(create(&mut txn, id, 3, Some("t"), None)), small);
    assert_eq!(text(create(&mut txn, id, 7, Some("t"), None)), large);
    assert_eq!(text(retype(&mut txn)), small);
    create(&mut txn, id, 4, Some("t"), None).unwrap();
    finish(&mut txn);
    let extend = |txn: &mut WriteTxn<'_>, size| {
        admin(|cx| extend_volume(txn, cx, &id.to_string(), size, Uuid::from_u128(9)))
    };
    assert_eq!(text(extend(&mut txn, 7)), large);
    extend(&mut txn, 6).unwrap();
}

#[test]
fn limits_that_are_not_numbers_are_ignored() {
    let store = store(&[("provisioning:min_vol_size", "many")]);
    let mut txn = store.begin_write().unwrap();
    create(&mut txn, Uuid::from_u128(10), 1, Some("t"), None).unwrap();
}

#[test]
fn types_limit_the_zones_of_their_volumes() {
    let zone_of = |specs: &str, named: Option<&str>| {
        let store = store(&[("RESKEY:availability_zones", specs)]);
        let mut txn = store.begin_write().unwrap();
        let id = Uuid::from_u128(10);
        create(&mut txn, id, 1, Some("t"), named)
            .map_err(|error| (error.status(), error.to_string()))?;
        Ok(txn.get::<Volume>(id).unwrap().availability_zone.to_string())
    };
    let refused = |text: &str| Err((400, text.to_owned()));
    let none =
        refused("Volume type is only supported in these availability zones: ['moon', 'sun']");
    assert_eq!(zone_of("moon, sun", None), none);
    assert_eq!(zone_of("moon,mars", None), Ok("mars".into()));
    assert_eq!(zone_of("mars,mars", None), Ok("mars".into()));
    assert_eq!(zone_of("mars,nova", None), Ok(String::new()), "its back end decides");
    assert_eq!(zone_of("mars,nova", Some("mars")), Ok("mars".into()));
    let invalid = |zone: &str| refused(&format!("Availability zone '{zone}' is invalid."));
    assert_eq!(zone_of("mars", Some("nova")), invalid("nova"));
    assert_eq!(zone_of("mars,moon", Some("moon")), invalid("moon"));
}

#[test]
fn back_end_decides_the_zone_among_several_of_a_type() {
    let store = store(&[("RESKEY:availability_zones", "mars,nova")]);
    let mut txn = store.begin_write().unwrap();
    let id = Uuid::from_u128(10);
    create(&mut txn, id, 1, Some("t"), None).unwrap();
    let shown = |txn: &WriteTxn<'_>| {
        let row = txn.get::<Volume>(id).unwrap();
        admin(|cx| {
            let (caller, version) = (cx.caller, cx.version);
            let viewer = Viewer { caller, version, base: "http://h", project: None };
            json!(VolumeView::new(txn, viewer, row))["availability_zone"].clone()
        })
    };
    assert_eq!(shown(&txn), json!(null));
    let (host, zone) = ("h@b#p".into(), Some("mars".into()));
    place_volume(&mut txn, 7, id, Placement { host, zone, ..Placement::default() }).unwrap();
    assert_eq!(shown(&txn), json!("mars"));
    assert_eq!(txn.get::<Volume>(id).unwrap().updated_at, Some(7));
}

#[test]
fn managed_volume_over_quota_has_a_message() {
    let quotas = QuotaDefaults { gigabytes: 10, ..QuotaDefaults::default() };
    let config = Config { quotas, ..config() };
    let store = store(&[]);
    let mut txn = store.begin_write().unwrap();
    let id = Uuid::from_u128(10);
    let spec = ManageVolumeSpec {
        host: Some("h@b#p".into()),
        reference: Some("disk".into()),
        ..ManageVolumeSpec::default()
    };
    admin(|cx| manage_volume(&mut txn, cx, id, spec, |host| Some(host.into()))).unwrap();
    let item = start_work(&mut txn, 5, WorkTarget::Volume, id).unwrap().unwrap();
    let message = Uuid::from_u128(11);
    let outcome = Outcome::Managed { size: 8, message };
    finish_work(&mut txn, &config, 5, &item, &outcome).unwrap();
    assert_eq!(txn.get::<Volume>(id).unwrap().status, VolumeStatus::ErrorManaging);
    let row = txn.get::<Message>(message).unwrap();
    assert_eq!(&*row.event_id, "VOLUME_VOLUME_008_006");
    assert!(row.user_message.ends_with(":Not enough quota resource for operation."));
}

fn limit(consumer: &str, specs: &[(&str, &str)]) -> Option<serde_json::Value> {
    let store = store(&[]);
    let mut txn = store.begin_write().unwrap();
    let qos = Uuid::from_u128(20);
    let specs = specs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let spec = QosSpec { name: "q".into(), consumer: Some(consumer.into()), specs };
    admin(|cx| create_qos(&mut txn, cx, qos, spec)).unwrap();
    let volume = |txn: &WriteTxn<'_>| front_end_qos(txn, txn.get::<Volume>(VOLUME).unwrap());
    assert_eq!(volume(&txn), None, "the type is not bound yet");
    let (id, of) = (qos.to_string(), DEFAULT.to_string());
    admin(|cx| bind_type(&mut txn, cx, &id, Some(&of))).unwrap();
    volume(&txn).map(Into::into)
}

#[test]
fn hosts_enforce_front_end_limits_only() {
    let specs = [("read_iops_sec", "100"), ("vendor:x", "y")];
    let sent = Some(json!({"read_iops_sec": "100", "vendor:x": "y"}));
    assert_eq!(limit("front-end", &specs), sent);
    assert_eq!(limit("both", &specs), sent);
    assert_eq!(limit("back-end", &specs), None);
    assert_eq!(limit("front-end", &[]), Some(json!({})));
}

#[test]
fn limits_grow_with_the_size_of_a_volume() {
    let specs = [
        ("total_iops_sec_per_gb", "10"),
        ("read_bytes_sec_per_gb", "10"),
        ("read_bytes_sec_per_gb_min", "100"),
        ("write_iops_sec_per_gb", "10"),
        ("write_iops_sec_max", "20"),
        ("read_iops_sec_max", "7"),
        ("write_bytes_sec_per_gb", "some"),
    ];
    let sent = json!({
        "total_iops_sec": 30,
        "read_bytes_sec": 100,
        "write_iops_sec": 20,
        "read_iops_sec_max": "7",
        "write_bytes_sec_per_gb": "some",
    });
    assert_eq!(limit("front-end", &specs), Some(sent));
}
