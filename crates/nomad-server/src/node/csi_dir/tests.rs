use std::fs;

use crate::node::csi_dir::*;

const NODE: &str = "node-a";

fn open(dir: &Path) -> CsiDir {
    CsiDir::open(dir, NODE, || 1_700_000_000).unwrap()
}

fn create(provider: &CsiDir, name: &str, source: Option<VolumeSource<'_>>) -> CreatedVolume {
    try_create(provider, name, 0, 0, source).unwrap()
}

fn try_create(
    provider: &CsiDir,
    name: &str,
    capacity_min: i64,
    capacity_max: i64,
    source: Option<VolumeSource<'_>>,
) -> Result<CreatedVolume, ProviderError> {
    provider.create_volume(&CreateVolume {
        name,
        capacity_min,
        capacity_max,
        capabilities: &[capability(access_mode::SINGLE_NODE_WRITER)],
        source,
        topologies: None,
        parameters: &Labels::new(),
        secrets: &Secrets::default(),
    })
}

fn capability(access: &str) -> Capability {
    Capability { access_mode: access.into(), attachment_mode: attachment_mode::FILE_SYSTEM.into() }
}

fn snapshot(provider: &CsiDir, external_id: &str, name: &str) -> Result<Snapshot, ProviderError> {
    provider.create_snapshot(&CreateSnapshot {
        external_id,
        name,
        parameters: &Labels::new(),
        secrets: &Secrets::default(),
    })
}

fn attach(
    provider: &CsiDir,
    external_id: &str,
    node: &str,
    mode: &str,
) -> Result<Labels, ProviderError> {
    provider.attach_volume(&AttachVolume {
        external_id,
        external_node_id: node,
        read_only: false,
        capability: &capability(mode),
        context: &Labels::new(),
        secrets: &Secrets::default(),
    })
}

fn detach(provider: &CsiDir, external_id: &str, node: &str) {
    let secrets = &Secrets::default();
    provider.detach_volume(&DetachVolume { external_id, external_node_id: node, secrets }).unwrap();
}

fn volumes(provider: &CsiDir) -> Vec<ExternalVolume> {
    provider.list_volumes(&ProviderPage::default()).unwrap().volumes
}

fn data(dir: &Path, id: &str) -> PathBuf {
    dir.join("volumes").join(id).join("data")
}

#[test]
fn a_volume_is_a_sparse_file_of_its_capacity() {
    let dir = tempfile::tempdir().unwrap();
    let created = try_create(&open(dir.path()), "v", 5 << 30, 6 << 30, None).unwrap();
    assert_eq!(created.capacity, 5 << 30);
    assert_eq!(data(dir.path(), &created.external_id).metadata().unwrap().len(), 5 << 30);
}

#[test]
fn creating_a_name_again_returns_the_volume_or_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let provider = open(dir.path());
    let first = create(&provider, "v", None);
    assert_eq!(create(&provider, "v", None), first);
    let other = try_create(&provider, "v", 2 << 30, 0, None).unwrap_err();
    assert_eq!(other.kind(), Kind::AlreadyExists);
    assert_eq!(volumes(&provider).len(), 1);
}

#[test]
fn a_restart_restores_every_description() {
    let dir = tempfile::tempdir().unwrap();
    let provider = open(dir.path());
    let volume = create(&provider, "v", None).external_id;
    snapshot(&provider, &volume, "s").unwrap();
    attach(&provider, &volume, "n", access_mode::SINGLE_NODE_WRITER).unwrap();
    let before = format!("{:?}{:?}", provider.volumes, provider.snapshots);
    drop(provider);
    let reopened = open(dir.path());
    assert_eq!(format!("{:?}{:?}", reopened.volumes, reopened.snapshots), before);
}

#[test]
fn a_restart_removes_unfinished_directories() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let left = dir.path().join("volumes/.vol-b1c0e8a2");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("data"), "half").unwrap();
    let foreign = dir.path().join("volumes/.nfs0001");
    fs::write(&foreign, "").unwrap();
    assert!(volumes(&open(dir.path())).is_empty());
    assert!(!left.exists() && foreign.exists());
}

#[test]
fn a_damaged_description_is_skipped_and_its_data_kept() {
    let dir = tempfile::tempdir().unwrap();
    let id = create(&open(dir.path()), "v", None).external_id;
    fs::write(dir.path().join("volumes").join(&*id).join("meta.json"), "{").unwrap();
    let provider = open(dir.path());
    assert!(volumes(&provider).is_empty());
    let error = provider.delete_volume(&id, &Secrets::default()).unwrap_err().to_string();
    assert!(error.contains("meta.json"), "{error}");
    assert!(data(dir.path(), &id).exists());
}

#[test]
fn a_snapshot_keeps_the_data_of_its_time_for_new_volumes() {
    let dir = tempfile::tempdir().unwrap();
    let provider = open(dir.path());
    let volume = create(&provider, "v", None).external_id;
    fs::File::options()
        .write(true)
        .open(data(dir.path(), &volume))
        .and_then(|file| std::os::unix::fs::FileExt::write_all_at(&file, b"then", 0))
        .unwrap();
    let taken = snapshot(&provider, &volume, "s").unwrap();
    assert_eq!((taken.size, taken.create_time, taken.ready), (1 << 30, 1_700_000_000, true));
    assert_eq!(snapshot(&provider, &volume, "s").unwrap(), taken);
    fs::File::options()
        .write(true)
        .open(data(dir.path(), &volume))
        .and_then(|file| std::os::unix::fs::FileExt::write_all_at(&file, b"now!", 0))
        .unwrap();
    provider.delete_volume(&volume, &Secrets::default()).unwrap();
    let copy = create(&provider, "copy", Some(VolumeSource::Snapshot(&taken.id))).external_id;
    let mut begin = [0; 4];
    let file = fs::File::open(data(dir.path(), &copy)).unwrap();
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut begin, 0).unwrap();
    assert_eq!(&begin, b"then");
    assert_eq!(*volumes(&provider)[0].snapshot_id, *taken.id);
    provider.delete_snapshot(&taken.id, &Secrets::default()).unwrap();
    provider.delete_snapshot(&taken.id, &Secrets::default()).unwrap();
    let page = provider.list_snapshots(&ProviderPage::default(), &Secrets::default()).unwrap();
    assert!(page.snapshots.is_empty());
}

#[test]
fn a_copy_is_at_least_as_large_as_its_source() {
    let dir = tempfile::tempdir().unwrap();
    let provider = open(dir.path());
    let source = try_create(&provider, "v", 3 << 30, 0, None).unwrap().external_id;
    let source = Some(VolumeSource::Volume(&source));
    assert_eq!(create(&provider, "copy", source).capacity, 3 << 30);
    let small = try_create(&provider, "small", 1 << 30, 2 << 30, source).unwrap_err();
    assert_eq!(small.kind(), Kind::OutOfRange);
    let none = Some(VolumeSource::Volume("none"));
    assert_eq!(try_create(&provider, "n", 0, 0, none).unwrap_err().kind(), Kind::NotFound);
    assert_eq!(volumes(&provider).len(), 2);
}

#[test]
fn expanding_grows_the_file_and_never_shrinks_it() {
    let dir = tempfile::tempdir().unwrap();
    let provider = open(dir.path());
    let id = create(&provider, "v", None).external_id;
    let expand = |capacity_min, capacity_max| {
        let secrets = &Secrets::default();
        let request = ExpandVolume { external_id: &id, capacity_min, capacity_max, secrets };
        provider.expand_volume(&request).map(|expanded| expanded.capacity)
    };
    assert_eq!(expand(4 << 30, 0), Ok(4 << 30));
    assert_eq!(expand(2 << 30, 0), Ok(4 << 30));
    assert_eq!(expand(0, 1 << 30).unwrap_err().kind(), Kind::OutOfRange);
    assert_eq!(data(dir.path(), &id).metadata().unwrap().len(), 4 << 30);
}

#[test]
fn an_attached_volume_rejects_deletion_and_a_second_node() {
    let dir = tempfile::tempdir().unwrap();
    let provider = open(dir.path());
    let id = create(&provider, "v", None).external_id;
    let context = attach(&provider, &id, "a", access_mode::SINGLE_NODE_WRITER).unwrap();
    assert_eq!(context["path"].as_ref(), data(dir.path(), &id).to_str().unwrap());
    attach(&provider, &id, "a", access_mode::SINGLE_NODE_WRITER).unwrap();
    let second = attach(&provider, &id, "b", access_mode::SINGLE_NODE_WRITER).unwrap_err();
    assert_eq!(second.kind(), Kind::FailedPrecondition);
    let error = provider.delete_volume(&id, &Secrets::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::FailedPrecondition);
    assert_eq!(volumes(&provider)[0].attached_to, ["a".into()]);
    detach(&provider, &id, "a");
    detach(&provider, &id, "a");
    attach(&provider, &id, "b", access_mode::MULTI_NODE_MULTI_WRITER).unwrap();
    attach(&provider, &id, "c", access_mode::MULTI_NODE_MULTI_WRITER).unwrap();
    detach(&provider, &id, "b");
    detach(&provider, &id, "c");
    provider.delete_volume(&id, &Secrets::default()).unwrap();
    provider.delete_volume(&id, &Secrets::default()).unwrap();
    assert!(!dir.path().join("volumes").join(&*id).exists());
}

#[test]
fn pages_together_are_the_whole_list() {
    let dir = tempfile::tempdir().unwrap();
    let provider = open(dir.path());
    for name in ["a", "b", "c", "d", "e"] {
        create(&provider, name, None);
    }
    let whole = volumes(&provider);
    let mut pages = Vec::new();
    let mut token = Box::from("");
    loop {
        let page = ProviderPage { entries_max: 2, token: &token };
        let page = provider.list_volumes(&page).unwrap();
        assert!(page.volumes.len() <= 2);
        pages.extend(page.volumes);
        token = page.next_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(pages, whole);
}

#[test]
fn invalid_requests_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let provider = open(dir.path());
    let kind =
        |name: &str, min, max| try_create(&provider, name, min, max, None).unwrap_err().kind();
    assert_eq!(kind("", 0, 0), Kind::InvalidArgument);
    assert_eq!(kind(&"n".repeat(129), 0, 0), Kind::InvalidArgument);
    assert_eq!(kind("v", 2, 1), Kind::OutOfRange);
    assert_eq!(kind("v", -1, 0), Kind::OutOfRange);
    assert_eq!(kind("v", i64::MAX, 0), Kind::OutOfRange);
    assert_eq!(snapshot(&provider, "none", "s").unwrap_err().kind(), Kind::NotFound);
    assert_eq!(attach(&provider, "none", "n", "word").unwrap_err().kind(), Kind::InvalidArgument);
    let paths = ["", ".", "..", "../volumes"];
    for id in paths {
        provider.delete_volume(id, &Secrets::default()).unwrap();
    }
    assert!(volumes(&provider).is_empty());
    assert!(dir.path().join("volumes").exists());
}

#[test]
fn a_probe_reports_capabilities_and_a_missing_directory() {
    let dir = tempfile::tempdir().unwrap();
    let provider = open(dir.path());
    let info = provider.probe().unwrap();
    assert!(info.controller.supports_create_delete);
    assert_eq!(&*info.node.id, NODE);
    fs::remove_dir_all(dir.path().join("volumes")).unwrap();
    assert!(provider.probe().is_err());
}

/// A long request locks its own volume and the source, and no other.
#[test]
fn a_request_delays_no_other_volume() {
    let dir = tempfile::tempdir().unwrap();
    let provider = open(dir.path());
    let source = create(&provider, "source", None).external_id;
    let copied = std::thread::scope(|scope| {
        let held = provider.locks.lock([LockKey::Volume(source.clone())]);
        let copy = scope.spawn(|| create(&provider, "copy", Some(VolumeSource::Volume(&source))));
        let other = create(&provider, "other", None).external_id;
        attach(&provider, &other, NODE, access_mode::SINGLE_NODE_WRITER).unwrap();
        detach(&provider, &other, NODE);
        assert!(!copy.is_finished(), "the copy must wait for its source");
        drop(held);
        copy.join().unwrap()
    });
    assert_eq!(volumes(&provider).len(), 3);
    assert_ne!(copied.external_id, source);
}
