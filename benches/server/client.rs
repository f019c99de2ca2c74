//! A client that costs next to nothing: one kept-alive socket, one request at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A connection to the server.
pub(crate) struct Client {
    socket: BufReader<TcpStream>,
    /// Header lines that every request has.
    headers: &'static str,
    sent: Vec<u8>,
}

/// A reply to a request that was done; another one ends the bench.
pub(crate) struct Reply {
    pub(crate) index: u64,
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
        self.sent.clear();
        write!(self.sent, "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{}", self.headers)
            .unwrap();
        write!(self.sent, "Content-Length: {}\r\n\r\n", body.len()).unwrap();
        self.sent.extend_from_slice(body);
        self.socket.get_mut().write_all(&self.sent).unwrap();
    }

    /// Reads the reply to the request that was sent.
    pub(crate) fn receive(&mut self) -> Reply {
        let status = self.line();
        let (mut index, mut length, mut chunked) = (0, 0, false);
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "x-nomad-index" => index = value.parse().unwrap(),
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
        assert!(status.starts_with("HTTP/1.1 2"), "{status}: {}", String::from_utf8_lossy(&body));
        Reply { index, body }
    }

    /// Reads one chunk; false after the last.
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
