use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::present::PRESENT;
use crate::turns::*;

fn caller(last: u8) -> CallerKey {
    CallerKey::address([10, 0, 0, last].into())
}

type Waiting = oneshot::Receiver<Turn>;

fn ask(turns: &Turns, last: u8, urgency: Urgency) -> Waiting {
    turns.enqueue(caller(last), urgency, QueueEnd::Back)
}

fn has(waiting: &mut Waiting) -> Option<Turn> {
    waiting.try_recv().ok()
}

#[test]
fn one_caller_never_has_all_turns() {
    let turns = Turns::new(3, 2, 3, PresentCallers::default());
    let mut greedy: Vec<_> = (0..64).map(|_| ask(&turns, 1, Urgency::Now)).collect();
    let held: Vec<_> = greedy.iter_mut().filter_map(has).collect();
    assert_eq!(held.len(), 2);
    assert!(has(&mut ask(&turns, 2, Urgency::Now)).is_some(), "a turn is left for another caller");
    assert_eq!(turns.waiting(), 62);
}

#[test]
fn callers_alternate_regardless_of_their_number_of_requests() {
    let turns = Turns::new(1, 1, 1, PresentCallers::default());
    let mut held = has(&mut ask(&turns, 9, Urgency::Now));
    let mut many: Vec<_> = (0..64).map(|_| ask(&turns, 1, Urgency::Now)).collect();
    let mut few: Vec<_> = (0..4).map(|_| ask(&turns, 2, Urgency::Now)).collect();
    let mut order = Vec::new();
    while !few.is_empty() {
        drop(held.take());
        held = [(1, &mut many), (2, &mut few)].into_iter().find_map(|(name, queue)| {
            let turn = has(queue.first_mut()?)?;
            queue.remove(0);
            order.push(name);
            Some(turn)
        });
    }
    assert_eq!(order, [1, 2, 1, 2, 1, 2, 1, 2]);
}

#[test]
fn requests_that_can_wait_go_last_but_never_starve() {
    let turns = Turns::new(1, 1, 1, PresentCallers::default());
    let mut held = has(&mut ask(&turns, 1, Urgency::Now));
    let mut later = ask(&turns, 1, Urgency::Later);
    let mut before = 0;
    loop {
        let mut now = ask(&turns, 1, Urgency::Now);
        drop(held.take());
        if has(&mut later).is_some() {
            break;
        }
        held = has(&mut now);
        assert!(held.is_some());
        before += 1;
    }
    assert_eq!(before, BEFORE_LATER_MAX);
}

#[test]
fn requests_that_can_wait_leave_a_turn_for_others() {
    let turns = Turns::new(2, 2, 1, PresentCallers::default());
    let large = has(&mut ask(&turns, 1, Urgency::Later));
    assert!(large.is_some());
    let mut second = ask(&turns, 2, Urgency::Later);
    assert!(has(&mut second).is_none());
    assert!(has(&mut ask(&turns, 2, Urgency::Now)).is_some());
    drop(large);
    assert!(has(&mut second).is_some());
}

#[test]
fn a_dropped_request_leaves_the_queue_and_frees_its_turn() {
    let turns = Turns::new(1, 1, 1, PresentCallers::default());
    let held = has(&mut ask(&turns, 1, Urgency::Now));
    let dropped: Vec<_> = (0..3).map(|_| ask(&turns, 1, Urgency::Now)).collect();
    let mut kept = ask(&turns, 2, Urgency::Now);
    drop(dropped);
    drop(held);
    let turn = has(&mut kept);
    assert!(turn.is_some());
    // A granted turn that was never received is free again.
    let given = ask(&turns, 3, Urgency::Now);
    drop(turn);
    drop(given);
    assert!(has(&mut ask(&turns, 4, Urgency::Now)).is_some());
    assert_eq!(turns.waiting(), 0);
    assert!(turns.0.state.lock().callers.is_empty(), "a caller without requests keeps an entry");
}

#[test]
fn a_caller_has_fewer_turns_while_another_is_present() {
    let present = PresentCallers::default();
    let turns = Turns::with_shared_max(3, 2, 1, 3, present.clone());
    let asked = Instant::now();
    let mut greedy: Vec<_> = (0..8).map(|_| ask(&turns, 1, Urgency::Now)).collect();
    let mut held: Vec<_> = greedy.iter_mut().filter_map(has).collect();
    assert_eq!(held.len(), 2, "the caller is alone");
    let other = has(&mut ask(&turns, 2, Urgency::Now));
    assert!(other.is_some());
    // The first caller gets its next turn once it has none.
    assert!(turns.should_hand_on(caller(1), Urgency::Now), "the caller has one turn too many");
    drop(held.pop());
    assert!(greedy.iter_mut().find_map(has).is_none());
    assert!(!turns.should_hand_on(caller(1), Urgency::Now));
    drop(held.pop());
    held.extend(greedy.iter_mut().filter_map(has));
    assert_eq!(held.len(), 1);
    // The other caller sent a request a moment ago, so it is present without a turn.
    present.note(caller(2), asked);
    drop(other);
    assert!(greedy.iter_mut().find_map(has).is_none());
    // A caller whose last request was long ago is not.
    present.note(caller(2), asked.checked_sub(PRESENT).unwrap());
    assert!(!turns.should_hand_on(caller(1), Urgency::Now));
    held.extend(greedy.iter_mut().filter_map(has));
    assert_eq!(held.len(), 2);
}

#[test]
fn a_long_computation_hands_its_turn_on_and_gets_it_back() {
    let turns = Turns::new(1, 1, 1, PresentCallers::default());
    let mut turn = has(&mut ask(&turns, 1, Urgency::Now)).unwrap();
    // Without waiting requests, and with only those of its own caller, it keeps the turn.
    turn.hand_on();
    let own = ask(&turns, 1, Urgency::Now);
    turn.hand_on();
    let mut other = ask(&turns, 2, Urgency::Now);
    let thread = std::thread::spawn(move || turn.hand_on());
    let mut context = Context::from_waker(Waker::noop());
    let given = loop {
        if let Poll::Ready(given) = pin!(&mut other).poll(&mut context) {
            break given.unwrap();
        }
        std::thread::yield_now();
    };
    drop(given);
    thread.join().unwrap();
    drop(own);
    assert_eq!(turns.waiting(), 0);
}

/// Ends a turn as if it had lasted for `took`.
fn end(mut turn: Turn, took: Duration) {
    turn.began = turn.began.checked_sub(took).unwrap();
}

#[test]
fn a_caller_rests_after_a_long_turn_while_another_is_present() {
    let (present, long) = (PresentCallers::default(), Duration::from_secs(60));
    let turns = Turns::new(2, 2, 1, present.clone());
    let large = |turns: &Turns| ask(turns, 1, Urgency::Later);
    let mut queued = [large(&turns), large(&turns), large(&turns)];
    end(has(&mut queued[0]).unwrap(), long);
    let second = has(&mut queued[1]).expect("the caller is alone");
    present.note(caller(2), Instant::now());
    end(second, REST_MIN / 10);
    let third = has(&mut queued[2]).expect("a short turn is followed by no rest");
    end(third, long);
    let mut next = large(&turns);
    assert!(has(&mut next).is_none(), "the caller rests");
    assert!(has(&mut ask(&turns, 1, Urgency::Now)).is_some(), "urgent requests need no rest");
    assert!(has(&mut ask(&turns, 2, Urgency::Later)).is_some(), "others do not rest");
    turns.0.state.lock().resting.values_mut().for_each(|until| *until = Instant::now());
    drop(has(&mut ask(&turns, 2, Urgency::Now)));
    assert!(has(&mut next).is_some(), "the rest is over");
}

#[tokio::test]
async fn a_caller_gets_turns_again_after_its_rest() {
    let present = PresentCallers::default();
    let turns = Turns::new(1, 1, 1, present.clone());
    present.note(caller(2), Instant::now());
    let first = turns.take(caller(1), Urgency::Later).await.unwrap();
    end(first, REST_MIN * 2);
    assert!(turns.take(caller(1), Urgency::Later).await.is_some());
}
