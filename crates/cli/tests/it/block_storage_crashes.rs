//! Block Storage killed repeatedly under load: files and rows MUST agree after each restart.
//!
//! The seed determines a run, except for the progress of the workers at the time of a kill.
//! `STATEHOLD_CLOUD_SEEDS=7` runs a single seed, `STATEHOLD_CLOUD_SEEDS=0..50` fifty of them.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use crate::cloud::Cloud;
use crate::crashes::Run;
use serde_json::json;

/// The seeds that run by default.
const SEEDS: std::ops::Range<u64> = 0..3;

/// How often a run kills the server.
const ROUNDS: usize = 4;

/// Maximum number of requests between two kills.
const OPERATIONS: u64 = 24;

fn seeds() -> Vec<u64> {
    let Ok(asked) = std::env::var("STATEHOLD_CLOUD_SEEDS") else { return SEEDS.collect() };
    match asked.split_once("..") {
        Some((first, end)) => (first.parse().unwrap()..end.parse().unwrap()).collect(),
        None => vec![asked.parse().unwrap()],
    }
}

#[test]
fn files_equal_rows_after_repeated_kills() {
    for seed in seeds() {
        let mut run = Run::start(seed);
        for _ in 0..ROUNDS {
            let mut left = 4 + run.dice.below(OPERATIONS);
            while left > 0 {
                // Several requests in a row, so that later ones meet work in progress.
                let rows = run.rows();
                run.learn(&rows);
                let burst = left.min(1 + run.dice.below(8));
                let focus = run.dice.of(&rows.volumes).unwrap_or_default();
                (0..burst).for_each(|_| run.operate(&rows, &focus));
                left -= burst;
            }
            run.crash();
            run.settle();
        }
    }
}

#[test]
fn a_volume_deleted_while_it_migrates_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start_alone(dir.path());
    for name in ["a", "b"] {
        let specs = json!({ "volume_backend_name": name });
        let body = json!({"volume_type": {"name": name, "extra_specs": specs}});
        cloud.expect(200, "POST", "/types", &body);
    }
    let volume = cloud.create("/volumes", &json!({"volume": {"size": 1, "volume_type": "a"}}));
    let path = format!("/volumes/{volume}");
    cloud.wait(&path, "available");
    let files = ["a", "b"].map(|name| dir.path().join(name).join(format!("volume-{volume}")));
    // Large enough that the migration is usually still copying when the deletion is requested.
    let file = File::options().write(true).open(&files[0]).unwrap();
    file.write_all_at(&vec![1; 96 << 20], 0).unwrap();
    let retype = json!({"os-retype": {"new_type": "b", "migration_policy": "on-demand"}});
    cloud.expect(202, "POST", &format!("{path}/action"), &retype);
    let copy = dir.path().join("b/.new").join(format!("volume-{volume}"));
    while !copy.exists() && cloud.get(&path)["volume"]["status"] == "retyping" {
        std::thread::yield_now();
    }
    // Cinder refuses to delete a migrating volume, with force too, until an operator resets its status.
    let reset = json!({"os-reset_status": {"status": "error"}});
    cloud.expect(202, "POST", &format!("{path}/action"), &reset);
    cloud.expect(202, "POST", &format!("{path}/action"), &json!({"os-force_delete": {}}));
    cloud.wait(&path, "404");
    assert_eq!(files.map(|file| file.exists()), [false, false]);
}
