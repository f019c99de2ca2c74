//! The form of request bodies, stated by one table for each request.
//!
//! Tables are written with the words of [`table`] and the shared [`kinds`]; they stand beside the readers
//! in [`crate::input`]. [`check`] evaluates them with the refusals of the reference. Bodies are closed
//! unless the table leaves them open: an unknown member is refused, so that a typing error is not ignored.
//!
//! Invariant: nothing here recurses further than the table of the operation does.
//! Invariant: a body is neither copied nor changed by its check.
//! Limits: [`TEXT_MAX`] characters of most strings, [`ITEMS_MAX`] items of a list.

mod boolean;
mod check;
pub(crate) mod format;
pub(crate) mod json;
pub(crate) mod kinds;
mod members;
pub(crate) mod printable;
pub(crate) mod table;

use serde_json::Value;

use crate::{errors::Error, version::Microversion};

pub(crate) use self::{
    boolean::{boolean, boolean_text},
    members::{Members, pairs_of},
    table::{Check, Field, Rule, Type, closed},
};

/// The largest size of a volume, in GiB, and the largest number that a body may have.
pub(crate) const SIZE_GIB_MAX: u32 = 2_147_483_647;

/// The maximum number of characters of names, descriptions, keys and values.
pub(crate) const TEXT_MAX: usize = 255;

/// The maximum number of items of a list.
pub(crate) const ITEMS_MAX: usize = 1000;

/// Parses a body and checks it against the table of its request.
///
/// # Errors
/// [`Error::MalformedBody`] for no JSON, else the first failure of the table.
pub(crate) fn parse(body: &[u8], rule: &Rule, version: Microversion) -> Result<Members, Error> {
    let value: Value = serde_json::from_slice(body).map_err(|_| Error::MalformedBody)?;
    rule.check("", &value, version)?;
    match value {
        Value::Object(members) => Ok(Members(members)),
        _ => Err(Error::MalformedBody),
    }
}

/// Like [`parse`], and returns the members of the body's member `key`.
pub(crate) fn parse_member(
    body: &[u8],
    key: &str,
    rule: &Rule,
    version: Microversion,
) -> Result<Members, Error> {
    match parse(body, rule, version)?.0.remove(key) {
        Some(Value::Object(members)) => Ok(Members(members)),
        _ => Err(Error::MalformedBody),
    }
}
