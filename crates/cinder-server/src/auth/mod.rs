//! Who asks: what is made of the token of a request.
//!
//! Without an identity service a token is `user:project`, is not checked, and everybody is an admin.
//! With one, [`keystone`] asks it about each token, and [`cache`] keeps what it said for a while.
//!
//! Invariant: tokens are in no log, no error and no `Debug` output, and are kept as digests alone.

mod cache;
mod keystone;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header, request::Parts};
use axum::response::IntoResponse;
use serde_json::json;
use statehold_cinder::{Caller, Policy, Role};

pub use keystone::{IdentityUrl, Keystone, KeystoneOptions};

const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const SERVICE_TOKEN: HeaderName = HeaderName::from_static("x-service-token");
const MANAGEMENT_URL: HeaderName = HeaderName::from_static("x-server-management-url");

/// How callers are known.
#[derive(Debug)]
pub enum Auth {
    /// By what they say.
    Open,
    /// By what an identity service says of their tokens.
    Keystone(Box<Keystone>),
}

/// Why nobody is known by a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// There is none, or it isn't good.
    Token,
    /// The identity service can't be asked.
    Identity,
}

impl Auth {
    /// Returns the caller, whose requests `policy` decides; or the reply to a caller that is not known. The
    /// tokens are taken out of the headers.
    pub(crate) async fn caller(
        &self,
        head: &mut Parts,
        base: &str,
        policy: Arc<Policy>,
    ) -> Result<Caller, Response<Body>> {
        let (token, service) = (head.headers.remove(TOKEN), head.headers.remove(SERVICE_TOKEN));
        let token = token.as_ref().and_then(|token| token.to_str().ok());
        match self {
            Self::Open => {
                let caller = token.map(told).ok_or_else(|| greeting(head, base))?;
                Ok(Caller { policy, ..caller })
            }
            Self::Keystone(keystone) => {
                let refused = |unknown| refuse(unknown, keystone);
                let known = match token {
                    Some(token) => keystone.caller(token).await,
                    None => Err(Unknown::Token),
                };
                let known = known.map_err(refused)?;
                // A service token that is not good is refused like any other, never ignored: its sender means to
                // act as a service (keystonemiddleware: auth_token, AuthProtocol.process_request).
                let service = match service {
                    Some(token) => {
                        let token = token.to_str().unwrap_or_default();
                        keystone.is_service(token).await.map_err(refused)?
                    }
                    None => false,
                };
                let service = service || keystone.no_compute;
                Ok(Caller { service, policy, ..Caller::clone(&known) })
            }
        }
    }
}

/// The caller that a token names: `user:project`, or one name for both.
///
/// It is trusted as an admin and as a service: without an identity service no token can prove either, so that a
/// check would only keep stock clients from releasing the attachments that they created.
fn told(token: &str) -> Caller {
    let (user, project) = token.split_once(':').unwrap_or((token, token));
    let (user, project, role) = (user.into(), project.into(), Role::Admin);
    Caller { user, project, role, service: true, ..Caller::default() }
}

/// What a client without a token is told: one that it may use, and where.
fn greeting(head: &Parts, base: &str) -> Response<Body> {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let user = text("x-auth-user").unwrap_or("admin");
    let project = text("x-auth-project-id").unwrap_or("admin");
    let mut reply = StatusCode::NO_CONTENT.into_response();
    let url = format!("{base}{}/{project}", head.uri.path().trim_end_matches('/'));
    for (name, value) in [(TOKEN, format!("{user}:{project}")), (MANAGEMENT_URL, url)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

/// What nobody is told, in the form of the identity service's errors.
fn refuse(unknown: Unknown, keystone: &Keystone) -> Response<Body> {
    let (status, title, message) = match unknown {
        Unknown::Token => (
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
            "The request you have made requires authentication.",
        ),
        Unknown::Identity => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Service Unavailable",
            "The identity service can't be asked about the token; try again later.",
        ),
    };
    let error = json!({"code": status.as_u16(), "title": title, "message": message});
    let mut reply = Response::new(Body::from(json!({ "error": error }).to_string()));
    *reply.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    reply.headers_mut().insert(header::CONTENT_TYPE, json);
    if unknown == Unknown::Token {
        let challenge = format!("Keystone uri=\"{}\"", keystone.uri());
        if let Ok(challenge) = HeaderValue::try_from(challenge) {
            reply.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
    }
    reply
}
