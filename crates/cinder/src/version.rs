//! Microversions: the edition of the API that a request uses.
//!
//! Every member and parameter that is younger than 3.0 depends on the version, so the version is
//! negotiated first and passed to the code that reads and writes bodies.

use std::fmt;

use crate::errors::{MINOR_MAX, VersionError};

/// The service type that the version header MUST name.
const SERVICE: &str = "volume";

/// An edition of the API: 3.0 to 3.71.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Microversion(u16);

impl Microversion {
    /// The first version, for requests without the header.
    pub const MIN: Self = Self(0);

    /// The last version, which `latest` selects.
    pub const MAX: Self = Self(MINOR_MAX);

    /// Returns the version `3.minor`, at most [`Microversion::MAX`].
    ///
    /// ```
    /// use statehold_cinder::Microversion;
    /// assert_eq!(Microversion::new(27).to_string(), "3.27");
    /// assert_eq!(Microversion::new(999), Microversion::MAX);
    /// ```
    pub const fn new(minor: u16) -> Self {
        if minor > Self::MAX.0 { Self::MAX } else { Self(minor) }
    }

    /// Returns whether this version is `3.minor` or later.
    pub const fn at_least(self, minor: u16) -> bool {
        self.0 >= minor
    }

    /// Returns the version that the value of the header `OpenStack-API-Version` requests.
    ///
    /// The value is a comma-separated list; its first item for the service `volume` counts. A
    /// request without the header gets [`Microversion::MIN`].
    ///
    /// # Errors
    /// [`VersionError`], which has the status 400 or 406.
    ///
    /// ```
    /// use statehold_cinder::Microversion;
    /// assert_eq!(Microversion::negotiate(None)?, Microversion::MIN);
    /// assert_eq!(Microversion::negotiate(Some("compute 2.1, volume 3.27"))?.to_string(), "3.27");
    /// assert_eq!(Microversion::negotiate(Some("volume latest"))?, Microversion::MAX);
    /// let error = Microversion::negotiate(Some("volume 3.72")).unwrap_err();
    /// assert_eq!(error.status(), 406);
    /// # Ok::<(), statehold_cinder::VersionError>(())
    /// ```
    pub fn negotiate(header: Option<&str>) -> Result<Self, VersionError> {
        let Some(header) = header else { return Ok(Self::MIN) };
        // Cinder: cinder/api/openstack/wsgi.py, Request.set_api_version_request.
        let item = header.split(',').find(|item| item.contains(SERVICE));
        let mut words = item.ok_or(VersionError::OtherService)?.split_whitespace();
        let (Some(SERVICE), Some(text)) = (words.next(), words.next()) else {
            return Err(VersionError::OtherService);
        };
        if text == "latest" {
            return Ok(Self::MAX);
        }
        let format = || VersionError::Format { text: text.into() };
        let (major, minor) = text.split_once('.').ok_or_else(format)?;
        // Cinder: cinder/api/openstack/api_version_request.py, APIVersionRequest allows no leading
        // zeros.
        if !is_number(major) || major == "0" || !is_number(minor) {
            return Err(format());
        }
        // A number too large for `u16` is out of range, too.
        match (major, minor.parse::<u16>()) {
            ("3", Ok(minor)) if minor <= Self::MAX.0 => Ok(Self(minor)),
            _ => Err(VersionError::Range { text: text.into() }),
        }
    }
}

/// Returns whether `text` is a decimal number without leading zeros.
fn is_number(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
}

impl fmt::Display for Microversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "3.{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_and_unsupported_versions_are_rejected() {
        for text in ["3", "foo", "3.07", "03.1", "3.", ".1", "3.1.2", "-3.1", "0.1"] {
            let error = Microversion::negotiate(Some(&format!("volume {text}"))).unwrap_err();
            assert_eq!(error, VersionError::Format { text: text.into() }, "{text}");
        }
        for text in ["2.0", "4.0", "3.72", "3.99999999999999999999"] {
            let error = Microversion::negotiate(Some(&format!("volume {text}"))).unwrap_err();
            assert_eq!(error.status(), 406, "{text}");
        }
        for header in ["compute 2.1", "", "volume", "volumes 3.1"] {
            let error = Microversion::negotiate(Some(header)).unwrap_err();
            assert_eq!(error, VersionError::OtherService, "{header}");
        }
    }
}
