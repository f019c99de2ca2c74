//! Charges unsent replies to their callers.
//!
//! A reply is in memory until its client has received it. Each part is charged until it is in the socket's buffer, and
//! not only until hyper has it: a client that does not read would otherwise hold hyper's buffers without a charge.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Response;
use axum::response::IntoResponse;
use hyper::body::{Frame, SizeHint};

use crate::byte_budget::Charge;
use crate::edge_metrics::RefusalReason;
use crate::rejection::Rejection;
use crate::state::ServerState;

/// A reply of at most this size, in bytes, is not charged, because the number of connections bounds such replies.
const SMALL: usize = 4 << 10;

/// The size of a chunk of a streamed reply, in bytes. A chunk ends with the row that reaches it.
pub const CHUNK: usize = 64 << 10;

/// Bytes charged for a streamed reply: the chunk that is being sent, and the next one.
const PARTS_CHARGE: usize = 2 * CHUNK;

/// Charges a reply to the caller of `base` until it is sent. Replaces a `refusable` reply by a 429 at `--unsent-max`.
/// Replies of writes MUST NOT be refusable, because the write has taken effect.
pub fn charge_until_sent(
    base: &ServerState,
    reply: Response<Body>,
    refusable: bool,
) -> Response<Body> {
    let bytes = match reply.body().size_hint().exact() {
        Some(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        None => PARTS_CHARGE,
    };
    if bytes <= SMALL {
        return reply;
    }
    let mut charge = base.unsent().charge(base.requester().key());
    if !charge.grow(bytes) {
        // Errors are sent in any case: a 429 instead would hide their cause.
        if refusable && reply.status().is_success() {
            base.edge().refused(RefusalReason::Unsent);
            let max = base.limits().unsent_max;
            return Rejection::too_many(format!(
                "answers of {max} bytes, the limit set by --unsent-max of which one caller has at most \
                 half, wait to be read; read them, or try again later"
            ))
            .into_response();
        }
        charge.force(bytes);
    }
    reply.map(|body| Body::new(ChargedBody { body, charge: Arc::new(charge) }))
}

/// A body whose parts hold the charge until they are sent.
struct ChargedBody {
    body: Body,
    charge: Arc<Charge>,
}

impl HttpBody for ChargedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        // Each part holds its own reference, because hyper may buffer several of them.
        let charge = &self.charge;
        let hold = |bytes| Bytes::from_owner(ChargedBytes { bytes, _charge: Arc::clone(charge) });
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(hold))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes that hold the charge until hyper drops them.
struct ChargedBytes {
    bytes: Bytes,
    _charge: Arc<Charge>,
}

impl AsRef<[u8]> for ChargedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
