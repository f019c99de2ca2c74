//! The identity service: Keystone's API, version 3.
//!
//! A token vouches for itself: it is sent both as the one to look at and as the one that may look, which
//! Keystone's own policy allows. So the server has no secret of its own.
//!
//! Limits: [`ANSWER_MAX`], [`ASKS_MAX`], [`TOKEN_LEN_MAX`], and those of [`KeystoneOptions`].

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

use crate::auth::Unknown;
use crate::auth::cache::{CacheLimits, Known, TokenCache};
use statehold_server_core::clock::now;

/// The largest answer that is read, in bytes.
const ANSWER_MAX: usize = 1 << 20;

/// How many tokens are asked about at the same time; more wait, no longer than for an answer.
const ASKS_MAX: usize = 32;

/// The longest token that is asked about, in bytes.
const TOKEN_LEN_MAX: usize = 8 << 10;

/// How long a connection that nothing is asked on is kept.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Where an identity service is: `http://HOST[:PORT][/PATH]`, with or without `/v3` at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityUrl(Box<str>);

impl std::str::FromStr for IdentityUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Uri = text.parse().map_err(|error| format!("it is no URL: {error}"))?;
        match url.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err("https is not spoken here; let a proxy on this machine speak it, and \
                            give its http:// URL"
                    .to_owned());
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

/// How the identity service is asked.
#[derive(Clone, Debug)]
pub struct KeystoneOptions {
    /// The base URL of the identity service.
    pub url: IdentityUrl,
    /// Tokens that are kept.
    pub tokens_max: usize,
    /// How long one is kept at the most.
    pub ttl: Duration,
    /// How long an answer may take.
    pub wait_max: Duration,
    /// The role of services that may act for users, in lower case.
    pub service_role: Box<str>,
    /// Whether every caller may act for the compute service, because there is none.
    pub no_compute: bool,
}

/// An identity service, and what it said.
pub struct Keystone {
    url: IdentityUrl,
    wait_max: Duration,
    service_role: Box<str>,
    pub(crate) no_compute: bool,
    client: Client<HttpConnector, Body>,
    asks: Semaphore,
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
            .pool_max_idle_per_host(ASKS_MAX)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self {
            url: options.url.clone(),
            wait_max: options.wait_max,
            service_role: options.service_role.clone(),
            no_compute: options.no_compute,
            client,
            asks: Semaphore::new(ASKS_MAX),
            cache: TokenCache::new(CacheLimits { tokens_max: options.tokens_max, ttl_ns }),
        }
    }

    /// Where clients get tokens.
    pub(crate) fn uri(&self) -> &str {
        &self.url.0
    }

    /// Who a token is for.
    pub(crate) async fn caller(&self, token: &str) -> Result<Arc<Caller>, Unknown> {
        let fit = !token.is_empty() && token.len() <= TOKEN_LEN_MAX;
        let mut header = HeaderValue::from_str(token).ok().filter(|_| fit).ok_or(Unknown::Token)?;
        header.set_sensitive(true);
        let ask = || async {
            let asked = tokio::time::timeout(self.wait_max, self.ask(header)).await;
            asked.unwrap_or_else(|_| {
                let wait_max = self.wait_max;
                tracing::error!("the identity service gave no answer within {wait_max:?}");
                Err(Unknown::Identity)
            })
        };
        self.cache.get(token, now, ask).await
    }

    /// Returns whether a service token has the role of a service. The token is validated, and cached, like a user's.
    pub(crate) async fn is_service(&self, token: &str) -> Result<bool, Unknown> {
        Ok(self.caller(token).await?.has_role(&self.service_role))
    }

    async fn ask(&self, token: HeaderValue) -> Result<Known, Unknown> {
        let down = |error: &dyn fmt::Display| {
            tracing::error!(%error, "the identity service can't be asked");
            Unknown::Identity
        };
        let permit = self.asks.acquire().await.map_err(|error| down(&error))?;
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
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => {
                return Err(Unknown::Token);
            }
            status => return Err(down(&format!("it answered {status}"))),
        }
        let body = to_bytes(Body::new(reply.into_body()), ANSWER_MAX).await;
        let body = body.map_err(|error| down(&error))?;
        drop(permit);
        read(&body).map_err(|error| down(&format!("it answered what isn't a token: {error}")))
    }
}

#[derive(Deserialize)]
struct Answer {
    token: Token,
}

#[derive(Deserialize)]
struct Token {
    #[serde(deserialize_with = "time")]
    expires_at: Timestamp,
    user: Named,
    /// Tokens for a domain, for all of a system or for nothing have none.
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

/// Reads an answer of the identity service. A token without a project has no role.
fn read(body: &[u8]) -> Result<Known, serde_json::Error> {
    let Answer { token } = serde_json::from_slice(body)?;
    let (mut role, mut roles) = (Role::None, Vec::new());
    // Roles in no project are roles elsewhere.
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
    Ok(Known { caller, expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_role_of_a_project_counts() {
        let of = |roles: &[&str], project: &str| {
            let roles: Vec<_> =
                roles.iter().map(|name| serde_json::json!({"name": name})).collect();
            let body = serde_json::json!({"token": {
                "expires_at": "2026-11-21T20:00:00.000000Z", "user": {"id": "u", "name": "n"},
                "project": serde_json::from_str::<serde_json::Value>(project).unwrap(),
                "roles": roles, "methods": ["password"],
            }});
            let known = read(body.to_string().as_bytes()).unwrap();
            assert_eq!(known.expires, 1_795_291_200_000_000_000);
            (known.caller.role, known.caller.project.to_string())
        };
        let project = r#"{"id": "p"}"#;
        assert_eq!(of(&["reader", "member", "Admin"], project), (Role::Admin, "p".into()));
        assert_eq!(of(&["member", "reader", "x"], project), (Role::Member, "p".into()));
        assert_eq!(of(&["reader"], project).0, Role::Reader);
        assert_eq!(of(&["heat_stack_owner"], project).0, Role::None);
        assert_eq!(of(&[], project).0, Role::None);
        assert_eq!(of(&["admin", "service"], "null"), (Role::None, String::new()));
        for bad in ["", "{}", r#"{"token": {"user": {"id": "u"}}}"#] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_what_can_be_asked_is_taken_for_an_address() {
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
