//! Chooses the next work of the queue, and splits it into lots that share transactions.

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

/// The maximum number of items of a lot. A server that dies costs each of them an attempt.
const LOT_ITEMS_MAX: usize = 32;

/// Notes that the next work is begun, up to `free` lots of what can be done and changes nothing `busy`.
pub(super) fn begin(
    cloud: &CinderState,
    free: usize,
    busy: Vec<(WorkTarget, Uuid)>,
) -> Vec<WorkItem> {
    // Most looks find nothing, and cost no transaction.
    let view = cloud.app().store().snapshot();
    let next = pick(ready_work(&view).map(|item| &**item), free, busy.clone());
    if next.is_empty() {
        return Vec::new();
    }
    let place = |(kind, target): (WorkTarget, Uuid)| {
        let item = view.get::<WorkItem>((kind.as_str(), target))?;
        Some((target, placement(cloud, &view, item)?))
    };
    let placements: Vec<(Uuid, Placement)> = next.into_iter().filter_map(place).collect();
    let start = |txn: &mut WriteTxn<'_>, now| {
        let mut begun = Vec::new();
        for (kind, target) in pick(ready_work(txn).map(|item| &**item), free, busy) {
            let Some(item) = start_work(txn, now, kind, target)? else { continue };
            let place = placements.iter().find(|(volume, _)| *volume == target);
            if let (Task::CreateVolume { .. }, Some((volume, place))) = (&item.task, place) {
                place_volume(txn, now, *volume, place.clone())?;
            }
            begun.push(item);
        }
        Ok::<_, WriteError>(begun)
    };
    write(cloud, |txn, now| start(txn, now).map_err(refused)).unwrap_or_default()
}

/// Where a volume is going to be made, when that is known before its work begins: one commit less.
fn placement(cloud: &CinderState, view: &impl ReadView, item: &WorkItem) -> Option<Placement> {
    let Task::CreateVolume { source } = item.task else { return None };
    let row = view.get::<Volume>(item.target)?;
    let (backend, _) = choose(cloud, view, row, source).ok()?;
    Some(backend.placement())
}

/// What work changes.
pub(super) fn about(item: &WorkItem) -> impl Iterator<Item = (WorkTarget, Uuid)> {
    let other = match item.task {
        Task::RestoreBackup { volume } => Some((WorkTarget::Volume, volume)),
        _ => None,
    };
    iter::once((item.kind, item.target)).chain(other)
}

/// Whether work is so short that several items share a job, a transaction before and one after it: a
/// commit costs more than the file of a volume without data.
fn is_short(item: &WorkItem) -> bool {
    matches!(item.task, Task::CreateVolume { source: VolumeSource::Empty })
}

/// Splits items into lots: short ones together, others each by itself.
pub(super) fn lots(items: Vec<WorkItem>) -> Vec<Vec<WorkItem>> {
    let (short, long): (Vec<_>, Vec<_>) = items.into_iter().partition(is_short);
    let short = short.chunks(LOT_ITEMS_MAX).map(<[WorkItem]>::to_vec);
    short.chain(long.into_iter().map(|item| vec![item])).collect()
}

/// Up to `free` lots of items that change nothing that is busy, nor the same.
fn pick<'i>(
    ready: impl Iterator<Item = &'i WorkItem>,
    free: usize,
    mut busy: Vec<(WorkTarget, Uuid)>,
) -> Vec<(WorkTarget, Uuid)> {
    let idle = ready.filter(|item| {
        let idle = !about(item).any(|changed| busy.contains(&changed));
        if idle {
            busy.extend(about(item));
        }
        idle
    });
    let (mut short, mut long) = (0_usize, 0);
    // An item that finds no room ends the search: no later item of the queue overtakes it.
    let fitting = idle.take_while(|item| {
        if is_short(item) {
            short += 1;
        } else {
            long += 1;
        }
        short.div_ceil(LOT_ITEMS_MAX) + long <= free
    });
    fitting.map(|item| (item.kind, item.target)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_one_thing_is_done_with_a_volume_at_a_time() {
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
        let restore = |from| item(WorkTarget::Backup, from, Task::RestoreBackup { volume });
        let delete = item(WorkTarget::Volume, volume, Task::DeleteVolume { keep_data: false });
        let unrelated = item(WorkTarget::Backup, Uuid::nil(), Task::DeleteBackup);
        let ready = [restore(one), restore(other), delete, unrelated];
        let backup = |id| (WorkTarget::Backup, id);
        assert_eq!(pick(ready.iter(), 4, Vec::new()), [backup(one), backup(Uuid::nil())]);
        assert_eq!(pick(ready.iter(), 1, Vec::new()), [backup(one)]);
        let busy = about(&restore(one)).collect();
        assert_eq!(pick(ready.iter(), 4, busy), [backup(Uuid::nil())]);

        let create = |at: usize| {
            let task = Task::CreateVolume { source: VolumeSource::Empty };
            item(WorkTarget::Volume, Uuid::from_u128(100 + at as u128), task)
        };
        let mut ready: Vec<WorkItem> = (0..LOT_ITEMS_MAX).map(create).collect();
        assert_eq!(pick(ready.iter(), 1, Vec::new()).len(), LOT_ITEMS_MAX);
        ready.insert(2, restore(one));
        ready.push(create(LOT_ITEMS_MAX));
        // The backup finds no room in the one lot, and nothing behind it overtakes it.
        assert_eq!(pick(ready.iter(), 1, Vec::new()).len(), 2);
        assert_eq!(pick(ready.iter(), 2, Vec::new()).len(), LOT_ITEMS_MAX + 1);
        assert_eq!(pick(ready.iter(), 3, Vec::new()).len(), LOT_ITEMS_MAX + 2);
        let sizes =
            |items: &[WorkItem]| lots(items.to_vec()).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(&ready), [LOT_ITEMS_MAX, 1, 1]);
        assert!(sizes(&[]).is_empty());
    }
}
