//! The commands for data directories, as a shell sees them.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{ALLOC, NODES, Server, volume_payload};

/// Exit success, standard output, standard error.
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
fn what_is_backed_up_or_dumped_is_served_again_from_another_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    server.feed_plugin();
    server.register(&volume_payload("volume-id1")).ok();
    server.feed_allocation(ALLOC, NODES[1], "running");
    server.claim("volume-id1", ALLOC, NODES[1], "write").ok();
    let volume = server.get("/v1/volume/csi/volume-id1").ok();
    let (ok, _, told) = run(&["inspect", path(&data)], b"");
    assert!(!ok && told.contains("in use by another process"), "{told}");
    server.kill();

    let (ok, report, told) = run(&["verify", path(&data)], b"");
    assert!(ok && report.ends_with("is sound\n"), "{told}");
    let (ok, report, _) = run(&["inspect", path(&data)], b"");
    assert!(ok && report.contains("csi_volumes               1 rows"), "{report}");

    let backup = dir.path().join("backup");
    assert!(run(&["backup", path(&data), path(&backup)], b"").0);
    let (ok, _, told) = run(&["backup", path(&data), path(&backup)], b"");
    assert!(!ok && told.contains("exists"), "a backup is never written over: {told}");
    let (ok, dump, _) = run(&["dump", path(&data)], b"");
    assert!(ok && dump.lines().count() > 5);

    for (name, args, input) in [
        ("restored", vec!["restore", path(&backup)], &b""[..]),
        ("loaded", vec!["load"], dump.as_bytes()),
    ] {
        let other = dir.path().join(name);
        let args = [args.as_slice(), &[path(&other)]].concat();
        let (ok, _, told) = run(&args, input);
        assert!(ok, "{told}");
        let server = Server::start(&other);
        let again = server.get("/v1/volume/csi/volume-id1").ok();
        assert_eq!(again.json(), volume.json());
        assert!(again.index > volume.index);
        assert_eq!(server.delete("/v1/volume/csi/volume-id1").status, 409);
    }
}

#[test]
fn a_mistyped_directory_and_a_bad_backup_are_errors_that_create_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    for command in ["inspect", "verify", "dump"] {
        let (ok, _, told) = run(&[command, path(&missing)], b"");
        assert!(!ok && told.contains("missing"), "{command}: {told}");
    }
    assert!(!missing.exists());
    let bad = dir.path().join("bad");
    std::fs::write(&bad, b"SHBACKUP\x01").unwrap();
    let (ok, _, told) = run(&["restore", path(&bad), path(&dir.path().join("new"))], b"");
    assert!(!ok && told.contains("it ends too early"), "{told}");
}
