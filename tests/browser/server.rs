//! The server of `cargo xtask demo` as a separate process, so that a test can stop it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Returns the folder of the built page, which `cargo xtask` names in BASTION_PAGE.
pub fn page_folder() -> PathBuf {
    from_environment("BASTION_PAGE")
}

/// Reads a path from an environment variable.
pub fn from_environment(name: &str) -> PathBuf {
    let path = std::env::var_os(name);
    path.unwrap_or_else(|| panic!("{name} is not set: start these tests with `cargo xtask test`")).into()
}

/// Copies the built page, so that a test may change or damage it.
pub fn copy_of_page() -> TempDir {
    copy_of_page_in("")
}

/// Copies the built page into a subfolder of the returned folder.
///
/// Compressed copies are left out, or a changed file would still be served unchanged.
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

/// A running server, which ends when this value is dropped.
pub struct Server {
    process: Child,
    /// Address of the server, with a slash at the end.
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
        // The server may have ended by itself, which its clients notice.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
