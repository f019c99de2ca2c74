//! From durable bytes to rows and indexes, on as many threads as there are cores.

use std::num::NonZero;
use std::thread;

use crate::codec;
use crate::error::RowError;
use crate::key::{KeyBuf, KeyBytes};
use crate::table::{Entry, IndexDef, Table};
use crate::tree::Tree;

/// Rows below which a second thread costs more than it saves.
const ROWS_PER_THREAD: usize = 8192;

/// Threads that load one table at the most.
const THREADS_MAX: usize = 8;

/// Entries in key order.
pub(crate) type Entries<R> = Vec<(KeyBytes, Entry<R>)>;

/// The decoded rows of a table: by primary key, and for each index its entries in no order.
pub(crate) struct Loaded<R> {
    pub(crate) primary: Entries<R>,
    pub(crate) secondary: Vec<Entries<R>>,
}

/// Decodes the rows of a table.
pub(crate) fn rows<T: Table>(
    mut rows: Vec<(KeyBytes, Vec<u8>)>,
    defs: &[IndexDef<T::Row>],
    stamped_max: u64,
) -> Result<Loaded<T::Row>, RowError> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let threads = cores.min(rows.len() / ROWS_PER_THREAD).max(1);
    let per_thread = rows.len().div_ceil(threads).max(1);
    let mut parts = Vec::with_capacity(threads);
    while rows.len() > per_thread {
        parts.push(rows.split_off(rows.len() - per_thread));
    }
    parts.push(rows);
    parts.reverse(); // cut off from the back
    let decoded = in_parallel(parts, |part| decode::<T>(part, defs, stamped_max))?;
    let mut whole =
        Loaded { primary: Vec::new(), secondary: defs.iter().map(|_| Vec::new()).collect() };
    for part in decoded {
        whole.primary.extend(part.primary);
        for (all, entries) in whole.secondary.iter_mut().zip(part.secondary) {
            all.extend(entries);
        }
    }
    Ok(whole)
}

fn decode<T: Table>(
    rows: Vec<(KeyBytes, Vec<u8>)>,
    defs: &[IndexDef<T::Row>],
    stamped_max: u64,
) -> Result<Loaded<T::Row>, RowError> {
    let mut loaded = Loaded {
        primary: Vec::with_capacity(rows.len()),
        secondary: defs.iter().map(|_| Vec::with_capacity(rows.len())).collect(),
    };
    for (key, bytes) in rows {
        let entry = row::<T>(&key, &bytes, stamped_max)?;
        for (def, entries) in defs.iter().zip(&mut loaded.secondary) {
            for key in def.tree_keys(&entry, key.as_slice()) {
                entries.push((key, entry.clone()));
            }
        }
        loaded.primary.push((key, entry));
    }
    Ok(loaded)
}

/// Decodes one row and checks that it lies where it belongs, and was there when it is said to be.
pub(crate) fn row<T: Table>(
    key: &KeyBytes,
    bytes: &[u8],
    stamped_max: u64,
) -> Result<Entry<T::Row>, RowError> {
    let entry = codec::decode::<T>(bytes)?;
    if entry.create_index() > entry.modify_index() || entry.modify_index() > stamped_max {
        return Err(RowError::Damaged {
            table: T::NAME,
            reason: "a row is stamped with an index that there was not yet",
        });
    }
    if KeyBuf::of::<T::Key>(T::key(&entry)).as_slice() != key.as_slice() {
        return Err(RowError::Damaged {
            table: T::NAME,
            reason: "a row lies under a key that is not its own",
        });
    }
    Ok(entry)
}

/// Builds the secondary indexes of a table, all of them last changed at `last_index`.
pub(crate) fn indexes<R: Send + Sync>(
    table: &'static str,
    defs: &[IndexDef<R>],
    entries: Vec<Entries<R>>,
    last_index: u64,
) -> Result<Vec<Tree<Entry<R>>>, RowError> {
    let work: Vec<_> = defs.iter().zip(entries).collect();
    in_parallel(work, |(def, mut entries)| {
        entries.sort_unstable_by(|a, b| a.0.as_slice().cmp(b.0.as_slice()));
        let clash = entries.windows(2).any(|pair| pair[0].0 == pair[1].0);
        if def.unique && clash {
            return Err(RowError::NotUnique { table, index: def.name });
        }
        Ok(Tree::from_sorted(entries, last_index))
    })
}

/// Does all of `work` at the same time, the last part on this thread; results in its order.
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
            // A panic over there goes on here.
            results.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        results.push(own?);
        Ok(results)
    })
}
