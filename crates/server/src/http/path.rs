//! Paths, segment by segment: a slash that is written as `%2F` belongs to its segment.

use axum::http::Uri;

use super::reject::Reject;

/// The decoded segments of a path after `prefix`.
pub(crate) fn segments(uri: &Uri, prefix: &str) -> Result<Vec<String>, Reject> {
    let rest = uri.path().strip_prefix(prefix).ok_or_else(Reject::resource)?;
    rest.split('/')
        .map(|segment| {
            percent_encoding::percent_decode_str(segment)
                .decode_utf8()
                .map(Into::into)
                .map_err(|_| Reject::bad_request("the path is not UTF-8"))
        })
        .collect()
}
