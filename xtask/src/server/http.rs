//! As much of HTTP/1.1 as a browser needs to fetch files.

use std::io::{self, BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::TcpStream;

/// The longest request line and headers that are read, in bytes.
const LONGEST_HEAD: u64 = 64 << 10;

/// A browser at the other end.
pub struct Connection {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

/// What a browser asks.
pub struct Request {
    /// `GET`, say.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The entity tag of the copy that the browser has.
    pub known_tag: Option<String>,
    closes: bool,
    has_body: bool,
}

impl Request {
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
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        Ok(Self { reader: BufReader::new(stream.try_clone()?), writer: stream })
    }

    /// The next request, or nothing once the browser has closed the connection.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if what comes is not HTTP.
    pub fn read_request(&mut self) -> io::Result<Option<Request>> {
        let mut head = (&mut self.reader).take(LONGEST_HEAD);
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace();
        let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
            return Err(nonsense(&line));
        };
        let mut request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            known_tag: None,
            closes: version != "HTTP/1.1",
            has_body: false,
        };
        loop {
            line.clear();
            if head.read_line(&mut line)? == 0 {
                return Err(nonsense("its head ends too early or is too long"));
            }
            if line.trim_end().is_empty() {
                return Ok(Some(request));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| nonsense(&line))?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "connection" => request.closes |= value.eq_ignore_ascii_case("close"),
                "if-none-match" => request.known_tag = Some(value.to_owned()),
                "content-length" => request.has_body |= value != "0",
                "transfer-encoding" => request.has_body = true,
                _ => {}
            }
        }
    }

    /// Sends status and headers; `length` is that of the body, which follows unless `HEAD` was asked.
    pub fn send_head(&mut self, status: &str, headers: &[(&str, &str)], length: Option<u64>) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {status}\r\nX-Content-Type-Options: nosniff\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(length) = length {
            head += &format!("Content-Length: {length}\r\n");
        }
        self.writer.write_all((head + "\r\n").as_bytes())
    }

    /// Sends `length` bytes of `body`.
    ///
    /// # Errors
    /// If there are fewer: the file was cut short meanwhile, and only closing the connection can tell the browser.
    pub fn send_body(&mut self, body: impl Read, length: u64) -> io::Result<()> {
        let sent = io::copy(&mut body.take(length), &mut self.writer)?;
        if sent == length { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// Sends an error in words.
    pub fn refuse(&mut self, request: &Request, status: &str, reason: &str) -> io::Result<()> {
        let body = format!("{status}: {reason}\n");
        let headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")];
        self.send_head(status, &headers, Some(body.len() as u64))?;
        if request.wants_body() { self.writer.write_all(body.as_bytes()) } else { Ok(()) }
    }
}

fn nonsense(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.trim_end().to_owned())
}
