//! The client of the identity service: Keystone's API, version 3.
//!
//! A token validates itself: it is sent both as the subject and as the credential, which Keystone's default policy
//! allows. The server therefore needs no credentials of its own.
//!
//! Limits: [`REPLY_MAX`], [`VALIDATIONS_MAX`], [`TOKEN_LEN_MAX`], and those of [`KeystoneOptions`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use statehold_cinder::{Caller, Role};
use tokio::sync::Semaphore;

use crate::auth::Unauthenticated;
use crate::auth::cache::{CacheLimits, TokenCache, Validated};
use statehold_server_core::clock::now;

/// Maximum length of a reply, in bytes.
const REPLY_MAX: usize = 1 << 20;

/// Maximum number of concurrent validations. Further ones wait, within [`KeystoneOptions::wait_max`].
const VALIDATIONS_MAX: usize = 32;

/// Maximum length of a token, in bytes. A longer one is invalid.
const TOKEN_LEN_MAX: usize = 8 << 10;

/// The time after which an idle connection is closed.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// The URL of an identity service: `http://HOST[:PORT][/PATH]`, with or without a trailing `/v3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityUrl(Box<str>);

impl std::str::FromStr for IdentityUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Uri = text.parse().map_err(|error| format!("invalid URL: {error}"))?;
        match url.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(
                    "https is not supported; run a proxy on this machine that connects with it, \
                            and pass the proxy's http:// URL"
                        .to_owned(),
                );
            }
            _ => return Err("wanted http://HOST[:PORT][/PATH]".to_owned()),
        }
        let authority = url.authority().filter(|authority| !authority.as_str().contains('@'));
        let Some(authority) = authority.filter(|_| url.query().is_none()) else {
            return Err("wanted http://HOST[:PORT][/PATH] without a user or a query".to_owned());
        };
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/v3").unwrap_or(path);
        Ok(Self(format!("http://{authority}{path}/v3").into()))
    }
}

/// The options of the client of the identity service.
#[derive(Clone, Debug)]
pub struct KeystoneOptions {
    /// The base URL of the identity service.
    pub url: IdentityUrl,
    /// Maximum number of validated tokens in the cache.
    pub tokens_max: usize,
    /// The time for which a validated token is cached, at most until it expires.
    pub ttl: Duration,
    /// Maximum time of a validation.
    pub wait_max: Duration,
    /// The role of services that act for users, in lower case.
    pub service_role: Box<str>,
    /// Whether every caller counts as the compute service, because the cloud has none.
    pub no_compute: bool,
}

/// An identity service, with the cache of validated tokens.
pub struct Keystone {
    url: IdentityUrl,
    wait_max: Duration,
    service_role: Box<str>,
    pub(crate) no_compute: bool,
    client: Client<HttpConnector, Body>,
    validations: Semaphore,
    cache: TokenCache,
}

impl fmt::Debug for Keystone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keystone").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Keystone {
    /// Creates a client of the identity service that `options` name. It connects with the first token.
    pub fn new(options: &KeystoneOptions) -> Self {
        let ttl_ns = i64::try_from(options.ttl.as_nanos()).unwrap_or(i64::MAX);
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(options.wait_max));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(VALIDATIONS_MAX)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self {
            url: options.url.clone(),
            wait_max: options.wait_max,
            service_role: options.service_role.clone(),
            no_compute: options.no_compute,
            client,
            validations: Semaphore::new(VALIDATIONS_MAX),
            cache: TokenCache::new(CacheLimits { tokens_max: options.tokens_max, ttl_ns }),
        }
    }

    /// Returns the URL at which clients get tokens.
    pub(crate) fn uri(&self) -> &str {
        &self.url.0
    }

    /// Returns the caller of a token, validated or from the cache.
    pub(crate) async fn caller(&self, token: &str) -> Result<Arc<Caller>, Unauthenticated> {
        let valid = !token.is_empty() && token.len() <= TOKEN_LEN_MAX;
        let mut header =
            HeaderValue::from_str(token).ok().filter(|_| valid).ok_or(Unauthenticated::Token)?;
        header.set_sensitive(true);
        let validate = || async {
            let validated = tokio::time::timeout(self.wait_max, self.validate(header)).await;
            validated.unwrap_or_else(|_| {
                let wait_max = self.wait_max;
                tracing::error!("the identity service did not reply within {wait_max:?}");
                Err(Unauthenticated::Service)
            })
        };
        self.cache.get(token, now, validate).await
    }

    /// Returns whether a service token has the role of a service. The token is validated, and cached, like a user's.
    pub(crate) async fn is_service(&self, token: &str) -> Result<bool, Unauthenticated> {
        Ok(self.caller(token).await?.has_role(&self.service_role))
    }

    async fn validate(&self, token: HeaderValue) -> Result<Validated, Unauthenticated> {
        let down = |error: &dyn fmt::Display| {
            tracing::error!(%error, "the identity service is unavailable");
            Unauthenticated::Service
        };
        let permit = self.validations.acquire().await.map_err(|error| down(&error))?;
        let request = Request::get(format!("{}/auth/tokens?nocatalog", self.url.0))
            .header("x-auth-token", token.clone())
            .header("x-subject-token", token)
            .header(header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(|error| down(&error))?;
        let reply = self.client.request(request).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            down(&cause.unwrap_or_else(|| error.to_string()))
        })?;
        match reply.status() {
            StatusCode::OK => {}
            // 401: the token is invalid as a credential; 404: as the subject.
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => {
                return Err(Unauthenticated::Token);
            }
            status => return Err(down(&format!("unexpected status {status}"))),
        }
        let body = to_bytes(Body::new(reply.into_body()), REPLY_MAX).await;
        let body = body.map_err(|error| down(&error))?;
        drop(permit);
        parse(&body).map_err(|error| down(&format!("the reply is not a token: {error}")))
    }
}

#[derive(Deserialize)]
struct TokenReply {
    token: Token,
}

#[derive(Deserialize)]
struct Token {
    #[serde(deserialize_with = "time")]
    expires_at: Timestamp,
    user: Named,
    /// Absent in a token that is scoped to a domain or to the system, or not scoped.
    project: Option<Named>,
    #[serde(default)]
    roles: Vec<RoleName>,
}

#[derive(Deserialize)]
struct Named {
    id: Box<str>,
}

#[derive(Deserialize)]
struct RoleName {
    name: Box<str>,
}

fn time<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = Box::<str>::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

/// Parses a reply of the identity service. A token without a project has no role.
fn parse(body: &[u8]) -> Result<Validated, serde_json::Error> {
    let TokenReply { token } = serde_json::from_slice(body)?;
    let (mut role, mut roles) = (Role::None, Vec::new());
    // Roles in a domain or in the system grant nothing in a project.
    for name in token.roles.iter().filter(|_| token.project.is_some()) {
        let name = name.name.to_lowercase();
        match &*name {
            "admin" => role = role.max(Role::Admin),
            "member" => role = role.max(Role::Member),
            "reader" => role = role.max(Role::Reader),
            _ => roles.push(name.into()),
        }
    }
    let project = token.project.map(|project| project.id).unwrap_or_default();
    let expires = i64::try_from(token.expires_at.as_nanosecond()).unwrap_or(i64::MAX);
    let (user, roles) = (token.user.id, roles.into());
    let caller = Arc::new(Caller { user, project, role, roles, ..Caller::default() });
    Ok(Validated { caller, expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_role_in_a_project_counts() {
        let of = |roles: &[&str], project: &str| {
            let roles: Vec<_> =
                roles.iter().map(|name| serde_json::json!({"name": name})).collect();
            let body = serde_json::json!({"token": {
                "expires_at": "2026-11-21T20:00:00.000000Z", "user": {"id": "u", "name": "n"},
                "project": serde_json::from_str::<serde_json::Value>(project).unwrap(),
                "roles": roles, "methods": ["password"],
            }});
            let validated = parse(body.to_string().as_bytes()).unwrap();
            assert_eq!(validated.expires, 1_795_291_200_000_000_000);
            (validated.caller.role, validated.caller.project.to_string())
        };
        let project = r#"{"id": "p"}"#;
        assert_eq!(of(&["reader", "member", "Admin"], project), (Role::Admin, "p".into()));
        assert_eq!(of(&["member", "reader", "x"], project), (Role::Member, "p".into()));
        assert_eq!(of(&["reader"], project).0, Role::Reader);
        assert_eq!(of(&["heat_stack_owner"], project).0, Role::None);
        assert_eq!(of(&[], project).0, Role::None);
        assert_eq!(of(&["admin", "service"], "null"), (Role::None, String::new()));
        for bad in ["", "{}", r#"{"token": {"user": {"id": "u"}}}"#] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_plain_http_urls_are_accepted() {
        for text in ["http://h:5000", "http://h:5000/", "http://h:5000/v3", "http://h:5000/v3/"] {
            assert_eq!(text.parse::<IdentityUrl>().unwrap().0.as_ref(), "http://h:5000/v3");
        }
        assert_eq!("http://h/id".parse::<IdentityUrl>().unwrap().0.as_ref(), "http://h/id/v3");
        let tls = "https://h:5000".parse::<IdentityUrl>().unwrap_err();
        assert!(tls.contains("proxy"), "{tls}");
        for text in ["", "h:5000", "/v3", "ftp://h", "http://u:p@h", "http://h/?a=b"] {
            assert!(text.parse::<IdentityUrl>().is_err(), "{text}");
        }
    }
}
