//! A static file server for this machine only: `GET` and `HEAD` below one folder, on 127.0.0.1, for requests whose
//! `Host` is a name of this machine.
//!
//! All files are sent with `Cache-Control: no-cache` and an entity tag, so that a rebuilt page shows at once and an
//! unchanged file costs one short response. A folder made by `cargo xtask dist` is served as static hosts serve it:
//! with the headers of its file `_headers`, and compressed if there is a compressed copy beside a file.
//!
//! tower-http handles files, ranges and validators; this module resolves addresses and refuses foreign hosts.

pub mod encoding;
mod files;
pub mod headers;
mod timeout;

use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::runtime::{self, Runtime};
use tower_http::services::ServeFile;

use encoding::{BROTLI, GZIP};
use headers::HeaderRules;
use timeout::TimeoutListener;

/// Number of ports that are tried, one after the other.
const PORTS_TRIED: u16 = 100;

/// Time without a byte in either direction after which a connection ends.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Names of this machine that are served. Any other name can be made to resolve to 127.0.0.1 (DNS rebinding), and a
/// site under such a name must not read the files.
const LOCAL_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// A server for one folder, bound to a port; no request is answered before [`Server::run`].
pub struct Server {
    runtime: Runtime,
    listener: tokio::net::TcpListener,
    site: ServedFolder,
    port: u16,
    timeout: Duration,
}

/// The served folder and its header rules.
struct ServedFolder {
    root: PathBuf,
    rules: HeaderRules,
}

impl Server {
    /// Listens on 127.0.0.1 at `port` or the next free one above it; port 0 lets the system choose.
    ///
    /// # Errors
    /// If `dir` is no folder, its `_headers` cannot be parsed, or no port is free.
    pub fn bind(dir: &Path, port: u16) -> Result<Self> {
        ensure!(dir.is_dir(), "{} is no folder; `cargo xtask demo` builds the page into dist", dir.display());
        let root = dir.canonicalize().with_context(|| format!("cannot open {}", dir.display()))?;
        let rules = HeaderRules::of(&root)?;
        let listener = listen(port)?;
        let port = listener.local_addr().context("the listening socket has no address")?.port();
        let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
        listener.set_nonblocking(true).context("cannot set up the listening socket")?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).context("cannot set up the listening socket")?
        };
        Ok(Self { runtime, listener, site: ServedFolder { root, rules }, port, timeout: IDLE_TIMEOUT })
    }

    /// Returns the address of the page.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Returns the port that the server is bound to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers requests until the process ends.
    pub fn run(self) {
        let router = Router::new().fallback(respond).with_state(Arc::new(self.site));
        let listener = TimeoutListener { listener: self.listener, timeout: self.timeout };
        if let Err(error) = self.runtime.block_on(async { axum::serve(listener, router).await }) {
            eprintln!("the server has stopped: {error}");
        }
    }
}

/// Serves `dir` until interrupted: `cargo xtask serve`.
///
/// # Errors
/// As for [`Server::bind`].
pub fn serve(dir: &Path, port: u16) -> Result<()> {
    let server = Server::bind(dir, port)?;
    println!("Serving {} at {} (Ctrl-C stops it)", dir.display(), server.url());
    // A parent process may read the address through a pipe.
    io::stdout().flush().context("cannot write to standard output")?;
    server.run();
    Ok(())
}

/// Binds `port`, or the next free port above it.
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

/// Responds with the requested file, or with an error and its reason.
async fn respond(State(site): State<Arc<ServedFolder>>, request: Request) -> Response {
    if !request.headers().get(HOST).is_some_and(names_this_machine) {
        let reason = "this server answers only to its own machine; open it as 127.0.0.1 or localhost";
        return refuse(StatusCode::FORBIDDEN, reason);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served here");
    }
    let Some(path) = files::path_of(request.uri().path()) else {
        return refuse(StatusCode::NOT_FOUND, "that is no path");
    };
    // Hosts that read `_headers` do not serve the file itself.
    let file = files::resolve(&site.root, &path).filter(|file| *file != site.root.join(headers::FILE));
    let Some(file) = file else { return refuse(StatusCode::NOT_FOUND, "there is no such file") };
    let mut service = ServeFile::new(&file);
    if BROTLI.has_current_copy(&file) {
        service = service.precompressed_br();
    }
    if GZIP.has_current_copy(&file) {
        service = service.precompressed_gzip();
    }
    match service.try_call(request).await {
        Ok(response) => with_headers(response.map(Body::new), &site.rules, &path),
        Err(error) => {
            eprintln!("cannot read {}: {error}", file.display());
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read")
        }
    }
}

/// Adds the headers of every response, and the headers of the rules for `path`.
fn with_headers(mut response: Response, rules: &HeaderRules, path: &str) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Browsers guess the charset of texts that have none.
    let text = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).filter(|kind| kind.starts_with("text/"));
    if let Some(kind) = text.and_then(|kind| HeaderValue::try_from(format!("{kind}; charset=utf-8")).ok()) {
        headers.insert(CONTENT_TYPE, kind);
    }
    for (name, value) in rules.for_path(path) {
        // Names and values were validated when the rules were parsed.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

/// Responds with a status and a reason as plain text.
fn refuse(status: StatusCode, reason: &str) -> Response {
    let headers = [(CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, format!("{status}: {reason}\n")).into_response()
}

/// Returns whether the value of the header `Host` is one of [`LOCAL_NAMES`], with any port or none.
fn names_this_machine(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    LOCAL_NAMES.iter().any(|own| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
