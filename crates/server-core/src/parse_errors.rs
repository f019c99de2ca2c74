//! Bodies for the replies to requests that hyper's parser rejects.
//!
//! hyper sends such a reply itself, with an empty body, before a handler could see a request, and has no hook for
//! it. A client that prints the body would print nothing.
//!
//! Invariant: a reply of a handler is never changed. It has a body or a request ID.

/// The end of a head.
const END: &[u8] = b"\r\n\r\n";

/// The header field of an empty body.
const EMPTY: &[u8] = b"\r\ncontent-length: 0\r\n";

/// A header field that every reply of a handler has.
const REQUEST_ID: &[u8] = b"\r\nx-request-id: ";

/// Maximum length of a head that hyper sends by itself, in bytes, rounded up.
pub(crate) const HEAD_MAX: usize = 512;

/// Returns `answer` with a body that explains it, or `None` if it is not a rejection of hyper's parser.
pub(crate) fn explain(answer: &[u8], head_max: usize) -> Option<Vec<u8>> {
    if answer.len() > HEAD_MAX || find(answer, END)? + END.len() != answer.len() {
        return None;
    }
    let status =
        answer.strip_prefix(b"HTTP/1.1 ").or(answer.strip_prefix(b"HTTP/1.0 "))?.get(..3)?;
    let reason = match status {
        b"400" => "the request is not valid HTTP/1.1".to_owned(),
        b"414" => "the target of the request is longer than 65534 bytes".to_owned(),
        b"431" => format!(
            "the head of the request is larger than {head_max} bytes, the limit set by --head-max, has \
             more than 100 fields, or announces a body of an impossible length"
        ),
        _ => return None,
    };
    let empty = find(answer, EMPTY)?;
    // A handler's reply, which is complete as it is.
    if find(answer, REQUEST_ID).is_some() {
        return None;
    }
    let fields = format!(
        "\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n",
        reason.len()
    );
    let (before, after) = (answer.get(..empty)?, answer.get(empty + EMPTY.len()..)?);
    Some([before, fields.as_bytes(), after, reason.as_bytes()].concat())
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejections_of_the_parser_get_a_body() {
        let head = |status: &str| {
            format!(
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\ndate: now\r\n\r\n"
            )
        };
        let answer = explain(head("431 Too Large").as_bytes(), 1_000).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head_of, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head_of.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{answer}");
        assert!(head_of.ends_with("date: now") && body.contains("1000 bytes"), "{answer}");
        assert!(explain(head("414 URI Too Long").as_bytes(), 1).is_some());
        assert!(explain(head("400 Bad Request").as_bytes(), 1).is_some());
        assert!(explain(head("404 Not Found").as_bytes(), 1).is_none());
    }

    #[test]
    fn replies_of_handlers_are_not_changed() {
        for answer in [
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-request-id: a\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nbad",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "[\"HTTP/1.1 431 \"]",
            "",
        ] {
            assert!(explain(answer.as_bytes(), 1).is_none(), "{answer}");
        }
    }
}
