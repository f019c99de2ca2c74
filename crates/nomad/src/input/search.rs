//! Decoding of searches.

use super::{
    bodies::SearchBody,
    error::DecodeError,
    fields::{Fields, first_value},
};

/// Decodes a search, by the prefix of IDs or by a part of names.
///
/// # Examples
/// ```
/// use statehold_nomad::input::search_body;
///
/// let body = search_body(br#"{"Prefix": "a8", "Context": "nodes"}"#).unwrap();
/// assert_eq!((&*body.prefix, &*body.context), ("a8", "nodes"));
/// ```
pub fn search_body(body: &[u8]) -> Result<SearchBody, DecodeError> {
    let value = first_value(body)?;
    let fields = Fields::of_body("SearchRequest", &value)?;
    Ok(SearchBody {
        prefix: fields.text("Prefix")?,
        text: fields.text("Text")?,
        context: fields.text("Context")?,
        namespace: fields.text("Namespace")?,
    })
}
