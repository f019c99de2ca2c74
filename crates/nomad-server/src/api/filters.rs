//! Caches the compiled filters of lists, because clients repeat the same expression with every poll.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use statehold_filter::{CacheLimits, CompileError, Filter, FilterCache, Filterable, Options};

/// Maximum number and bytes of the compiled filters of each list. Beyond them the least recently used filters are
/// dropped.
const LIMITS: CacheLimits = CacheLimits { entries: 256, bytes: 2 << 20 };

/// A cache of compiled filters for each kind of row.
pub(crate) struct Filters {
    options: Options,
    caches: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filters").finish_non_exhaustive()
    }
}

impl Filters {
    /// Creates an empty cache. `options` apply to each compilation.
    pub(crate) fn new(options: Options) -> Self {
        Self { options, caches: Mutex::default() }
    }

    /// Returns the filter of an expression, compiled at most once while it is cached.
    pub(crate) fn compile<T: Filterable + 'static>(
        &self,
        expression: &str,
    ) -> Result<Filter<T>, CompileError> {
        match self.of::<T>() {
            // `None` is unreachable: each entry has the type of its key.
            Some(cache) => cache.compile(expression),
            None => Filter::compile_with(expression, &self.options),
        }
    }

    /// Returns the cache for one kind of row.
    fn of<T: Filterable + 'static>(&self) -> Option<Arc<FilterCache<T>>> {
        let mut caches = self.caches.lock();
        let cache = caches
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Arc::new(FilterCache::<T>::new(LIMITS, self.options.clone())));
        Arc::clone(cache).downcast().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statehold_nomad::{JobItem, NodeItem};

    #[test]
    fn an_expression_is_compiled_once_for_each_kind_of_row() {
        let filters = Filters::new(Options::new());
        for _ in 0..3 {
            filters.compile::<NodeItem>("Name == a").unwrap();
            filters.compile::<JobItem>("Type == service").unwrap();
            assert!(filters.compile::<NodeItem>("Nothing == a").is_err());
        }
        assert_eq!(filters.of::<NodeItem>().unwrap().len(), 1);
        assert_eq!(filters.of::<JobItem>().unwrap().len(), 1);
    }
}
