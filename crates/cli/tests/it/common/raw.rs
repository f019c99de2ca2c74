//! Requests written byte by byte, which no client library sends.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

/// Connects to a server's address, and sends the bytes of a request.
pub(crate) fn connect(address: &str, request: impl AsRef<[u8]>) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(request.as_ref()).unwrap();
    socket
}

/// Returns all bytes until the server closes the connection.
pub(crate) fn read_all(mut socket: TcpStream) -> String {
    let mut reply = Vec::new();
    // A reset after the reply leaves the reply in the buffer.
    let _ = socket.read_to_end(&mut reply);
    String::from_utf8(reply).unwrap()
}

/// Returns the reply to a client that shuts down its sending side after the request.
pub(crate) fn half_closed(address: &str, request: impl AsRef<[u8]>) -> String {
    let socket = connect(address, request);
    socket.shutdown(Shutdown::Write).unwrap();
    read_all(socket)
}

/// Returns the status of a reply.
pub(crate) fn status(reply: &str) -> u16 {
    reply.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| {
        panic!("no status in {reply:?}");
    })
}
