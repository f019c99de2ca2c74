//! The cache of validated tokens, with one validation in flight per token.
//!
//! A validated token is not validated again until its entry expires, and concurrent requests with the same token
//! share one validation. Failures are not cached: a client that guesses tokens evicts no valid one.
//!
//! Invariant: a token is kept as its SHA-256 digest, never as itself.
//! Invariant: there are at most [`CacheLimits::tokens_max`] validated tokens. A validation in flight is removed with
//! its last waiter.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use statehold_cinder::Caller;
use tokio::sync::OnceCell;

use crate::auth::Unauthenticated;

/// The limits of the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheLimits {
    /// Maximum number of validated tokens.
    pub(crate) tokens_max: usize,
    /// Nanoseconds for which a token is cached, at most until it expires.
    pub(crate) ttl_ns: i64,
}

/// A token that the identity service validated.
#[derive(Clone, Debug)]
pub(crate) struct Validated {
    pub(crate) caller: Arc<Caller>,
    /// The time at which the token expires, in Unix nanoseconds.
    pub(crate) expires: i64,
}

type Validation = Result<Validated, Unauthenticated>;
type Key = [u8; 32];

pub(crate) struct TokenCache {
    limits: CacheLimits,
    tokens: Mutex<Tokens>,
}

#[derive(Default)]
struct Tokens {
    /// Validated tokens, each with the time at which it must be validated again.
    valid: HashMap<Key, (Validated, i64)>,
    /// Validations in flight.
    in_flight: HashMap<Key, Arc<OnceCell<Validation>>>,
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

    /// Returns the caller of a token. Runs `validate` if the token is not cached; concurrent calls with the same token
    /// wait for the one that runs it, and another of them runs it anew if that one is dropped.
    pub(crate) async fn get<F: Future<Output = Validation>>(
        &self,
        token: &str,
        now: impl Fn() -> i64,
        validate: impl FnOnce() -> F,
    ) -> Result<Arc<Caller>, Unauthenticated> {
        let key = Key::from(Sha256::digest(token));
        let waiter = {
            let mut tokens = self.tokens.lock();
            if let Some((validated, until)) = tokens.valid.get(&key) {
                if now() < *until {
                    return Ok(Arc::clone(&validated.caller));
                }
                tokens.valid.remove(&key);
            }
            let validation = Arc::clone(tokens.in_flight.entry(key).or_default());
            Waiter { cache: self, key, validation }
        };
        let validated = waiter.validation.get_or_init(validate).await.clone()?;
        let now = now();
        let until = validated.expires.min(now.saturating_add(self.limits.ttl_ns));
        let caller = Arc::clone(&validated.caller);
        // The identity service's clock may be behind.
        if validated.expires <= now {
            return Err(Unauthenticated::Token);
        }
        if now < until && self.limits.tokens_max > 0 {
            self.tokens.lock().insert(key, validated, until, now, self.limits.tokens_max);
        }
        Ok(caller)
    }
}

impl Tokens {
    /// Caches a token. A full cache evicts its expired entries, or else the one that expires first.
    fn insert(&mut self, key: Key, validated: Validated, until: i64, now: i64, max: usize) {
        if self.valid.len() >= max && !self.valid.contains_key(&key) {
            self.valid.retain(|_, (_, until)| now < *until);
            if self.valid.len() >= max {
                let first = self.valid.iter().min_by_key(|(_, (_, until))| *until);
                if let Some(first) = first.map(|(key, _)| *key) {
                    self.valid.remove(&first);
                }
            }
        }
        self.valid.insert(key, (validated, until));
    }
}

/// A call that waits for a validation.
struct Waiter<'c> {
    cache: &'c TokenCache,
    key: Key,
    validation: Arc<OnceCell<Validation>>,
}

impl Drop for Waiter<'_> {
    /// Removes the validation once it has completed, so that later calls start another one, or with its last waiter.
    fn drop(&mut self) {
        let (mut tokens, own) = (self.cache.tokens.lock(), &self.validation);
        let listed = tokens.in_flight.get(&self.key).is_some_and(|other| Arc::ptr_eq(other, own));
        // The map has one reference and this waiter the other. Further ones are created only under the lock.
        if listed && (own.initialized() || Arc::strong_count(own) == 2) {
            tokens.in_flight.remove(&self.key);
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

    fn validated(user: &str, expires: i64) -> Validated {
        let (user, project, role) = (user.into(), "p".into(), Role::Member);
        let caller = Caller { user, project, role, ..Caller::default() };
        Validated { caller: Arc::new(caller), expires }
    }

    /// Runs a future that never waits.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => done,
            Poll::Pending => panic!("the future waits"),
        }
    }

    /// Looks a token up. Returns whether it was validated, and the error.
    fn look_up(
        cache: &TokenCache,
        token: &str,
        at: i64,
        validation: Validation,
    ) -> (bool, Option<Unauthenticated>) {
        let validated = Cell::new(false);
        let got = now(cache.get(
            token,
            || at,
            || {
                validated.set(true);
                async { validation }
            },
        ));
        (validated.get(), got.err())
    }

    #[test]
    fn a_valid_token_is_validated_once_until_it_expires() {
        let cache = TokenCache::new(LIMITS);
        assert_eq!(look_up(&cache, "a", 1_000, Ok(validated("a", 9_000))), (true, None));
        assert_eq!(look_up(&cache, "a", 1_299, Ok(validated("a", 9_000))), (false, None));
        assert_eq!(look_up(&cache, "a", 1_300, Ok(validated("a", 1_400))), (true, None));
        // The token expires before its entry would.
        assert_eq!(look_up(&cache, "a", 1_399, Ok(validated("a", 9_000))), (false, None));
        assert_eq!(
            look_up(&cache, "a", 1_400, Ok(validated("a", 1_400))),
            (true, Some(Unauthenticated::Token))
        );
    }

    #[test]
    fn failures_are_not_cached() {
        let cache = TokenCache::new(LIMITS);
        for error in [Unauthenticated::Token, Unauthenticated::Service] {
            assert_eq!(look_up(&cache, "a", 1, Err(error)), (true, Some(error)));
        }
        assert_eq!(look_up(&cache, "a", 1, Ok(validated("a", 9))), (true, None));
        assert!(cache.tokens.lock().in_flight.is_empty());
    }

    #[test]
    fn the_cache_holds_at_most_its_maximum() {
        let cache = TokenCache::new(LIMITS);
        for (token, at) in [("a", 10), ("b", 20), ("c", 30)] {
            look_up(&cache, token, at, Ok(validated(token, 9_000)));
        }
        assert_eq!(cache.tokens.lock().valid.len(), 2);
        assert!(!look_up(&cache, "b", 31, Ok(validated("b", 9_000))).0);
        assert!(!look_up(&cache, "c", 31, Ok(validated("c", 9_000))).0);
        assert!(look_up(&cache, "a", 31, Ok(validated("a", 9_000))).0);
    }

    #[test]
    fn concurrent_calls_share_one_validation() {
        let cache = TokenCache::new(LIMITS);
        let (runs, replied) = (Cell::new(0), Notify::new());
        let get = || {
            cache.get(
                "a",
                || 1,
                || async {
                    runs.set(runs.get() + 1);
                    replied.notified().await;
                    Ok(validated("a", 9))
                },
            )
        };
        let mut cx = Context::from_waker(Waker::noop());
        let (mut first, mut second) = (Box::pin(get()), Box::pin(get()));
        assert!(
            first.as_mut().poll(&mut cx).is_pending() && second.as_mut().poll(&mut cx).is_pending()
        );
        assert_eq!(runs.get(), 1);
        // The second call validates anew after the first was dropped.
        drop(first);
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert_eq!(runs.get(), 2);
        replied.notify_one();
        assert!(second.as_mut().poll(&mut cx).is_ready());
        drop(second);
        let mut third = Box::pin(get());
        assert!(third.as_mut().poll(&mut cx).is_ready());
        drop(third);
        let mut dropped = Box::pin(cache.get("b", || 1, std::future::pending));
        assert!(dropped.as_mut().poll(&mut cx).is_pending());
        drop(dropped);
        assert!(cache.tokens.lock().in_flight.is_empty());
    }

    #[test]
    fn debug_output_has_no_token() {
        let cache = TokenCache::new(LIMITS);
        look_up(&cache, "a-token", 1, Ok(validated("a", 9)));
        assert!(!format!("{cache:?}").contains("a-token"));
    }
}
