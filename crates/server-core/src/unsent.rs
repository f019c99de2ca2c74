//! Answers that are not sent yet, charged to their callers.
//!
//! An answer is in memory until its client has taken it. The bytes of each part are charged until the
//! socket has them, not until the protocol has them: a client that does not read would otherwise hold
//! what the protocol buffers for it without being charged.

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

/// Bytes of an answer that are not charged: the number of connections bounds them.
const SMALL: usize = 4 << 10;

/// Bytes of a part of an answer that is sent in parts; it ends with the row that reaches them.
pub const CHUNK: usize = 64 << 10;

/// Bytes that are charged for an answer that is made in parts: the part that is sent and the next one.
const PARTS_CHARGE: usize = 2 * CHUNK;

/// Charges an answer to the caller of `base` until it is sent. `refusable` answers are refused when the
/// caller has too many: those of reads, because a write has taken effect.
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

/// A body whose parts keep the charge until they are sent.
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

/// Bytes on their way to the socket.
struct ChargedBytes {
    bytes: Bytes,
    _charge: Arc<Charge>,
}

impl AsRef<[u8]> for ChargedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
