//! Is the page in `dist/` the one these sources make?
//!
//! A stamp is a text with one line per file (path, bytes, modification time) of everything the page is made from and of
//! everything that was made. It is written after a complete build; the page is current while the text is the same.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};

/// What the page is made from, relative to the workspace root.
const SOURCES: [&str; 9] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "Trunk.toml",
    "index.html",
    "rust-toolchain.toml",
    "shared",
    "static",
    "web",
];

/// Describes sources, result and `tools` (any text that changes when the tools do).
pub fn take(root: &Path, dist: &Path, tools: &str) -> Result<String> {
    let mut stamp = format!("{tools}\n");
    for source in SOURCES {
        describe(&root.join(source), &mut stamp)?;
    }
    describe(dist, &mut stamp)?;
    Ok(stamp)
}

/// Appends a line for `path`, or for each file below it. What does not exist adds nothing.
fn describe(path: &Path, stamp: &mut String) -> Result<()> {
    let failed = || format!("cannot look at {}", path.display());
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    if metadata.is_dir() {
        let mut entries = fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>())
            .with_context(failed)?;
        entries.sort();
        return entries.iter().try_for_each(|entry| describe(entry, stamp));
    }
    let modified = metadata.modified().with_context(failed)?;
    let nanoseconds = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    *stamp += &format!("{} {} {nanoseconds}\n", path.display(), metadata.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn workspace() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("web/src")).unwrap();
        fs::create_dir_all(root.join("dist")).unwrap();
        fs::write(root.join("web/src/lib.rs"), "one").unwrap();
        fs::write(root.join("dist/index.html"), "page").unwrap();
        folder
    }

    #[test]
    fn nothing_changed_means_the_same_stamp() {
        let folder = workspace();
        let root = folder.path();
        let stamp = |tools| take(root, &root.join("dist"), tools).unwrap();
        assert_eq!(stamp("trunk 1"), stamp("trunk 1"));
        assert_ne!(stamp("trunk 1"), stamp("trunk 2"));
    }

    #[test]
    fn a_changed_source_a_new_source_and_a_lost_result_all_show() {
        let folder = workspace();
        let root = folder.path();
        let stamp = || take(root, &root.join("dist"), "").unwrap();
        let before = stamp();
        fs::write(root.join("web/src/lib.rs"), "three").unwrap();
        let changed = stamp();
        assert_ne!(before, changed);
        fs::write(root.join("index.html"), "").unwrap();
        let added = stamp();
        assert_ne!(changed, added);
        fs::remove_file(root.join("dist/index.html")).unwrap();
        assert_ne!(added, stamp());
    }
}
