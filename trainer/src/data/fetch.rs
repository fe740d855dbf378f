//! Downloads an archive: goes on where an interrupted download stopped, and believes nothing unchecked.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use super::hash::sha256_of_file;
use super::lock::Lock;
use crate::files::write_atomically;
use crate::progress::{Progress, Task, Unit};

/// What is known of an archive beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Archive {
    pub bytes: u64,
    pub sha256: &'static str,
}

/// Where Stanford's course CS231n publishes Tiny ImageNet.
pub const TINY_IMAGENET_URL: &str = "http://cs231n.stanford.edu/tiny-imagenet-200.zip";

/// `tiny-imagenet-200.zip` as many public loaders and records of the data set know it.
pub const TINY_IMAGENET: Archive =
    Archive { bytes: 248_100_043, sha256: "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821" };

/// A download, ready to run.
#[derive(Clone, Debug)]
pub struct Download<'a> {
    pub url: &'a str,
    /// What must come of it; without, only the length that the server announces is checked.
    pub expected: Option<Archive>,
    /// Pause before trying again after a lost connection; doubled each time.
    pub pause: Duration,
}

/// Connections lost one after the other, without a byte between them, before giving up.
const ATTEMPTS: u32 = 5;

impl Download<'_> {
    /// Downloads to `target`, by way of `target.part`, which stays after a failure for the next run to go on with; beside
    /// it stands where it came from, since only the same file may go on. Returns whether there was anything to do: a `target` that is as expected is left as it is.
    ///
    /// # Errors
    /// When the server has no such file or another one, the connection stays lost, or the disk is full.
    pub fn run(&self, target: &Path, progress: &Progress) -> Result<bool> {
        if target.is_file() {
            // Whole, since only whole files get this name; unless it came from elsewhere.
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
            // Whatever it is: at the end the hash tells.
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

    /// Fetches what is missing in `part`, over as many connections as it takes.
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

    /// One connection, from byte `offset` on.
    ///
    /// # Errors
    /// Those that another attempt would not mend.
    fn connect(&self, agent: &Agent, part: &Part, offset: u64, task: &Task) -> Result<Outcome> {
        let mut request = agent.get(self.url);
        if offset > 0 {
            request = request.header(header::RANGE, format!("bytes={offset}-"));
            // A server whose file is another one by now then sends all of that.
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
            // A server that cannot resume sends all of it.
            StatusCode::OK => (0, response.body().content_length()),
            // What is there is the whole, or longer than that.
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
        task.set(start);
        part.append(response.into_body().into_reader(), total, task)
    }
}

enum Outcome {
    Whole,
    /// And why.
    Lost(String),
}

/// From `Content-Range: bytes 100-199/200` the first number and the last, where they are known.
fn content_range(response: &Response<Body>) -> Option<(Option<u64>, Option<u64>)> {
    let text = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split('-').next()?.parse().ok(), total.parse().ok()))
}

/// What the server calls this version of the file, as far as `If-Range` takes it.
fn version(response: &Response<Body>) -> Option<String> {
    let text = |name| response.headers().get(name)?.to_str().ok();
    let strong = text(header::ETAG).filter(|tag| !tag.starts_with("W/"));
    strong.or_else(|| text(header::LAST_MODIFIED)).map(str::to_string)
}

/// Where the bytes of a part came from.
#[derive(Debug, Serialize, Deserialize)]
struct Origin {
    url: String,
    /// Its `ETag` or `Last-Modified`.
    version: Option<String>,
}

/// The file that a download grows in, locked against a second download to the same place.
struct Part {
    path: PathBuf,
    /// Holds an [`Origin`].
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
        let lock = Lock::take(named(".part.lock"))?;
        let lock = lock.with_context(|| format!("another download to {} is running", path.display()))?;
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
        // What stays is overwritten by the next download.
        let _ = fs::remove_file(&self.origin);
        let _ = fs::remove_file(&self.path);
    }

    fn rename(self, target: &Path) -> Result<()> {
        let Self { path, origin, file, _lock } = self;
        // Closed first: Windows renames no open file.
        drop(file);
        fs::rename(&path, target).with_context(|| format!("cannot move {} to {}", path.display(), target.display()))?;
        let _ = fs::remove_file(origin);
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Leaves the first `len` bytes and writes on after them.
    fn truncate(&self, len: u64) -> Result<()> {
        let moved = self.file.set_len(len).and_then(|()| (&self.file).seek(SeekFrom::Start(len)));
        moved.map(drop).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Appends what `body` gives until there are `total` bytes.
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

/// Compares length and SHA-256.
fn check(path: &Path, expected: Archive, progress: &Progress) -> Result<()> {
    let context = || format!("cannot read {}", path.display());
    let len = fs::metadata(path).with_context(context)?.len();
    ensure!(len == expected.bytes, "it has {len} bytes instead of {}", expected.bytes);
    let found = sha256_of_file(path, Some(&progress.start("Verifying", Some(len), Unit::Bytes)))?;
    ensure!(found == expected.sha256, "its SHA-256 is {found} instead of {}", expected.sha256);
    Ok(())
}
