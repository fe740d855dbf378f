//! Resolves the path of a request to a file below the served folder.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

/// Returns the decoded path of `url` (path and query, as in the request line); `None` if the path does not begin with a
/// slash or is not UTF-8.
pub fn path_of(url: &str) -> Option<String> {
    let encoded = url.split(['?', '#']).next()?;
    let path = percent_decode_str(encoded).decode_utf8().ok()?;
    encoded.starts_with('/').then(|| path.into_owned())
}

/// Returns the file below `root` for a `path` from [`path_of`], if there is one.
///
/// A folder stands for its `index.html`. A path that would leave `root` gives `None`: `..` in any spelling, absolute
/// paths and drive letters are refused by their form, symbolic links by their target.
pub fn resolve(root: &Path, path: &str) -> Option<PathBuf> {
    let mut file = root.to_path_buf();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part == "." || part == ".." || part.contains(['\\', ':', '\0']) {
            return None;
        }
        file.push(part);
    }
    if file.is_dir() {
        file.push("index.html");
    }
    let file = file.canonicalize().ok()?;
    (file.starts_with(root) && file.is_file()).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_files_below_the_folder_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("dist");
        fs::create_dir_all(root.join("models/a b")).unwrap();
        fs::write(root.join("index.html"), "").unwrap();
        fs::write(root.join("models/a b/model.json"), "").unwrap();
        fs::write(root.parent().unwrap().join("secret"), "").unwrap();

        let resolve = |root: &Path, url: &str| resolve(root, &path_of(url)?);
        assert_eq!(resolve(&root, "/"), Some(root.join("index.html")));
        assert_eq!(resolve(&root, "/?backend=cpu"), Some(root.join("index.html")));
        assert_eq!(resolve(&root, "/models//a%20b/model.json"), Some(root.join("models/a b/model.json")));
        for url in [
            "/../secret",
            "/%2e%2e/secret",
            "/models/%2e%2E/../../secret",
            "/..%2fsecret",
            "/..%5Csecret",
            "//secret",
            "/models",
            "/nothing",
            "/index.html%00",
            "/%zz",
            "/%",
            "/%ff",
            "",
            "secret",
            "/C:/secret",
        ] {
            assert_eq!(resolve(&root, url), None, "{url}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_folder_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("dist");
        fs::create_dir(&root).unwrap();
        fs::write(folder.path().join("secret"), "").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), root.join("link")).unwrap();
        assert_eq!(resolve(&root, "/link"), None);
    }
}
