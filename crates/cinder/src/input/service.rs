//! Bodies about services.

use super::{Action, find_action};
use crate::{
    errors::Error,
    ops::StuckFilter,
    rows::WorkTarget,
    schema::{
        Check, Field, Rule, closed,
        format::Format,
        kinds::{
            BOOLEAN, BRACKET_HOST, HOST, NAME, SERVICE_ID, STRING, STRING_OR_NULL, TEXT_1,
            TEXT_OR_NULL, UUID_OR_NULL,
        },
        parse,
    },
    version::Microversion,
};

/// The version in which clusters could be frozen and failed over.
const CLUSTER_SINCE: u16 = 26;

/// A request about services, or about the log of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceRequest {
    /// The host.
    pub host: Option<Box<str>>,
    /// The cluster.
    pub cluster: Option<Box<str>>,
    /// The binary of the service.
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
    /// Returns the host.
    ///
    /// # Errors
    /// [`Error`] with the status 400 when the body has none.
    pub fn host(&self) -> Result<&str, Error> {
        let host = self.host.as_deref().filter(|host| !host.is_empty());
        host.ok_or_else(|| Error::input("Host field is missing."))
    }

    /// Returns the host of a request that may name a cluster in its place.
    /// Cinder: `cinder/api/common.py`, `get_cluster_host`.
    ///
    /// # Errors
    /// [`Error`] with the status 400 for neither or both, and for a cluster, of which there is none.
    pub fn host_or_cluster(&self, version: Microversion) -> Result<&str, Error> {
        if !version.at_least(CLUSTER_SINCE) {
            return self.host();
        }
        let host = self.host.as_deref().filter(|host| !host.is_empty());
        let cluster = self.cluster.as_deref().filter(|cluster| !cluster.is_empty());
        match (host, cluster) {
            (Some(host), None) => Ok(host),
            (None, Some(name)) => {
                Err(Error::request(format!("No service found with cluster={name}")))
            }
            _ => Err(Error::input("One and only one of cluster and host must be set.")),
        }
    }

    /// Returns the binary of the service.
    ///
    /// # Errors
    /// [`Error`] with the status 400 when the body has none.
    pub fn binary(&self) -> Result<&str, Error> {
        let binary = self.binary.as_deref().or(self.service.as_deref());
        binary
            .filter(|binary| !binary.is_empty())
            .ok_or_else(|| Error::input("Binary or service field is missing."))
    }
}

/// `PUT /os-services/enable` and `disable`.
// Cinder: cinder/api/schemas/services.py.
pub(super) const ENABLE: Rule = closed(&[
    Check::Fields(&[
        Field::new("binary", TEXT_1),
        Field::new("host", BRACKET_HOST),
        Field::new("cluster", TEXT_OR_NULL),
        Field::new("service", TEXT_1),
    ]),
    Check::AnyOf(&["binary", "service"]),
    Check::Closed,
]);

/// `PUT /os-services/disable-log-reason`.
// Cinder: cinder/api/schemas/services.py.
pub(super) const DISABLE_FOR: Rule = closed(&[
    Check::Fields(&[
        Field::new("binary", TEXT_1),
        Field::new("host", BRACKET_HOST),
        Field::new("cluster", TEXT_OR_NULL),
        Field::new("service", TEXT_1),
        Field::new(
            "disabled_reason",
            Rule {
                types: STRING,
                checks: &[Check::MinChars(1), Check::MaxChars(255), Check::Format(Format::Reason)],
            },
        ),
    ]),
    Check::AnyOf(&["binary", "service"]),
    Check::Closed,
]);

/// `PUT /os-services/freeze` and `thaw`.
// Cinder: cinder/api/schemas/services.py.
pub(super) const FREEZE: Rule = closed(&[
    Check::Fields(&[Field::new("cluster", TEXT_OR_NULL), Field::new("host", BRACKET_HOST)]),
    Check::Closed,
]);

/// `PUT /os-services/failover_host` and `failover`.
// Cinder: cinder/api/schemas/services.py.
pub(super) const FAILOVER: Rule = closed(&[
    Check::Fields(&[
        Field::new("host", BRACKET_HOST),
        Field::new("backend_id", TEXT_OR_NULL),
        Field::new("cluster", TEXT_OR_NULL),
    ]),
    Check::Closed,
]);

const LOG_BINARY: Rule = Rule {
    types: STRING,
    checks: &[Check::OneOf(&[
        "cinder-scheduler",
        "cinder-volume",
        "cinder-backup",
        "cinder-api",
        "",
        "*",
    ])],
};

/// `PUT /os-services/set-log`.
// Cinder: cinder/api/schemas/services.py.
pub(super) const SET_LOG: Rule = closed(&[
    Check::Fields(&[
        Field::new("binary", LOG_BINARY),
        Field::new("server", TEXT_OR_NULL),
        Field::new("prefix", TEXT_OR_NULL),
        Field::new(
            "level",
            Rule { types: STRING_OR_NULL, checks: &[Check::Format(Format::Level)] },
        ),
    ]),
    Check::Closed,
]);

/// `PUT /os-services/get-log`.
// Cinder: cinder/api/schemas/services.py.
pub(super) const GET_LOG: Rule = closed(&[
    Check::Fields(&[
        Field::new("binary", LOG_BINARY),
        Field::new("server", TEXT_OR_NULL),
        Field::new("prefix", TEXT_OR_NULL),
    ]),
    Check::Closed,
]);

/// The actions on services, which paths name.
pub(super) const ACTIONS: &[Action] = &[
    Action::new("enable", &ENABLE),
    Action::new("disable", &ENABLE),
    Action::new("disable-log-reason", &DISABLE_FOR),
    Action::new("freeze", &FREEZE),
    Action::new("thaw", &FREEZE),
    Action::new("failover_host", &FAILOVER),
    Action::since("failover", CLUSTER_SINCE, &FAILOVER),
    Action::since("set-log", 32, &SET_LOG),
    Action::since("get-log", 32, &GET_LOG),
];

/// Reads the body of a request about services; `action` is the last segment of its path.
///
/// # Errors
/// [`Error`] with the status 400, also for an unknown action and for one of a later version.
pub fn service_request(
    action: &str,
    body: &[u8],
    version: Microversion,
) -> Result<ServiceRequest, Error> {
    let found = find_action(action, ACTIONS, version);
    let action = found.map_err(|_| Error::input("Unknown action"))?;
    let members = parse(body, action.rule, version)?;
    Ok(ServiceRequest {
        host: members.text("host"),
        cluster: members.text("cluster"),
        binary: members.text("binary"),
        service: members.text("service"),
        disabled_reason: members.trimmed("disabled_reason"),
        prefix: members.text("prefix"),
        level: members.text("level"),
    })
}

/// `PUT /clusters/enable`.
// Cinder: cinder/api/schemas/clusters.py.
pub(super) const ENABLE_CLUSTER: Rule = closed(&[
    Check::Fields(&[Field::required("name", NAME), Field::new("binary", TEXT_OR_NULL)]),
    Check::Closed,
]);

/// `PUT /clusters/disable`.
// Cinder: cinder/api/schemas/clusters.py.
pub(super) const DISABLE_CLUSTER: Rule = closed(&[
    Check::Fields(&[
        Field::required("name", NAME),
        Field::new("binary", TEXT_OR_NULL),
        Field::new(
            "disabled_reason",
            Rule { types: STRING_OR_NULL, checks: &[Check::Format(Format::Reason)] },
        ),
    ]),
    Check::Closed,
]);

/// The actions on clusters, which paths name.
pub(super) const CLUSTER_ACTIONS: &[Action] =
    &[Action::new("enable", &ENABLE_CLUSTER), Action::new("disable", &DISABLE_CLUSTER)];

/// Reads the body of a request about a cluster: its name, and the binary of its services. `enable` is
/// the action; else it is disabled.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn cluster_request(enable: bool, body: &[u8]) -> Result<(Box<str>, Option<Box<str>>), Error> {
    let rule = if enable { &ENABLE_CLUSTER } else { &DISABLE_CLUSTER };
    let members = parse(body, rule, Microversion::MAX)?;
    Ok((members.text("name").unwrap_or_default(), members.text("binary")))
}

/// The resources to clean up, and their services.
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
    /// Whether the request names a host, a cluster or a service.
    pub is_located: bool,
    /// Whether on services that are disabled, or on others.
    pub disabled: Option<bool>,
    /// Whether on services that are up, or on others.
    pub is_up: Option<bool>,
}

/// `POST /workers/cleanup`.
// Cinder: cinder/api/schemas/workers.py.
pub(super) const CLEANUP: Rule = closed(&[
    Check::Fields(&[
        Field::new("cluster_name", HOST),
        Field::new("disabled", BOOLEAN),
        Field::new("host", HOST),
        Field::new("is_up", BOOLEAN),
        Field::new(
            "binary",
            Rule { types: &[], checks: &[Check::OneOf(&["cinder-volume", "cinder-scheduler"])] },
        ),
        Field::new("resource_id", UUID_OR_NULL),
        Field::new("resource_type", Rule { types: STRING_OR_NULL, checks: &[Check::MaxChars(40)] }),
        Field::new("service_id", SERVICE_ID),
    ]),
    Check::Closed,
]);

/// Reads the body of a request to `/workers/cleanup`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn cleanup_request(body: &[u8]) -> Result<CleanupRequest, Error> {
    let members = parse(body, &CLEANUP, Microversion::MAX)?;
    // The reference takes the empty string for none.
    let kind = members.lower("resource_type").map(|text| kind_of(&text)).transpose()?;
    Ok(CleanupRequest {
        filter: StuckFilter { kind, id: members.id("resource_id") },
        host: members.text("host"),
        binary: members.text("binary"),
        cluster: members.text("cluster_name"),
        is_located: ["host", "cluster_name", "service_id"].iter().any(|key| members.has(key)),
        disabled: members.bool("disabled"),
        is_up: members.bool("is_up"),
    })
}

fn kind_of(text: &str) -> Result<WorkTarget, Error> {
    match text {
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
    fn refusals_match_cinder() {
        let request =
            service_request("enable", br#"{"binary": "cinder-volume"}"#, Microversion::MAX)
                .unwrap();
        assert_eq!(
            request.host().unwrap_err().to_string(),
            "Invalid input received: Host field is missing."
        );
        assert!(request.binary().is_ok());
        let error = cleanup_request(br#"{"resource_type": "zz"}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Invalid input received: Resource type Zz not valid, must be Snapshot or Volume"
        );
        assert_eq!(cleanup_request(b"{}").unwrap(), CleanupRequest::default());
        assert_eq!(cleanup_request(b"[]").unwrap_err().status(), 400);
    }
}
