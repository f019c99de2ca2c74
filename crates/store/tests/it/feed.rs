//! The change feed: every commit, in order, from any index in the journal.

use std::collections::VecDeque;

use crate::common::{Names, Volume, Volumes, put_name, schema};
use proptest::prelude::*;
use statehold_store::{Commit, FeedError, Options, Store, Table as _};

fn write(store: &Store, at: u64) {
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, &format!("name-{at}"));
    txn.upsert::<Volumes>(Volume::new("default", "vol")).unwrap();
    if at > 1 {
        txn.delete::<Names>(&format!("name-{}", at - 1)).unwrap();
    }
    assert_eq!(txn.commit().unwrap(), at + 1, "the first index is 2");
}

fn check(commit: &Commit, index: u64) {
    let at = index - 1;
    assert_eq!(commit.index, index);
    let [name, volume, gone @ ..] = commit.changes.as_slice() else { panic!("{commit:?}") };
    assert_eq!(name.key(&Names::BY_KEY), Some(format!("name-{at}")));
    let row = name.row(&Names::BY_KEY).unwrap().unwrap();
    assert_eq!((&**row, row.create_index()), (&*format!("name-{at}"), index));
    assert_eq!((volume.table(), volume.key(&Names::BY_KEY)), ("volumes", None));
    let row = volume.row(&Volumes::BY_KEY).unwrap().unwrap();
    assert_eq!((row.create_index(), row.modify_index()), (2, index));
    match gone {
        [] => assert_eq!(at, 1),
        [gone] => {
            assert!(gone.is_delete());
            assert_eq!(gone.key(&Names::BY_KEY), Some(format!("name-{}", at - 1)));
        }
        _ => panic!("{commit:?}"),
    }
}

#[test]
fn feed_returns_every_later_commit_in_order_after_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let store = Store::open(dir.path(), &schema()).unwrap();
        for at in 1..=20 {
            write(&store, round * 20 + at);
        }
        if round == 1 {
            store.checkpoint().unwrap();
        }
        for after in 1..=store.index() {
            let commits: Vec<_> =
                store.changes_since(after).unwrap().collect::<Result<_, _>>().unwrap();
            assert_eq!(commits.len() as u64, store.index() - after);
            for (commit, index) in commits.iter().zip(after + 1..) {
                check(commit, index);
            }
        }
    }
}

#[test]
fn reader_behind_the_history_gets_the_oldest_commit() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().history(5);
    let store = Store::open_with(dir.path(), &schema(), &options).unwrap();
    (1..=30).for_each(|at| write(&store, at));
    assert!(store.changes_since(0).is_ok(), "nothing is cut before a checkpoint");
    store.checkpoint().unwrap();
    let Err(FeedError::Compacted { oldest }) = store.changes_since(0) else {
        panic!("commits from the beginning are gone")
    };
    assert_eq!(oldest, 27, "as much as the history is kept");
    assert!(store.changes_since(oldest - 2).is_err());
    let commits: Vec<_> =
        store.changes_since(oldest - 1).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(commits.len(), 5);
    check(&commits[0], oldest);
    drop(store);
    let store = Store::open_with(dir.path(), &schema(), &options).unwrap();
    assert_eq!(store.index(), 31);
    assert_eq!(store.changes_since(0).unwrap_err(), FeedError::Compacted { oldest });
    assert_eq!(store.changes_since(30).unwrap().count(), 1);
}

#[test]
fn feed_ends_at_the_newest_commit_of_its_creation() {
    let store = Store::in_memory(&schema());
    write(&store, 1);
    let feed = store.changes_since(0).unwrap();
    write(&store, 2);
    assert_eq!(feed.count(), 1);
    assert_eq!(store.changes_since(3).unwrap().count(), 0);
}

#[test]
fn a_changed_row_shows_no_content_in_debug_output() {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    let secret = Volume { plugin: "xyzzy".into(), ..Volume::new("default", "vol") };
    txn.upsert::<Volumes>(secret).unwrap();
    txn.commit().unwrap();
    let commit = store.changes_since(0).unwrap().next().unwrap().unwrap();
    assert!(!format!("{commit:?}").contains("xyzzy"));
}

/// A step of a store whose history is bounded.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Commits a row with a name of this many bytes.
    Commit(usize),
    Checkpoint,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => prop_oneof![0usize..50, 900usize..1500].prop_map(Step::Commit),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..40)
}

/// The commits in a journal, and the length of each record.
#[derive(Default)]
struct History(VecDeque<(u64, u64)>);

impl History {
    fn bytes(&self) -> u64 {
        self.0.iter().map(|(_, bytes)| bytes).sum()
    }

    fn trim(&mut self, commits: usize, bytes: u64) {
        while self.0.len() > commits || self.bytes() > bytes {
            self.0.pop_front();
        }
    }

    /// Drops the commits that a commit beyond a bound drops, down to a sixteenth below it, but none after
    /// `applied`.
    fn trim_applied(&mut self, commits: usize, bytes: u64, applied: u64) {
        let (too_many, too_large) = (self.0.len() > commits, self.bytes() > bytes);
        if too_many {
            self.drop_applied(applied, |history| history.0.len() > commits - commits / 16);
        }
        if too_large {
            self.drop_applied(applied, |history| history.bytes() > bytes - bytes / 16);
        }
    }

    fn drop_applied(&mut self, applied: u64, is_over: impl Fn(&Self) -> bool) {
        while is_over(self) && self.0.front().is_some_and(|(index, _)| *index <= applied) {
            self.0.pop_front();
        }
    }

    /// Returns the size in bytes of the commits after `applied`.
    fn bytes_after(&self, applied: u64) -> u64 {
        let after = self.0.iter().filter(|(index, _)| *index > applied);
        after.map(|(_, bytes)| bytes).sum()
    }

    fn check(&self, store: &Store) {
        assert_eq!(store.history_bytes(), self.bytes());
        let kept: Vec<u64> = self.0.iter().map(|(index, _)| *index).collect();
        let oldest = kept.first().map_or(store.index() + 1, |oldest| *oldest);
        let found = store.changes_since(oldest.saturating_sub(1)).unwrap();
        assert_eq!(found.map(|commit| commit.unwrap().index).collect::<Vec<_>>(), kept);
        // The first commit of a store has the index 2.
        if oldest > 2 {
            let behind = store.changes_since(oldest - 2).map(|_| ()).unwrap_err();
            assert_eq!(behind, FeedError::Compacted { oldest });
        }
    }
}

fn put(store: &Store, len: usize) -> u64 {
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, &"x".repeat(len));
    txn.commit().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_history_has_the_newest_commits_within_both_bounds(
        steps in steps(), commits in 0usize..12, bytes in prop_oneof![0u64..6000, Just(u64::MAX)],
    ) {
        let options = Options::default().history(commits as u64).history_bytes(bytes);
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open_with(dir.path(), &schema(), &options).unwrap();
        let mut store = Some(open());
        let in_memory = Store::in_memory_with(&schema(), &options);
        // Records have the same length in a store that keeps all of them.
        let everything = Options::default().history(u64::MAX).history_bytes(u64::MAX);
        let everything = Store::in_memory_with(&schema(), &everything);
        let (mut on_disk, mut newest) = (History::default(), History::default());
        let mut applied = 0;
        for step in steps {
            match (step, store.as_ref()) {
                (Step::Commit(len), Some(open)) => {
                    let before = everything.history_bytes();
                    let index = put(&everything, len);
                    let record = (index, everything.history_bytes() - before);
                    on_disk.0.push_back(record);
                    on_disk.trim_applied(commits, bytes, applied);
                    newest.0.push_back(record);
                    newest.trim(commits, bytes);
                    assert_eq!((put(open, len), put(&in_memory, len)), (index, index));
                }
                (Step::Checkpoint, Some(open)) => {
                    open.checkpoint().unwrap();
                    applied = open.index();
                    on_disk.trim(commits, bytes);
                }
                (Step::Reopen, _) => {
                    drop(store.take());
                    store = Some(open());
                    applied = store.as_ref().unwrap().index();
                    on_disk.trim(commits, bytes);
                }
                (_, None) => unreachable!("a store is open after each step"),
            }
            let open = store.as_ref().unwrap();
            // Between checkpoints as well.
            prop_assert!(open.history_bytes() <= bytes.max(on_disk.bytes_after(applied)));
            on_disk.check(open);
            newest.check(&in_memory);
        }
    }
}

#[test]
fn a_smaller_bound_cuts_a_journal_without_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema()).unwrap();
    (1..=30).for_each(|at| write(&store, at));
    let kept = store.history_bytes();
    assert!(kept > 1000);
    drop(store);
    let bytes = kept / 3;
    let options = Options::default().history_bytes(bytes);
    let store = Store::open_with(dir.path(), &schema(), &options).unwrap();
    assert_eq!(store.history_bytes(), kept, "opening cuts nothing");
    store.checkpoint().unwrap();
    assert!(store.history_bytes() <= bytes);
    assert!(matches!(store.changes_since(1), Err(FeedError::Compacted { .. })));
    assert_eq!(store.changes_since(30).unwrap().count(), 1);
}

#[test]
fn a_journal_that_is_only_read_is_not_cut() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema()).unwrap();
    (1..=5).for_each(|at| write(&store, at));
    drop(store);
    let options = Options::default().history(0).history_bytes(0).read_only(true);
    let store = Store::open_with(dir.path(), &schema(), &options).unwrap();
    store.checkpoint().unwrap();
    assert_eq!(store.changes_since(1).unwrap().count(), 5);
}
