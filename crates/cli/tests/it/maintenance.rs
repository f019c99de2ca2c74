//! The commands for data directories, as a shell runs them.

use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{ALLOC, NODES, Server, command, volume_payload};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use statehold_nomad::{Namespace, Namespaces};
use statehold_store::{Schema, Store, Table};

/// Returns whether the exit status is 0, standard output and standard error.
fn run(args: &[&str], input: &[u8]) -> (bool, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_statehold"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_backup_or_dump_is_served_from_another_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    server.feed_plugin();
    server.register(&volume_payload("volume-id1")).ok();
    server.feed_allocation(ALLOC, NODES[1], "running");
    server.claim("volume-id1", ALLOC, NODES[1], "write").ok();
    let volume = server.get("/v1/volume/csi/volume-id1").ok();
    let (ok, _, stderr) = run(&["inspect", path(&data)], b"");
    assert!(!ok && stderr.contains("in use by another process"), "{stderr}");
    server.kill();

    let (ok, report, stderr) = run(&["verify", path(&data)], b"");
    assert!(ok && report.ends_with("is sound\n"), "{stderr}");
    let (ok, report, _) = run(&["inspect", path(&data)], b"");
    assert!(ok && report.contains("csi_volumes               1 rows"), "{report}");

    let backup = dir.path().join("backup");
    assert!(run(&["backup", path(&data), path(&backup)], b"").0);
    let (ok, _, stderr) = run(&["backup", path(&data), path(&backup)], b"");
    assert!(!ok && stderr.contains("exists"), "a backup is never written over: {stderr}");
    let (ok, dump, _) = run(&["dump", path(&data)], b"");
    assert!(ok && dump.lines().count() > 5);

    for (name, args, input) in [
        ("restored", vec!["restore", path(&backup)], &b""[..]),
        ("loaded", vec!["load"], dump.as_bytes()),
    ] {
        let other = dir.path().join(name);
        let args = [args.as_slice(), &[path(&other)]].concat();
        let (ok, _, stderr) = run(&args, input);
        assert!(ok, "{stderr}");
        let server = Server::start(&other);
        let again = server.get("/v1/volume/csi/volume-id1").ok();
        assert_eq!(again.json(), volume.json());
        assert!(again.index > volume.index);
        assert_eq!(server.delete("/v1/volume/csi/volume-id1").status, 409);
    }
}

#[test]
fn missing_directories_and_bad_backups_create_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    for command in ["inspect", "verify", "dump"] {
        let (ok, _, stderr) = run(&[command, path(&missing)], b"");
        assert!(!ok && stderr.contains("missing"), "{command}: {stderr}");
    }
    assert!(!missing.exists());
    let bad = dir.path().join("bad");
    std::fs::write(&bad, b"SHBACKUP\x01").unwrap();
    for new in ["new", "above/new"] {
        let new = dir.path().join(new);
        let (ok, _, stderr) = run(&["restore", path(&bad), path(&new)], b"");
        assert!(!ok && stderr.contains("it ends too early"), "{stderr}");
        let (ok, _, stderr) = run(&["load", path(&new)], b"no dump");
        assert!(!ok && stderr.contains("not that of a dump"), "{stderr}");
    }
    assert_eq!(names(dir.path()), ["bad"]);
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Namespaces stored under a foreign key, which no build has ever written.
struct Misplaced;

impl Table for Misplaced {
    const NAME: &'static str = Namespaces::NAME;
    const VERSION: u16 = Namespaces::VERSION;
    type Key = String;
    type Row = Namespace;

    fn key(row: &Namespace) -> &str {
        &row.description
    }
}

/// A table of another build.
struct Foreign;

impl Table for Foreign {
    const NAME: &'static str = "foreign";
    const VERSION: u16 = 1;
    type Key = String;
    type Row = String;

    fn key(row: &String) -> &str {
        row
    }
}

fn fill<T: Table>(data: &Path, row: T::Row) {
    let store = Store::open(data, &Schema::new().table::<T>()).unwrap();
    let mut txn = store.begin_write().unwrap();
    txn.upsert::<T>(row).unwrap();
    txn.commit().unwrap();
}

/// Returns the bytes of the files of a data directory.
fn files(data: &Path) -> [Vec<u8>; 2] {
    ["rows.redb", "log.redb"].map(|name| std::fs::read(data.join(name)).unwrap())
}

#[test]
fn read_commands_change_no_byte_and_need_no_write_access() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fill::<Foreign>(&data, "secret".to_owned());
    let before = (files(&data), names(&data));
    let backup = dir.path().join("backup");
    let dump = dir.path().join("dump");
    let mode = |mode| {
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o500);
    for args in [
        vec!["verify", path(&data)],
        vec!["inspect", path(&data)],
        vec!["dump", path(&data)],
        vec!["dump", path(&data), path(&dump)],
        vec!["backup", path(&data), path(&backup)],
        vec!["salvage", path(&data), "--unreadable", path(&dir.path().join("none"))],
    ] {
        let (ok, stdout, error) = run(&args, b"");
        assert!(ok, "{args:?}: {error}");
        assert!(
            args[0] != "inspect" || stdout.contains("foreign                   1 rows"),
            "{stdout}"
        );
    }
    mode(0o700);
    assert!(before == (files(&data), names(&data)));
    assert_eq!(names(dir.path()), ["backup", "data", "dump"], "every row can be read");
    for file in [&backup, &dump] {
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds secrets");
    }
    let (ok, _, stderr) = run(&["dump", path(&data), path(&dump)], b"");
    assert!(!ok && stderr.contains("exists"), "{stderr}");
}

#[test]
fn a_table_of_another_build_is_restored_only_by_flag() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backup) = (dir.path().join("data"), dir.path().join("backup"));
    fill::<Foreign>(&data, "secret".to_owned());
    assert!(run(&["backup", path(&data), path(&backup)], b"").0);
    let new = dir.path().join("new");
    let (ok, _, stderr) = run(&["restore", path(&backup), path(&new)], b"");
    assert!(
        !ok && stderr.contains("--keep foreign") && stderr.contains("--drop-table foreign"),
        "{stderr}"
    );
    assert!(!stderr.contains("drop_table("), "a shell has no methods: {stderr}");
    assert!(!new.exists());
    let (ok, _, stderr) = run(&["restore", path(&backup), path(&new), "--keep", "nodes"], b"");
    assert!(!ok && stderr.contains("\"nodes\" is one of this build"), "{stderr}");
    let dropped = dir.path().join("dropped");
    let args = ["restore", path(&backup), path(&dropped), "--drop-table", "foreign"];
    assert!(run(&args, b"").0);
    assert!(!run(&["inspect", path(&dropped)], b"").1.contains("foreign"));
    let (ok, _, stderr) = run(&["restore", path(&backup), path(&new), "--keep", "foreign"], b"");
    assert!(ok, "{stderr}");

    // A backup that lacks the table MUST NOT empty it.
    let other = dir.path().join("other");
    assert!(run(&["backup", path(&dropped), path(&other)], b"").0);
    let (ok, _, stderr) = run(&["restore", path(&other), path(&new)], b"");
    assert!(!ok && stderr.contains("--empty-missing") && !stderr.contains("::"), "{stderr}");
    let args = ["restore", path(&other), path(&new), "--empty-missing"];
    let (ok, _, stderr) = run(&args, b"");
    assert!(ok, "{stderr}");
}

#[test]
fn a_server_keeps_or_drops_tables_of_another_build_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fill::<Foreign>(&data, "secret".to_owned());
    let serve = |more: &[&str]| {
        let args = ["serve", "--bind", "127.0.0.1:0", "--data-dir", path(&data)];
        run(&[&args, more].concat(), b"")
    };
    let before = files(&data);
    let (ok, _, stderr) = serve(&[]);
    assert!(
        !ok && stderr.contains("--keep foreign") && stderr.contains("--drop-table foreign"),
        "{stderr}"
    );
    assert!(!stderr.contains("drop_table("), "a shell has no methods: {stderr}");
    for twice in [["--keep", "nodes"], ["--drop-table", "nodes"]] {
        let (ok, _, stderr) = serve(&twice);
        assert!(!ok && stderr.contains("\"nodes\" is one of this build"), "{stderr}");
    }
    assert!(before == files(&data), "the refused files changed");

    let rows = |server: Server| {
        server.kill();
        run(&["inspect", path(&data)], b"").1.contains("foreign                   1 rows")
    };
    let with = |flag: &str| Server::spawn(command(&data).arg(flag).arg("foreign"));
    assert!(rows(with("--keep")));
    assert!(!rows(with("--drop-table")));
    assert!(!rows(Server::start(&data)), "the table is gone, so no flag is needed");
}

#[test]
fn unreadable_rows_are_saved_and_removed_only_by_flag() {
    let dir = tempfile::tempdir().unwrap();
    let (data, lines) = (dir.path().join("data"), dir.path().join("lines"));
    let (name, description) = ("web".into(), "secret".into());
    fill::<Misplaced>(&data, Namespace { name, description, ..Namespace::default() });
    let (ok, _, stderr) = run(&["verify", path(&data)], b"");
    assert!(!ok && stderr.contains("table namespaces"), "{stderr}");
    let before = files(&data);
    let salvage = |file: &Path, more: &[&str]| {
        run(&[&["salvage", path(&data), "--unreadable", path(file)], more].concat(), b"")
    };
    let (ok, report, stderr) = salvage(&lines, &[]);
    assert!(ok && report.contains("1 rows of"), "{report}{stderr}");
    assert!(before == files(&data), "nothing is changed");
    let line: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&lines).unwrap()).unwrap();
    assert_eq!(line["table"], "namespaces");
    let record = STANDARD.decode(line["record"].as_str().unwrap()).unwrap();
    assert!(record.windows(6).any(|bytes| bytes == b"secret"));
    assert_eq!(std::fs::metadata(&lines).unwrap().permissions().mode() & 0o777, 0o600);

    let (ok, _, stderr) = salvage(&lines, &["--remove"]);
    assert!(!ok && stderr.contains("exists"), "rows that can't be saved are not removed: {stderr}");
    assert!(before == files(&data));
    let (ok, report, stderr) = salvage(&dir.path().join("again"), &["--remove"]);
    assert!(ok && report.contains("1 rows removed"), "{report}{stderr}");
    assert!(run(&["verify", path(&data)], b"").0);
    let (ok, report, _) = salvage(&dir.path().join("third"), &[]);
    assert!(ok && report.contains("every row of"), "{report}");
    assert!(!dir.path().join("third").exists());
}
