//! Pages of a listing, resumed by opaque tokens.
//!
//! A token holds the key of the next row, so the next page is a seek. If that row was deleted, the listing
//! continues with the one after it. Writes between two pages neither repeat nor skip a row that exists
//! throughout.
//!
//! Invariant: the key in a token identifies one row of the listing. A listing by a secondary index with shared
//! keys also needs the primary key, which [`Keyed::token`] and [`Index::resume`] include.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::key::{KEY_LEN_MAX, Key, KeyBuf, KeyBytes, PartOf};
use crate::order::Order;
use crate::range::KeyRange;
#[cfg(doc)]
use crate::scan::Keyed;
use crate::table::{Index, Table};

/// The version of the tokens that this build writes.
const VERSION: u8 = 1;

/// Length of the token before the key in bytes: the version and the listing's tag.
const HEAD: usize = 1 + 4;

/// The position at which a listing continues. Clients return it unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken(String);

impl PageToken {
    /// Creates the token for the row with the key `next` of the listing `listing`.
    ///
    /// The name of a listing should include everything that distinguishes it: the table, the order, the filter.
    /// The token holds only a checksum of the name, so that a token of one listing is rejected by another.
    ///
    /// At most one row of the listing may have the key: for a secondary index, use [`Keyed::token`]. For a
    /// primary key, [`PrimaryKey::token`](crate::PrimaryKey::token) infers its shape.
    pub fn new<K: Key>(listing: &str, next: impl PartOf<K>) -> Self {
        Self::of_bytes(listing, KeyBuf::of_part::<K>(next).as_slice())
    }

    pub(crate) fn of_bytes(listing: &str, key: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(HEAD + key.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&tag(listing));
        bytes.extend_from_slice(key);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Returns the token as a string, safe in URLs and headers.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the key in a token.
    ///
    /// # Errors
    /// [`TokenError`] if the string is not a token, or is one of another listing.
    ///
    /// ```
    /// # use statehold_store::{PageToken, Table, TokenError};
    /// # #[derive(serde::Serialize, serde::Deserialize, Table)]
    /// # #[table(name = "volumes", key(namespace, id))]
    /// # struct Volume { namespace: String, id: String }
    /// let token = Volume::BY_KEY.token("volumes", ("default", "vol-7"));
    /// let key: (String, String) = PageToken::parse("volumes", token.as_str())?;
    /// assert_eq!(key, ("default".to_string(), "vol-7".to_string()));
    /// let other: Result<(String, String), _> = PageToken::parse("plugins", token.as_str());
    /// assert_eq!(other, Err(TokenError::OtherListing));
    /// # Ok::<(), TokenError>(())
    /// ```
    pub fn parse<K: Key>(listing: &str, text: &str) -> Result<K, TokenError> {
        let bytes = Self::parse_bytes(listing, text)?;
        let mut key = bytes.as_slice();
        K::decode(&mut key).filter(|_| key.is_empty()).ok_or(TokenError::Unreadable)
    }

    pub(crate) fn parse_bytes(listing: &str, text: &str) -> Result<Vec<u8>, TokenError> {
        // Base64 needs less than twice the bytes: a longer string is no token, and must not be decoded.
        if text.len() > (HEAD + KEY_LEN_MAX) * 2 {
            return Err(TokenError::Unreadable);
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Unreadable)?;
        let (head, _) = bytes.split_at_checked(HEAD).ok_or(TokenError::Unreadable)?;
        let (version, listed) = head.split_first().ok_or(TokenError::Unreadable)?;
        // A token of another build is rejected rather than decoded wrongly; clients start again without one.
        if *version != VERSION {
            return Err(TokenError::Unreadable);
        }
        if listed != tag(listing) {
            return Err(TokenError::OtherListing);
        }
        Ok(bytes.split_off(HEAD))
    }
}

impl<T: Table, K: Key> Index<T, K> {
    /// Returns the part of `range` from the row of a page token on, in the direction of `order` and including
    /// that row: the start of a later page of [`crate::ReadView::scan_by_keyed`].
    ///
    /// Takes tokens of [`Keyed::token`]. A token of [`PageToken::new`] that holds only a key of this index
    /// resumes at the first row with that key.
    ///
    /// # Errors
    /// [`TokenError`] if the string is not a token, or is one of another listing.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use statehold_store::{Order, PageToken, ReadView, Store, Table, TokenError, paginate};
    ///
    /// #[derive(Serialize, Deserialize, Table)]
    /// #[table(name = "volumes")]
    /// struct Volume {
    ///     #[table(key)]
    ///     id: u64,
    ///     #[table(index)]
    ///     status: String,
    /// }
    ///
    /// fn page(
    ///     view: &impl ReadView,
    ///     token: Option<&str>,
    /// ) -> Result<(Vec<u64>, Option<PageToken>), TokenError> {
    ///     let by_status = Volume::BY_STATUS;
    ///     let mut range = by_status.all();
    ///     if let Some(token) = token {
    ///         range = by_status.resume(range, Order::Ascending, "by status", token)?;
    ///     }
    ///     let page = paginate(view.scan_by_keyed(&by_status, &range, Order::Ascending), Some(2));
    ///     let next = page.next.map(|row| row.token("by status"));
    ///     Ok((page.rows.iter().map(|row| row.id).collect(), next))
    /// }
    ///
    /// let store = Store::in_memory(&Volume::schema());
    /// let mut txn = store.begin_write()?;
    /// for id in 1..=3 {
    ///     txn.put(Volume { id, status: "in-use".into() })?;
    /// }
    /// let (first, next) = page(&txn, None)?;
    /// let (rest, end) = page(&txn, next.as_ref().map(PageToken::as_str))?;
    /// assert_eq!((first, rest, end), (vec![1, 2], vec![3], None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resume(
        &self,
        range: KeyRange<K>,
        order: Order,
        listing: &str,
        token: &str,
    ) -> Result<KeyRange<K>, TokenError> {
        let bytes = PageToken::parse_bytes(listing, token)?;
        let mut rest = bytes.as_slice();
        K::decode(&mut rest).ok_or(TokenError::Unreadable)?;
        // The tree of a unique index holds only index keys. A token of an earlier build has no primary key
        // either, and stands before all rows with its key.
        if !rest.is_empty() {
            let primary = (!self.is_unique()).then(|| T::Key::decode(&mut rest)).flatten();
            primary.filter(|_| rest.is_empty()).ok_or(TokenError::Unreadable)?;
        }
        Ok(range.resume_bytes(KeyBytes::from_slice(&bytes), order))
    }

    /// Like [`Index::resume`], from the row with the primary key `primary` and the index key `key`. The row
    /// need not exist any more.
    #[must_use]
    pub fn resume_at(
        &self,
        range: KeyRange<K>,
        order: Order,
        key: impl PartOf<K>,
        primary: impl PartOf<T::Key>,
    ) -> KeyRange<K> {
        let mut bytes = KeyBuf::of_part::<K>(key);
        // In a unique index a key belongs to one row: with the primary key appended, it would sort after that
        // row.
        if !self.is_unique() {
            primary.append(&mut bytes);
        }
        range.resume_bytes(bytes.finish(), order)
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn tag(listing: &str) -> [u8; 4] {
    crc32fast::hash(listing.as_bytes()).to_be_bytes()
}

/// Reasons why a string is not a token of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// The string is not a token.
    Unreadable,
    /// The token belongs to another listing, or to another order of this one.
    OtherListing,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "not a page token: pass the token of the last page unchanged",
            Self::OtherListing => {
                "a page token of another listing: start again without a token, or pass the same \
                 parameters as before"
            }
        })
    }
}

impl std::error::Error for TokenError {}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<R> {
    /// The rows, at most `per_page`.
    pub rows: Vec<R>,
    /// The first row of the next page; `None` on the last page.
    pub next: Option<R>,
}

/// Default for `scanned_max` of [`paginate_matching`]: some ten milliseconds of filtering.
pub const PAGE_SCANNED_MAX: usize = 100_000;

/// Takes one page of a filtered listing: up to `per_page` matching rows, out of at most `scanned_max` rows, so
/// that a filter with few matches cannot scan without bound.
///
/// A page may have fewer rows than `per_page`, or none, and still not be the last one: only `next` shows that.
/// It is the first row that was not examined, whether it matches or not.
///
/// ```
/// use statehold_store::paginate_matching;
/// let even = |row: &i32| row % 2 == 0;
/// let page = paginate_matching(1..=9, 2, 100, even);
/// assert_eq!((page.rows, page.next), (vec![2, 4], Some(5)));
/// let page = paginate_matching(5..=9, 2, 2, even);
/// assert_eq!((page.rows, page.next), (vec![6], Some(7)));
/// ```
pub fn paginate_matching<R>(
    listing: impl IntoIterator<Item = R>,
    per_page: usize,
    scanned_max: usize,
    mut matches: impl FnMut(&R) -> bool,
) -> Page<R> {
    let mut listing = listing.into_iter();
    let (mut rows, mut scanned) = (Vec::new(), 0);
    // A page that examines no row would repeat forever.
    let scanned_max = scanned_max.max(1);
    while rows.len() < per_page && scanned < scanned_max {
        let Some(row) = listing.next() else { break };
        scanned += 1;
        if matches(&row) {
            rows.push(row);
        }
    }
    Page { rows, next: listing.next() }
}

/// Takes one page off a listing: `per_page` rows, or all of them when that is `None`.
/// Takes one page of a listing: `per_page` rows, or all rows if it is `None`.
/// ```
/// use statehold_store::paginate;
/// let page = paginate(1..=5, Some(2));
/// assert_eq!((page.rows, page.next), (vec![1, 2], Some(3)));
/// ```
pub fn paginate<R>(listing: impl IntoIterator<Item = R>, per_page: Option<usize>) -> Page<R> {
    let mut listing = listing.into_iter();
    let rows = match per_page {
        Some(per_page) => listing.by_ref().take(per_page).collect(),
        None => listing.by_ref().collect(),
    };
    Page { rows, next: listing.next() }
}
