//! The ACL file: tokens and the policies that they grant.
//!
//! The file stores SHA-256 digests instead of tokens, so that a reader of the file learns no token.
//!
//! Invariant: a presented token is compared with every digest, in time that depends on none of them, and never
//! appears in a log, an error or `Debug` output.

pub(crate) mod access;
mod current;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use toml::Spanned;
use toml::value::Datetime;

use crate::acl::access::{Access, Capability, Grants, Level, NamespaceGrant, Policy};
use crate::error::ApiError;
pub use current::CurrentAcl;

/// The header with the token of Nomad's clients.
// Nomad: command/agent/http.go, HTTPServer.parseToken.
const TOKEN: HeaderName = HeaderName::from_static("x-nomad-token");

/// The tokens of an ACL file. Without a file every caller may do everything.
#[derive(Debug, Default)]
pub struct Acl(Option<Vec<Token>>);

/// A token of the file, by its digest.
struct Token {
    name: String,
    digest: [u8; 32],
    expires: Option<Timestamp>,
    grants: Arc<Grants>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Acl {
    /// Reads an ACL file.
    ///
    /// # Errors
    /// The file can't be read, or a line of it is invalid; the error has the line and the remedy.
    pub fn load(path: &Path) -> Result<Self, AclError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| AclError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|fault| AclError::Invalid {
            path: path.to_owned(),
            line: text.bytes().take(fault.at).filter(|byte| *byte == b'\n').count() + 1,
            reason: fault.reason,
        })
    }

    fn parse(text: &str) -> Result<Self, AclFault> {
        let file: File = toml::from_str(text).map_err(|error| AclFault {
            at: error.span().map_or(0, |span| span.start),
            reason: error.message().trim_end().to_owned(),
        })?;
        let mut policies = BTreeMap::new();
        for (name, policy) in file.policy {
            policies.insert(name, Arc::new(policy.validate()?));
        }
        let tokens = file.token.into_iter().map(|token| token.validate(&policies));
        Ok(Self(Some(tokens.collect::<Result<_, _>>()?)))
    }

    /// Resolves the token in `headers` to the caller's grants, and removes it from them.
    ///
    /// # Errors
    /// 403 if the token is unknown or expired.
    pub(crate) fn access(
        &self,
        headers: &mut HeaderMap,
        now: Timestamp,
    ) -> Result<Access, ApiError> {
        // Removed without an ACL, too, so that no handler or log ever sees a token.
        let presented = take_token(headers);
        let Some(tokens) = &self.0 else { return Ok(Access::Open) };
        let Some(presented) = presented else { return Ok(Access::Anonymous) };
        let digest = Sha256::digest(&presented);
        // The position of the token, counted from 1; 0 if none matches. The loop MUST NOT end early, because its time
        // would show how many digits of a digest match.
        let mut position = 0_u64;
        for (at, token) in (1_u64..).zip(tokens) {
            let same: Choice = token.digest.as_slice().ct_eq(digest.as_slice());
            position.conditional_assign(&at, same);
        }
        let found = usize::try_from(position).ok().and_then(|position| position.checked_sub(1));
        let Some(token) = found.and_then(|at| tokens.get(at)) else {
            // Nomad: nomad/structs/errors.go, ErrTokenNotFound.
            return Err(ApiError::new(StatusCode::FORBIDDEN, "ACL token not found"));
        };
        token.check_expiry(now)?;
        Ok(Access::Token(Arc::clone(&token.grants)))
    }

    /// Fails with 403 if the token of `access` expired, was revoked or was changed since it was resolved.
    fn still_admits(&self, access: &Access, now: Timestamp) -> Result<(), ApiError> {
        let (Some(tokens), Access::Token(grants)) = (&self.0, access) else { return Ok(()) };
        // By identity: `keep_unchanged` shares the grants of exactly those tokens that a reload did not change.
        let Some(token) = tokens.iter().find(|token| Arc::ptr_eq(&token.grants, grants)) else {
            let text = "ACL token was changed or revoked while the request waited";
            return Err(ApiError::new(StatusCode::FORBIDDEN, text));
        };
        token.check_expiry(now)
    }

    /// Returns when the caller's token expires, if it does.
    fn expiry_of(&self, access: &Access) -> Option<Timestamp> {
        let (Some(tokens), Access::Token(grants)) = (&self.0, access) else { return None };
        tokens.iter().find(|token| Arc::ptr_eq(&token.grants, grants))?.expires
    }

    /// Shares the grants of tokens that are the same in `before`, so that [`Acl::still_admits`] still admits their
    /// callers.
    fn keep_unchanged(&mut self, before: &Self) {
        for token in self.0.iter_mut().flatten() {
            let same = |old: &&Token| old.digest == token.digest && old.grants == token.grants;
            if let Some(old) = before.0.iter().flatten().find(same) {
                token.grants = Arc::clone(&old.grants);
            }
        }
    }
}

impl Token {
    fn check_expiry(&self, now: Timestamp) -> Result<(), ApiError> {
        // Nomad: nomad/structs/errors.go, ErrTokenExpired.
        if self.expires.is_some_and(|expires| expires <= now) {
            return Err(ApiError::new(StatusCode::FORBIDDEN, "ACL token expired"));
        }
        Ok(())
    }
}

/// Removes both token headers and returns the token: that of `X-Nomad-Token`, or else the bearer token.
// Nomad: command/agent/http.go, HTTPServer.parseToken.
fn take_token(headers: &mut HeaderMap) -> Option<Vec<u8>> {
    let own = headers.remove(TOKEN);
    let bearer = headers.remove(header::AUTHORIZATION);
    let own = own.as_ref().map(|value| value.as_bytes().trim_ascii());
    let bearer = bearer.as_ref().and_then(|value| {
        let (scheme, token) = value.as_bytes().split_at_checked("bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
    });
    own.filter(|token| !token.is_empty())
        .or(bearer)
        .filter(|token| !token.is_empty())
        .map(<[u8]>::to_vec)
}

/// A problem in an ACL file.
#[derive(Debug)]
struct AclFault {
    /// The offset in the file, in bytes.
    at: usize,
    reason: String,
}

impl AclFault {
    fn new(span: &Range<usize>, reason: String) -> Self {
        Self { at: span.start, reason }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<TokenEntry>,
    #[serde(default)]
    policy: BTreeMap<String, PolicyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    name: String,
    sha256: Spanned<String>,
    expires: Option<Spanned<Datetime>>,
    #[serde(default)]
    policies: Vec<Spanned<String>>,
    #[serde(default)]
    management: bool,
}

impl TokenEntry {
    fn validate(self, policies: &BTreeMap<String, Arc<Policy>>) -> Result<Token, AclFault> {
        let digest = parse_digest(self.sha256.get_ref()).ok_or_else(|| {
            let reason = format!(
                "the sha256 of the token {:?} is not 64 hex digits: write what \
                 `printf %s TOKEN | sha256sum` prints",
                self.name
            );
            AclFault::new(&self.sha256.span(), reason)
        })?;
        let expires = self.expires.map(|expires| {
            expires.get_ref().to_string().parse().map_err(|_| {
                // TOML's local dates and times have no offset and so name no point in time.
                let reason = format!(
                    "the token {:?} expires at no point in time: write one with its offset, such \
                     as 2027-01-31T12:00:00Z",
                    self.name
                );
                AclFault::new(&expires.span(), reason)
            })
        });
        let named = self.policies.iter().map(|name| {
            policies.get(name.get_ref()).cloned().ok_or_else(|| {
                let reason = format!(
                    "the token {:?} names the policy {:?}, which does not exist: add [policy.{}]",
                    self.name,
                    name.get_ref(),
                    name.get_ref()
                );
                AclFault::new(&name.span(), reason)
            })
        });
        let grants =
            Grants { management: self.management, policies: named.collect::<Result<_, _>>()? };
        Ok(Token {
            digest,
            expires: expires.transpose()?,
            grants: Arc::new(grants),
            name: self.name,
        })
    }
}

fn parse_digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyEntry {
    plugin: Option<Spanned<Level>>,
    node: Option<Spanned<Level>>,
    operator: Option<Spanned<Level>>,
    #[serde(default)]
    namespace: BTreeMap<Spanned<String>, NamespaceEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamespaceEntry {
    capabilities: Vec<Capability>,
}

impl PolicyEntry {
    fn validate(self) -> Result<Policy, AclFault> {
        let mut namespaces = Vec::new();
        for (pattern, entry) in self.namespace {
            let name = pattern.get_ref();
            // Nomad takes a `*` anywhere. Only one at the end has a closeness that a reader of the file can see.
            if name.strip_suffix('*').unwrap_or(name).contains('*') {
                let reason = format!(
                    "the namespace {name:?} has a `*` inside: write one at the end, as in \"team-*\""
                );
                return Err(AclFault::new(&pattern.span(), reason));
            }
            let capabilities = entry.capabilities;
            namespaces.push(NamespaceGrant { pattern: pattern.into_inner(), capabilities });
        }
        Ok(Policy {
            namespaces,
            plugin: level("plugin", self.plugin, &[Level::Deny, Level::List, Level::Read])?,
            node: level("node", self.node, &[Level::Deny, Level::Read, Level::Write])?,
            operator: level("operator", self.operator, &[Level::Deny, Level::Read])?,
        })
    }
}

/// Returns the level of a key, or a fault if it is not one of `taken`.
fn level(key: &str, given: Option<Spanned<Level>>, taken: &[Level]) -> Result<Level, AclFault> {
    let Some(given) = given else { return Ok(Level::None) };
    if taken.contains(given.get_ref()) {
        return Ok(*given.get_ref());
    }
    let taken: Vec<_> = taken.iter().map(|level| format!("{level:?}").to_lowercase()).collect();
    let reason = format!("`{key}` is one of {}", taken.join(", "));
    Err(AclFault::new(&given.span(), reason))
}

/// The reason why an ACL file can't be used.
#[derive(Debug)]
pub enum AclError {
    /// The file can't be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A line of the file is invalid.
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The reason.
        reason: String,
    },
}

impl fmt::Display for AclError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => {
                write!(f, "can't read the ACL file {}: {source}", path.display())
            }
            Self::Invalid { path, line, reason } => {
                write!(f, "{}:{line}: {reason}", path.display())
            }
        }
    }
}

impl std::error::Error for AclError {}

#[cfg(test)]
mod tests;
