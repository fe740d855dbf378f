//! The server that `cargo xtask demo` serves the page with, as a process of its own, so that it can be taken away.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// The built page, as `cargo xtask` hands it to the tests.
pub fn page_folder() -> PathBuf {
    from_environment("BASTION_PAGE")
}

/// A path from the environment.
pub fn from_environment(name: &str) -> PathBuf {
    let path = std::env::var_os(name);
    path.unwrap_or_else(|| panic!("{name} is not set: start these tests with `cargo xtask test`")).into()
}

/// A copy of the built page that may be changed, or spoilt.
pub fn copy_of_page() -> TempDir {
    copy_of_page_in("")
}

/// The same, in a folder of the one that this gives.
///
/// Compressed copies stay behind, or a changed file would still be served as it was.
pub fn copy_of_page_in(subfolder: &str) -> TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if target.extension().is_some_and(|extension| extension == "br" || extension == "gz") {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    copy(&page_folder(), &folder.path().join(subfolder));
    folder
}

/// A running server; it dies with this value.
pub struct Server {
    process: Child,
    /// Its address, with a slash at the end.
    pub url: String,
}

impl Server {
    /// Serves `folder` on a free port.
    pub fn start(folder: &Path) -> Self {
        let mut process = Command::new(from_environment("BASTION_XTASK"))
            .arg("serve")
            .arg(folder)
            .args(["--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url.unwrap_or_else(|| panic!("the server said {line:?} and no address")).to_owned();
        Self { process, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which its clients notice.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
