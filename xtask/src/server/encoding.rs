//! Files that lie compressed beside themselves, as static hosts serve them: `app.js.br` and `app.js.gz` beside `app.js`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A way to compress, by what it adds to a file's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Encoding {
    /// With its dot.
    pub suffix: &'static str,
}

pub const BROTLI: Encoding = Encoding { suffix: ".br" };
pub const GZIP: Encoding = Encoding { suffix: ".gz" };

impl Encoding {
    /// Where `file` lies compressed, if it does.
    pub fn beside(self, file: &Path) -> PathBuf {
        let mut name = file.file_name().map_or_else(OsString::new, ToOwned::to_owned);
        name.push(self.suffix);
        file.with_file_name(name)
    }

    /// Whether `file` has such a copy. One that is older than the file is of another build, and does not count.
    pub fn lies_beside(self, file: &Path) -> bool {
        let modified = |path: &Path| path.metadata().ok().filter(|found| found.is_file())?.modified().ok();
        modified(file).is_some_and(|written| modified(&self.beside(file)).is_some_and(|copied| copied >= written))
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
        assert!(!BROTLI.lies_beside(&file) && !GZIP.lies_beside(&file));
        fs::write(BROTLI.beside(&file), "new").unwrap();
        let old = fs::File::create(GZIP.beside(&file)).unwrap();
        old.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        assert!(BROTLI.lies_beside(&file) && !GZIP.lies_beside(&file));
    }
}
