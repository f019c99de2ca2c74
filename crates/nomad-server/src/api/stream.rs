//! Streams lists as JSON in chunks, so that the JSON of a long list is never in memory as a whole.
//!
//! A list that fits into one chunk is sent at once and with its length. For a longer one, each next chunk is read from
//! the snapshot, starting at a key, once the client has taken the previous chunk: between two chunks only a key and the
//! snapshot are held. All rows belong to the index of the reply, regardless of later writes.

use axum::body::Body;
use futures_util::stream;
use statehold_store::Snapshot;

use crate::api::Reply;
use crate::api::list::{List, ListPage, ListRequest, RemainingRows};
use crate::api::reply;
use crate::api::reply::Meta;
use crate::error::ApiError;
use crate::request::NomadRequest;
use crate::state::NomadState;
use statehold_server_core::meter::Meter;
use statehold_server_core::state::ServerState;
use statehold_server_core::unsent::CHUNK;

/// Returns the reply with the rows of a page.
pub(crate) fn reply<L: List>(
    page: ListPage<L>,
    request: ListRequest<L>,
    call: &NomadRequest,
    meta: &Meta,
) -> Reply {
    let ListPage { items, mut rest, view, .. } = page;
    // Capacity for the last row of a chunk, which exceeds its limit.
    let room = if items.len() > 64 { CHUNK + 4096 } else { 1024 };
    let mut writer = Writer { pretty: call.query.pretty(), began: false };
    let mut first = Vec::with_capacity(room);
    for (at, item) in items.iter().enumerate() {
        if first.len() >= CHUNK {
            // Kept rows that do not fit are read again as well.
            let rows = items.len() - at + rest.map_or(0, |rest| rest.rows);
            rest = Some(RemainingRows { from: request.owned_key(item)?, rows });
            break;
        }
        writer.row(&mut first, &L::stub(item))?;
    }
    let Some(rest) = rest else {
        writer.end(&mut first);
        return Ok(reply::json_body(first, meta));
    };
    let rows = Rows { app: call.app.clone(), view, request, rest: Some(rest), writer };
    let chunks = stream::unfold((rows, Some(first)), next);
    Ok(reply::json_body(Body::from_stream(chunks), meta))
}

/// The rows to write, and the chunk that is ready.
type Sending<L> = (Rows<L>, Option<Vec<u8>>);

async fn next<L: List>(
    (mut rows, written): Sending<L>,
) -> Option<(Result<Vec<u8>, std::io::Error>, Sending<L>)> {
    if let Some(chunk) = written {
        return Some((Ok(chunk), (rows, None)));
    }
    let rest = rows.rest.take()?;
    // The status was sent already, so the client sees a truncated body; the log has the reason.
    let chunk = rows.chunk(rest).await.map_err(|reject| {
        tracing::debug!(reason = reject.message(), "truncated a list");
        std::io::Error::other(reject.message().to_owned())
    });
    Some((chunk, (rows, None)))
}

/// The remaining rows of a list.
struct Rows<L: List> {
    app: NomadState,
    view: Snapshot,
    request: ListRequest<L>,
    rest: Option<RemainingRows<L::Key>>,
    writer: Writer,
}

impl<L: List> Rows<L> {
    /// Returns the next chunk of the array.
    async fn chunk(&mut self, rest: RemainingRows<L::Key>) -> Result<Vec<u8>, ApiError> {
        let turn = self.app.turn_for_part().await?;
        // The token of a client that reads slowly may expire, which truncates the list.
        self.app.still_admits()?;
        let mut meter = self.app.meter_for_part();
        if self.request.leaves_out() {
            return ServerState::compute(meter, turn, |meter| self.write(rest, meter)).0;
        }
        // Without skipped rows a chunk takes a fraction of a millisecond, less than moving the thread's other tasks.
        let chunk = self.write(rest, &mut meter);
        drop(turn);
        chunk
    }

    fn write(
        &mut self,
        rest: RemainingRows<L::Key>,
        meter: &mut Meter,
    ) -> Result<Vec<u8>, ApiError> {
        let mut chunk = Vec::with_capacity(CHUNK + 4096);
        let writer = &mut self.writer;
        self.rest = self.request.resume(&self.view, rest, meter, |item| {
            if chunk.len() >= CHUNK {
                return Ok(false);
            }
            writer.row(&mut chunk, &L::stub(item))?;
            Ok(true)
        })?;
        if self.rest.is_none() {
            self.writer.end(&mut chunk);
        }
        Ok(chunk)
    }
}

/// Writes a JSON array.
#[derive(Debug)]
struct Writer {
    pretty: bool,
    began: bool,
}

impl Writer {
    fn row(&mut self, chunk: &mut Vec<u8>, row: &impl serde::Serialize) -> Result<(), ApiError> {
        chunk.push(if self.began { b',' } else { b'[' });
        self.began = true;
        if self.pretty {
            reply::write_indented(chunk, row)
        } else {
            reply::write(chunk, row, false)
        }
    }

    fn end(&self, chunk: &mut Vec<u8>) {
        if !self.began {
            chunk.push(b'[');
        } else if self.pretty {
            chunk.push(b'\n');
        }
        chunk.push(b']');
        if self.pretty {
            chunk.push(b'\n');
        }
    }
}
