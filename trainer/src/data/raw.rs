//! The error message for a path without an imported data set.

use std::fs;
use std::path::Path;

/// Returns the message that `path` is no imported data set, and how to get one.
pub fn advice(path: &Path) -> String {
    let shown = path.display();
    let first =
        format!("run `bastion data import {shown}` first (with --out to choose where to), and give what it made");
    if path.is_file() {
        return format!("{shown} is a file, and an imported data set is a folder: if this is its archive, {first}");
    }
    let raw = |dir: &Path| dir.join("wnids.txt").is_file();
    let below = || fs::read_dir(path).into_iter().flatten().flatten().any(|entry| raw(&entry.path()));
    if raw(path) || below() {
        return format!("{shown} is the raw data set, which is not decoded yet: {first}");
    }
    format!(
        "there is no imported data set in {shown}; make one with `bastion data import PATH` or `bastion data fetch`, or say \
         with --data where it is"
    )
}
