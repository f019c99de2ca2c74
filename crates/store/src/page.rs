//! Pages of a listing, resumed by opaque tokens.
//!
//! A token holds the key of the next row, so the next page is a seek, and a row that is gone by
//! then costs nothing: the listing goes on at the one after it. Writes between two pages neither
//! repeat nor skip a row that was there throughout.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::key::{KEY_LEN_MAX, Key, KeyBuf, Ref};

/// The version of the tokens that this build writes.
const VERSION: u8 = 1;

/// Bytes of a token before the key: the version and the listing's tag.
const HEAD: usize = 1 + 4;

/// Where a listing goes on. Clients pass it back as they got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken(String);

impl PageToken {
    /// The token for the row with the key `next` of the listing called `listing`.
    ///
    /// Call a listing by all that tells it from others: what is listed, its order, its filter. The name
    /// is not in the token, only a checksum of it: a token of one listing is refused by another.
    pub fn new<K: Key>(listing: &str, next: Ref<'_, K>) -> Self {
        let key = KeyBuf::of::<K>(next);
        let mut bytes = Vec::with_capacity(HEAD + key.as_slice().len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&tag(listing));
        bytes.extend_from_slice(key.as_slice());
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The text of the token, safe in URLs and headers.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that a token's text holds.
    ///
    /// # Errors
    /// [`TokenError`] when the text is not a token, or not one of this listing.
    ///
    /// ```
    /// use statehold_store::{PageToken, TokenError};
    /// let token = PageToken::new::<(String, String)>("volumes", ("default", "vol-7"));
    /// assert_eq!(
    ///     PageToken::parse::<(String, String)>("volumes", token.as_str())?,
    ///     ("default".to_string(), "vol-7".to_string()),
    /// );
    /// assert!(PageToken::parse::<(String, String)>("plugins", token.as_str()).is_err());
    /// # Ok::<(), TokenError>(())
    /// ```
    pub fn parse<K: Key>(listing: &str, text: &str) -> Result<K, TokenError> {
        if text.len() > (HEAD + KEY_LEN_MAX) * 2 {
            return Err(TokenError::Unreadable);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Unreadable)?;
        let (head, mut key) = bytes.split_at_checked(HEAD).ok_or(TokenError::Unreadable)?;
        let (version, listed) = head.split_first().ok_or(TokenError::Unreadable)?;
        if *version != VERSION {
            return Err(TokenError::Unreadable);
        }
        if listed != tag(listing) {
            return Err(TokenError::OtherListing);
        }
        K::decode(&mut key).filter(|_| key.is_empty()).ok_or(TokenError::Unreadable)
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

/// Why a text is no token of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// The text is not a token.
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
    /// The rows, at most as many as were asked for.
    pub rows: Vec<R>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<R>,
}

/// Rows that [`paginate_matching`] should look at for one page at the most, for callers without a
/// reason for another number: some ten milliseconds of filtering.
pub const PAGE_SCANNED_MAX: usize = 100_000;

/// Takes one page off a listing that is filtered: up to `per_page` rows that match, out of `scanned_max`
/// rows at the most, so that a filter that matches almost nothing can't keep a page forever.
///
/// A page may have fewer rows than asked for, or none, and still not be the last one: only `next` tells.
/// It is the first row that was not looked at, whether it matches or not.
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
    // A page that looks at nothing would never end.
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
///
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
