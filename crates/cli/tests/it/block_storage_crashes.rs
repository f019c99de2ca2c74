//! Block Storage killed again and again while clients change things: what is on the disk is what the
//! rows say.
//!
//! A run is decided by its seed, except for how far the server's workers have come when it is killed.
//! `STATEHOLD_CLOUD_SEEDS=7` has that one tried, `STATEHOLD_CLOUD_SEEDS=0..50` fifty of them.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use crate::cloud::Cloud;
use crate::crashes::Run;
use serde_json::json;

/// The seeds that are tried unless others are asked for.
const SEEDS: std::ops::Range<u64> = 0..3;

/// How often the server is killed in a run.
const ROUNDS: usize = 4;

/// The most that is asked for between two kills.
const OPERATIONS: u64 = 24;

fn seeds() -> Vec<u64> {
    let Ok(asked) = std::env::var("STATEHOLD_CLOUD_SEEDS") else { return SEEDS.collect() };
    match asked.split_once("..") {
        Some((first, end)) => (first.parse().unwrap()..end.parse().unwrap()).collect(),
        None => vec![asked.parse().unwrap()],
    }
}

#[test]
fn files_equal_rows_however_often_the_server_is_killed() {
    for seed in seeds() {
        let mut run = Run::start(seed);
        for _ in 0..ROUNDS {
            let mut left = 4 + run.dice.below(OPERATIONS);
            while left > 0 {
                // Several in a row, which then come upon what is still under way.
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
fn a_volume_that_goes_while_it_moves_leaves_no_file() {
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
    // So much that it is seldom there before the deletion is asked for.
    let file = File::options().write(true).open(&files[0]).unwrap();
    file.write_all_at(&vec![1; 96 << 20], 0).unwrap();
    let retype = json!({"os-retype": {"new_type": "b", "migration_policy": "on-demand"}});
    cloud.expect(202, "POST", &format!("{path}/action"), &retype);
    let copy = dir.path().join("b/.new").join(format!("volume-{volume}"));
    while !copy.exists() && cloud.get(&path)["volume"]["status"] == "retyping" {
        std::thread::yield_now();
    }
    // A volume that is migrated is not deleted, not even by force, until an operator resets it.
    let reset = json!({"os-reset_status": {"status": "error"}});
    cloud.expect(202, "POST", &format!("{path}/action"), &reset);
    cloud.expect(202, "POST", &format!("{path}/action"), &json!({"os-force_delete": {}}));
    cloud.wait(&path, "404");
    assert_eq!(files.map(|file| file.exists()), [false, false]);
}
