//! Lists as JSON, written a chunk at a time, so that the text of a long one is never there as a whole.
//!
//! A list that fits into one chunk is sent at once and with its length. Of a longer one, the next
//! chunk is written when the client has taken the one before; its rows are those that the answer's
//! index is of, whatever is written meanwhile.

use std::vec::IntoIter;

use axum::body::Body;
use futures_util::stream;

use super::Reply;
use super::list::List;
use super::reject::Reject;
use super::reply::{self, Meta};

/// Bytes that a chunk has before it is sent; it ends with the row that reaches them.
const CHUNK: usize = 64 << 10;

/// The reply with these rows.
pub(crate) fn reply<L: List>(items: Vec<L::Item>, pretty: bool, meta: &Meta) -> Reply {
    let mut rows = Rows::<L> { items: items.into_iter(), pretty, began: false, ended: false };
    let first = rows.chunk()?;
    if rows.ended {
        return Ok(reply::json_body(first, meta));
    }
    let rest = stream::unfold((rows, Some(first)), next);
    Ok(reply::json_body(Body::from_stream(rest), meta))
}

/// What is written, what is to be written next, and with what.
type Sending<L> = (Rows<L>, Option<Vec<u8>>);

async fn next<L: List>(
    (mut rows, written): Sending<L>,
) -> Option<(Result<Vec<u8>, std::io::Error>, Sending<L>)> {
    if let Some(chunk) = written {
        return Some((Ok(chunk), (rows, None)));
    }
    if rows.ended {
        return None;
    }
    // The client sees a body that breaks off; the log has the reason.
    let chunk = rows.chunk().map_err(|reject| {
        rows.ended = true;
        std::io::Error::other(reject.message().to_owned())
    });
    Some((chunk, (rows, None)))
}

/// The rows that are still to be written.
struct Rows<L: List> {
    items: IntoIter<L::Item>,
    pretty: bool,
    began: bool,
    ended: bool,
}

impl<L: List> Rows<L> {
    /// The next part of the array.
    fn chunk(&mut self) -> Result<Vec<u8>, Reject> {
        // Room for the row that reaches the limit.
        let mut chunk = Vec::with_capacity(if self.items.len() > 64 { CHUNK + 4096 } else { 1024 });
        if !self.began {
            chunk.push(b'[');
        }
        while chunk.len() < CHUNK {
            let Some(item) = self.items.next() else {
                if self.pretty && self.began {
                    chunk.push(b'\n');
                }
                chunk.push(b']');
                if self.pretty {
                    chunk.push(b'\n');
                }
                self.ended = true;
                break;
            };
            if self.began {
                chunk.push(b',');
            }
            self.began = true;
            if self.pretty {
                reply::write_indented(&mut chunk, &L::stub(&item))?;
            } else {
                reply::write(&mut chunk, &L::stub(&item), false)?;
            }
        }
        Ok(chunk)
    }
}
