//! Lists as JSON, written a chunk at a time, so that the JSON of a long one is never there as a whole.
//!
//! A list that fits into one chunk is sent at once and with its length. Of a longer one, the next
//! chunk is read from the snapshot, by the key of its first row, when the client has taken the one before:
//! between two chunks nothing is held but a key and the snapshot. Its rows are those that the answer's
//! index is of, whatever is written meanwhile.

use axum::body::Body;
use futures_util::stream;
use statehold_store::Snapshot;

use crate::api::Reply;
use crate::api::list::{List, Listing, Page, Rest};
use crate::api::reply;
use crate::api::reply::Meta;
use crate::error::ApiError;
use crate::request::NomadRequest;
use crate::state::NomadState;
use statehold_server_core::meter::Meter;
use statehold_server_core::state::ServerState;
use statehold_server_core::unsent::CHUNK;

/// The reply with the rows of a page.
pub(crate) fn reply<L: List>(
    page: Page<L>,
    listing: Listing<L>,
    call: &NomadRequest,
    meta: &Meta,
) -> Reply {
    let Page { items, mut rest, view, .. } = page;
    // Room for the row that reaches the limit.
    let room = if items.len() > 64 { CHUNK + 4096 } else { 1024 };
    let mut writer = Writer { pretty: call.query.pretty(), began: false };
    let mut first = Vec::with_capacity(room);
    for (at, item) in items.iter().enumerate() {
        if first.len() >= CHUNK {
            // The rows that were kept and did not fit are read again, too.
            let rows = items.len() - at + rest.map_or(0, |rest| rest.rows);
            rest = Some(Rest { from: listing.owned_key(item)?, rows });
            break;
        }
        writer.row(&mut first, &L::stub(item))?;
    }
    let Some(rest) = rest else {
        writer.end(&mut first);
        return Ok(reply::json_body(first, meta));
    };
    let rows = Rows { app: call.app.clone(), view, listing, rest: Some(rest), writer };
    let chunks = stream::unfold((rows, Some(first)), next);
    Ok(reply::json_body(Body::from_stream(chunks), meta))
}

/// The rows that are to be written, and the state of those before.
type Sending<L> = (Rows<L>, Option<Vec<u8>>);

async fn next<L: List>(
    (mut rows, written): Sending<L>,
) -> Option<(Result<Vec<u8>, std::io::Error>, Sending<L>)> {
    if let Some(chunk) = written {
        return Some((Ok(chunk), (rows, None)));
    }
    let rest = rows.rest.take()?;
    // The client sees a body that breaks off; the log has the reason.
    let chunk = rows.chunk(rest).await.map_err(|reject| {
        tracing::debug!(reason = reject.message(), "a list breaks off");
        std::io::Error::other(reject.message().to_owned())
    });
    Some((chunk, (rows, None)))
}

/// The rows that are still to be written.
struct Rows<L: List> {
    app: NomadState,
    view: Snapshot,
    listing: Listing<L>,
    rest: Option<Rest<L::Key>>,
    writer: Writer,
}

impl<L: List> Rows<L> {
    /// The next part of the array.
    async fn chunk(&mut self, rest: Rest<L::Key>) -> Result<Vec<u8>, ApiError> {
        let turn = self.app.turn_for_part().await?;
        // A client that reads slowly may outlast its token; the list breaks off then.
        self.app.still_admits()?;
        let mut meter = self.app.meter_for_part();
        if self.listing.leaves_out() {
            return ServerState::compute(meter, turn, |meter| self.write(rest, meter)).0;
        }
        // Without rows that are left out a chunk is a fraction of a millisecond.
        let chunk = self.write(rest, &mut meter);
        drop(turn);
        chunk
    }

    fn write(&mut self, rest: Rest<L::Key>, meter: &mut Meter) -> Result<Vec<u8>, ApiError> {
        let mut chunk = Vec::with_capacity(CHUNK + 4096);
        let writer = &mut self.writer;
        self.rest = self.listing.resume(&self.view, rest, meter, |item| {
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

/// Writes an array.
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
