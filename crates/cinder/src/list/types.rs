//! The list of volume types.

use statehold_filter::Filter;
use statehold_store::ReadView;

use super::{ListPage, ListRequest, list};
use crate::{
    caller::Caller, errors::Error, rows::VolumeType, schema::boolean_text, version::Microversion,
};

/// First version with a filter by `extra_specs`.
const SPECS_SINCE: u16 = 52;

/// Returns a page of the volume types that the caller may use. Admins see all types, or those that
/// `is_public` selects.
///
/// `keep_going` is called for each row; once it returns `false` the page is incomplete, and the
/// caller MUST reject the request.
///
/// # Errors
/// [`Error`] with the status 400 or 404.
pub fn list_types<'v>(
    view: &'v impl ReadView,
    parameters: &[(String, String)],
    caller: &Caller,
    version: Microversion,
    filter: Option<&Filter<VolumeType>>,
    keep_going: impl Fn() -> bool,
) -> Result<ListPage<'v, VolumeType>, Error> {
    let public = if caller.is_admin() { parse_is_public(parameters)? } else { None };
    let taken =
        |key: &str| key == "is_public" || (key == "extra_specs" && !version.at_least(SPECS_SINCE));
    let others: Vec<_> = parameters.iter().filter(|(key, _)| !taken(key)).cloned().collect();
    let request = ListRequest::parse::<VolumeType>(&others, caller, version)?;
    list::<VolumeType>(view, &request, filter, |row| {
        if !keep_going() {
            // Rows read after the interruption are skipped at once, so that the scan ends soon.
            false
        } else if caller.is_admin() {
            public.is_none_or(|public| row.is_public == public)
        } else {
            row.is_open_to(view, &caller.project)
        }
    })
}

/// Returns whether public or private types are requested; none is both. The default is public.
///
/// # Errors
/// [`Error`] with the status 400 if the value is neither a boolean nor `None`.
pub fn parse_is_public(parameters: &[(String, String)]) -> Result<Option<bool>, Error> {
    let asked = parameters.iter().rev().find(|(key, _)| key == "is_public");
    match asked.map(|(_, value)| value.trim()) {
        None => Ok(Some(true)),
        Some("None" | "none") => Ok(None),
        Some(text) => boolean_text(text)
            .map(Some)
            .ok_or_else(|| Error::request(format!("Invalid is_public filter [{text}]"))),
    }
}
