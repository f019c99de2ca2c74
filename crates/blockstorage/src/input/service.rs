//! Bodies about services.

use serde_json::Value;

use crate::{
    error::Error,
    id::parse_id,
    ops::StuckFilter,
    rows::WorkTarget,
    schema::{Form, Members, Rule, TEXT_MAX},
};

const TEXT: Rule = Rule::Text { min: 0, null: true };

/// What is to be done with services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceRequest {
    /// Where.
    pub host: Option<Box<str>>,
    /// What they do.
    pub binary: Option<Box<str>>,
    /// The same by an older name.
    pub service: Option<Box<str>>,
    /// Why.
    pub disabled_reason: Option<Box<str>>,
    /// Where log lines come from.
    pub prefix: Option<Box<str>>,
    /// How much is to be logged.
    pub level: Option<Box<str>>,
}

impl ServiceRequest {
    /// Where it is to be done.
    ///
    /// # Errors
    /// [`Error`] with the status 400 when that isn't said.
    pub fn host(&self) -> Result<&str, Error> {
        let host = self.host.as_deref().filter(|host| !host.is_empty());
        host.ok_or_else(|| Error::input("Host field is missing."))
    }

    /// What the service does to which it is to be done.
    ///
    /// # Errors
    /// [`Error`] with the status 400 when that isn't said.
    pub fn binary(&self) -> Result<&str, Error> {
        let binary = self.binary.as_deref().or(self.service.as_deref());
        binary
            .filter(|binary| !binary.is_empty())
            .ok_or_else(|| Error::input("Binary or service field is missing."))
    }

    /// Why it is to be done.
    ///
    /// # Errors
    /// [`Error`] with the status 400 when that isn't said, or with too many words.
    pub fn reason(&self) -> Result<&str, Error> {
        let reason = self
            .disabled_reason
            .as_deref()
            .map(str::trim)
            .filter(|reason| (1..=TEXT_MAX).contains(&reason.chars().count()));
        reason.ok_or_else(|| {
            Error::input("Disabled reason contains invalid characters or is too long.")
        })
    }
}

fn object(body: &[u8], form: &Form) -> Result<Members, Error> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Error::MalformedBody)?;
    form.check("", &body)?;
    match body {
        Value::Object(members) => Ok(Members(members)),
        _ => Err(Error::MalformedBody),
    }
}

/// Reads the body of a request about services.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn service_request(body: &[u8]) -> Result<ServiceRequest, Error> {
    const FORM: Form = Form::new(&[
        ("host", TEXT),
        ("binary", TEXT),
        ("service", TEXT),
        ("disabled_reason", Rule::LongText),
        ("prefix", TEXT),
        ("server", TEXT),
        ("level", TEXT),
    ])
    .open(true);
    let members = object(body, &FORM)?;
    Ok(ServiceRequest {
        host: members.text("host"),
        binary: members.text("binary"),
        service: members.text("service"),
        disabled_reason: members.text("disabled_reason"),
        prefix: members.text("prefix"),
        level: members.text("level"),
    })
}

/// Reads the body of a request about a cluster: its name, and what its services do.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn cluster_request(body: &[u8]) -> Result<(Box<str>, Option<Box<str>>), Error> {
    const FORM: Form =
        Form::new(&[("name", Rule::Name), ("binary", TEXT), ("disabled_reason", TEXT)])
            .required(&["name"]);
    let members = object(body, &FORM)?;
    Ok((members.text("name").unwrap_or_default(), members.text("binary")))
}

/// What is to be settled, and on which services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanupRequest {
    /// Which volumes and snapshots.
    pub filter: StuckFilter,
    /// On which host, or back end.
    pub host: Option<Box<str>>,
    /// On which service, by binary.
    pub binary: Option<Box<str>>,
    /// On which cluster; there are none.
    pub cluster: Option<Box<str>>,
    /// Whether on services that are disabled, or on others.
    pub disabled: Option<bool>,
    /// Whether on services that are up, or on others.
    pub is_up: Option<bool>,
}

/// Reads the body of a request to `/workers/cleanup`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn cleanup_request(body: &[u8]) -> Result<CleanupRequest, Error> {
    const FORM: Form = Form::new(&[
        ("cluster_name", TEXT),
        ("host", TEXT),
        ("service_id", Rule::Any),
        ("binary", TEXT),
        ("disabled", Rule::Bool),
        ("is_up", Rule::Bool),
        ("resource_type", TEXT),
        ("resource_id", Rule::Id { null: true }),
    ]);
    let members = object(body, &FORM)?;
    let kind = members.text("resource_type").map(|text| kind_of(&text)).transpose()?;
    Ok(CleanupRequest {
        filter: StuckFilter {
            kind,
            id: members.text("resource_id").and_then(|text| parse_id(&text)),
        },
        host: members.text("host"),
        binary: members.text("binary"),
        cluster: members.text("cluster_name"),
        disabled: members.bool("disabled"),
        is_up: members.bool("is_up"),
    })
}

fn kind_of(text: &str) -> Result<WorkTarget, Error> {
    match &*text.to_lowercase() {
        "volume" => Ok(WorkTarget::Volume),
        "snapshot" => Ok(WorkTarget::Snapshot),
        text => {
            let mut letters = text.chars();
            let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
            let named = first + letters.as_str();
            Err(Error::input(format!(
                "Resource type {named} not valid, must be Snapshot or Volume"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_those_that_clients_know() {
        let request = service_request(br#"{"binary": "cinder-volume"}"#).unwrap();
        assert_eq!(
            request.host().unwrap_err().to_string(),
            "Invalid input received: Host field is missing."
        );
        assert!(request.binary().is_ok() && request.reason().is_err());
        let error = cleanup_request(br#"{"resource_type": "zz"}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Invalid input received: Resource type Zz not valid, must be Snapshot or Volume"
        );
        assert_eq!(cleanup_request(b"{}").unwrap(), CleanupRequest::default());
        assert_eq!(cleanup_request(b"[]").unwrap_err().status(), 400);
    }
}
