//! One row changes in memory while many readers wait for others: which readers wake, and after how
//! long.

use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use statehold_store::{QueryResult, Options, ReadView, Schema, Store, Tracked, WatchError};

use crate::Scale;
use crate::ours::Volumes;
use crate::rows::{id, volume};
use crate::times::Times;

/// Changes that are timed.
const CHANGES: usize = 10_000;

/// A step coprime to the numbers of readers.
const STRIDE: usize = 7_919;

struct Woken {
    reader: usize,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    count: AtomicUsize,
    last: AtomicUsize,
    at: Mutex<Option<Instant>>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        *self.seen.at.lock().unwrap() = Some(Instant::now());
        self.seen.last.store(self.reader, Ordering::Relaxed);
        self.seen.count.fetch_add(1, Ordering::Relaxed);
    }
}

type Blocked<'s> = Pin<Box<dyn Future<Output = Result<QueryResult<Option<u64>>, WatchError>> + 's>>;

pub fn measure(scale: Scale) {
    for parked in scale.parked {
        of(*parked, scale);
    }
}

fn of(parked: usize, scale: Scale) {
    let mut options = Options::default();
    options.parked_max = parked;
    let store = Store::in_memory_with(&Schema::new().table::<Volumes>(), &options);
    let mut txn = store.begin_write().unwrap();
    (0..=parked).for_each(|at| txn.upsert::<Volumes>(volume(at)).map(drop).unwrap());
    txn.commit().unwrap();

    let seen = Arc::new(Seen::default());
    let wakers: Vec<Waker> = (0..parked)
        .map(|reader| Waker::from(Arc::new(Woken { reader, seen: Arc::clone(&seen) })))
        .collect();
    let park = |reader: usize| -> Blocked<'_> {
        let never = std::future::pending();
        let mut blocked: Blocked<'_> =
            Box::pin(store.blocking_async(store.index(), never, move |view: &Tracked| {
                view.get::<Volumes>(id(reader)).map(|row| row.modify_index())
            }));
        let waiting = blocked.as_mut().poll(&mut Context::from_waker(&wakers[reader]));
        assert!(waiting.is_pending());
        blocked
    };
    let mut readers: Vec<_> = (0..parked).map(park).collect();
    let change = |at: usize| {
        let mut txn = store.begin_write().unwrap();
        txn.upsert::<Volumes>(volume(at)).unwrap();
        txn
    };
    let changes = CHANGES.min(scale.commits * 25);
    let (mut wakes, mut answers, mut unwatched) =
        (Times::default(), Times::default(), Times::default());
    for change_at in 0..changes {
        let at = change_at * STRIDE % parked;
        let before = seen.count.load(Ordering::Relaxed);
        let start = Instant::now();
        let index = change(at).commit().unwrap();
        assert_eq!(seen.count.load(Ordering::Relaxed), before + 1, "one reader is woken");
        assert_eq!(seen.last.load(Ordering::Relaxed), at, "and it is the right one");
        let woken = seen.at.lock().unwrap().take().unwrap();
        wakes.push(woken - start);
        let answer = readers[at].as_mut().poll(&mut Context::from_waker(&wakers[at]));
        answers.push(start.elapsed());
        match answer {
            Poll::Ready(answer) => assert_eq!(answer.unwrap().value, Some(index)),
            Poll::Pending => panic!("a woken reader answers"),
        }
        readers[at] = park(at);
        let before = seen.count.load(Ordering::Relaxed);
        unwatched.time(|| black_box(change(parked).commit().unwrap()));
        assert_eq!(seen.count.load(Ordering::Relaxed), before, "no reader is woken");
    }
    println!("{parked} parked: transaction to wake    {wakes}");
    println!("{parked} parked: transaction to answer  {answers}");
    println!("{parked} parked: unwatched transaction  {unwatched}");
}
