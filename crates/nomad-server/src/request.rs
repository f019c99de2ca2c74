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

/// A request whose route is known and whose caller may do what it is for.
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
    /// Behind a lock for nothing but sharing the rest between threads.
    pub(crate) body: Mutex<Body>,
}

impl NomadRequest {
    /// The segment of the path that `{name}` stands for.
    pub(crate) fn segment(&self, name: &str) -> &str {
        self.segments.get(name)
    }

    /// The whole body, if it is not larger than the limit and comes in time. It is read once.
    pub(crate) async fn body(&mut self) -> Result<Vec<u8>, ApiError> {
        let body = std::mem::take(self.body.get_mut());
        let expects_continue = self.headers.contains_key(header::EXPECT);
        Ok(self.app.body(body, expects_continue).await?)
    }

    /// What `parse` reads in the whole body.
    pub(crate) async fn parse<T, E: Into<ApiError>>(
        &mut self,
        parse: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<T, ApiError> {
        let body = self.body().await?;
        self.app.process_body(|| parse(&body)).await.map_err(Into::into)
    }

    /// Refuses a caller who may not do what the operation is for in a namespace that the body names.
    pub(crate) fn allow_in(&self, namespace: &str) -> Result<(), ApiError> {
        if self.access.sees(&self.operation.rule, namespace) {
            Ok(())
        } else {
            Err(ApiError::denied())
        }
    }
}
