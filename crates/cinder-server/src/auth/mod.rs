//! Authentication: the caller of the token of a request.
//!
//! Without an identity service, a token is `user:project`, is trusted, and every caller is an admin. With one,
//! [`keystone`] validates each token and [`cache`] caches the result.
//!
//! Invariant: tokens are in no log, no error and no `Debug` output, and are kept only as digests.

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

/// The way in which callers are authenticated.
#[derive(Debug)]
pub enum Auth {
    /// Tokens are trusted.
    Open,
    /// An identity service validates tokens.
    Keystone(Box<Keystone>),
}

/// The reason why a request has no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unauthenticated {
    /// The token is missing or invalid.
    Token,
    /// The identity service is unavailable.
    Service,
}

impl Auth {
    /// Returns the caller, for which `policy` decides, or the reply to an unauthenticated request. Removes the
    /// tokens from the headers.
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
                let caller = token.map(trusted).ok_or_else(|| token_offer(head, base))?;
                Ok(Caller { policy, ..caller })
            }
            Self::Keystone(keystone) => {
                let refused = |reason| refuse(reason, keystone);
                let validated = match token {
                    Some(token) => keystone.caller(token).await,
                    None => Err(Unauthenticated::Token),
                };
                let validated = validated.map_err(refused)?;
                // An invalid service token is rejected like any other, never ignored: its sender intends to act as
                // a service (keystonemiddleware: auth_token, AuthProtocol.process_request).
                let service = match service {
                    Some(token) => {
                        let token = token.to_str().unwrap_or_default();
                        keystone.is_service(token).await.map_err(refused)?
                    }
                    None => false,
                };
                let service = service || keystone.no_compute;
                Ok(Caller { service, policy, ..Caller::clone(&validated) })
            }
        }
    }
}

/// Returns the caller that a trusted token names: `user:project`, or one name for both.
///
/// It is an admin and a service: without an identity service no token can prove either, so that a check would only
/// keep stock clients from releasing the attachments that they created.
fn trusted(token: &str) -> Caller {
    let (user, project) = token.split_once(':').unwrap_or((token, token));
    let (user, project, role) = (user.into(), project.into(), Role::Admin);
    Caller { user, project, role, service: true, ..Caller::default() }
}

/// Returns the reply to a client without a token: a token that it can use, and the URL of its project.
// Cinder: cinder/api/middleware/auth.py, NoAuthMiddlewareBase.base_call.
fn token_offer(head: &Parts, base: &str) -> Response<Body> {
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

/// Returns the reply to an unauthenticated request, in the form of the identity service's errors.
fn refuse(reason: Unauthenticated, keystone: &Keystone) -> Response<Body> {
    let (status, title, message) = match reason {
        Unauthenticated::Token => (
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
            "The request you have made requires authentication.",
        ),
        Unauthenticated::Service => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Service Unavailable",
            "The identity service is unavailable; try again later.",
        ),
    };
    let error = json!({"code": status.as_u16(), "title": title, "message": message});
    let mut reply = Response::new(Body::from(json!({ "error": error }).to_string()));
    *reply.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    reply.headers_mut().insert(header::CONTENT_TYPE, json);
    if reason == Unauthenticated::Token {
        let challenge = format!("Keystone uri=\"{}\"", keystone.uri());
        if let Ok(challenge) = HeaderValue::try_from(challenge) {
            reply.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
    }
    reply
}
