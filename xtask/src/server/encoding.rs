//! Files that lie compressed beside themselves, as static hosts serve them: `app.js.br` and `app.js.gz` beside `app.js`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A way to compress, by its name in HTTP and by what it adds to a file's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Encoding {
    /// As in `Accept-Encoding` and `Content-Encoding`.
    pub name: &'static str,
    /// With its dot.
    pub suffix: &'static str,
}

pub const BROTLI: Encoding = Encoding { name: "br", suffix: ".br" };
pub const GZIP: Encoding = Encoding { name: "gzip", suffix: ".gz" };

/// Both, the better first.
pub const ALL: [Encoding; 2] = [BROTLI, GZIP];

impl Encoding {
    /// Where `file` lies compressed, if it does.
    pub fn beside(self, file: &Path) -> PathBuf {
        let mut name = file.file_name().map_or_else(OsString::new, ToOwned::to_owned);
        name.push(self.suffix);
        file.with_file_name(name)
    }

    /// Whether a browser that sends this `Accept-Encoding` takes it.
    fn is_accepted(self, accepted: &str) -> bool {
        accepted.split(',').any(|offer| {
            let mut parts = offer.split(';').map(str::trim);
            let refused = |quality: &str| {
                quality.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|quality| quality <= 0.0)
            };
            parts.next().is_some_and(|name| name.eq_ignore_ascii_case(self.name)) && !parts.any(refused)
        })
    }
}

/// The compressed copies that `file` has. One that is older than the file is of another build, and does not count.
pub fn copies(file: &Path) -> Vec<Encoding> {
    let modified = |path: &Path| path.metadata().ok().filter(|found| found.is_file())?.modified().ok();
    let Some(written) = modified(file) else { return Vec::new() };
    ALL.into_iter()
        .filter(|encoding| modified(&encoding.beside(file)).is_some_and(|copied| copied >= written))
        .collect()
}

/// The best of `copies` that a browser takes.
pub fn choose(copies: &[Encoding], accepted: &str) -> Option<Encoding> {
    copies.iter().copied().find(|encoding| encoding.is_accepted(accepted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::{Duration, SystemTime};

    #[test]
    fn the_best_of_what_is_accepted_is_chosen() {
        for (accepted, chosen) in [
            ("gzip, deflate, br, zstd", Some(BROTLI)),
            ("gzip", Some(GZIP)),
            ("br;q=0, GZIP;q=0.5", Some(GZIP)),
            ("br; q=0.1", Some(BROTLI)),
            ("identity", None),
            ("", None),
        ] {
            assert_eq!(choose(&ALL, accepted), chosen, "{accepted}");
        }
        assert_eq!(choose(&[], "br"), None);
    }

    #[test]
    fn a_copy_of_another_build_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.js");
        fs::write(&file, "new").unwrap();
        assert_eq!(copies(&file), []);
        fs::write(BROTLI.beside(&file), "new").unwrap();
        let old = fs::File::create(GZIP.beside(&file)).unwrap();
        old.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        assert_eq!(copies(&file), [BROTLI]);
    }
}
