//! A server in this process that fails as a test asks, file by file.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::server::copy_of_page;

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fault {
    /// An error of the server, with this status.
    Status(u16),
    /// A web page with status 200, as hosts send it for files that they do not have.
    WebPage,
    /// The connection ends in the middle of the file.
    Short,
    /// The connection is taken, and no answer follows.
    Silence,
    /// The first half of the file comes, and then nothing.
    Stall,
}

/// Parts of addresses, and what becomes of requests for them; an empty part is in every address.
type Faults = Arc<Mutex<Vec<(String, Fault)>>>;

/// A running server.
pub struct FaultyServer {
    /// Address of the server, with a slash at the end.
    pub url: String,
    /// The page's files, a copy.
    pub folder: TempDir,
    faults: Faults,
}

impl FaultyServer {
    /// Serves a copy of the built page.
    pub fn start() -> Self {
        let folder = copy_of_page();
        let faults = Faults::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (root, shared) = (folder.path().to_owned(), Arc::clone(&faults));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, faults) = (root.clone(), Arc::clone(&shared));
                thread::spawn(move || answer(&stream, &root, &faults));
            }
        });
        Self { url, folder, faults }
    }

    /// Has requests fail whose addresses contain one of these parts, and no others.
    pub fn fail(&self, faults: &[(&str, Fault)]) {
        *self.faults.lock().unwrap() = faults.iter().map(|(part, fault)| ((*part).to_owned(), *fault)).collect();
    }

    /// Returns the name of the file at the top of the page that begins and ends so.
    pub fn file(&self, begins: &str, ends: &str) -> String {
        let names = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names = names.map(|name| name.into_string().unwrap());
        names.find(|name| name.starts_with(begins) && name.ends_with(ends)).unwrap()
    }

    /// Changes a text file of the page.
    pub fn edit(&self, name: &str, change: impl FnOnce(String) -> String) {
        let file = self.folder.path().join(name);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(file, change(text)).unwrap();
    }
}

fn answer(stream: &TcpStream, root: &Path, faults: &Faults) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(request) = lines.next() else { return };
    for line in lines {
        if line.is_empty() {
            break;
        }
    }
    let address = request.split_whitespace().nth(1).unwrap_or("/").to_owned();
    let fault = faults.lock().unwrap().iter().find(|(part, _)| address.contains(part)).map(|(_, fault)| *fault);
    // A browser that has gone away is no failure of the test.
    let _ = respond(stream, &file_of(root, &address), fault);
    let _ = stream.shutdown(Shutdown::Both);
}

fn file_of(root: &Path, address: &str) -> PathBuf {
    let path = address.split('?').next().unwrap_or_default().trim_start_matches('/');
    root.join(if path.is_empty() { "index.html" } else { path })
}

fn respond(mut stream: &TcpStream, file: &Path, fault: Option<Fault>) -> std::io::Result<()> {
    const A_WHILE: Duration = Duration::from_secs(300);
    let mut head = |status: u16, media_type: &str, length: usize| {
        write!(
            stream,
            "HTTP/1.1 {status} x\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\
             Cache-Control: no-cache\r\nConnection: close\r\n\r\n"
        )
    };
    let content = fs::read(file).ok();
    match (fault, content) {
        (Some(Fault::Silence), _) => thread::sleep(A_WHILE),
        (Some(Fault::Status(status)), _) => head(status, "text/plain", 0)?,
        (None, None) => head(404, "text/plain", 0)?,
        (Some(Fault::WebPage), _) => {
            let page = "<!doctype html><title>Elsewhere</title><p>There is no such page.";
            head(200, "text/html; charset=utf-8", page.len())?;
            stream.write_all(page.as_bytes())?;
        }
        (Some(Fault::Short | Fault::Stall), Some(content)) => {
            head(200, media_type(file), content.len())?;
            stream.write_all(&content[..content.len() / 2])?;
            if fault == Some(Fault::Stall) {
                thread::sleep(A_WHILE);
            }
        }
        (Some(Fault::Short | Fault::Stall), None) => head(404, "text/plain", 0)?,
        (None, Some(content)) => {
            head(200, media_type(file), content.len())?;
            stream.write_all(&content)?;
        }
    }
    Ok(())
}

fn media_type(file: &Path) -> &'static str {
    match file.extension().and_then(|ending| ending.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        _ => "application/octet-stream",
    }
}
