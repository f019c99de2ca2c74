//! The tables against their own rules, and against the tables in `docs/block-storage.md`.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use uuid::Uuid;

use super::*;
use crate::rows::{
    BackupStatus, GroupSnapshotStatus, GroupStatus, SnapshotStatus, Task, VolumeStatus,
};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/block-storage.md");
const BEGIN: &str = "<!-- statuses -->\n";
const END: &str = "<!-- end of statuses -->\n";

/// The five tables with the refusals of their operations, as rows of text.
struct Machine {
    title: &'static str,
    rows: Vec<[String; 6]>,
}

fn list(statuses: &[impl ToString]) -> String {
    let names: Vec<_> = statuses.iter().map(|status| format!("`{}`", status.to_string())).collect();
    names.join(" ")
}

fn allowed<S: ToString>(allowed: &AllowedIn<S>) -> String {
    match allowed {
        AllowedIn::New => "no row".to_owned(),
        AllowedIn::In(statuses) => list(statuses),
        AllowedIn::Except([]) => "any".to_owned(),
        AllowedIn::Except(statuses) => format!("any but {}", list(statuses)),
    }
}

fn target<S: ToString + PartialEq>(target: &NextStatus<S>, all: &[S]) -> String {
    match target {
        NextStatus::Stays => "same".to_owned(),
        NextStatus::Is(status) | NextStatus::Locks(status) => format!("`{}`", status.to_string()),
        NextStatus::OneOf(statuses) if *statuses == all => "any".to_owned(),
        NextStatus::OneOf(statuses) => format!("one of {}", list(statuses)),
        NextStatus::Previous => "previous".to_owned(),
        NextStatus::ByAttachments => "by attachments".to_owned(),
        NextStatus::Gone => "row deleted".to_owned(),
    }
}

/// Returns the texts that refuse an operation, without IDs and statuses.
fn refusals<S: Copy + ToString>(
    all: &[S],
    allows: impl Fn(S) -> bool,
    refusal: impl Fn(S) -> Option<Error>,
) -> String {
    let texts: BTreeSet<String> = all
        .iter()
        .filter(|status| !allows(**status))
        .filter_map(|status| {
            let error = refusal(*status)?;
            let (name, code) = (status.to_string(), error.status());
            let mut text = error.to_string().replace(&Uuid::nil().to_string(), "ID");
            for before in ["is ", "is \"", "is: ", "of: ", "currently ", "state: ", "status "] {
                text = text.replace(&format!("{before}{name}"), &format!("{before}STATUS"));
            }
            Some(format!("{code} {}", text.trim()))
        })
        .collect();
    texts.into_iter().collect::<Vec<_>>().join("; ")
}

fn machine<A: Copy + PartialEq, S: Copy + PartialEq + ToString>(
    title: &'static str,
    (table, all): (&'static [Transition<A, S>], &[S]),
    name: impl Fn(A) -> &'static str,
    refusal: impl Fn(A, S) -> Option<Error>,
) -> Machine {
    let rows = table.iter().enumerate().map(|(at, row)| {
        // The refusal of an operation is in its first row.
        let first = table.iter().position(|other| other.operation == row.operation) == Some(at);
        let allows = |status| find(table, row.operation, status).is_some();
        let refused = if first && row.allowed != AllowedIn::New {
            refusals(all, allows, |status| refusal(row.operation, status))
        } else {
            String::new()
        };
        let (work, ends) = row.work.as_ref().map_or_else(Default::default, |work| {
            let mut ends = format!("{}, {}", target(&work.done, all), target(&work.failed, all));
            if work.busy != work.failed {
                write!(ends, ", {}", target(&work.busy, all)).unwrap();
            }
            (format!("`{}`", work.task), ends)
        });
        let operation = name(row.operation).to_owned();
        [operation, allowed(&row.allowed), target(&row.target, all), work, ends, refused]
    });
    Machine { title, rows: rows.collect() }
}

fn machines() -> Vec<Machine> {
    let nil = Uuid::nil();
    vec![
        machine(
            "Volumes",
            (VOLUME_TRANSITIONS, VolumeStatus::ALL),
            VolumeOperation::name,
            |operation, status| operation.refusal(nil, status, nil),
        ),
        machine(
            "Snapshots",
            (SNAPSHOT_TRANSITIONS, SnapshotStatus::ALL),
            SnapshotOperation::name,
            |operation, status| operation.refusal(nil, nil, status),
        ),
        machine(
            "Backups",
            (BACKUP_TRANSITIONS, BackupStatus::ALL),
            BackupOperation::name,
            |operation, _| operation.refusal(),
        ),
        machine(
            "Groups",
            (GROUP_TRANSITIONS, GroupStatus::ALL),
            GroupOperation::name,
            |operation, status| operation.refusal(status),
        ),
        machine(
            "Group snapshots",
            (GROUP_SNAPSHOT_TRANSITIONS, GroupSnapshotStatus::ALL),
            GroupSnapshotOperation::name,
            |operation, _| operation.refusal(),
        ),
    ]
}

fn markdown() -> String {
    let mut text = String::new();
    for machine in machines() {
        writeln!(text, "\n### {}\n", machine.title).unwrap();
        text.push_str(
            "| operation | allowed in | sets | work | done, failed, busy | refusal otherwise |\n",
        );
        text.push_str("|---|---|---|---|---|---|\n");
        for row in machine.rows {
            writeln!(text, "| {} |", row.join(" | ").replace("  ", " ")).unwrap();
        }
    }
    text.push('\n');
    text
}

/// After a change of a table: `UPDATE_EXPECT=1 cargo test -p statehold-cinder status_machine`.
#[test]
fn docs_have_the_tables() {
    let docs = fs::read_to_string(DOCS).unwrap();
    let (before, rest) = docs.split_once(BEGIN).expect("docs/block-storage.md has no begin mark");
    let (found, after) = rest.split_once(END).expect("docs/block-storage.md has no end mark");
    let expected = markdown();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(DOCS, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert_eq!(found, expected, "run this test with UPDATE_EXPECT=1");
    }
}

#[test]
fn tables_name_tasks_that_exist() {
    fn check<A, S>(table: &[Transition<A, S>]) {
        assert!(table.len() <= TRANSITIONS_MAX);
        for work in table.iter().filter_map(|row| row.work.as_ref()) {
            assert!(Task::NAMES.contains(&work.task), "{}", work.task);
        }
    }
    check(VOLUME_TRANSITIONS);
    check(SNAPSHOT_TRANSITIONS);
    check(BACKUP_TRANSITIONS);
    check(GROUP_TRANSITIONS);
    check(GROUP_SNAPSHOT_TRANSITIONS);
}

/// The end of work is found by its task and the status that it leaves.
#[test]
fn work_of_a_task_and_status_has_one_end() {
    fn check<A: Copy, S: Copy + PartialEq + ToString>(table: &'static [Transition<A, S>]) {
        for row in table {
            let (Some(work), NextStatus::Is(status)) = (row.work, row.target) else { continue };
            for (end, expected) in [
                (WorkEnd::Done, work.done),
                (WorkEnd::Failed, work.failed),
                (WorkEnd::Busy, work.busy),
            ] {
                let found = after_work(table, work.task, status, end);
                assert!(found == expected, "{} {}: {end:?}", work.task, status.to_string());
            }
        }
    }
    check(VOLUME_TRANSITIONS);
    check(SNAPSHOT_TRANSITIONS);
    check(BACKUP_TRANSITIONS);
    check(GROUP_TRANSITIONS);
    check(GROUP_SNAPSHOT_TRANSITIONS);
}

#[test]
fn every_action_has_a_row() {
    for operation in VolumeOperation::ALL {
        assert!(VOLUME_TRANSITIONS.iter().any(|row| row.operation == *operation), "{operation:?}");
    }
    for operation in SnapshotOperation::ALL {
        assert!(
            SNAPSHOT_TRANSITIONS.iter().any(|row| row.operation == *operation),
            "{operation:?}"
        );
    }
    for operation in BackupOperation::ALL {
        assert!(BACKUP_TRANSITIONS.iter().any(|row| row.operation == *operation), "{operation:?}");
    }
    for operation in GroupOperation::ALL {
        assert!(GROUP_TRANSITIONS.iter().any(|row| row.operation == *operation), "{operation:?}");
    }
    for operation in GroupSnapshotOperation::ALL {
        let mut rows = GROUP_SNAPSHOT_TRANSITIONS.iter();
        assert!(rows.any(|row| row.operation == *operation), "{operation:?}");
    }
}

#[test]
fn transitional_statuses_are_those_of_work() {
    let of = |status: &&VolumeStatus| status.is_transitional();
    let names: Vec<_> = VolumeStatus::ALL.iter().filter(of).map(|status| status.as_str()).collect();
    let expected = [
        "creating",
        "deleting",
        "managing",
        "restoring-backup",
        "backing-up",
        "retyping",
        "extending",
        "reverting",
        "unmanaging",
        "error_managing_deleting",
    ];
    assert_eq!(names, expected);
    let of = |status: &&SnapshotStatus| status.is_transitional();
    let found: Vec<_> =
        SnapshotStatus::ALL.iter().filter(of).map(|status| status.as_str()).collect();
    assert_eq!(found, ["creating", "deleting", "unmanaging", "backing-up", "restoring"]);
    let of = |status: &&BackupStatus| status.is_transitional();
    let found: BTreeSet<_> =
        BackupStatus::ALL.iter().filter(of).map(|status| status.as_str()).collect();
    assert_eq!(found, BTreeSet::from(["creating", "deleting", "restoring"]));
}
