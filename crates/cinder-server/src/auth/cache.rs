//! What the identity service said of tokens, kept for a while.
//!
//! A token that was found good is not asked about again until its time is over, and requests that come
//! with the same token at the same time wait for one answer. What was refused is not kept: whoever tries
//! tokens displaces none that is good.
//!
//! Invariant: a token is kept as its SHA-256 digest, never as itself.
//! Invariant: there are at most [`CacheLimits::tokens_max`] good ones; those being asked about are gone
//! when nobody waits for them any more.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use statehold_cinder::Caller;
use tokio::sync::OnceCell;

use crate::auth::Unknown;

/// What is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheLimits {
    /// Tokens.
    pub(crate) tokens_max: usize,
    /// Nanoseconds that one is kept, if it doesn't expire before.
    pub(crate) ttl_ns: i64,
}

/// What the identity service says of a good token.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) caller: Arc<Caller>,
    /// When the token isn't good any more, in unix nanoseconds.
    pub(crate) expires: i64,
}

type Answer = Result<Known, Unknown>;
type Key = [u8; 32];

pub(crate) struct TokenCache {
    limits: CacheLimits,
    tokens: Mutex<Tokens>,
}

#[derive(Default)]
struct Tokens {
    /// Those that were found good, each with when that has to be asked again.
    good: HashMap<Key, (Known, i64)>,
    /// Those that somebody asks about.
    asked: HashMap<Key, Arc<OnceCell<Answer>>>,
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl TokenCache {
    pub(crate) fn new(limits: CacheLimits) -> Self {
        Self { limits, tokens: Mutex::default() }
    }

    /// Who a token is for, at a time; `ask` is run if that isn't known, by one of those who wait for it.
    pub(crate) async fn get<F: Future<Output = Answer>>(
        &self,
        token: &str,
        now: impl Fn() -> i64,
        ask: impl FnOnce() -> F,
    ) -> Result<Arc<Caller>, Unknown> {
        let key = Key::from(Sha256::digest(token));
        let waiting = {
            let mut tokens = self.tokens.lock();
            if let Some((known, until)) = tokens.good.get(&key) {
                if now() < *until {
                    return Ok(Arc::clone(&known.caller));
                }
                tokens.good.remove(&key);
            }
            let answer = Arc::clone(tokens.asked.entry(key).or_default());
            Waiting { cache: self, key, answer }
        };
        let known = waiting.answer.get_or_init(ask).await.clone()?;
        let now = now();
        let until = known.expires.min(now.saturating_add(self.limits.ttl_ns));
        let caller = Arc::clone(&known.caller);
        if known.expires <= now {
            return Err(Unknown::Token);
        }
        if now < until && self.limits.tokens_max > 0 {
            self.tokens.lock().keep(key, known, until, now, self.limits.tokens_max);
        }
        Ok(caller)
    }
}

impl Tokens {
    fn keep(&mut self, key: Key, known: Known, until: i64, now: i64, max: usize) {
        if self.good.len() >= max && !self.good.contains_key(&key) {
            self.good.retain(|_, (_, until)| now < *until);
            if self.good.len() >= max {
                // The one that would go first.
                let first = self.good.iter().min_by_key(|(_, (_, until))| *until);
                if let Some(first) = first.map(|(key, _)| *key) {
                    self.good.remove(&first);
                }
            }
        }
        self.good.insert(key, (known, until));
    }
}

/// Somebody who waits for an answer.
struct Waiting<'c> {
    cache: &'c TokenCache,
    key: Key,
    answer: Arc<OnceCell<Answer>>,
}

impl Drop for Waiting<'_> {
    /// Who comes once there is an answer asks anew; nobody waits for what nobody asks.
    fn drop(&mut self) {
        let mut tokens = self.cache.tokens.lock();
        let own = tokens.asked.get(&self.key).is_some_and(|other| Arc::ptr_eq(other, &self.answer));
        // One is in the table, one is here; more are made under the lock alone.
        if own && (self.answer.initialized() || Arc::strong_count(&self.answer) == 2) {
            tokens.asked.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use statehold_cinder::Role;
    use tokio::sync::Notify;

    use super::*;

    const LIMITS: CacheLimits = CacheLimits { tokens_max: 2, ttl_ns: 300 };

    fn known(user: &str, expires: i64) -> Known {
        let (user, project, role) = (user.into(), "p".into(), Role::Member);
        let caller = Caller { user, project, role, ..Caller::default() };
        Known { caller: Arc::new(caller), expires }
    }

    /// Runs what never waits.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => done,
            Poll::Pending => panic!("it waits"),
        }
    }

    /// Looks a token up; whether the identity service was asked.
    fn look(cache: &TokenCache, token: &str, at: i64, answer: Answer) -> (bool, Option<Unknown>) {
        let asked = Cell::new(false);
        let got = now(cache.get(
            token,
            || at,
            || {
                asked.set(true);
                async { answer }
            },
        ));
        (asked.get(), got.err())
    }

    #[test]
    fn a_good_token_is_asked_about_once_until_its_time_is_over() {
        let cache = TokenCache::new(LIMITS);
        assert_eq!(look(&cache, "a", 1_000, Ok(known("a", 9_000))), (true, None));
        assert_eq!(look(&cache, "a", 1_299, Ok(known("a", 9_000))), (false, None));
        assert_eq!(look(&cache, "a", 1_300, Ok(known("a", 1_400))), (true, None));
        // It expires before it would be asked about again.
        assert_eq!(look(&cache, "a", 1_399, Ok(known("a", 9_000))), (false, None));
        assert_eq!(look(&cache, "a", 1_400, Ok(known("a", 1_400))), (true, Some(Unknown::Token)));
    }

    #[test]
    fn what_is_refused_is_not_kept() {
        let cache = TokenCache::new(LIMITS);
        for unknown in [Unknown::Token, Unknown::Identity] {
            assert_eq!(look(&cache, "a", 1, Err(unknown)), (true, Some(unknown)));
        }
        assert_eq!(look(&cache, "a", 1, Ok(known("a", 9))), (true, None));
        assert!(cache.tokens.lock().asked.is_empty());
    }

    #[test]
    fn no_more_tokens_are_kept_than_may_be() {
        let cache = TokenCache::new(LIMITS);
        for (token, at) in [("a", 10), ("b", 20), ("c", 30)] {
            look(&cache, token, at, Ok(known(token, 9_000)));
        }
        assert_eq!(cache.tokens.lock().good.len(), 2);
        assert!(!look(&cache, "b", 31, Ok(known("b", 9_000))).0);
        assert!(!look(&cache, "c", 31, Ok(known("c", 9_000))).0);
        assert!(look(&cache, "a", 31, Ok(known("a", 9_000))).0);
    }

    #[test]
    fn those_who_come_together_ask_once_and_one_of_them_may_leave() {
        let cache = TokenCache::new(LIMITS);
        let (asked, told) = (Cell::new(0), Notify::new());
        let get = || {
            cache.get(
                "a",
                || 1,
                || async {
                    asked.set(asked.get() + 1);
                    told.notified().await;
                    Ok(known("a", 9))
                },
            )
        };
        let mut cx = Context::from_waker(Waker::noop());
        let (mut first, mut second) = (Box::pin(get()), Box::pin(get()));
        assert!(
            first.as_mut().poll(&mut cx).is_pending() && second.as_mut().poll(&mut cx).is_pending()
        );
        assert_eq!(asked.get(), 1);
        // The other goes on where the one who asked left.
        drop(first);
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert_eq!(asked.get(), 2);
        told.notify_one();
        assert!(second.as_mut().poll(&mut cx).is_ready());
        drop(second);
        let mut third = Box::pin(get());
        assert!(third.as_mut().poll(&mut cx).is_ready());
        drop(third);
        let mut gone = Box::pin(cache.get("b", || 1, std::future::pending));
        assert!(gone.as_mut().poll(&mut cx).is_pending());
        drop(gone);
        assert!(cache.tokens.lock().asked.is_empty());
    }

    #[test]
    fn no_token_is_shown() {
        let cache = TokenCache::new(LIMITS);
        look(&cache, "a-token", 1, Ok(known("a", 9)));
        assert!(!format!("{cache:?}").contains("a-token"));
    }
}
