//! Errors of the version header.
//!
//! Cinder: `cinder/exception.py`, `InvalidAPIVersionString` and `InvalidGlobalAPIVersion`.

use std::fmt;

/// The last minor version of the API; [`Microversion::MAX`](crate::Microversion::MAX) is its version.
pub(crate) const MINOR_MAX: u16 = 71;

/// An error in the version header.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersionError {
    /// The header has no item for this service.
    OtherService,
    /// The version is not `major.minor`.
    Format {
        /// The version as sent.
        text: Box<str>,
    },
    /// The version is not supported.
    Range {
        /// The version as sent.
        text: Box<str>,
    },
}

impl VersionError {
    /// Returns the HTTP status: 400, or 406 for a version out of range.
    pub fn status(&self) -> u16 {
        match self {
            Self::OtherService | Self::Format { .. } => 400,
            Self::Range { .. } => 406,
        }
    }
}

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherService => f.write_str(super::MALFORMED),
            Self::Format { text } => write!(
                f,
                "API Version String {text} is of invalid format. Must be of format \
                 MajorNum.MinorNum."
            ),
            Self::Range { text } => write!(
                f,
                "Version {text} is not supported by the API. Minimum is 3.0 and maximum is \
                 3.{MINOR_MAX}."
            ),
        }
    }
}

impl std::error::Error for VersionError {}
