//! Locks of requests to the storage providers: one request at a time for each object, and a limited number of requests
//! for each provider.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use statehold_nomad::VolumeKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use statehold_server_core::keyed_mutex::{KeyedGuard, KeyedMutex, WAIT_MAX};

/// Maximum number of requests in progress at one provider; further ones wait. Each holds a thread until the provider
/// replies, and a provider that hangs MUST NOT take all threads.
pub(crate) const IN_PROGRESS_MAX: usize = 16;

/// An object that only one request at a time may use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    /// A volume's row.
    Row(VolumeKey),
    /// The data of the rows with the plugin and the external ID.
    Data(Box<str>, Box<str>),
    /// The snapshot of the plugin with the ID.
    Snapshot(Box<str>, Box<str>),
}

/// The locks of all requests. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct ProviderLocks {
    subjects: KeyedMutex<Subject>,
    /// The permits of each provider.
    permits_of: Arc<BTreeMap<Box<str>, Arc<Semaphore>>>,
}

impl ProviderLocks {
    /// Creates the locks, with [`IN_PROGRESS_MAX`] permits for each of these plugins.
    pub(crate) fn new<'p>(plugins: impl Iterator<Item = &'p str>) -> Self {
        let permits = |plugin: &str| (plugin.into(), Arc::new(Semaphore::new(IN_PROGRESS_MAX)));
        Self {
            subjects: KeyedMutex::default(),
            permits_of: Arc::new(plugins.map(permits).collect()),
        }
    }

    /// Waits until no other request holds any of `subjects` and each provider of `plugins` has a permit left. Returns
    /// `None` if one of them takes longer than [`WAIT_MAX`].
    ///
    /// Ignores plugins without a local provider.
    pub(crate) async fn lock<'p>(
        &self,
        subjects: impl IntoIterator<Item = Subject> + Send,
        plugins: impl IntoIterator<Item = &'p str> + Send,
    ) -> Option<ProviderGuard> {
        // Each once and in sorted order, so that a cycle of waiting requests is impossible.
        let subjects: BTreeSet<Subject> = subjects.into_iter().collect();
        let plugins: BTreeSet<&str> = plugins.into_iter().collect();
        let mut held = Vec::with_capacity(subjects.len());
        for subject in subjects {
            held.push(self.subjects.lock(subject).await?);
        }
        // Last, because a request that waits for its subjects MUST NOT hold a permit.
        let mut permits = Vec::with_capacity(plugins.len());
        for permit in plugins.into_iter().filter_map(|plugin| self.permits_of.get(plugin)) {
            let permit = tokio::time::timeout(WAIT_MAX, Arc::clone(permit).acquire_owned());
            permits.push(permit.await.ok()?.ok()?);
        }
        Some(ProviderGuard { _held: held, _permits: permits })
    }
}

/// The locks of one request, released on drop.
#[derive(Debug)]
pub(crate) struct ProviderGuard {
    _held: Vec<KeyedGuard<Subject>>,
    _permits: Vec<OwnedSemaphorePermit>,
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn row(id: &str) -> Subject {
        Subject::Row(VolumeKey { namespace: "default".into(), id: id.into() })
    }

    fn is_pending(future: impl Future) -> bool {
        pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    #[tokio::test]
    async fn requests_for_other_volumes_do_not_wait() {
        let locks = ProviderLocks::new(["disks"].into_iter());
        let first = locks.lock([row("a")], ["disks"]).await.unwrap();
        let second = locks.lock([row("b")], ["disks"]).await.unwrap();
        assert!(is_pending(locks.lock([row("c"), row("a")], ["disks"])));
        drop((first, second));
        locks.lock([row("c"), row("a")], ["disks"]).await.unwrap();
    }

    #[tokio::test]
    async fn the_requests_of_a_provider_are_limited() {
        let locks = ProviderLocks::new(["disks", "other"].into_iter());
        let mut taken = Vec::new();
        for at in 0..IN_PROGRESS_MAX {
            taken.push(locks.lock([row(&at.to_string())], ["disks"]).await.unwrap());
        }
        assert!(is_pending(locks.lock([row("more")], ["disks"])));
        // Another provider has its own permits, and a plugin without a provider needs none.
        locks.lock([row("more")], ["other", "nowhere"]).await.unwrap();
        taken.pop();
        locks.lock([row("more")], ["disks"]).await.unwrap();
    }
}
