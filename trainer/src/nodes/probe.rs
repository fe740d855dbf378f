//! Whether a node answers: a request by HTTP, which `bastion serve` answers beside all its work.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Asks the node at `address` (`host:port`), and waits at most `limit` for the connection and for the answer each.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the node's name.
pub fn ask(address: &str, limit: Duration) -> Result<(), String> {
    let found = address.to_socket_addrs().map_err(|error| format!("is not found: {error}"))?;
    let mut refused = "has no address".to_string();
    for address in found {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return answer(stream, limit),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                refused = "refuses the connection: is `bastion serve` running there, on that port?".into();
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                refused = format!("does not answer within {} s", limit.as_secs());
            }
            Err(error) => refused = format!("cannot be reached: {error}"),
        }
    }
    Err(refused)
}

fn answer(mut stream: TcpStream, limit: Duration) -> Result<(), String> {
    let silent = |error: std::io::Error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            format!("takes connections, but says nothing for {} s", limit.as_secs())
        }
        _ => format!("takes connections, and breaks them: {error}"),
    };
    let mut begin = [0; 5];
    stream
        .set_read_timeout(Some(limit))
        .and_then(|()| stream.set_write_timeout(Some(limit)))
        .and_then(|()| stream.write_all(b"GET / HTTP/1.1\r\nhost: bastion\r\nconnection: close\r\n\r\n"))
        .and_then(|()| stream.read_exact(&mut begin))
        .map_err(silent)?;
    if &begin == b"HTTP/" { Ok(()) } else { Err("answers, but is not `bastion serve`".into()) }
}
