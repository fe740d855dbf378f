//! As much of HTTP/1.1 as a browser needs to fetch files. Heads are taken apart by `httparse`.

use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::TcpStream;

/// The longest request line and headers that are read, in bytes.
const LONGEST_HEAD: usize = 64 << 10;
/// The most headers a request may have; browsers send some fifteen.
const MOST_HEADERS: usize = 100;
/// What this machine may be called. Any name can be made to lead here (DNS rebinding), and a site under such a name must
/// not read what is served.
const OWN_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// A browser at the other end.
pub struct Connection {
    stream: TcpStream,
    /// What has come and belongs to no request yet.
    unread: Vec<u8>,
}

/// What a browser asks.
pub struct Request {
    /// `GET`, say.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Whether the browser called this machine by a name of its own.
    pub is_for_this_machine: bool,
    /// The entity tag of the copy that the browser has.
    pub known_tag: Option<String>,
    /// The compressions that the browser takes, as it lists them.
    pub accepted_encodings: String,
    closes: bool,
    has_body: bool,
}

/// The headers of an answer, each name once.
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// What every answer says: that its type is what it says.
    pub fn new() -> Self {
        Self(vec![("X-Content-Type-Options".into(), "nosniff".into())])
    }

    /// Sets a header, in the place of an older one of that name.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.0.push((name.to_owned(), value.to_owned()));
    }
}

impl Request {
    /// The request at the start of `bytes` and its length, if all of its head is there.
    fn parse(bytes: &[u8]) -> httparse::Result<(Self, usize)> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut head = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(bytes)? else { return Ok(httparse::Status::Partial) };
        // They are there once the head is complete.
        let [method, target] = [head.method, head.path].map(|word| word.unwrap_or_default().to_owned());
        let mut request = Self {
            method,
            target,
            is_for_this_machine: false,
            known_tag: None,
            accepted_encodings: String::new(),
            closes: head.version != Some(1),
            has_body: false,
        };
        for header in head.headers {
            let value = String::from_utf8_lossy(header.value);
            match header.name.to_ascii_lowercase().as_str() {
                "host" => request.is_for_this_machine = names_this_machine(&value),
                "connection" => request.closes |= value.eq_ignore_ascii_case("close"),
                "accept-encoding" => request.accepted_encodings = value.into_owned(),
                "if-none-match" => request.known_tag = Some(value.into_owned()),
                "content-length" => request.has_body |= value != "0",
                "transfer-encoding" => request.has_body = true,
                _ => {}
            }
        }
        Ok(httparse::Status::Complete((request, length)))
    }

    /// `HEAD` asks what `GET` would answer, without the answer itself.
    pub fn wants_body(&self) -> bool {
        self.method != "HEAD"
    }

    /// Will there be no other request on this connection? A body is not read, so nothing sensible could follow it.
    pub fn is_last(&self) -> bool {
        self.closes || self.has_body
    }
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// The next request, or nothing once the browser has closed the connection.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if what comes is not HTTP.
    pub fn read_request(&mut self) -> io::Result<Option<Request>> {
        loop {
            match Request::parse(&self.unread).map_err(|error| nonsense(&error.to_string()))? {
                httparse::Status::Complete((request, length)) => {
                    self.unread.drain(..length);
                    return Ok(Some(request));
                }
                httparse::Status::Partial if self.unread.len() >= LONGEST_HEAD => {
                    return Err(nonsense("its head is too long"));
                }
                httparse::Status::Partial => {}
            }
            let mut piece = [0; 8 << 10];
            match self.stream.read(&mut piece)? {
                0 if self.unread.is_empty() => return Ok(None),
                0 => return Err(nonsense("its head ends too early")),
                length => self.unread.extend_from_slice(&piece[..length]),
            }
        }
    }

    /// Sends status and headers; `length` is that of the body, which follows unless `HEAD` was asked.
    pub fn send_head(&mut self, status: &str, headers: &Headers, length: Option<u64>) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {status}\r\n");
        for (name, value) in &headers.0 {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(length) = length {
            head += &format!("Content-Length: {length}\r\n");
        }
        self.stream.write_all((head + "\r\n").as_bytes())
    }

    /// Sends `length` bytes of `body`.
    ///
    /// # Errors
    /// If there are fewer: the file was cut short meanwhile, and only closing the connection can tell the browser.
    pub fn send_body(&mut self, body: impl Read, length: u64) -> io::Result<()> {
        let sent = io::copy(&mut body.take(length), &mut self.stream)?;
        if sent == length { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// Sends an error in words.
    pub fn refuse(&mut self, request: &Request, status: &str, reason: &str) -> io::Result<()> {
        let body = format!("{status}: {reason}\n");
        let mut headers = Headers::new();
        headers.set("Content-Type", "text/plain; charset=utf-8");
        headers.set("Cache-Control", "no-store");
        self.send_head(status, &headers, Some(body.len() as u64))?;
        if request.wants_body() { self.stream.write_all(body.as_bytes()) } else { Ok(()) }
    }
}

/// Is `host`, the value of that header, one of [`OWN_NAMES`], with any port or none?
fn names_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    OWN_NAMES.iter().any(|own| own.eq_ignore_ascii_case(name))
}

fn nonsense(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_own_names_are_answered() {
        for host in ["127.0.0.1", "127.0.0.1:8080", "localhost", "LocalHost:80", "[::1]", "[::1]:8080"] {
            assert!(names_this_machine(host), "{host}");
        }
        for host in
            ["", ":8080", "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil", "::1"]
        {
            assert!(!names_this_machine(host), "{host}");
        }
    }
}
