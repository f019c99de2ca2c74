//! The JSON bodies of errors.
//!
//! Cinder: `cinder/api/openstack/wsgi.py`, `Fault`.

use serde::{Serialize, ser::SerializeMap as _};

/// The body of an error: `{"itemNotFound": {"code": 404, "message": "..."}}`.
///
/// ```
/// use statehold_cinder::{Error, Missing};
/// let error = Error::Missing(Missing::Volume("zzz".into()));
/// assert_eq!(
///     serde_json::to_string(&error.body())?,
///     r#"{"itemNotFound":{"code":404,"message":"Volume zzz could not be found."}}"#,
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody {
    status: u16,
    message: String,
}

impl ErrorBody {
    /// Returns the body of an error that no operation of this crate returns, such as a 405 or 415.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the only key of the body.
    pub fn key(&self) -> &'static str {
        match self.status {
            400 => "badRequest",
            401 => "unauthorized",
            403 => "forbidden",
            404 => "itemNotFound",
            405 => "badMethod",
            409 => "conflictingRequest",
            413 => "overLimit",
            415 => "badMediaType",
            501 => "notImplemented",
            503 => "serviceUnavailable",
            // Cinder has no key for the other statuses, 412 included.
            _ => "computeFault",
        }
    }
}

impl Serialize for ErrorBody {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Inner<'e> {
            code: u16,
            message: &'e str,
            #[serde(rename = "retryAfter", skip_serializing_if = "Option::is_none")]
            retry_after: Option<&'static str>,
        }
        // Cinder: Fault.__call__ adds the header and member of overLimit bodies only.
        let retry_after = (self.status == 413).then_some("0");
        let inner = Inner { code: self.status, message: &self.message, retry_after };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.key(), &inner)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_statuses() {
        let of = |status| ErrorBody::new(status, "x").key();
        assert_eq!([of(400), of(409), of(413)], ["badRequest", "conflictingRequest", "overLimit"]);
        assert_eq!([of(406), of(412), of(500)], ["computeFault"; 3]);
        let over = serde_json::to_string(&ErrorBody::new(413, "m")).unwrap();
        assert_eq!(over, r#"{"overLimit":{"code":413,"message":"m","retryAfter":"0"}}"#);
    }
}
