//! Keys of unique indexes that several rows claim, while a transaction defers its uniqueness checks.
//!
//! Invariant: the tree of a unique index has one row for each key that any row claims. Of several
//! claimants it is the one that was written last; [`Conflicts`] lists all of them while there are two or
//! more.

use std::collections::BTreeMap;

use crate::error::CommitError;
use crate::key::KeyBytes;

/// When a unique index refuses a key that another row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unique {
    AtOnce,
    AtCommit,
}

/// Keys of unique indexes that several rows claim.
#[derive(Clone, Default)]
pub(crate) struct Conflicts {
    /// The position of the index and the key, to the primary keys of the rows: two at least.
    claims: BTreeMap<(usize, Vec<u8>), Vec<KeyBytes>>,
}

impl Conflicts {
    pub(crate) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Any of the conflicts.
    pub(crate) fn first(&self) -> Option<(usize, KeyBytes)> {
        let (at, key) = self.claims.keys().next()?;
        Some((*at, KeyBytes::from_slice(key)))
    }

    /// Adds a row that claims the key of another one.
    pub(crate) fn claim(
        &mut self,
        at: usize,
        key: &KeyBytes,
        holder: KeyBytes,
        claimant: KeyBytes,
    ) {
        let claims = self.claims.entry((at, key.as_slice().to_vec())).or_insert(vec![holder]);
        if !claims.contains(&claimant) {
            claims.push(claimant);
        }
    }

    /// Takes a row's claim back; another row that claims the key, if several did.
    pub(crate) fn release(
        &mut self,
        at: usize,
        key: &KeyBytes,
        claimant: &KeyBytes,
    ) -> Option<KeyBytes> {
        // Most transactions have no conflicts: then no key is copied to look for one.
        if self.claims.is_empty() {
            return None;
        }
        let place = (at, key.as_slice().to_vec());
        let claims = self.claims.get_mut(&place)?;
        claims.retain(|other| other != claimant);
        let other = claims.last().cloned();
        if claims.len() < 2 {
            self.claims.remove(&place);
        }
        other
    }
}

/// A key of a unique index that several rows have.
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
