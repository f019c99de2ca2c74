//! Compressed replies.
//!
//! Compressing a long list takes a processor for as long as reading its rows does. So each piece of a long
//! reply is compressed in a turn at computing of its caller, like the rows themselves: callers that read
//! many lists at once would otherwise keep the threads that serve sockets from all others.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::middleware::Next;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Frame;

use crate::rejection::Rejection;
use crate::state::{Requester, ServerState};
use crate::turns::Turn;

/// Bytes from which on a reply is compressed; a shorter one fits into a packet as it is.
const COMPRESSED_MIN: u64 = 1024;

/// Bytes that are compressed in one turn: some hundreds of microseconds.
const PIECE: usize = 64 << 10;

/// Bytes up to which a piece is compressed without a turn: it takes less than to wait for one.
const SHORT: usize = 8 << 10;

/// Compresses the reply to a request whose client takes that.
pub async fn reply(
    State(base): State<ServerState>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let accepted = accepts(request.headers());
    let mut reply = next.run(request).await;
    if !accepted || !is_worth(&reply) {
        return reply;
    }
    let requester = reply.extensions().get::<Requester>().cloned();
    let base = requester.map_or_else(|| base.clone(), |requester| base.for_request(requester));
    let headers = reply.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    reply.map(|body| Body::new(Gzip::new(body, base)))
}

/// Whether a client takes gzip, and not less gladly than a plain reply.
fn accepts(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    for coding in values.filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')) {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse().ok());
        let weight: f32 = weight.unwrap_or(0.0);
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(weight),
            "*" => any = Some(weight),
            "identity" => identity = Some(weight),
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0.0);
    gzip > 0.0 && identity.is_none_or(|identity| gzip >= identity)
}

fn is_worth(reply: &Response<Body>) -> bool {
    let (headers, size) = (reply.headers(), reply.body().size_hint());
    !headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(header::CONTENT_RANGE)
        && !matches!(reply.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        && size.exact().is_none_or(|bytes| bytes >= COMPRESSED_MIN)
}

type TurnOrError = Result<Turn, Rejection>;

/// A body that is compressed piece by piece as its client takes it.
struct Gzip {
    body: Body,
    base: ServerState,
    /// Absent after the end.
    encoder: Option<GzEncoder<Vec<u8>>>,
    /// Bytes of the body that are not compressed yet.
    rest: Bytes,
    /// The wait for the turn of the next piece.
    turn: Option<Pin<Box<dyn Future<Output = TurnOrError> + Send>>>,
}

impl Gzip {
    fn new(body: Body, base: ServerState) -> Self {
        // Higher levels take several times as long, and leave JSON not much shorter.
        let encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
        Self { body, base, encoder, rest: Bytes::new(), turn: None }
    }

    /// Waits for a turn if the next piece needs one.
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Turn>>> {
        if self.rest.len() <= SHORT {
            return Poll::Ready(Ok(None));
        }
        let base = &self.base;
        let turn = self.turn.get_or_insert_with(|| {
            let base = base.clone();
            Box::pin(async move { base.turn_for_part().await })
        });
        let turn = ready!(turn.as_mut().poll(context));
        self.turn = None;
        Poll::Ready(turn.map(Some).map_err(|reject| io::Error::other(reject.message().to_owned())))
    }

    /// Compresses the next piece.
    fn compress(&mut self) -> io::Result<Vec<u8>> {
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        let Some(encoder) = &mut self.encoder else { return Ok(Vec::new()) };
        encoder.write_all(&piece)?;
        Ok(std::mem::take(encoder.get_mut()))
    }

    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Vec<u8>>>> {
        loop {
            if !self.rest.is_empty() {
                let turn = ready!(self.poll_turn(context))?;
                // The runtime's other tasks leave this thread meanwhile, as they do for other turns.
                let bytes = if turn.is_some() {
                    tokio::task::block_in_place(|| self.compress())?
                } else {
                    self.compress()?
                };
                drop(turn);
                if !bytes.is_empty() {
                    return Poll::Ready(Ok(Some(bytes)));
                }
                continue;
            }
            if self.encoder.is_none() {
                return Poll::Ready(Ok(None));
            }
            if let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) {
                // Replies have no trailers.
                self.rest = frame.map_err(io::Error::other)?.into_data().unwrap_or_default();
            } else {
                let end = self.encoder.take().map(GzEncoder::finish).transpose()?;
                return Poll::Ready(Ok(end));
            }
        }
    }
}

impl HttpBody for Gzip {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let bytes = ready!(self.poll_bytes(context));
        if bytes.is_err() {
            // The body breaks off, without the end that would make it look whole.
            self.encoder = None;
            self.rest = Bytes::new();
        }
        Poll::Ready(bytes.transpose().map(|bytes| bytes.map(|bytes| Frame::data(bytes.into()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_chooses_by_weights() {
        let accepted = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap());
            accepts(&headers)
        };
        for value in ["gzip", "GZip, deflate", "br, gzip;q=0.5", "*", "gzip;q=1, identity;q=0.5"] {
            assert!(accepted(value), "{value}");
        }
        for value in [
            "",
            "identity",
            "br",
            "gzip;q=0",
            "*;q=0",
            "gzip;q=0.1, identity",
            "gzip;q=x",
            "*, gzip;q=0",
        ] {
            assert!(!accepted(value), "{value}");
        }
        assert!(!accepts(&HeaderMap::new()));
    }
}
