//! Tests the server over a real socket.

use super::*;
use std::fs;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// Number of bytes that exceeds the buffers of both sockets, so that such a response is stuck until the client reads.
const MORE_THAN_BUFFERS_HOLD: usize = 32 << 20;

/// Serves a folder with a page and a large file; returns the port, and the folder that must outlive the server.
fn started() -> (u16, tempfile::TempDir) {
    started_with(IDLE_TIMEOUT)
}

fn started_with(timeout: Duration) -> (u16, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("index.html"), "<p>page</p>").unwrap();
    fs::write(folder.path().join("large.wasm"), vec![7; 300_000]).unwrap();
    let server = Server { timeout, ..Server::bind(folder.path(), 0).unwrap() };
    let port = server.port();
    thread::spawn(move || server.run());
    (port, folder)
}

/// Sends one request and returns the head and the body of the answer.
fn request(port: u16, request_line: &str, headers: &str) -> (String, Vec<u8>) {
    request_as(&format!("localhost:{port}"), port, request_line, headers)
}

fn request_as(host: &str, port: u16, request_line: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "{request_line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end_of_head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end_of_head + 4);
    (String::from_utf8(answer).unwrap(), body)
}

#[test]
fn a_large_file_comes_whole_and_with_its_length() {
    let (port, _folder) = started();
    let (head, body) = request(port, "GET /large.wasm", "");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(header(&head, "Content-Length"), Some("300000"), "{head}");
    assert_eq!(header(&head, "Content-Type"), Some("application/wasm"), "{head}");
    assert_eq!(body, vec![7; 300_000]);
}

#[test]
fn head_has_the_same_headers_and_no_body() {
    let (port, _folder) = started();
    let (head, body) = request(port, "HEAD /large.wasm", "");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(header(&head, "Content-Length"), Some("300000"), "{head}");
    assert_eq!(body, b"");
}

#[test]
fn an_unchanged_page_is_revalidated_and_not_sent_again() {
    let (port, _folder) = started();
    let (head, body) = request(port, "GET /", "");
    assert_eq!(header(&head, "Content-Type"), Some("text/html; charset=utf-8"), "{head}");
    assert_eq!(header(&head, "Cache-Control"), Some("no-cache"), "{head}");
    assert_eq!(body, b"<p>page</p>");
    let tag = header(&head, "ETag").unwrap();
    let (head, body) = request(port, "GET /", &format!("If-None-Match: {tag}\r\n"));
    assert!(head.starts_with("HTTP/1.1 304"), "{head}");
    assert_eq!(body, b"");
}

#[test]
fn a_compressed_copy_is_sent_to_clients_that_accept_it() {
    let (port, folder) = started();
    for (name, content) in [("app.js", "plain"), ("app.js.br", "as brotli"), ("app.js.gz", "as gzip")] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    for (accepted, encoding, content) in [
        ("gzip, deflate, br, zstd", Some("br"), "as brotli"),
        ("gzip", Some("gzip"), "as gzip"),
        ("br;q=0, GZIP;q=0.5", Some("gzip"), "as gzip"),
        ("br; q=0.1", Some("br"), "as brotli"),
        ("br;q=0", None, "plain"),
        ("identity", None, "plain"),
        ("", None, "plain"),
    ] {
        let (head, body) = request(port, "GET /app.js?v=1", &format!("Accept-Encoding: {accepted}\r\n"));
        assert_eq!(String::from_utf8(body).unwrap(), content, "{accepted}");
        assert_eq!(header(&head, "Content-Encoding"), encoding, "{head}");
        assert_eq!(header(&head, "Content-Type"), Some("text/javascript; charset=utf-8"), "{head}");
        assert_eq!(header(&head, "Content-Length"), Some(content.len().to_string().as_str()), "{head}");
        assert!(header(&head, "Vary").is_some_and(|name| name.eq_ignore_ascii_case("Accept-Encoding")), "{head}");
        let tag = header(&head, "ETag").unwrap();
        let again = format!("Accept-Encoding: {accepted}\r\nIf-None-Match: {tag}\r\n");
        assert!(request(port, "GET /app.js?v=1", &again).0.starts_with("HTTP/1.1 304"), "{accepted}");
    }
    let (head, _) = request(port, "GET /", "Accept-Encoding: br\r\n");
    assert!(header(&head, "Content-Encoding").is_none() && header(&head, "Vary").is_none(), "{head}");
}

#[test]
fn the_folders_own_headers_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("index.html"), "").unwrap();
    fs::write(folder.path().join("app-1 2.js"), "").unwrap();
    let rules =
        "/*\n  X-Frame-Options: DENY\n  x-content-type-options: nosniff\n/app-1 2.js\n  cache-control: immutable\n";
    fs::write(folder.path().join("_headers"), rules).unwrap();
    let server = Server::bind(folder.path(), 0).unwrap();
    let port = server.port();
    thread::spawn(move || server.run());
    let (head, _) = request(port, "GET /", "");
    assert_eq!(header(&head, "X-Frame-Options"), Some("DENY"), "{head}");
    assert_eq!(header(&head, "Cache-Control"), Some("no-cache"), "{head}");
    let (head, _) = request(port, "GET /app-1%202.js?v=3", "");
    assert_eq!(header(&head, "Cache-Control"), Some("immutable"), "{head}");
    let lower = head.to_ascii_lowercase();
    for name in ["cache-control:", "x-content-type-options:"] {
        assert_eq!(lower.matches(name).count(), 1, "{head}");
    }
    assert!(request(port, "GET /_headers", "").0.starts_with("HTTP/1.1 404"));
}

#[test]
fn malformed_headers_are_refused_before_any_file_is_served() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("_headers"), "X-A: 1\n").unwrap();
    let Err(error) = Server::bind(folder.path(), 0) else { panic!("took nonsense for headers") };
    assert!(format!("{error:#}").contains("_headers: line 1"), "{error:#}");
}

/// Returns the value of a header, whose name may be in any case.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[test]
fn a_part_of_a_file_can_be_requested() {
    let (port, _folder) = started();
    let (head, body) = request(port, "GET /", "Range: bytes=3-6\r\n");
    assert!(head.starts_with("HTTP/1.1 206"), "{head}");
    assert_eq!(header(&head, "Content-Range"), Some("bytes 3-6/11"), "{head}");
    assert_eq!(body, b"page");
    assert!(request(port, "GET /", "Range: bytes=11-\r\n").0.starts_with("HTTP/1.1 416"));
}

#[test]
fn only_names_of_this_machine_are_served() {
    let names_this_machine = |host| names_this_machine(&HeaderValue::from_static(host));
    for host in ["127.0.0.1", "127.0.0.1:8080", "localhost", "LocalHost:80", "[::1]", "[::1]:8080"] {
        assert!(names_this_machine(host), "{host}");
    }
    for host in ["", ":8080", "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil", "::1"] {
        assert!(!names_this_machine(host), "{host}");
    }
}

#[test]
fn missing_files_and_other_methods_are_refused() {
    let (port, _folder) = started();
    assert!(request(port, "GET /nothing.js", "").0.starts_with("HTTP/1.1 404"));
    let (head, body) = request(port, "HEAD /nothing.js", "");
    assert!(head.starts_with("HTTP/1.1 404") && body.is_empty(), "{head}");
    assert!(request(port, "GET /../Cargo.toml", "").0.starts_with("HTTP/1.1 404"));
    assert!(request(port, "POST /", "Content-Length: 0\r\n").0.starts_with("HTTP/1.1 405"));
}

#[test]
fn a_foreign_name_for_this_machine_is_refused() {
    let (port, _folder) = started();
    for host in ["127.0.0.1", "127.0.0.1:1", "localhost", "[::1]:8080"] {
        assert!(request_as(host, port, "GET /", "").0.starts_with("HTTP/1.1 200"), "{host}");
    }
    for host in ["", "rebound.example", &format!("rebound.example:{port}")] {
        let (head, body) = request_as(host, port, "GET /", "");
        let body = String::from_utf8(body).unwrap();
        assert!(head.starts_with("HTTP/1.1 403") && body.contains("open it as 127.0.0.1"), "{host}: {head}{body}");
    }
}

#[test]
fn a_client_that_reads_nothing_is_disconnected() {
    let (port, folder) = started_with(Duration::from_millis(200));
    fs::write(folder.path().join("huge.bin"), vec![0; MORE_THAN_BUFFERS_HOLD]).unwrap();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    write!(stream, "GET /huge.bin HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    thread::sleep(Duration::from_secs(2));
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut answer = Vec::new();
    // The system may end the connection with or without an error; only a timeout of the read would be wrong.
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
    assert!(answer.len() < MORE_THAN_BUFFERS_HOLD, "all of it came after all");
}

#[test]
fn requests_in_pieces_and_requests_in_one_piece_are_all_answered() {
    let (port, _folder) = started();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for piece in
        ["HEAD / HT", "TP/1.1\r\nHost: loc", "alhost\r\n\r\nHEAD / HTTP/1.1\r\nHost: localhost\r\n\r\nHEAD /no"]
    {
        stream.write_all(piece.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(50));
    }
    stream.write_all(b"thing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    let codes: Vec<&str> = answers.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")).collect();
    assert_eq!(codes, ["200 OK", "200 OK", "404 Not Found"]);
}

#[test]
fn simultaneous_open_connections_are_all_answered() {
    let (port, folder) = started();
    fs::write(folder.path().join("huge.bin"), vec![0; MORE_THAN_BUFFERS_HOLD]).unwrap();
    let mut slow = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    write!(slow, "GET /huge.bin HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut streams: Vec<_> = (0..20).map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap()).collect();
    for _ in 0..2 {
        for stream in &mut streams {
            write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        }
        for stream in &mut streams {
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"<p>page</p>") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                answer.push(byte[0]);
            }
        }
    }
}

#[test]
fn malformed_http_ends_only_its_connection() {
    let (port, _folder) = started();
    for nonsense in ["\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\nno header\r\n\r\n", "GET / HTTP/1.1\r\nHost: x"] {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(nonsense.as_bytes()).unwrap();
        // The server may have closed the connection already, in which case shutting down fails and reading is cut off.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let ended = stream.read_to_end(&mut answer);
        let timed_out = ended.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        assert!(!timed_out, "{nonsense:?}: the connection is still open");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{nonsense:?}: {answer}");
    }
    assert!(request(port, "GET /", "").0.starts_with("HTTP/1.1 200"));
}

#[test]
fn what_is_no_request_of_http_1_is_answered_in_words() {
    let (port, _folder) = started();
    let headers: String = (0..101).map(|number| format!("X-{number}: 1\r\n")).collect();
    let many_headers = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    let tls_hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 506]].concat();
    let nonsense: [&[u8]; 5] = [
        &tls_hello,
        many_headers.as_bytes(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"hello\r\n\r\n",
    ];
    for bytes in nonsense {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        let ended = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(30)]);
        assert!(ended.is_ok() && answer.starts_with("HTTP/1.1 4"), "{shown:?}: {ended:?}, {answer:?}");
    }
    assert!(request(port, "GET /", "").0.starts_with("HTTP/1.1 200"));
}

#[test]
fn a_taken_port_gives_the_next_free_one() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::bind(folder.path(), 0).unwrap();
    let second = Server::bind(folder.path(), first.port()).unwrap();
    assert!(second.port() > first.port());
}

#[test]
fn a_missing_folder_is_named() {
    let Err(error) = Server::bind(Path::new("no-such-folder"), 0) else { panic!("served a missing folder") };
    assert!(error.to_string().contains("no-such-folder"), "{error}");
}
