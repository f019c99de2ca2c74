//! Decoding of claims.

use super::{
    error::DecodeError,
    fields::{Fields, first_value},
};
use crate::{
    modes::{ClaimMode, ClaimState},
    ops::ClaimRequest,
};

/// Decodes a claim. Modes and states are numbers or names.
///
/// # Examples
/// ```
/// use statehold_nomad::{ClaimMode, ClaimState, input::claim_body};
///
/// let claim = claim_body(br#"{"Mode": "write", "State": 4}"#).unwrap();
/// assert_eq!((claim.mode, claim.state), (ClaimMode::Write, ClaimState::Unpublishing));
/// ```
pub fn claim_body(body: &[u8]) -> Result<ClaimRequest, DecodeError> {
    let value = first_value(body)?;
    let fields = Fields::of_body("CSIVolumeClaim", &value)?;
    let mode = fields.number_or_name(
        "Mode",
        |number| ClaimMode::from_number(number).map_err(DecodeError::value),
        |name| name.parse().map_err(|error: crate::UnknownName| DecodeError::value(error)),
    )?;
    let state = fields.number_or_name(
        "State",
        |number| ClaimState::from_number(number).map_err(DecodeError::value),
        |name| name.parse().map_err(|error: crate::UnknownName| DecodeError::value(error)),
    )?;
    Ok(ClaimRequest {
        allocation_id: fields.id("AllocationID")?,
        node_id: fields.id("NodeID")?,
        external_node_id: fields.text("ExternalNodeID")?,
        mode: mode.unwrap_or_default(),
        access_mode: fields.text("AccessMode")?,
        attachment_mode: fields.text("AttachmentMode")?,
        state: state.unwrap_or_default(),
        since: fields.has("Since").then(|| fields.int("Since")).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_quoted_in_the_error() {
        let error = claim_body(br#"{"Mode": "steal"}"#).unwrap_err();
        assert_eq!(error.to_string(), "unknown claim mode: \"steal\"");
        let error = claim_body(br#"{"State": 5}"#).unwrap_err();
        assert_eq!(error.to_string(), "unknown claim state: \"5\"");
    }

    #[test]
    fn an_empty_claim_is_a_new_read_claim() {
        assert_eq!(claim_body(b"{}").unwrap(), ClaimRequest::default());
    }
}
