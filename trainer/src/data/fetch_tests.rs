//! Downloads from a small server on 127.0.0.1 with chosen faults.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::fetch::{Archive, Download};
use super::hash::hex;
use crate::progress::Progress;

/// The server's response to one connection.
#[derive(Clone, Copy)]
enum Answer {
    /// The bytes that were asked for.
    Well,
    /// The bytes that were asked for, but the connection closes after so many of them.
    Cut(usize),
    /// The whole file, whatever range was asked for.
    NoRanges,
    /// This status line and no file.
    Status(&'static str),
    /// Another part than the one that was asked for.
    WrongPart,
    /// The bytes that were asked for, of a file that has changed.
    Renewed,
}

struct Server {
    url: String,
    /// The `Range` header of each request.
    ranges: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves `content` over as many connections as there are `answers`.
    fn start(content: &[u8], answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/set.zip", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let (content, answers, seen) = (content.to_vec(), answers.to_vec(), ranges.clone());
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let field = |name: &str| {
                    head.iter().find_map(|line| line.to_lowercase().strip_prefix(name).map(str::to_string))
                };
                let range = field("range: ").unwrap_or_default();
                seen.lock().unwrap().push(range.clone());
                let start = range.strip_prefix("bytes=").and_then(|range| range.trim_end_matches('-').parse().ok());
                let same = field("if-range: ").is_none_or(|tag| tag == etag(answer));
                let start = start.filter(|_| same);
                // A client may close the connection first.
                let _ = stream.write_all(&response(&content, start, answer));
            }
        });
        Self { url, ranges }
    }

    fn ranges(&self) -> Vec<String> {
        self.ranges.lock().unwrap().clone()
    }
}

fn etag(answer: Answer) -> &'static str {
    if matches!(answer, Answer::Renewed) { "\"second\"" } else { "\"first\"" }
}

/// Returns the changed file of [`Answer::Renewed`].
fn renewed(content: &[u8]) -> Vec<u8> {
    content.iter().rev().copied().collect()
}

fn response(content: &[u8], start: Option<usize>, answer: Answer) -> Vec<u8> {
    let content = if matches!(answer, Answer::Renewed) { renewed(content) } else { content.to_vec() };
    let total = content.len();
    let (status, range, body) = match (answer, start) {
        (Answer::Status(status), _) => (status, String::new(), &b"sorry"[..]),
        (Answer::WrongPart, _) => ("206 Partial Content", format!("bytes 1-9/{total}"), &content[1..10]),
        (Answer::NoRanges, _) | (_, None) => ("200 OK", String::new(), &content[..]),
        (_, Some(start)) if start >= total => ("416 Range Not Satisfiable", format!("bytes */{total}"), &b""[..]),
        (_, Some(start)) => ("206 Partial Content", format!("bytes {start}-{}/{total}", total - 1), &content[start..]),
    };
    let range = if range.is_empty() { range } else { format!("Content-Range: {range}\r\n") };
    let (length, etag) = (body.len(), etag(answer));
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nETag: {etag}\r\n{range}Connection: close\r\n\r\n");
    let sent = if let Answer::Cut(count) = answer { count.min(body.len()) } else { body.len() };
    [head.as_bytes(), &body[..sent]].concat()
}

fn content() -> Vec<u8> {
    (0..300_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn archive_of(content: &[u8]) -> Archive {
    Archive { bytes: content.len() as u64, sha256: hex(Sha256::digest(content)).leak() }
}

/// Downloads to `dir/set.zip`.
fn download(server: &Server, expected: Option<Archive>, dir: &TempDir) -> anyhow::Result<bool> {
    Download { url: &server.url, expected, pause: Duration::ZERO }.run(&dir.path().join("set.zip"), &Progress::silent())
}

#[track_caller]
fn assert_fails(result: anyhow::Result<bool>, parts: &[&str]) {
    let message = format!("{:#}", result.unwrap_err());
    for part in parts {
        assert!(message.contains(part), "'{part}' is not in: {message}");
    }
}

#[test]
fn a_whole_download_is_verified_and_named() {
    let (content, dir) = (content(), TempDir::new().unwrap());
    let server = Server::start(&content, &[Answer::Well]);
    assert!(download(&server, Some(archive_of(&content)), &dir).unwrap());
    assert_eq!(fs::read(dir.path().join("set.zip")).unwrap(), content);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "only the archive is left");
    // No connection is left to answer a second one.
    assert!(!download(&server, Some(archive_of(&content)), &dir).unwrap());
}

#[test]
fn a_lost_connection_is_taken_up_where_it_broke() {
    let (content, dir) = (content(), TempDir::new().unwrap());
    let answers = [Answer::Cut(100_000), Answer::Cut(50_000), Answer::Status("503 Service Unavailable"), Answer::Well];
    let server = Server::start(&content, &answers);
    download(&server, Some(archive_of(&content)), &dir).unwrap();
    assert_eq!(fs::read(dir.path().join("set.zip")).unwrap(), content);
    assert_eq!(server.ranges(), ["", "bytes=100000-", "bytes=150000-", "bytes=150000-"]);
}

#[test]
fn the_next_run_goes_on_from_what_is_there() {
    let (content, dir) = (content(), TempDir::new().unwrap());
    let server = Server::start(&content, &[&lost_after(1000)[..], &[Answer::Well]].concat());
    assert_fails(download(&server, None, &dir), &["lost after 1000 bytes", "run the command again"]);
    assert_eq!(fs::metadata(dir.path().join("set.zip.part")).unwrap().len(), 1000);

    download(&server, None, &dir).unwrap();
    assert_eq!(server.ranges()[5..], ["bytes=1000-"]);
    assert_eq!(fs::read(dir.path().join("set.zip")).unwrap(), content);
}

/// Returns answers that make a download fail after so many bytes.
fn lost_after(bytes: usize) -> [Answer; 5] {
    [Answer::Cut(bytes), Answer::Cut(0), Answer::Cut(0), Answer::Cut(0), Answer::Cut(0)]
}

#[test]
fn a_part_of_one_address_is_not_continued_from_another() {
    let (content, dir) = (content(), TempDir::new().unwrap());
    let server = Server::start(&content, &lost_after(1000));
    assert_fails(download(&server, None, &dir), &["lost after 1000 bytes"]);

    let elsewhere: Vec<u8> = content.iter().map(|byte| !byte).collect();
    let server = Server::start(&elsewhere, &[Answer::Well]);
    download(&server, None, &dir).unwrap();
    assert_eq!(server.ranges(), [""]);
    assert_eq!(fs::read(dir.path().join("set.zip")).unwrap(), elsewhere);
}

#[test]
fn a_part_of_unknown_origin_is_continued_only_if_a_hash_will_tell() {
    let (content, dir) = (content(), TempDir::new().unwrap());
    fs::write(dir.path().join("set.zip.part"), [7; 1000]).unwrap();
    let server = Server::start(&content, &[Answer::Well]);
    download(&server, None, &dir).unwrap();
    assert_eq!(server.ranges(), [""]);
    assert_eq!(fs::read(dir.path().join("set.zip")).unwrap(), content);
}

#[test]
fn a_file_that_was_renewed_meanwhile_is_not_mixed_with_the_old_one() {
    let (content, dir) = (content(), TempDir::new().unwrap());
    let server = Server::start(&content, &[&lost_after(1000)[..], &[Answer::Renewed]].concat());
    assert_fails(download(&server, None, &dir), &["lost after 1000 bytes"]);
    download(&server, None, &dir).unwrap();
    assert_eq!(server.ranges()[5..], ["bytes=1000-"]);
    assert_eq!(fs::read(dir.path().join("set.zip")).unwrap(), renewed(&content));
}

#[test]
fn a_download_killed_before_its_last_step_is_finished() {
    let (content, dir) = (content(), TempDir::new().unwrap());
    fs::write(dir.path().join("set.zip.part"), &content).unwrap();
    let server = Server::start(&content, &[Answer::Well]);
    download(&server, Some(archive_of(&content)), &dir).unwrap();
    assert_eq!(server.ranges(), ["bytes=300000-"]);
    assert_eq!(fs::read(dir.path().join("set.zip")).unwrap(), content);
}

#[test]
fn servers_without_ranges_and_with_changed_files_start_over() {
    let (content, dir) = (content(), TempDir::new().unwrap());
    let server = Server::start(&content, &[Answer::Cut(1000), Answer::NoRanges]);
    download(&server, Some(archive_of(&content)), &dir).unwrap();
    assert_eq!(fs::read(dir.path().join("set.zip")).unwrap(), content);

    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("set.zip.part"), vec![0; 400_000]).unwrap();
    let server = Server::start(&content, &[Answer::Well, Answer::Well]);
    download(&server, Some(archive_of(&content)), &dir).unwrap();
    assert_eq!(server.ranges(), ["bytes=400000-", ""]);
}

#[test]
fn another_file_is_refused() {
    let (content, dir) = (content(), TempDir::new().unwrap());
    let longer = Archive { bytes: 300_001, ..archive_of(&content) };
    let server = Server::start(&content, &[Answer::Well]);
    assert_fails(download(&server, Some(longer), &dir), &["has 300000 bytes instead of 300001"]);

    let other = Archive { sha256: "0123", ..archive_of(&content) };
    let server = Server::start(&content, &[Answer::Well]);
    assert_fails(download(&server, Some(other), &dir), &["its SHA-256 is", "instead of 0123", "deleted"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

    fs::write(dir.path().join("set.zip"), "something else").unwrap();
    assert_fails(download(&server, Some(archive_of(&content)), &dir), &["set.zip is not the archive", "14 bytes"]);
}

#[test]
fn refusals_say_what_to_do() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(&content(), &[Answer::Status("404 Not Found"), Answer::Cut(10), Answer::WrongPart]);
    assert_fails(download(&server, None, &dir), &["404 Not Found", "--url", "bastion data import"]);
    assert_fails(download(&server, None, &dir), &["another part of the file"]);
    let nowhere = Download { url: "ftp://x/y", expected: None, pause: Duration::ZERO };
    assert_fails(nowhere.run(&dir.path().join("z.zip"), &Progress::silent()), &["ftp://x/y"]);
}
