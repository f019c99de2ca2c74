//! Chooses the next work of the queue, and splits it into lots that share transactions.

use std::collections::{HashMap, HashSet};
use std::iter;

use statehold_cinder::{
    Placement, Task, Volume, VolumeSource, WorkItem, WorkTarget, place_volume, ready_work,
    start_work,
};
use statehold_store::{ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::state::CinderState;
use crate::worker::placement::choose;
use crate::worker::{refused, write};

/// Volumes, snapshots, backups and groups that work in progress changes.
pub(super) type Busy = HashSet<(WorkTarget, Uuid)>;

/// The work that may begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct LotLimits {
    /// The maximum number of lots.
    pub(super) lots: usize,
    /// Whether a lot of short items MUST be full. While another one is in progress, more items join the queue, and each
    /// lot costs two commits.
    pub(super) full_lots_only: bool,
}

/// The maximum number of items of a lot. A crash of the server costs each of them an attempt.
const LOT_ITEMS_MAX: usize = 32;

/// Begins the next work that `limits` allow and that changes nothing `busy`, and returns it.
pub(super) fn begin(state: &CinderState, limits: LotLimits, busy: &Busy) -> Vec<WorkItem> {
    // Most calls find nothing, and cost no transaction.
    let view = state.core().store().snapshot();
    let next = pick(ready_work(&view).map(|item| &**item), limits, busy);
    if next.is_empty() {
        return Vec::new();
    }
    let place = |(kind, target): (WorkTarget, Uuid)| {
        let item = view.get::<WorkItem>((kind.as_str(), target))?;
        Some((target, placement(state, &view, item)?))
    };
    let placements: HashMap<Uuid, Placement> = next.iter().copied().filter_map(place).collect();
    let start = |txn: &mut WriteTxn<'_>, now| {
        let mut begun = Vec::new();
        // Work that was queued meanwhile waits for the next call, because it has no placement yet. An operator may
        // have replaced the work of a target by work that changes something busy.
        let current: Vec<(WorkTarget, Uuid)> = {
            let items =
                next.iter().filter_map(|(kind, id)| txn.get::<WorkItem>((kind.as_str(), *id)));
            pick(items.map(|item| &**item), limits, busy)
        };
        for (kind, target) in current {
            let Some(item) = start_work(txn, now, kind, target)? else { continue };
            if let (Task::CreateVolume { .. }, Some(place)) = (&item.task, placements.get(&target))
            {
                place_volume(txn, now, target, place.clone())?;
            }
            begun.push(item);
        }
        Ok::<_, WriteError>(begun)
    };
    write(state, |txn, now| start(txn, now).map_err(refused)).unwrap_or_default()
}

/// Returns the placement of a volume that is to be created, if it is known before its work begins: that saves a commit.
fn placement(state: &CinderState, view: &impl ReadView, item: &WorkItem) -> Option<Placement> {
    let Task::CreateVolume { source } = item.task else { return None };
    let row = view.get::<Volume>(item.target)?;
    let (backend, _) = choose(state, view, row, source).ok()?;
    Some(backend.placement())
}

/// Returns the objects that a work item changes.
pub(super) fn targets_of(item: &WorkItem) -> impl Iterator<Item = (WorkTarget, Uuid)> {
    // A restore is queued for the backup, but writes to the volume.
    let other = match item.task {
        Task::RestoreBackup { volume } => Some((WorkTarget::Volume, volume)),
        _ => None,
    };
    iter::once((item.kind, item.target)).chain(other)
}

/// Returns whether work is so short that several items share a job, and a transaction before and after it: a commit
/// costs more than the creation of a volume without data.
pub(super) fn is_short(item: &WorkItem) -> bool {
    matches!(item.task, Task::CreateVolume { source: VolumeSource::Empty })
}

/// Splits items into lots: short ones share them, any other item is one by itself.
pub(super) fn lots(items: Vec<WorkItem>) -> Vec<Vec<WorkItem>> {
    let (short, long): (Vec<_>, Vec<_>) = items.into_iter().partition(is_short);
    let short = short.chunks(LOT_ITEMS_MAX).map(<[WorkItem]>::to_vec);
    short.chain(long.into_iter().map(|item| vec![item])).collect()
}

/// Returns the items that `limits` allow, and that change neither a busy object nor one that an earlier item changes.
fn pick<'i>(
    ready: impl Iterator<Item = &'i WorkItem>,
    limits: LotLimits,
    busy: &Busy,
) -> Vec<(WorkTarget, Uuid)> {
    let mut picked = Busy::new();
    let idle = ready.filter(|item| {
        let idle =
            !targets_of(item).any(|changed| busy.contains(&changed) || picked.contains(&changed));
        if idle {
            picked.extend(targets_of(item));
        }
        idle
    });
    let (mut short, mut long) = (0_usize, 0);
    // An item that does not fit ends the search: no later item of the queue overtakes it.
    let fitting = idle.take_while(|item| {
        if is_short(item) {
            short += 1;
        } else {
            long += 1;
        }
        short.div_ceil(LOT_ITEMS_MAX) + long <= limits.lots
    });
    let mut fitting: Vec<&WorkItem> = fitting.collect();
    if limits.full_lots_only {
        let short = fitting.iter().filter(|item| is_short(item)).count();
        let mut waiting = short % LOT_ITEMS_MAX;
        // The newest wait, so that the queue keeps its order.
        for at in (0..fitting.len()).rev() {
            if waiting > 0 && is_short(fitting[at]) {
                fitting.remove(at);
                waiting -= 1;
            }
        }
    }
    fitting.into_iter().map(|item| (item.kind, item.target)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_has_at_most_one_item_in_progress() {
        let [volume, one, other] = [1, 2, 3].map(Uuid::from_u128);
        let item = |kind, target, task| WorkItem {
            kind,
            target,
            task,
            reservation: None,
            request_id: "".into(),
            queued_at: 1,
            started_at: None,
            attempts: 0,
        };
        let limits = |lots| LotLimits { lots, full_lots_only: false };
        let restore = |from| item(WorkTarget::Backup, from, Task::RestoreBackup { volume });
        let delete = item(WorkTarget::Volume, volume, Task::DeleteVolume { keep_data: false });
        let unrelated = item(WorkTarget::Backup, Uuid::nil(), Task::DeleteBackup);
        let ready = [restore(one), restore(other), delete, unrelated];
        let backup = |id| (WorkTarget::Backup, id);
        assert_eq!(pick(ready.iter(), limits(4), &Busy::new()), [backup(one), backup(Uuid::nil())]);
        assert_eq!(pick(ready.iter(), limits(1), &Busy::new()), [backup(one)]);
        let busy = targets_of(&restore(one)).collect();
        assert_eq!(pick(ready.iter(), limits(4), &busy), [backup(Uuid::nil())]);

        let create = |at: usize| {
            let task = Task::CreateVolume { source: VolumeSource::Empty };
            item(WorkTarget::Volume, Uuid::from_u128(100 + at as u128), task)
        };
        let mut ready: Vec<WorkItem> = (0..LOT_ITEMS_MAX).map(create).collect();
        assert_eq!(pick(ready.iter(), limits(1), &Busy::new()).len(), LOT_ITEMS_MAX);
        ready.insert(2, restore(one));
        ready.push(create(LOT_ITEMS_MAX));
        // The backup does not fit into the one lot, and nothing behind it overtakes it.
        assert_eq!(pick(ready.iter(), limits(1), &Busy::new()).len(), 2);
        assert_eq!(pick(ready.iter(), limits(2), &Busy::new()).len(), LOT_ITEMS_MAX + 1);
        assert_eq!(pick(ready.iter(), limits(3), &Busy::new()).len(), LOT_ITEMS_MAX + 2);
        // Beside a lot in progress, the last volume waits for others, and the backup does not.
        let full = LotLimits { lots: 3, full_lots_only: true };
        assert_eq!(pick(ready.iter(), full, &Busy::new()).len(), LOT_ITEMS_MAX + 1);
        assert_eq!(pick(ready[1..].iter(), full, &Busy::new()).len(), LOT_ITEMS_MAX + 1);
        assert_eq!(pick(ready[2..].iter(), full, &Busy::new()), [backup(one)]);
        let sizes =
            |items: &[WorkItem]| lots(items.to_vec()).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(&ready), [LOT_ITEMS_MAX, 1, 1]);
        assert!(sizes(&[]).is_empty());
    }
}
