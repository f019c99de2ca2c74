//! The list of volume types: which of them a caller is shown.

use statehold_filter::Filter;
use statehold_store::ReadView;

use super::{ListRequest, Listing, list};
use crate::{
    caller::Caller, error::Error, rows::VolumeType, schema::boolean_text, version::Microversion,
};

/// From this version on types are filtered by what their volumes have to be like.
const SPECS_SINCE: u16 = 52;

/// Reads a page of the volume types that the caller may use. Admins see the public ones, or others by
/// `is_public`.
///
/// `goes_on` is asked for each row; once it returns `false` the page lacks rows, and MUST be refused.
///
/// # Errors
/// [`Error`] with the status 400 or 404.
pub fn list_types<'v>(
    view: &'v impl ReadView,
    parameters: &[(String, String)],
    caller: &Caller,
    version: Microversion,
    filter: Option<&Filter<VolumeType>>,
    goes_on: impl Fn() -> bool,
) -> Result<Listing<'v, VolumeType>, Error> {
    let public = if caller.is_admin() { asked_public(parameters)? } else { None };
    let taken =
        |key: &str| key == "is_public" || (key == "extra_specs" && !version.at_least(SPECS_SINCE));
    let others: Vec<_> = parameters.iter().filter(|(key, _)| !taken(key)).cloned().collect();
    let request = ListRequest::parse::<VolumeType>(&others, caller, version)?;
    list::<VolumeType>(view, &request, filter, |row| {
        if !goes_on() {
            false
        } else if caller.is_admin() {
            public.is_none_or(|public| row.is_public == public)
        } else {
            row.is_open_to(view, &caller.project)
        }
    })
}

/// Whether public types are asked for, or others; none is both. Without `is_public` public ones are.
///
/// # Errors
/// [`Error`] with the status 400 for what is neither true nor false nor `None`.
pub fn asked_public(parameters: &[(String, String)]) -> Result<Option<bool>, Error> {
    let asked = parameters.iter().rev().find(|(key, _)| key == "is_public");
    match asked.map(|(_, value)| value.trim()) {
        None => Ok(Some(true)),
        Some("None" | "none") => Ok(None),
        Some(text) => boolean_text(text)
            .map(Some)
            .ok_or_else(|| Error::request(format!("Invalid is_public filter [{text}]"))),
    }
}
