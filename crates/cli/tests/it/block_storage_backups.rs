//! Backups and managed volumes: replies, and the files on disk.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::cloud::Cloud;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

fn file(dir: &Path, volume: &str) -> PathBuf {
    let name = format!("volume-{volume}");
    ["a", "b"]
        .map(|backend| dir.join(backend).join(&name))
        .into_iter()
        .find(|p| p.exists())
        .unwrap()
}

fn write(dir: &Path, volume: &str, at: u64, text: &[u8]) {
    let file = File::options().write(true).open(file(dir, volume)).unwrap();
    file.write_all_at(text, at).unwrap();
}

fn read(dir: &Path, volume: &str, at: u64) -> [u8; 4] {
    let mut text = [0; 4];
    File::open(file(dir, volume)).unwrap().read_exact_at(&mut text, at).unwrap();
    text
}

fn new_volume(cloud: &Cloud, size: u32) -> String {
    let volume = cloud.create("/volumes", &json!({"volume": {"size": size, "name": "v"}}));
    cloud.wait(&format!("/volumes/{volume}"), "available");
    volume
}

fn back_up(cloud: &Cloud, body: &Value) -> String {
    let backup = cloud.create("/backups", &json!({ "backup": body }));
    cloud.wait(&format!("/backups/{backup}"), "available");
    backup
}

#[test]
fn a_restore_equals_the_volume_at_the_backup() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let volume = new_volume(&cloud, 1);
    write(dir.path(), &volume, 1 << 20, b"then");
    let whole = back_up(&cloud, &json!({"volume_id": volume, "name": "b", "metadata": {"q": "r"}}));
    write(dir.path(), &volume, 1 << 20, b"next");
    write(dir.path(), &volume, 5 << 20, b"more");
    let changes = back_up(&cloud, &json!({"volume_id": volume, "incremental": true}));
    let of = |id: &str| cloud.expect(200, "GET", &format!("/backups/{id}"), &Value::Null);
    let row = of(&whole);
    let row = &row["backup"];
    assert_eq!((&row["size"], &row["object_count"]), (&json!(1), &json!(1)));
    assert_eq!(row["container"], format!("{}/{}/{whole}", &whole[..2], &whole[2..4]));
    assert_eq!(
        (&row["is_incremental"], &row["has_dependent_backups"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(of(&changes)["backup"]["is_incremental"], true);
    let refused = cloud.expect(400, "DELETE", &format!("/backups/{whole}"), &Value::Null);
    assert_eq!(
        refused["badRequest"]["message"],
        "Invalid backup: Incremental backups exist for this backup."
    );

    // Restores into the same volume, into a new one, and into one that is created by the restore.
    let path = format!("/backups/{whole}/restore");
    cloud.expect(202, "POST", &path, &json!({"restore": {"volume_id": volume}}));
    cloud.wait(&format!("/backups/{whole}"), "available");
    assert_eq!(cloud.wait(&format!("/volumes/{volume}"), "available")["name"], "v");
    assert_eq!(&read(dir.path(), &volume, 1 << 20), b"then");
    assert_eq!(read(dir.path(), &volume, 5 << 20), [0; 4]);
    let path = format!("/backups/{changes}/restore");
    let created = cloud.expect(202, "POST", &path, &json!({"restore": {"name": "new"}}));
    assert_eq!(created["restore"]["volume_name"], "new");
    let new = created["restore"]["volume_id"].as_str().unwrap().to_owned();
    cloud.wait(&format!("/volumes/{new}"), "available");
    assert_eq!(&read(dir.path(), &new, 5 << 20), b"more");
    let body = json!({"volume": {"backup_id": changes, "size": 2}});
    cloud.wait(&format!("/backups/{changes}"), "available");
    let larger = cloud.create("/volumes", &body);
    cloud.wait(&format!("/volumes/{larger}"), "available");
    assert_eq!(&read(dir.path(), &larger, 1 << 20), b"next");
    assert_eq!(fs::metadata(file(dir.path(), &larger)).unwrap().len(), 2 << 30);

    for id in [&changes, &whole] {
        cloud.wait(&format!("/backups/{id}"), "available");
        cloud.expect(202, "DELETE", &format!("/backups/{id}"), &Value::Null);
        cloud.wait(&format!("/backups/{id}"), "404");
    }
    let limits = cloud.expect(200, "GET", "/limits", &Value::Null);
    assert_eq!(limits["limits"]["absolute"]["totalBackupsUsed"], 0);
    let kept = dir.path().join("data/block_storage_backups").join(&whole[..2]).join(&whole[2..4]);
    assert_eq!(fs::read_dir(kept).unwrap().count(), 0, "the backup's files are left");
}

#[test]
fn a_volume_in_use_is_backed_up_atomically_and_only_by_force() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let volume = new_volume(&cloud, 1);
    write(dir.path(), &volume, 0, b"then");
    let instance = "00000000-0000-4000-8000-000000000001";
    let attach = json!({"os-attach": {"mountpoint": "/dev/x", "instance_uuid": instance}});
    cloud.expect(202, "POST", &format!("/volumes/{volume}/action"), &attach);
    let refused = cloud.expect(400, "POST", "/backups", &json!({"backup": {"volume_id": volume}}));
    assert_eq!(
        refused["badRequest"]["message"],
        "Invalid volume: Backing up an in-use volume must use the force flag."
    );
    let backup = back_up(&cloud, &json!({"volume_id": volume, "force": true}));
    cloud.wait(&format!("/volumes/{volume}"), "in-use");
    // The temporary snapshot that the backup was read from is deleted.
    let name = format!("snapshot-{backup}");
    assert!(["a", "b"].iter().all(|backend| !dir.path().join(backend).join(&name).exists()));
    // A snapshot is backed up unchanged, although its volume was written since.
    write(dir.path(), &volume, 0, b"next");
    let body = json!({"snapshot": {"volume_id": volume}});
    let snapshot = cloud.create("/snapshots", &body);
    cloud.wait(&format!("/snapshots/{snapshot}"), "available");
    write(dir.path(), &volume, 0, b"last");
    let of_snapshot = back_up(&cloud, &json!({"volume_id": volume, "snapshot_id": snapshot}));
    for (backup, text) in [(backup, b"then"), (of_snapshot, b"next")] {
        let path = format!("/backups/{backup}/restore");
        let created = cloud.expect(202, "POST", &path, &json!({"restore": {}}));
        let new = created["restore"]["volume_id"].as_str().unwrap().to_owned();
        assert_eq!(created["restore"]["volume_name"], format!("restore_backup_{backup}"));
        cloud.wait(&format!("/volumes/{new}"), "available");
        assert_eq!(&read(dir.path(), &new, 0), text);
    }
}

#[test]
fn a_damaged_backup_leaves_its_target_volume_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let volume = new_volume(&cloud, 1);
    write(dir.path(), &volume, 0, b"then");
    let backup = back_up(&cloud, &json!({"volume_id": volume}));
    write(dir.path(), &volume, 0, b"next");
    let container = dir.path().join("data/block_storage_backups");
    let object = container.join(&backup[..2]).join(&backup[2..4]).join(&backup).join("data-000000");
    File::options().write(true).open(object).unwrap().write_all_at(b"x", 1).unwrap();
    let path = format!("/backups/{backup}/restore");
    cloud.expect(202, "POST", &path, &json!({"restore": {"volume_id": volume}}));
    cloud.wait(&format!("/volumes/{volume}"), "error_restoring");
    cloud.wait(&format!("/backups/{backup}"), "available");
    assert_eq!(&read(dir.path(), &volume, 0), b"next");
    let messages = cloud.expect(200, "GET", "/messages", &Value::Null);
    assert_eq!(messages["messages"][0]["event_id"], "VOLUME_VOLUME_BACKUP_015_026");
}

#[test]
fn exported_records_import_backups_into_another_cloud() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let backups = dir.path().join("kept");
    let flags = ["--backup-dir", backups.to_str().unwrap()];
    let cloud = Cloud::start_with(dir.path(), &flags);
    let volume = new_volume(&cloud, 1);
    write(dir.path(), &volume, 0, b"then");
    let backup = back_up(&cloud, &json!({"volume_id": volume, "name": "far"}));
    let record =
        cloud.expect(200, "GET", &format!("/backups/{backup}/export_record"), &Value::Null);
    cloud.expect(400, "POST", "/backups/import_record", &record);
    drop(cloud);

    let cloud = Cloud::start_with(other.path(), &flags);
    let created = cloud.expect(201, "POST", "/backups/import_record", &record);
    assert_eq!(
        (&created["backup"]["id"], &created["backup"]["name"]),
        (&json!(backup), &json!("far"))
    );
    cloud.wait(&format!("/backups/{backup}"), "available");
    let created =
        cloud.expect(202, "POST", &format!("/backups/{backup}/restore"), &json!({"restore": {}}));
    let new = created["restore"]["volume_id"].as_str().unwrap().to_owned();
    cloud.wait(&format!("/volumes/{new}"), "available");
    assert_eq!(&read(other.path(), &new, 0), b"then");
}

#[test]
fn a_record_under_another_id_is_restored_and_keeps_its_data() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let body = json!({"volume": {"size": 1, "description": "mine", "metadata": {"k": "v"}}});
    let volume = cloud.create("/volumes", &body);
    cloud.wait(&format!("/volumes/{volume}"), "available");
    write(dir.path(), &volume, 0, b"then");
    let backup = back_up(&cloud, &json!({"volume_id": volume, "description": "other"}));
    let path = format!("/backups/{backup}/export_record");
    let mut record = cloud.expect(200, "GET", &path, &Value::Null);
    let service = record["backup-record"]["backup_service"].as_str().unwrap();
    assert!(service.starts_with("cinder.backup.drivers"), "{service}");
    let url = record["backup-record"]["backup_url"].as_str().unwrap();
    let mut fields: Value = serde_json::from_slice(&BASE64_STANDARD.decode(url).unwrap()).unwrap();
    let other = "00000000-0000-4000-8000-000000000002";
    fields["id"] = other.into();
    record["backup-record"]["backup_url"] = BASE64_STANDARD.encode(fields.to_string()).into();
    cloud.expect(201, "POST", "/backups/import_record", &record);
    cloud.wait(&format!("/backups/{other}"), "available");
    cloud.expect(202, "DELETE", &format!("/backups/{backup}"), &Value::Null);
    cloud.wait(&format!("/backups/{backup}"), "404");
    let path = format!("/backups/{other}/restore");
    let created = cloud.expect(202, "POST", &path, &json!({"restore": {}}));
    let new = created["restore"]["volume_id"].as_str().unwrap().to_owned();
    let row = cloud.wait(&format!("/volumes/{new}"), "available");
    assert_eq!((&row["description"], &row["metadata"]["k"]), (&json!("mine"), &json!("v")));
    assert_eq!(&read(dir.path(), &new, 0), b"then");
}

#[test]
fn a_fifo_in_place_of_a_file_fails_its_work_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let volume = new_volume(&cloud, 1);
    write(dir.path(), &volume, 0, b"then");
    let backup = back_up(&cloud, &json!({"volume_id": volume}));
    let container = dir.path().join("data/block_storage_backups");
    let object = container.join(&backup[..2]).join(&backup[2..4]).join(&backup).join("data-000000");
    fs::remove_file(&object).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&object).status().unwrap().success());
    let path = format!("/backups/{backup}/restore");
    cloud.expect(202, "POST", &path, &json!({"restore": {"volume_id": volume}}));
    cloud.wait(&format!("/volumes/{volume}"), "error_restoring");
    cloud.wait(&format!("/backups/{backup}"), "available");
}

#[test]
fn files_of_a_back_end_are_listed_and_managed() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let volume = new_volume(&cloud, 1);
    let old = File::create_new(dir.path().join("a/old disk")).unwrap();
    old.set_len((1 << 30) + 1).unwrap();
    old.write_all_at(b"then", 0).unwrap();
    let row = cloud.expect(200, "GET", &format!("/volumes/{volume}"), &Value::Null);
    let host = row["volume"]["os-vol-host-attr:host"].as_str().unwrap().to_owned();
    let host = host.replace("@b#b", "@a#a");
    let query = format!("?host={}&sort=size", host.replace('#', "%23"));
    let list = |path: &str| cloud.expect(200, "GET", &format!("{path}{query}"), &Value::Null);
    let listed = list("/manageable_volumes/detail");
    let found = &listed["manageable-volumes"][0];
    assert_eq!(found["reference"]["source-name"], "old disk");
    assert_eq!((&found["size"], &found["safe_to_manage"]), (&json!(2), &json!(true)));

    for (reference, status) in
        [("../a/old disk", "error"), ("nope", "error"), ("old disk", "available")]
    {
        let body = json!({"volume": {
            "host": host, "ref": {"source-name": reference}, "name": "mine", "bootable": true,
        }});
        let created = cloud.create("/manageable_volumes", &body);
        let row = cloud.wait(&format!("/volumes/{created}"), status);
        if status == "available" {
            assert_eq!((&row["size"], &row["bootable"]), (&json!(2), &json!("true")));
            assert_eq!(&read(dir.path(), &created, 0), b"then");
            assert_eq!(fs::metadata(file(dir.path(), &created)).unwrap().len(), 2 << 30);
            let listed = list("/os-volume-manage/detail");
            assert_eq!(listed["manageable-volumes"][0]["cinder_id"], created);
            let again = json!({"volume": {"host": host, "ref": format!("volume-{created}")}});
            assert_eq!(cloud.call("POST", "/manageable_volumes", &again).status, 400);
        } else {
            // A volume that was never managed is only removed from the table; its file stays.
            cloud.expect(202, "DELETE", &format!("/volumes/{created}"), &Value::Null);
            cloud.wait(&format!("/volumes/{created}"), "404");
        }
    }

    let copy = File::create_new(file(dir.path(), &volume).with_file_name("a copy")).unwrap();
    copy.set_len(1 << 30).unwrap();
    let body = json!({"snapshot": {"volume_id": volume, "ref": {"source-name": "a copy"}}});
    let snapshot = cloud.create("/manageable_snapshots", &body);
    cloud.wait(&format!("/snapshots/{snapshot}"), "available");
    assert!(file(dir.path(), &volume).with_file_name(format!("snapshot-{snapshot}")).exists());
}

#[test]
fn deleting_a_backup_deletes_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let volume = new_volume(&cloud, 1);
    let snapshot = cloud.create("/snapshots", &json!({"snapshot": {"volume_id": volume}}));
    cloud.wait(&format!("/snapshots/{snapshot}"), "available");
    // The record of a backup whose ID is that of the snapshot.
    let fields = json!({"id": snapshot, "volume_id": volume, "size": 1, "object_count": 0});
    let url = BASE64_STANDARD.encode(fields.to_string());
    let record = json!({"backup-record": {"backup_service": "x", "backup_url": url}});
    cloud.expect(201, "POST", "/backups/import_record", &record);
    let path = format!("/backups/{snapshot}");
    cloud.wait(&path, "error");
    cloud.expect(202, "DELETE", &path, &Value::Null);
    cloud.wait(&path, "404");
    assert!(file(dir.path(), &volume).with_file_name(format!("snapshot-{snapshot}")).exists());
}

#[test]
fn swapped_back_end_names_lose_no_volume() {
    let dir = tempfile::tempdir().unwrap();
    let mut cloud = Cloud::start(dir.path());
    let volume = new_volume(&cloud, 1);
    write(dir.path(), &volume, 0, b"then");
    cloud.child.kill().unwrap();
    cloud.child.wait().unwrap();
    for (from, to) in [("a", "c"), ("b", "a"), ("c", "b")] {
        fs::rename(dir.path().join(from), dir.path().join(to)).unwrap();
    }
    cloud.restart(dir.path(), &[]);
    cloud.expect(200, "GET", &format!("/volumes/{volume}"), &Value::Null);
    assert_eq!(&read(dir.path(), &volume, 0), b"then");
}

#[test]
fn failed_backups_name_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let volume = new_volume(&cloud, 1);
    let backup = back_up(&cloud, &json!({"volume_id": volume}));
    let path = format!("/backups/{backup}/export_record");
    let mut record = cloud.expect(200, "GET", &path, &Value::Null);
    let url = record["backup-record"]["backup_url"].as_str().unwrap();
    let mut fields: Value = serde_json::from_slice(&BASE64_STANDARD.decode(url).unwrap()).unwrap();
    let other = "00000000-0000-4000-8000-000000000003";
    fields["id"] = other.into();
    fields["data_id"] = "00000000-0000-4000-8000-000000000004".into();
    // The container of a record is not trusted: the directory of the data is shown.
    fields["container"] = "../../x".into();
    record["backup-record"]["backup_url"] = BASE64_STANDARD.encode(fields.to_string()).into();
    cloud.expect(201, "POST", "/backups/import_record", &record);
    let row = cloud.wait(&format!("/backups/{other}"), "error");
    let reason = row["fail_reason"].as_str().unwrap();
    assert!(reason.contains("has no data of this backup"), "{reason}");
    assert_eq!(row["container"], "00/00/00000000-0000-4000-8000-000000000004");

    let disk = file(dir.path(), &volume);
    fs::remove_file(&disk).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&disk).status().unwrap().success());
    let failed = cloud.create("/backups", &json!({"backup": {"volume_id": volume}}));
    let row = cloud.wait(&format!("/backups/{failed}"), "error");
    let reason = row["fail_reason"].as_str().unwrap();
    assert!(reason.contains("is not a regular file"), "{reason}");
}
