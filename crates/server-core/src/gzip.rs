//! Compresses replies with gzip.
//!
//! Compressing a long list takes a processor for as long as reading its rows does. Each piece of a long
//! reply is therefore compressed in a turn of its caller, like the rows themselves: otherwise a caller that
//! reads many lists at once would keep the threads that serve sockets from all others.

use std::io::{self, Write as _};

use axum::body::{Body, BodyDataStream, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::middleware::Next;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt as _, stream};

use crate::state::{Requester, ServerState};

/// Minimum length of a compressed reply, in bytes; a shorter one fits into one packet anyway.
const COMPRESSED_MIN: u64 = 1024;

/// Bytes that are compressed in one turn: some hundreds of microseconds.
const PIECE: usize = 64 << 10;

/// Maximum length of a piece that is compressed without a turn, in bytes: waiting for one costs more.
const SHORT: usize = 8 << 10;

/// Compresses the reply to a request whose client accepts gzip.
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
    reply.map(|body| {
        let compressor = Compressor::new(body, base);
        // An error ends the stream without gzip's trailer, so that the client sees an incomplete reply.
        Body::from_stream(stream::try_unfold(compressor, Compressor::next))
    })
}

/// Whether a client accepts gzip, with at least the weight of an uncompressed reply.
fn accepts(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    for coding in values.filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')) {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse().ok());
        let weight: f32 = weight.unwrap_or(0.0);
        match name.trim().to_ascii_lowercase().as_str() {
            // RFC 9110, section 8.4.1.3: a recipient considers `x-gzip` equivalent to `gzip`.
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

/// Compresses a body piece by piece, as its client reads it.
struct Compressor {
    body: BodyDataStream,
    base: ServerState,
    /// `None` after the end.
    encoder: Option<GzEncoder<Vec<u8>>>,
    /// Bytes of the body that are not compressed yet.
    rest: Bytes,
}

impl Compressor {
    fn new(body: Body, base: ServerState) -> Self {
        // Higher levels take several times as long, and leave JSON not much shorter.
        let encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
        Self { body: body.into_data_stream(), base, encoder, rest: Bytes::new() }
    }

    /// Returns the next compressed bytes, or `None` after the end.
    async fn next(mut self) -> io::Result<Option<(Vec<u8>, Self)>> {
        while let Some(encoder) = &mut self.encoder {
            if self.rest.is_empty() {
                let Some(bytes) = self.body.next().await else {
                    let end = self.encoder.take().map(GzEncoder::finish).transpose()?;
                    return Ok(end.map(|bytes| (bytes, self)));
                };
                self.rest = bytes.map_err(io::Error::other)?;
            } else if self.rest.len() <= SHORT {
                encoder.write_all(&std::mem::take(&mut self.rest))?;
            } else {
                let turn = self.base.turn_for_part().await;
                let turn = turn.map_err(|reject| io::Error::other(reject.message().to_owned()))?;
                let piece = self.rest.split_to(self.rest.len().min(PIECE));
                // The runtime's other tasks leave this thread meanwhile, as in other turns.
                tokio::task::block_in_place(|| encoder.write_all(&piece))?;
                drop(turn);
            }
            // Small pieces stay in the encoder until there is output for a frame.
            let bytes = std::mem::take(encoder.get_mut());
            if !bytes.is_empty() {
                return Ok(Some((bytes, self)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_codings_are_compared_by_weight() {
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
