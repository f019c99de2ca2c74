//! Keys of unique indexes that several rows claim, while a transaction defers its uniqueness checks.
//!
//! Invariant: the tree of a unique index has one row for each key that any row claims. Of several
//! claimants it is the one that was written last; [`Conflicts`] lists all of them while there are two or
//! more.

use std::collections::BTreeMap;

use crate::error::CommitError;
use crate::key::KeyBytes;

/// The moment at which a unique index rejects a key that another row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unique {
    AtOnce,
    AtCommit,
}

/// Keys of unique indexes that several rows claim.
#[derive(Clone, Default)]
pub(crate) struct Conflicts {
    /// Index position and key, mapped to the primary keys of the claiming rows: at least two.
    claims: BTreeMap<(usize, Vec<u8>), Vec<KeyBytes>>,
}

impl Conflicts {
    pub(crate) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Returns the first conflict, if there is one.
    pub(crate) fn first(&self) -> Option<(usize, KeyBytes)> {
        let (at, key) = self.claims.keys().next()?;
        Some((*at, KeyBytes::from_slice(key)))
    }

    /// Records that `claimant` claims a key held by `holder`.
    pub(crate) fn claim(
        &mut self,
        at: usize,
        key: &KeyBytes,
        holder: KeyBytes,
        claimant: KeyBytes,
    ) {
        let claims = self.claims.entry((at, key.as_slice().to_vec())).or_insert(vec![holder]);
        // A row that is written twice in a transaction claims its key once.
        if !claims.contains(&claimant) {
            claims.push(claimant);
        }
    }

    /// Withdraws a row's claim. Returns another row that claims the key, if several did.
    pub(crate) fn release(
        &mut self,
        at: usize,
        key: &KeyBytes,
        claimant: &KeyBytes,
    ) -> Option<KeyBytes> {
        // Most transactions have no conflicts, and this path must not allocate a key for them.
        if self.claims.is_empty() {
            return None;
        }
        let place = (at, key.as_slice().to_vec());
        let claims = self.claims.get_mut(&place)?;
        claims.retain(|other| other != claimant);
        let other = claims.last().cloned();
        // One remaining claimant is no conflict: it holds the key.
        if claims.len() < 2 {
            self.claims.remove(&place);
        }
        other
    }
}

/// A key of a unique index that several rows claim.
#[derive(Clone, Debug)]
pub(crate) struct Conflict {
    pub(crate) table: &'static str,
    pub(crate) index: &'static str,
    pub(crate) key: Box<str>,
    pub(crate) fields: &'static [&'static str],
}

impl From<Conflict> for CommitError {
    fn from(conflict: Conflict) -> Self {
        let Conflict { table, index, key, fields } = conflict;
        Self::NotUnique { table, index, key, fields }
    }
}
