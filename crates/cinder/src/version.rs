//! Microversions: which edition of the API a request speaks.
//!
//! Every member and every parameter that came after 3.0 is gated by one number, so a version is
//! negotiated first and passed to whatever reads or writes a body.

use std::fmt;

/// What a request has to name in the version header.
const SERVICE: &str = "volume";

/// An edition of the API: 3.0 to 3.71.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Microversion(u16);

impl Microversion {
    /// The first one, which is what a request without the header speaks.
    pub const MIN: Self = Self(0);

    /// The last one, which is what `latest` means.
    pub const MAX: Self = Self(71);

    /// The version `3.minor`, at most [`Microversion::MAX`].
    ///
    /// ```
    /// use statehold_cinder::Microversion;
    /// assert_eq!(Microversion::new(27).to_string(), "3.27");
    /// assert_eq!(Microversion::new(999), Microversion::MAX);
    /// ```
    pub const fn new(minor: u16) -> Self {
        if minor > Self::MAX.0 { Self::MAX } else { Self(minor) }
    }

    /// Whether this is `3.minor` or later.
    pub const fn at_least(self, minor: u16) -> bool {
        self.0 >= minor
    }

    /// The version that the value of the header `OpenStack-API-Version` asks for.
    ///
    /// The value is a list with commas; its first item that speaks of volumes counts. Without a
    /// header a request speaks [`Microversion::MIN`].
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
        if !is_number(major) || major == "0" || !is_number(minor) {
            return Err(format());
        }
        // What has too many digits is out of range as well.
        match (major, minor.parse::<u16>()) {
            ("3", Ok(minor)) if minor <= Self::MAX.0 => Ok(Self(minor)),
            _ => Err(VersionError::Range { text: text.into() }),
        }
    }
}

/// Digits without zeros before them.
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

/// Why the version header can't be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersionError {
    /// The header has no item about volumes.
    OtherService,
    /// The version isn't two numbers with a dot.
    Format {
        /// The version as it was sent.
        text: Box<str>,
    },
    /// The version is not among those that are spoken here.
    Range {
        /// The version as it was sent.
        text: Box<str>,
    },
}

impl VersionError {
    /// The HTTP status of the answer: 400, or 406 for a version out of range.
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
            Self::OtherService => f.write_str(crate::error::MALFORMED),
            Self::Format { text } => write!(
                f,
                "API Version String {text} is of invalid format. Must be of format \
                 MajorNum.MinorNum."
            ),
            Self::Range { text } => write!(
                f,
                "Version {text} is not supported by the API. Minimum is {} and maximum is {}.",
                Microversion::MIN,
                Microversion::MAX
            ),
        }
    }
}

impl std::error::Error for VersionError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_clients_get_wrong_are_refused() {
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
