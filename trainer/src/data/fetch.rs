//! Downloads of an archive, resumed where they were interrupted, and checked by length and hash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use super::hash::sha256_of_file;
use crate::files::write_atomically;
use crate::lock::Lock;
use crate::progress::{Progress, Task, Unit};

/// The length and hash of a known archive.
#[derive(Clone, Copy, Debug)]
pub struct Archive {
    /// Length of the file.
    pub bytes: u64,
    /// SHA-256 of the file, as lower-case hex.
    pub sha256: &'static str,
}

/// URL at which Stanford's course CS231n publishes Tiny ImageNet.
pub const TINY_IMAGENET_URL: &str = "http://cs231n.stanford.edu/tiny-imagenet-200.zip";

/// Length and hash of `tiny-imagenet-200.zip`, as in many public loaders of the data set.
pub const TINY_IMAGENET: Archive =
    Archive { bytes: 248_100_043, sha256: "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821" };

/// A download, ready to run.
#[derive(Clone, Debug)]
pub struct Download<'a> {
    /// URL of the file.
    pub url: &'a str,
    /// Length and hash of the file; if `None`, only the length that the server announces is checked.
    pub expected: Option<Archive>,
    /// Pause before the first new attempt after a lost connection; doubled each time.
    pub pause: Duration,
}

/// Connections that may be lost in a row, without a byte between them, before the download fails.
const ATTEMPTS: u32 = 5;

impl Download<'_> {
    /// Downloads to `target`, by way of `target.part`, which stays after a failure for the next run to resume, with a note
    /// of its origin beside it, since only the same file may be resumed. Returns whether anything was downloaded: a `target`
    /// that is as expected is left as it is.
    ///
    /// # Errors
    /// When the server has no such file or another one, the connection stays lost, or the disk is full.
    pub fn run(&self, target: &Path, progress: &Progress) -> Result<bool> {
        if target.is_file() {
            // The file is whole, since only whole files get this name; unless it came from elsewhere.
            if let Some(expected) = self.expected {
                check(target, expected, progress)
                    .with_context(|| format!("{} is not the archive; delete or move it", target.display()))?;
            }
            return Ok(false);
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot write to {}", folder.display()))?;
        }
        let part = Part::open(target)?;
        let may_go_on = match part.origin() {
            Some(origin) => origin.url == self.url,
            // Without a note of the origin, only the hash at the end can accept the file.
            None => self.expected.is_some(),
        };
        if !may_go_on {
            part.truncate(0)?;
        }
        self.complete(&part, progress)?;
        if let Some(expected) = self.expected
            && let Err(error) = check(&part.path, expected, progress)
        {
            part.remove();
            return Err(error).with_context(|| format!("{} does not have the known archive; it was deleted", self.url));
        }
        part.rename(target)?;
        Ok(true)
    }

    /// Fetches the missing bytes of `part`, over as many connections as necessary.
    fn complete(&self, part: &Part, progress: &Progress) -> Result<()> {
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .accept_encoding("identity")
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .timeout_per_read(Some(Duration::from_secs(60)))
            .build()
            .into();
        let task = progress.start("Downloading", None, Unit::Bytes);
        let (mut failures, mut pause) = (0, self.pause);
        loop {
            let before = part.len()?;
            let outcome = self.connect(&agent, part, before, &task)?;
            let lost = match outcome {
                Outcome::Whole => break,
                Outcome::Lost(reason) => reason,
            };
            let now = part.len()?;
            if now > before {
                (failures, pause) = (0, self.pause);
            }
            failures += 1;
            ensure!(
                failures < ATTEMPTS,
                "the connection to {} was lost after {now} bytes ({lost}); run the command again to go on from there",
                self.url
            );
            std::thread::sleep(pause);
            pause *= 2;
        }
        Ok(())
    }

    /// Downloads from byte `offset` on, over one connection.
    ///
    /// # Errors
    /// When another attempt would fail as well; a lost connection is an [`Outcome::Lost`].
    fn connect(&self, agent: &Agent, part: &Part, offset: u64, task: &Task) -> Result<Outcome> {
        let mut request = agent.get(self.url);
        if offset > 0 {
            request = request.header(header::RANGE, format!("bytes={offset}-"));
            // If the server's file has changed, `If-Range` makes the server send all of the new one.
            if let Some(version) = part.origin().and_then(|origin| origin.version) {
                request = request.header(header::IF_RANGE, version);
            }
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(ureq::Error::BadUri(reason)) => bail!("{} is not an address: {reason}", self.url),
            Err(error) => return Ok(Outcome::Lost(error.to_string())),
        };
        let (start, total) = match response.status() {
            StatusCode::PARTIAL_CONTENT => match content_range(&response) {
                Some((Some(start), total)) if start == offset => (offset, total),
                _ => bail!("{} answered with another part of the file than asked for", self.url),
            },
            // A server without ranges sends the whole file.
            StatusCode::OK => (0, response.body().content_length()),
            // `offset` is at the end of the file, or after it.
            StatusCode::RANGE_NOT_SATISFIABLE => match content_range(&response) {
                Some((_, Some(total))) if total == offset => return Ok(Outcome::Whole),
                _ => {
                    part.truncate(0)?;
                    return Ok(Outcome::Lost("the file has changed on the server".into()));
                }
            },
            status if status.is_server_error() => return Ok(Outcome::Lost(format!("the server answered {status}"))),
            status => bail!(
                "{} answered {status}; give another address with --url, or download the archive in another way and \
                 give it to `bastion data import`",
                self.url
            ),
        };
        if let (Some(expected), Some(total)) = (self.expected, total) {
            ensure!(
                expected.bytes == total,
                "{} has {total} bytes instead of {}: this is not the known archive",
                self.url,
                expected.bytes
            );
        }
        part.truncate(start)?;
        if start == 0 || part.origin().is_none() {
            part.note(&Origin { url: self.url.into(), version: version(&response) })?;
        }
        task.set_total(total);
        task.skip_to(start);
        part.append(response.into_body().into_reader(), total, task)
    }
}

enum Outcome {
    Whole,
    /// The connection was lost, for this reason.
    Lost(String),
}

/// Returns the first and the last number of `Content-Range: bytes 100-199/200`, where they are known.
fn content_range(response: &Response<Body>) -> Option<(Option<u64>, Option<u64>)> {
    let text = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split('-').next()?.parse().ok(), total.parse().ok()))
}

/// Returns the `ETag` or `Last-Modified` of the file, if `If-Range` can take it.
fn version(response: &Response<Body>) -> Option<String> {
    let text = |name| response.headers().get(name)?.to_str().ok();
    let strong = text(header::ETAG).filter(|tag| !tag.starts_with("W/"));
    strong.or_else(|| text(header::LAST_MODIFIED)).map(str::to_string)
}

/// The source of a part's bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Origin {
    url: String,
    /// `ETag` or `Last-Modified` of the file.
    version: Option<String>,
}

/// A partly downloaded file, locked against a second download to the same place.
struct Part {
    path: PathBuf,
    /// Path of the file with the [`Origin`].
    origin: PathBuf,
    file: File,
    _lock: Lock,
}

impl Part {
    fn open(target: &Path) -> Result<Self> {
        let named = |suffix: &str| {
            let mut name = target.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let path = named(".part");
        let lock = Lock::take(named(".part.lock"), &format!("downloads to {}", path.display()))?;
        let file = OpenOptions::new().create(true).write(true).truncate(false).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, origin: named(".part.json"), file, _lock: lock })
    }

    fn origin(&self) -> Option<Origin> {
        serde_json::from_slice(&fs::read(&self.origin).ok()?).ok()
    }

    fn note(&self, origin: &Origin) -> Result<()> {
        write_atomically(&self.origin, &serde_json::to_vec(origin)?)
    }

    fn remove(self) {
        // A file that cannot be removed is overwritten by the next download.
        let _ = fs::remove_file(&self.origin);
        let _ = fs::remove_file(&self.path);
    }

    fn rename(self, target: &Path) -> Result<()> {
        let Self { path, origin, file, _lock } = self;
        // Windows renames no open file.
        drop(file);
        fs::rename(&path, target).with_context(|| format!("cannot move {} to {}", path.display(), target.display()))?;
        let _ = fs::remove_file(origin);
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Cuts the file to its first `len` bytes and moves to their end.
    fn truncate(&self, len: u64) -> Result<()> {
        let moved = self.file.set_len(len).and_then(|()| (&self.file).seek(SeekFrom::Start(len)));
        moved.map(drop).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Appends the bytes of `body` until the file has `total` bytes.
    fn append(&self, mut body: impl Read, total: Option<u64>, task: &Task) -> Result<Outcome> {
        let mut buffer = vec![0; 1 << 16];
        let lost = loop {
            match body.read(&mut buffer) {
                Ok(0) => break None,
                Ok(count) => {
                    (&self.file)
                        .write_all(&buffer[..count])
                        .with_context(|| format!("cannot write {}", self.path.display()))?;
                    task.advance(count as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error.to_string()),
            }
        };
        let len = self.len()?;
        Ok(match (lost, total) {
            (None, None) => Outcome::Whole,
            (_, Some(total)) if len == total => Outcome::Whole,
            (lost, _) => Outcome::Lost(lost.unwrap_or_else(|| "it was closed too early".into())),
        })
    }
}

/// Compares length and SHA-256 of the file `path` with `expected`.
fn check(path: &Path, expected: Archive, progress: &Progress) -> Result<()> {
    let context = || format!("cannot read {}", path.display());
    let len = fs::metadata(path).with_context(context)?.len();
    ensure!(len == expected.bytes, "it has {len} bytes instead of {}", expected.bytes);
    let found = sha256_of_file(path, Some(&progress.start("Verifying", Some(len), Unit::Bytes)))?;
    ensure!(found == expected.sha256, "its SHA-256 is {found} instead of {}", expected.sha256);
    Ok(())
}
