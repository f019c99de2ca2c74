//! Requests written byte by byte, which no client library sends.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

/// A connection to a server's address.
pub(crate) fn connect(address: &str, request: impl AsRef<[u8]>) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(request.as_ref()).unwrap();
    socket
}

/// Everything that comes until the server closes the connection.
pub(crate) fn read_all(mut socket: TcpStream) -> String {
    let mut reply = Vec::new();
    // A connection that is reset may have brought an answer before.
    let _ = socket.read_to_end(&mut reply);
    String::from_utf8(reply).unwrap()
}

/// The answer to a request whose client shuts its sending side down behind it.
pub(crate) fn half_closed(address: &str, request: impl AsRef<[u8]>) -> String {
    let socket = connect(address, request);
    socket.shutdown(Shutdown::Write).unwrap();
    read_all(socket)
}

/// The status of an answer.
pub(crate) fn status(reply: &str) -> u16 {
    reply.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| {
        panic!("no status in {reply:?}");
    })
}
