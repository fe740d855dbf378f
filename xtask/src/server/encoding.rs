//! Compressed copies of files, as static hosts serve them: `app.js.br` and `app.js.gz` beside `app.js`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A compression format, by the ending of its files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Encoding {
    /// Ending that is added to a file's name, with the dot.
    pub suffix: &'static str,
}

/// Brotli (RFC 7932).
pub const BROTLI: Encoding = Encoding { suffix: ".br" };
/// gzip (RFC 1952).
pub const GZIP: Encoding = Encoding { suffix: ".gz" };

impl Encoding {
    /// Returns the path of the compressed copy of `file`, which need not exist.
    pub fn copy_of(self, file: &Path) -> PathBuf {
        let mut name = file.file_name().map_or_else(OsString::new, ToOwned::to_owned);
        name.push(self.suffix);
        file.with_file_name(name)
    }

    /// Returns whether `file` has a compressed copy. A copy that is older than the file is of another build and does
    /// not count.
    pub fn has_current_copy(self, file: &Path) -> bool {
        let modified = |path: &Path| path.metadata().ok().filter(std::fs::Metadata::is_file)?.modified().ok();
        modified(file).is_some_and(|written| modified(&self.copy_of(file)).is_some_and(|copied| copied >= written))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_copy_of_another_build_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.js");
        fs::write(&file, "new").unwrap();
        assert!(!BROTLI.has_current_copy(&file) && !GZIP.has_current_copy(&file));
        fs::write(BROTLI.copy_of(&file), "new").unwrap();
        let old = fs::File::create(GZIP.copy_of(&file)).unwrap();
        old.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        assert!(BROTLI.has_current_copy(&file) && !GZIP.has_current_copy(&file));
    }
}
