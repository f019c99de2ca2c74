//! Invariants of groups, group snapshots and their members, in any state.

#![allow(unreachable_pub, reason = "a test")]

use std::collections::BTreeSet;

use statehold_cinder::*;
use statehold_store::{KeyRange, Order, ReadView, Snapshot as View};
use uuid::Uuid;

/// Checks that members belong to their parent, and that no parent is in a transitional status without members in one.
/// `doomed` are the groups that were deleted with their volumes.
pub fn check(view: &View, doomed: &BTreeSet<Uuid>) {
    let all = KeyRange::<Uuid>::all;
    let works = |kind: WorkTarget, id| view.get::<WorkItem>((kind.as_str(), id)).is_some();
    for row in view.scan::<Group>(&all(), Order::Ascending) {
        let members: Vec<_> = volumes_of(view, row.id).collect();
        let own = works(WorkTarget::Group, row.id);
        let work = match row.status {
            GroupStatus::Creating => {
                own || members.iter().any(|volume| works(WorkTarget::Volume, volume.id))
            }
            GroupStatus::Deleting => own,
            _ => !own,
        };
        assert!(work, "nobody works on {row:?}, or for nothing");
        for volume in members {
            assert_eq!(volume.project_id, row.project_id, "a stranger in {row:?}: {volume:?}");
            let goes = matches!(volume.status, VolumeStatus::Deleting | VolumeStatus::Unmanaging);
            let asked = doomed.contains(&row.id);
            assert!(asked || !goes, "deleted in {row:?}: {volume:?}");
        }
    }
    for row in view.scan::<Volume>(&all(), Order::Ascending) {
        let there = row.group_id.is_none_or(|id| view.get::<Group>(id).is_some());
        assert!(there, "no group of {row:?}");
    }
    for row in view.scan::<GroupSnapshot>(&all(), Order::Ascending) {
        assert!(view.get::<Group>(row.group_id).is_some(), "no group of {row:?}");
        let range = KeyRange::exact(row.id);
        let mut parts = view.scan_by(&Snapshot::BY_GROUP_SNAPSHOT, &range, Order::Ascending);
        let work = parts.any(|part| works(WorkTarget::Snapshot, part.id));
        let done =
            !matches!(row.status, GroupSnapshotStatus::Creating | GroupSnapshotStatus::Deleting);
        assert!(work || done, "nobody works on {row:?}");
    }
    for row in view.scan::<Snapshot>(&all(), Order::Ascending) {
        let Some(whole) = row.group_snapshot_id else { continue };
        let whole = view.get::<GroupSnapshot>(whole);
        let own = whole.is_some_and(|whole| whole.project_id == row.project_id);
        assert!(own, "{row:?} is no part of {whole:?}");
    }
}
