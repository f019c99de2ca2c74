//! A request on its way to its handler.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use parking_lot::Mutex;

use crate::acl::access::Access;
use crate::api::params::Query;
use crate::api::route::{Operation, Segments};
use crate::error::ApiError;
use crate::state::NomadState;

/// An admitted request: its route is known and its caller has the permission of the operation.
#[derive(Debug)]
pub(crate) struct NomadRequest {
    pub(crate) app: NomadState,
    pub(crate) query: Query,
    /// Without the caller's token.
    pub(crate) headers: HeaderMap,
    pub(crate) access: Access,
    /// The address of the client.
    pub(crate) client: IpAddr,
    pub(crate) operation: &'static Operation,
    pub(crate) segments: Segments,
    /// Behind a lock only because a body is not `Sync` and handlers share the rest between threads.
    pub(crate) body: Mutex<Body>,
}

impl NomadRequest {
    /// Returns the segment of the path that `{name}` stands for.
    pub(crate) fn segment(&self, name: &str) -> &str {
        self.segments.get(name)
    }

    /// Reads the complete body. A second call returns an empty one.
    ///
    /// # Errors
    /// 413 if the body is larger than `--body-max`, 408 if it takes longer than `--body-wait-max`.
    pub(crate) async fn body(&mut self) -> Result<Vec<u8>, ApiError> {
        let body = std::mem::take(self.body.get_mut());
        let expects_continue = self.headers.contains_key(header::EXPECT);
        Ok(self.app.body(body, expects_continue).await?)
    }

    /// Reads the complete body and returns the result of `parse`.
    pub(crate) async fn parse<T, E: Into<ApiError>>(
        &mut self,
        parse: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<T, ApiError> {
        let body = self.body().await?;
        self.app.process_body(|| parse(&body)).await.map_err(Into::into)
    }

    /// Fails with 403 if the caller lacks the operation's permission in a namespace that the body names.
    pub(crate) fn allow_in(&self, namespace: &str) -> Result<(), ApiError> {
        if self.access.sees(&self.operation.rule, namespace) {
            Ok(())
        } else {
            Err(ApiError::denied())
        }
    }
}
