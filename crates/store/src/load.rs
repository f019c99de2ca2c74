//! Loading: decodes durable rows and builds indexes, on as many threads as there are cores.

use std::num::NonZero;
use std::sync::{Arc, mpsc};
use std::thread;

use parking_lot::Mutex;

use crate::change::LoadContext;
use crate::codec;
use crate::error::RowError;
use crate::key::{KeyBuf, KeyBytes};
use crate::shape::RecordedShapes;
use crate::table::{Entry, IndexDef, Table};
use crate::tree::{OrdIndex, Tree};

/// Number of rows that a thread decodes at a time. Fewer do not justify a thread.
const ROWS_PER_CHUNK: usize = 8192;

/// Maximum number of threads that load one table.
const THREADS_MAX: usize = 8;

/// Entries in key order.
pub(crate) type Entries<R> = Vec<(KeyBytes, Entry<R>)>;

/// The decoded rows of a table by their keys on disk, and the entries of each index in no order.
pub(crate) struct Loaded<R> {
    pub(crate) primary: Entries<R>,
    pub(crate) secondary: Vec<Entries<R>>,
    /// Whether a row's key differs from its key on disk.
    pub(crate) moved: bool,
    /// Keys of rows that their migration dropped.
    pub(crate) dropped: Vec<KeyBytes>,
    /// Unreadable rows that were left out.
    pub(crate) unreadable: Vec<(KeyBytes, Vec<u8>, RowError)>,
}

/// The key and the bytes of a row on disk.
pub(crate) type Raw = (KeyBytes, Vec<u8>);

/// Rows in ascending key order, read lazily.
pub(crate) type RawRows<'r> = dyn Iterator<Item = Result<Raw, RowError>> + 'r;

/// Decodes the rows of a table while the next ones are read.
pub(crate) fn rows<T: Table>(
    rows: &mut RawRows<'_>,
    defs: &[IndexDef<T::Row>],
    recorded: &RecordedShapes,
    context: LoadContext,
) -> Result<Loaded<T::Row>, RowError> {
    let mut chunks = std::iter::from_fn(|| {
        let chunk: Result<Vec<Raw>, RowError> = rows.take(ROWS_PER_CHUNK).collect();
        Some(chunk).filter(|chunk| chunk.as_ref().map_or(true, |chunk| !chunk.is_empty()))
    });
    let first = chunks.next().transpose()?.unwrap_or_default();
    // A small table is decoded on this thread: starting others would take longer.
    if first.len() < ROWS_PER_CHUNK {
        return decode::<T>(first, defs, recorded, context);
    }
    let chunks = std::iter::once(Ok(first)).chain(chunks);
    let parts = pipelined(chunks, |chunk| decode::<T>(chunk, defs, recorded, context))?;
    let count = parts.iter().map(|part| part.primary.len()).sum();
    let mut whole = Loaded {
        primary: Vec::with_capacity(count),
        secondary: defs.iter().map(|_| Vec::with_capacity(count)).collect(),
        moved: false,
        dropped: Vec::new(),
        unreadable: Vec::new(),
    };
    for part in parts {
        whole.primary.extend(part.primary);
        whole.moved |= part.moved;
        whole.dropped.extend(part.dropped);
        whole.unreadable.extend(part.unreadable);
        for (all, entries) in whole.secondary.iter_mut().zip(part.secondary) {
            all.extend(entries);
        }
    }
    Ok(whole)
}

/// Runs each part on one of as many threads as there are cores, while this thread fetches the next part.
/// Returns the results in the order of the parts.
fn pipelined<W: Send, R: Send>(
    parts: impl Iterator<Item = Result<W, RowError>>,
    run: impl Fn(W) -> Result<R, RowError> + Sync,
) -> Result<Vec<R>, RowError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let (give, take) = mpsc::sync_channel::<(usize, W)>(threads);
    let take = Arc::new(Mutex::new(take));
    let done = thread::scope(|scope| {
        let run = &run;
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let take = Arc::clone(&take);
                scope.spawn(move || {
                    let mut done = Vec::new();
                    loop {
                        // Holding the lock while waiting is fine: the next part is for any one of the workers.
                        let next = take.lock().recv();
                        let Ok((at, part)) = next else { return Ok(done) };
                        done.push((at, run(part)?));
                    }
                })
            })
            .collect();
        // When all workers have failed, no receiver is left and the send below fails.
        drop(take);
        let mut fetched = Ok(());
        for (at, part) in parts.enumerate() {
            let given = part.map(|part| give.send((at, part)).is_ok());
            if !matches!(given, Ok(true)) {
                fetched = given.map(drop);
                break;
            }
        }
        drop(give);
        let mut all = Vec::new();
        for worker in workers {
            // Propagate a worker's panic to the caller.
            all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        fetched.map(|()| all)
    })?;
    // Not a sort, whose code would be generated for each table.
    let mut ordered: Vec<Option<R>> = done.iter().map(|_| None).collect();
    for (at, result) in done {
        ordered[at] = Some(result);
    }
    Ok(ordered.into_iter().flatten().collect())
}

fn decode<T: Table>(
    rows: Vec<Raw>,
    defs: &[IndexDef<T::Row>],
    recorded: &RecordedShapes,
    context: LoadContext,
) -> Result<Loaded<T::Row>, RowError> {
    let mut loaded = Loaded {
        primary: Vec::with_capacity(rows.len()),
        secondary: defs.iter().map(|_| Vec::with_capacity(rows.len())).collect(),
        moved: false,
        dropped: Vec::new(),
        unreadable: Vec::new(),
    };
    for (key, bytes) in rows {
        let entry = match row::<T>(&key, &bytes, recorded, context.stamped_max) {
            Ok(LoadedRow::Row { entry, moved }) => {
                loaded.moved |= moved;
                entry
            }
            Ok(LoadedRow::Dropped) => {
                loaded.dropped.push(key);
                continue;
            }
            // The bytes are kept for the caller's `save`, which runs before they are deleted.
            Err(reason) if context.salvage && reason.is_of_the_row() => {
                loaded.unreadable.push((key, bytes, reason));
                continue;
            }
            Err(reason) => return Err(reason),
        };
        for (def, entries) in defs.iter().zip(&mut loaded.secondary) {
            for key in def.tree_keys(&entry, key.as_slice()) {
                entries.push((key, entry.clone()));
            }
        }
        loaded.primary.push((key, entry));
    }
    Ok(loaded)
}

/// The outcome of decoding one record.
pub(crate) enum LoadedRow<R> {
    Row {
        entry: Entry<R>,
        /// Whether its migration changed its key.
        moved: bool,
    },
    /// Its migration dropped it.
    Dropped,
}

/// Decodes one row. Checks that it is under its own key, and that its stamps are plausible.
pub(crate) fn row<T: Table>(
    key: &KeyBytes,
    bytes: &[u8],
    recorded: &RecordedShapes,
    stamped_max: u64,
) -> Result<LoadedRow<T::Row>, RowError> {
    let stored = codec::decode::<T>(bytes, recorded)?;
    let Some(entry) = stored.entry else { return Ok(LoadedRow::Dropped) };
    if entry.create_index() > entry.modify_index() || entry.modify_index() > stamped_max {
        return Err(RowError::Damaged {
            table: T::NAME,
            reason: "a row is stamped with an index beyond the last commit",
        });
    }
    let moved = KeyBuf::of::<T::Key>(T::key(&entry)).as_slice() != key.as_slice();
    // Only a migration may return another key.
    if moved && !stored.migrated {
        return Err(RowError::WrongKey { table: T::NAME, key: key.as_slice().into() });
    }
    Ok(LoadedRow::Row { entry, moved })
}

/// Builds the secondary indexes of a table, each with the last change `last_index`.
pub(crate) fn indexes<T: Table>(
    defs: &[IndexDef<T::Row>],
    entries: Vec<Entries<T::Row>>,
    last_index: u64,
) -> Result<Vec<Tree<Entry<T::Row>>>, RowError> {
    let work: Vec<_> = defs.iter().zip(entries).collect();
    in_parallel(work, |(def, mut entries)| {
        entries.sort_unstable_by(|a, b| a.0.as_slice().cmp(b.0.as_slice()));
        let clash = entries.windows(2).find(|pair| pair[0].0 == pair[1].0);
        if let Some([first, second]) = clash.filter(|_| def.unique) {
            let key = |row| KeyBuf::of::<T::Key>(T::key(row)).as_slice().into();
            return Err(RowError::NotUnique {
                table: T::NAME,
                index: def.name,
                first: key(&first.1),
                second: key(&second.1),
                key: (def.describe)(first.0.as_slice()),
            });
        }
        Ok(Tree::from_sorted(entries, last_index))
    })
}

/// Runs all of `work` in parallel, the last part on this thread. Returns the results in order.
fn in_parallel<W: Send, R: Send>(
    mut work: Vec<W>,
    run: impl Fn(W) -> Result<R, RowError> + Sync,
) -> Result<Vec<R>, RowError> {
    let Some(own) = work.pop() else { return Ok(Vec::new()) };
    thread::scope(|scope| {
        let run = &run;
        let others: Vec<_> = work.into_iter().map(|part| scope.spawn(move || run(part))).collect();
        let own = run(own);
        let mut results = Vec::with_capacity(others.len() + 1);
        for other in others {
            // Propagate a thread's panic to the caller.
            results.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        results.push(own?);
        Ok(results)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: usize = 1000;

    fn failure() -> RowError {
        RowError::UnknownTable { name: "on purpose".into() }
    }

    #[test]
    fn results_come_in_the_order_of_their_parts() {
        let done = pipelined((0..PARTS).map(Ok), |part| Ok(part * 2)).unwrap();
        assert_eq!(done, (0..PARTS).map(|part| part * 2).collect::<Vec<_>>());
    }

    #[test]
    fn failing_work_ends_with_parts_left() {
        let mut fetched = 0;
        let parts = (0..PARTS).inspect(|_| fetched += 1).map(Ok);
        let done: Result<Vec<()>, _> = pipelined(parts, |_| Err(failure()));
        assert_eq!(done.unwrap_err().to_string(), failure().to_string());
        assert!(fetched < PARTS);
    }

    #[test]
    fn part_that_cannot_be_fetched_is_the_error_and_the_last() {
        let parts = (0..PARTS).map(|part| if part == 10 { Err(failure()) } else { Ok(part) });
        let done = pipelined(parts, Ok);
        assert_eq!(done.unwrap_err().to_string(), failure().to_string());
    }
}
