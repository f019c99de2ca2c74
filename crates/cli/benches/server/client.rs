//! A client with little overhead: one kept-alive socket, one request at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A connection to the server.
pub(crate) struct Client {
    socket: BufReader<TcpStream>,
    /// Header lines of every request.
    headers: &'static str,
    sent: Vec<u8>,
}

/// A reply to a request.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) index: u64,
    /// The token of the next page; `None` for the last one.
    pub(crate) next_token: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: &str, headers: &'static str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        let socket = BufReader::with_capacity(256 << 10, socket);
        Self { socket, headers, sent: Vec::new() }
    }

    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, b"");
        self.receive()
    }

    pub(crate) fn put(&mut self, path: &str, body: &[u8]) -> Reply {
        self.send("PUT", path, body);
        self.receive()
    }

    /// Sends a request without waiting for its reply.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &[u8]) {
        self.send_with(method, path, "", body);
    }

    /// Like [`send`](Self::send), with more header lines.
    pub(crate) fn send_with(&mut self, method: &str, path: &str, more: &str, body: &[u8]) {
        self.sent.clear();
        let headers = self.headers;
        write!(self.sent, "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}{more}")
            .unwrap();
        write!(self.sent, "Content-Length: {}\r\n\r\n", body.len()).unwrap();
        self.sent.extend_from_slice(body);
        self.socket.get_mut().write_all(&self.sent).unwrap();
    }

    /// Sends the head of a request with a body of `length` bytes, and `part` of it.
    pub(crate) fn send_part(&mut self, method: &str, path: &str, length: usize, part: &[u8]) {
        let headers = self.headers;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n"
        );
        // The server does not read a rejected body to its end, so writing it can fail.
        let socket = self.socket.get_mut();
        let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(part));
    }

    /// Waits for the first bytes of the reply, and leaves the rest unread.
    pub(crate) fn wait_for_reply(&mut self) {
        self.socket.get_mut().read_exact(&mut [0; 16]).unwrap();
    }

    /// Reads the reply to the request that was sent; its status MUST be a success.
    pub(crate) fn receive(&mut self) -> Reply {
        let reply = self.receive_any();
        let Reply { status, body, .. } = &reply;
        assert!((200..300).contains(status), "{status}: {}", String::from_utf8_lossy(body));
        reply
    }

    /// Reads the reply to the request that was sent, with any status.
    pub(crate) fn receive_any(&mut self) -> Reply {
        let status = self.line();
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let (mut index, mut length, mut chunked, mut next_token) = (0, 0, false, None);
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "x-nomad-index" => index = value.parse().unwrap(),
                "x-nomad-nexttoken" => next_token = Some(value.to_owned()),
                "content-length" => length = value.parse().unwrap(),
                "transfer-encoding" => chunked = value == "chunked",
                _ => {}
            }
        }
        let mut body = Vec::new();
        if chunked {
            while self.chunk(&mut body) {}
        } else {
            body.resize(length, 0);
            self.socket.read_exact(&mut body).unwrap();
        }
        Reply { status, index, next_token, body }
    }

    /// Reads one chunk; returns false after the last.
    fn chunk(&mut self, body: &mut Vec<u8>) -> bool {
        let length = usize::from_str_radix(&self.line(), 16).unwrap();
        let begin = body.len();
        body.resize(begin + length, 0);
        self.socket.read_exact(&mut body[begin..]).unwrap();
        self.line();
        length > 0
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.socket.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}
