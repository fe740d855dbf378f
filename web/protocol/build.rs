//! Names the build, in `BASTION_BUILD`, after all that page and engine are made of: so the page can ask for the engine that
//! was built together with it, and no cache on the way can answer with another one.

#![allow(clippy::disallowed_methods, reason = "what is forbidden in a browser is fine where it is built")]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::Command;
use std::{env, fs, io};

/// Relative to this folder. What else the programs are made of, Cargo.lock names.
const SOURCES: [&str; 7] = [
    ".",
    "../page",
    "../engine",
    "../../shared",
    "../../static/engine_loader.js",
    "../../Cargo.toml",
    "../../Cargo.lock",
];

fn main() -> io::Result<()> {
    // Not promised to be the same in every version of Rust, which is hashed too.
    let mut hasher = DefaultHasher::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        hash(Path::new(source), &mut hasher)?;
    }
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Command::new(compiler).arg("-vV").output()?.stdout.hash(&mut hasher);
    for variable in ["TARGET", "PROFILE", "OPT_LEVEL", "CARGO_ENCODED_RUSTFLAGS"] {
        env::var_os(variable).hash(&mut hasher);
    }
    println!("cargo::rustc-env=BASTION_BUILD={:016x}", hasher.finish());
    Ok(())
}

/// Hashes a file, or all files below a folder, but for what cargo builds there.
fn hash(path: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    if !path.is_dir() {
        path.hash(hasher);
        fs::read(path)?.hash(hasher);
        return Ok(());
    }
    if path.file_name().is_some_and(|name| name == "target") {
        return Ok(());
    }
    let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| hash(entry, hasher))
}
