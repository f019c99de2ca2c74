//! The ACL in force, which a reload replaces while requests run.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::acl::Acl;
use crate::acl::access::Access;
use crate::error::ApiError;

/// The ACL in force. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct CurrentAcl(Arc<watch::Sender<Arc<Acl>>>);

impl CurrentAcl {
    /// Creates the handle with the first ACL.
    pub fn new(acl: Acl) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(acl))))
    }

    /// Returns the ACL as of now.
    pub(crate) fn get(&self) -> Arc<Acl> {
        Arc::clone(&self.0.borrow())
    }

    /// Replaces the ACL. Waiting requests are checked against the new one at once.
    pub fn replace(&self, mut acl: Acl) {
        self.0.send_modify(|current| {
            acl.keep_unchanged(current);
            *current = Arc::new(acl);
        });
    }

    /// Fails with 403 if the token of a waiting request expired, was revoked or was changed meanwhile: the rows were
    /// chosen by grants that the caller no longer has.
    pub(crate) fn still_admits(&self, access: &Access, now: Timestamp) -> Result<(), ApiError> {
        self.get().still_admits(access, now)
    }

    /// Waits until [`CurrentAcl::still_admits`] rejects the caller, and returns the rejection. Never returns for a
    /// caller without a token.
    pub(crate) async fn refuses(&self, access: &Access) -> ApiError {
        let mut reloads = self.0.subscribe();
        loop {
            let acl = Arc::clone(&reloads.borrow_and_update());
            let now = Timestamp::now();
            if let Err(reject) = acl.still_admits(access, now) {
                return reject;
            }
            let expired = async {
                match acl.expiry_of(access) {
                    Some(expiry) => tokio::time::sleep(until(expiry, now)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                reloaded = reloads.changed() => {
                    // Unreachable: the sender lives as long as `self`.
                    if reloaded.is_err() {
                        return std::future::pending().await;
                    }
                }
                // The clock is read again, because it may have been set meanwhile.
                () = expired => {}
            }
        }
    }
}

/// Returns the time from `now` to `expiry`, and at least a millisecond: with a clock that runs behind the timer, the
/// caller would otherwise loop without a pause.
fn until(expiry: Timestamp, now: Timestamp) -> Duration {
    let left = Duration::try_from(expiry.duration_since(now)).unwrap_or_default();
    left.max(Duration::from_millis(1))
}
