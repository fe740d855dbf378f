//! A static file server for this machine only: `GET` and `HEAD` below one folder, on 127.0.0.1, for whoever calls it by a
//! name of this machine.
//!
//! Everything is sent with `Cache-Control: no-cache` and an entity tag, so that a rebuilt page shows at once and an
//! unchanged file costs one short answer. A folder made by `cargo xtask dist` is served as the static hosts do it that it is
//! meant for: with the headers of its file `_headers`, and compressed where a compressed copy lies beside a file.
//!
//! Each connection has a thread of its own, because a browser opens several at once and keeps them open. (tiny_http, tried
//! first, leaves a connection unanswered for ever when several arrive before its pool of threads has woken up.)

pub mod encoding;
mod files;
pub mod headers;
mod http;

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use headers::HeaderRules;
use http::{Connection, Headers, Request};

/// Ports tried one after the other before giving up.
const PORTS_TRIED: u16 = 100;

/// How long a connection may stand still, in either direction.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder being offered; nothing is answered before [`Server::run`].
pub struct Server {
    listener: TcpListener,
    site: Site,
    port: u16,
    patience: Duration,
}

/// What is offered.
struct Site {
    root: PathBuf,
    rules: HeaderRules,
}

impl Server {
    /// Listens on 127.0.0.1 at `port` or the next free one above it; port 0 lets the system choose.
    ///
    /// # Errors
    /// If `dir` is no folder or its `_headers` make no sense, or no port can be had.
    pub fn bind(dir: &Path, port: u16) -> Result<Self> {
        ensure!(dir.is_dir(), "{} is no folder; `cargo xtask demo` builds the page into dist", dir.display());
        let root = dir.canonicalize().with_context(|| format!("cannot open {}", dir.display()))?;
        let rules = HeaderRules::of(&root)?;
        let listener = listen(port)?;
        let port = listener.local_addr().context("the listening socket has no address")?.port();
        Ok(Self { listener, site: Site { root, rules }, port, patience: PATIENCE })
    }

    /// The address to open.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers requests until the process ends.
    pub fn run(self) {
        let site = Arc::new(self.site);
        let patience = self.patience;
        for stream in self.listener.incoming() {
            let site = Arc::clone(&site);
            match stream {
                Ok(stream) => drop(thread::spawn(move || {
                    // A visitor who closes the tab in the middle of a download, or goes to sleep, is no news.
                    if let Err(error) = converse(stream, &site, patience)
                        && error.kind() == ErrorKind::InvalidData
                    {
                        eprintln!("a request that makes no sense: {error}");
                    }
                })),
                Err(error) => {
                    eprintln!("cannot accept a connection: {error}");
                    // Out of file descriptors, say: others have to be closed first.
                    thread::sleep(Duration::from_millis(100));
                }
            }
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
    bail!("ports {port} to {last} of 127.0.0.1 are all in use; choose another with --port")
}

/// Answers one request after the other until the browser has had enough.
fn converse(stream: TcpStream, site: &Site, patience: Duration) -> io::Result<()> {
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let mut connection = Connection::new(stream);
    while let Some(request) = connection.read_request()? {
        answer(&mut connection, &request, site)?;
        if request.is_last() {
            break;
        }
    }
    Ok(())
}

/// Sends the file that `request` asks for, or says why not.
fn answer(connection: &mut Connection, request: &Request, site: &Site) -> io::Result<()> {
    if !request.is_for_this_machine {
        let reason = "this server answers only to its own machine; open it as 127.0.0.1 or localhost";
        return connection.refuse(request, "403 Forbidden", reason);
    }
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return connection.refuse(request, "405 Method Not Allowed", "only GET and HEAD are served here");
    }
    let Some(path) = files::path_of(&request.target) else {
        return connection.refuse(request, "404 Not Found", "that is no path");
    };
    // The hosts that read `_headers` show it to nobody.
    let file = files::resolve(&site.root, &path).filter(|file| *file != site.root.join(headers::FILE));
    let Some(file) = file else {
        return connection.refuse(request, "404 Not Found", "there is no such file");
    };
    let copies = encoding::copies(&file);
    let encoding = encoding::choose(&copies, &request.accepted_encodings);
    let served = encoding.map_or_else(|| file.clone(), |encoding| encoding.beside(&file));
    let opened = File::open(&served).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, content) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("cannot read {}: {error}", served.display());
            return connection.refuse(request, "500 Internal Server Error", "the file cannot be read");
        }
    };
    let tag = files::entity_tag(&metadata);
    let mut headers = Headers::new();
    headers.set("Content-Type", files::mime_type(&file));
    headers.set("Cache-Control", "no-cache");
    for (name, value) in site.rules.for_path(&path) {
        headers.set(&name, &value);
    }
    headers.set("ETag", &tag);
    if !copies.is_empty() {
        headers.set("Vary", "Accept-Encoding");
    }
    if let Some(encoding) = encoding {
        headers.set("Content-Encoding", encoding.name);
    }
    if request.known_tag.as_deref() == Some(&tag) {
        return connection.send_head("304 Not Modified", &headers, None);
    }
    connection.send_head("200 OK", &headers, Some(metadata.len()))?;
    if request.wants_body() { connection.send_body(content, metadata.len()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
