//! From a request's path to a file below the served folder, and what a browser has to be told about that file.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use percent_encoding::percent_decode_str;

/// The path of `url` (path and query, as in the request line), decoded; it begins with a slash.
pub fn path_of(url: &str) -> Option<String> {
    let encoded = url.split(['?', '#']).next()?;
    let path = percent_decode_str(encoded).decode_utf8().ok()?;
    encoded.starts_with('/').then(|| path.into_owned())
}

/// The file that `path`, which [`path_of`] gave, names below `root`, if there is one.
///
/// A folder stands for its `index.html`. Whatever would leave `root` names nothing: `..` in any spelling, absolute
/// paths and drive letters by their form, symbolic links by where they lead.
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

/// What the `Content-Type` header says, by file name.
///
/// Browsers refuse modules and streaming WebAssembly under any other type than these, and guess at texts without a charset.
/// (The crate mime_guess knows a thousand more names and no charsets.)
pub fn mime_type(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "ico" => "image/vnd.microsoft.icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// A tag that changes whenever a build writes the file anew.
pub fn entity_tag(metadata: &Metadata) -> String {
    let modified = metadata.modified().ok().and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
    format!("\"{:x}-{:x}\"", metadata.len(), modified.map_or(0, |since| since.as_nanos()))
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

    #[test]
    fn code_has_the_types_that_browsers_insist_on() {
        assert_eq!(mime_type(Path::new("engine_bg.wasm")), "application/wasm");
        assert_eq!(mime_type(Path::new("app.JS")), "text/javascript; charset=utf-8");
        assert_eq!(mime_type(Path::new("model.safetensors")), "application/octet-stream");
    }
}
