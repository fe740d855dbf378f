//! A static file server for this machine only: `GET` and `HEAD` below one folder, on 127.0.0.1.
//!
//! Everything is sent with `Cache-Control: no-cache` and an entity tag, so that a rebuilt page shows at once and an
//! unchanged file costs one short answer.

mod files;

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use tiny_http::{Header, Method, Request, Response, StatusCode};

/// Requests answered at the same time: a browser opens at most six connections to one host.
const THREADS: usize = 8;

/// Ports tried one after the other before giving up.
const PORTS_TRIED: u16 = 100;

/// A folder being offered; nothing is answered before [`Server::run`].
pub struct Server {
    http: tiny_http::Server,
    root: PathBuf,
    port: u16,
}

impl Server {
    /// Listens on 127.0.0.1 at `port` or the next free one above it; port 0 lets the system choose.
    ///
    /// # Errors
    /// If `dir` is no folder, or no port can be had.
    pub fn bind(dir: &Path, port: u16) -> Result<Self> {
        ensure!(dir.is_dir(), "{} is no folder; `cargo xtask demo` builds the page into dist", dir.display());
        let root = dir.canonicalize().with_context(|| format!("cannot open {}", dir.display()))?;
        let listener = listen(port)?;
        let port = listener.local_addr().context("the listening socket has no address")?.port();
        let http = tiny_http::Server::from_listener(listener, None)
            .map_err(|error| anyhow!("cannot serve on port {port}: {error}"))?;
        Ok(Self { http, root, port })
    }

    /// The address to open.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers requests until the process ends or the listening socket breaks.
    pub fn run(self) {
        let server = Arc::new(self);
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let server = Arc::clone(&server);
                thread::spawn(move || {
                    for request in server.http.incoming_requests() {
                        answer(&server.root, request);
                    }
                })
            })
            .collect();
        for thread in threads {
            // A thread that panicked has printed why; the others go on.
            let _ = thread.join();
        }
    }
}

/// `cargo xtask serve`: serves `dir` until interrupted.
pub fn serve(dir: &Path, port: u16) -> Result<()> {
    let server = Server::bind(dir, port)?;
    println!("Serving {} at {} (Ctrl-C stops it)", dir.display(), server.url());
    // Whoever started this program may be reading the address through a pipe.
    io::stdout().flush().context("cannot write to standard output")?;
    server.run();
    Ok(())
}

fn listen(port: u16) -> Result<TcpListener> {
    let last = if port == 0 { 0 } else { port.saturating_add(PORTS_TRIED - 1) };
    for candidate in port..=last {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, candidate)) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            outcome => return outcome.with_context(|| format!("cannot listen on 127.0.0.1:{candidate}")),
        }
    }
    Err(anyhow!("ports {port} to {last} of 127.0.0.1 are all in use; choose another with --port"))
}

/// Sends the file that `request` asks for, or says why not.
fn answer(root: &Path, request: Request) {
    let outcome = if !matches!(request.method(), Method::Get | Method::Head) {
        refuse(request, 405, "only GET and HEAD are served here")
    } else if let Some(path) = files::resolve(root, request.url()) {
        send(&path, request)
    } else {
        eprintln!("404 {}", request.url());
        refuse(request, 404, "there is no such file")
    };
    match outcome {
        // A visitor who closes the tab in the middle of a download is no news.
        Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
            eprintln!("cannot answer: {error}");
        }
        _ => {}
    }
}

fn send(path: &Path, request: Request) -> io::Result<()> {
    let (file, tag) = match File::open(path).and_then(|file| Ok((files::entity_tag(&file.metadata()?), file))) {
        Ok((tag, file)) => (file, tag),
        Err(error) => {
            eprintln!("cannot read {}: {error}", path.display());
            return refuse(request, 500, "the file cannot be read");
        }
    };
    let known = request.headers().iter().any(|h| h.field.equiv("If-None-Match") && h.value.as_str() == tag);
    let headers = [
        header("Content-Type", files::mime_type(path)),
        header("Cache-Control", "no-cache"),
        header("X-Content-Type-Options", "nosniff"),
        header("ETag", &tag),
    ];
    if known {
        return request.respond(with_headers(Response::empty(304), headers));
    }
    // Without a threshold large files would go out in chunks, without the length a progress bar needs.
    let response = Response::from_file(file).with_chunked_threshold(usize::MAX);
    request.respond(with_headers(response, headers))
}

fn refuse(request: Request, status: u16, reason: &str) -> io::Result<()> {
    let response = Response::from_string(format!("{status}: {reason}\n")).with_status_code(StatusCode(status));
    let headers = [header("Content-Type", "text/plain; charset=utf-8"), header("Cache-Control", "no-store")];
    request.respond(with_headers(response, headers))
}

fn with_headers<R: io::Read>(response: Response<R>, headers: impl IntoIterator<Item = Header>) -> Response<R> {
    headers.into_iter().fold(response, Response::with_header)
}

#[expect(clippy::expect_used, reason = "names and values are ASCII by construction")]
fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("an ASCII header")
}

#[cfg(test)]
mod tests;
