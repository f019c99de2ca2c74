//! Caches compiled filters by their source, for servers whose clients repeat their requests.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::datum::Filterable;
use crate::error::CompileError;
use crate::filter::Filter;
use crate::options::Options;

/// Bounds of a [`FilterCache`]; past either, the least recently used filters are evicted.
///
/// # Examples
/// ```
/// use statehold_filter::CacheLimits;
/// let limits = CacheLimits { entries: 64, ..CacheLimits::default() };
/// assert_eq!(limits.bytes, 8 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Maximum number of filters; 1,024 by default.
    pub entries: usize,
    /// Maximum bytes of all filters as estimated by [`Filter::bytes_estimated`]; 8 MiB by default.
    ///
    /// A single filter above the bound is not cached: it is compiled each time.
    pub bytes: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { entries: 1_024, bytes: 8 << 20 }
    }
}

/// Compiled filters by their source, bounded by entries and bytes.
///
/// Threads share a cache by reference. Sources that do not compile are not cached, because
/// rejecting them is cheap and a client could fill the cache with them. Compilation runs outside
/// the lock, so a slow pattern blocks no other thread.
///
/// # Examples
/// ```
/// use statehold_filter::{CacheLimits, FilterCache, Options};
/// use serde_json::{Value, json};
///
/// let cache = FilterCache::<Value>::new(CacheLimits::default(), Options::new());
/// let filter = cache.compile("size == 3")?;
/// assert!(filter.matches(&json!({ "size": 3 })));
///
/// // The same program again.
/// cache.compile("size == 3")?;
/// assert_eq!(cache.len(), 1);
/// assert!(cache.compile("size = 3").is_err());
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
pub struct FilterCache<T: ?Sized> {
    limits: CacheLimits,
    options: Options,
    state: Mutex<CacheState<T>>,
}

struct CacheState<T: ?Sized> {
    by_text: HashMap<Arc<str>, Entry<T>>,
    /// The sources by last use; every use has its own number.
    by_age: BTreeMap<u64, Arc<str>>,
    bytes: usize,
    clock: u64,
}

struct Entry<T: ?Sized> {
    filter: Filter<T>,
    last_used: u64,
    bytes: usize,
}

impl<T: Filterable + ?Sized> FilterCache<T> {
    /// Creates an empty cache that compiles all filters with `options`.
    pub fn new(limits: CacheLimits, options: Options) -> Self {
        let state =
            CacheState { by_text: HashMap::new(), by_age: BTreeMap::new(), bytes: 0, clock: 0 };
        Self { limits, options, state: Mutex::new(state) }
    }

    /// Returns the filter for `text`, compiling it if it is not cached.
    ///
    /// # Errors
    /// As [`Filter::compile`].
    pub fn compile(&self, text: &str) -> Result<Filter<T>, CompileError> {
        // The lock is released before the compilation below.
        if let Some(filter) = self.lock().touch(text) {
            return Ok(filter);
        }
        let filter = Filter::compile_with(text, &self.options)?;
        self.lock().insert(filter.clone(), &self.limits);
        Ok(filter)
    }
}

impl<T: ?Sized> FilterCache<T> {
    /// Returns the number of cached filters.
    pub fn len(&self) -> usize {
        self.lock().by_text.len()
    }

    /// Returns whether the cache is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the estimated bytes of all cached filters.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Removes all filters; those already returned stay valid.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.by_text.clear();
        state.by_age.clear();
        state.bytes = 0;
    }

    fn lock(&self) -> MutexGuard<'_, CacheState<T>> {
        // No code panics while it holds the lock; even then the worst outcome is a wrong count.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ?Sized> CacheState<T> {
    /// Returns the filter for `text` and marks it as the most recently used.
    fn touch(&mut self, text: &str) -> Option<Filter<T>> {
        let entry = self.by_text.get_mut(text)?;
        self.clock += 1;
        if let Some(text) = self.by_age.remove(&entry.last_used) {
            self.by_age.insert(self.clock, text);
        }
        entry.last_used = self.clock;
        Some(entry.filter.clone())
    }

    fn insert(&mut self, filter: Filter<T>, limits: &CacheLimits) {
        let bytes = filter.bytes_estimated();
        // Another thread may have compiled the same source in the meantime: its entry stays.
        if limits.entries == 0 || bytes > limits.bytes || self.touch(filter.text()).is_some() {
            return;
        }
        while self.by_text.len() >= limits.entries || self.bytes + bytes > limits.bytes {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            if let Some(entry) = self.by_text.remove(&oldest) {
                self.bytes -= entry.bytes;
            }
        }
        self.clock += 1;
        self.bytes += bytes;
        let text = filter.shared_text();
        self.by_age.insert(self.clock, Arc::clone(&text));
        self.by_text.insert(text, Entry { filter, last_used: self.clock, bytes });
    }
}

impl<T: ?Sized> fmt::Debug for FilterCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilterCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn cache(entries: usize, bytes: usize) -> FilterCache<Value> {
        FilterCache::new(CacheLimits { entries, bytes }, Options::new())
    }

    fn holds(cache: &FilterCache<Value>, text: &str) -> bool {
        cache.lock().by_text.contains_key(text)
    }

    #[test]
    fn the_least_recently_used_filter_is_evicted() {
        let cache = cache(2, usize::MAX);
        for text in ["a == 1", "b == 1", "a == 1", "c == 1"] {
            cache.compile(text).unwrap();
        }
        assert_eq!(cache.len(), 2);
        assert!(holds(&cache, "a == 1") && holds(&cache, "c == 1"));
    }

    #[test]
    fn cache_is_bounded_by_bytes() {
        let one = Filter::<Value>::compile("a == 1").unwrap().bytes_estimated();
        let cache = cache(100, one * 5 / 2);
        for text in ["a == 1", "b == 1", "c == 1"] {
            cache.compile(text).unwrap();
        }
        assert_eq!(cache.len(), 2);
        assert_eq!(cache.bytes(), one * 2);
        let large = vec!["a == 1"; 100].join(" and ");
        cache.compile(&large).unwrap();
        assert!(!holds(&cache, &large) && holds(&cache, "c == 1"));
        cache.clear();
        assert_eq!((cache.len(), cache.bytes()), (0, 0));
    }

    #[test]
    fn sources_that_fail_to_compile_are_not_cached() {
        let cache = cache(2, usize::MAX);
        assert!(cache.compile("a =").is_err());
        assert!(cache.is_empty());
    }

    #[test]
    fn a_cache_of_zero_entries_still_compiles() {
        for cache in [cache(0, usize::MAX), cache(8, 0)] {
            assert!(cache.compile("a == 1").is_ok());
            assert!(cache.is_empty());
        }
    }

    #[test]
    fn threads_share_the_cache() {
        let cache = cache(3, usize::MAX);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..200 {
                        let text = format!("a == {}", number % 7);
                        assert_eq!(cache.compile(&text).unwrap().text(), text);
                    }
                });
            }
        });
        let held = cache.lock();
        assert_eq!(held.by_text.len(), 3);
        assert_eq!(held.by_age.len(), 3);
        assert_eq!(held.bytes, held.by_text.values().map(|entry| entry.bytes).sum::<usize>());
    }
}
