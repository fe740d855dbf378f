//! Stamps, which show whether a build result is up to date.
//!
//! A stamp is a text with one line per source and result file: path, bytes, modification time. It is written after a
//! complete build; the result is up to date while the text is the same.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};

/// Returns the stamp of files and of all files below folders. A path that does not exist adds nothing.
///
/// # Errors
/// If a file or folder cannot be read.
pub fn take<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<String> {
    let mut stamp = String::new();
    paths.into_iter().try_for_each(|path| describe(path, &mut stamp))?;
    Ok(stamp)
}

/// Appends a line for `path`, or for each file below it.
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

    #[test]
    fn a_changed_source_a_new_source_and_a_lost_result_all_show() {
        let folder = tempfile::tempdir().unwrap();
        let (sources, result) = (folder.path().join("sources"), folder.path().join("result"));
        fs::create_dir(&sources).unwrap();
        fs::write(sources.join("lib.rs"), "one").unwrap();
        fs::write(&result, "page").unwrap();
        let stamp = || take([sources.as_path(), result.as_path()]).unwrap();
        let before = stamp();
        assert_eq!(stamp(), before);
        fs::write(sources.join("lib.rs"), "three").unwrap();
        let changed = stamp();
        assert_ne!(before, changed);
        fs::write(sources.join("main.rs"), "").unwrap();
        let added = stamp();
        assert_ne!(changed, added);
        fs::remove_file(&result).unwrap();
        assert_ne!(added, stamp());
    }
}
