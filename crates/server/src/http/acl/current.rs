//! The ACL that is in force, which a reload replaces while requests run.

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::RwLock;

use super::Acl;
use crate::http::access::Access;
use crate::http::reject::Reject;

/// The ACL in force. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct CurrentAcl(Arc<RwLock<Arc<Acl>>>);

impl CurrentAcl {
    pub(crate) fn new(acl: Acl) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(acl))))
    }

    /// Returns the ACL as of now.
    pub(crate) fn get(&self) -> Arc<Acl> {
        Arc::clone(&self.0.read())
    }

    /// Puts another ACL in force. Requests that wait are checked against it before they are answered.
    pub(crate) fn replace(&self, mut acl: Acl) {
        let mut current = self.0.write();
        acl.keep_unchanged(&current);
        *current = Arc::new(acl);
    }

    /// Refuses the caller of a request that waited, if its token expired, was revoked or was changed
    /// meanwhile: the rows were chosen by grants that it no longer has.
    pub(crate) fn still_admits(&self, access: &Access, now: Timestamp) -> Result<(), Reject> {
        self.get().still_admits(access, now)
    }
}
