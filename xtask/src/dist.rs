//! `cargo xtask dist`: the page as a folder for a web server, without anything that may not be passed on.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::steps::Steps;
use crate::{page, process};

/// Where the page goes unless told otherwise. This one folder is emptied without a question.
const DEFAULT_OUT: &str = "target/deploy";

/// What the page may show on this machine only: pictures of Tiny ImageNet, put there by `bastion export --samples`.
const LOCAL_SAMPLES: &str = "samples/local";

/// WebAssembly that rustc has emitted by default since 1.87, and SIMD; any browser that runs the page has all of it.
const WASM_FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// The version that Trunk 0.21 takes. Debian 12's, 108, writes an engine that no browser starts: it mixes up the tables of
/// functions and of references.
const OLDEST_WASM_OPT: u32 = 123;

/// Builds the page and copies it to `out`.
///
/// # Errors
/// If the page cannot be built, or `out` holds something already.
pub fn run(out: Option<PathBuf>) -> Result<()> {
    let mut steps = Steps::new();
    let out = steps.run("folder", || prepare(out))?;
    let dist = page::ensure_built(&mut steps)?;
    steps.run("copy", || copy_page(&dist, &out))?;
    steps.run("wasm-opt", || shrink(&engine(&out)?))?;
    println!("{}", sizes(&out)?);
    println!(
        "The page is in {0}; `cargo xtask serve {0}` shows it here. Any static host will do, over HTTPS: browsers ask for \
         that before they give a page WebGPU or a camera.",
        out.display()
    );
    Ok(())
}

/// An empty folder: the one asked for, or the default one, emptied.
fn prepare(out: Option<PathBuf>) -> Result<PathBuf> {
    let out = match out {
        Some(out) => out,
        None => {
            let out = process::root()?.join(DEFAULT_OUT);
            if out.exists() {
                fs::remove_dir_all(&out).with_context(|| format!("cannot remove {}", out.display()))?;
            }
            out
        }
    };
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let mut content = fs::read_dir(&out).with_context(|| format!("cannot look into {}", out.display()))?;
    ensure!(content.next().is_none(), "{} is not empty; name a new folder, or empty this one", out.display());
    // Steps run in the workspace root, wherever this program was started.
    out.canonicalize().with_context(|| format!("cannot open {}", out.display()))
}

/// Copies the built page, but for [`LOCAL_SAMPLES`].
fn copy_page(dist: &Path, out: &Path) -> Result<()> {
    let local = dist.join(LOCAL_SAMPLES);
    for file in files(dist)? {
        if file.starts_with(&local) {
            continue;
        }
        let target = out.join(file.strip_prefix(dist).context("a file outside of its folder")?);
        let folder = target.parent().context("a file without a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        fs::copy(&file, &target).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    if local.is_dir() {
        println!("    without {LOCAL_SAMPLES}: those pictures are under ImageNet's terms and stay on this machine");
    }
    Ok(())
}

/// The engine's program, which is nearly all of the page.
fn engine(out: &Path) -> Result<PathBuf> {
    let is_engine = |file: &PathBuf| {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("engine") && name.ends_with("_bg.wasm")
    };
    files(out)?.into_iter().find(is_engine).with_context(|| format!("there is no engine in {}", out.display()))
}

/// Makes the engine smaller if a recent `wasm-opt` of Binaryen is there, and says how to get it if not.
fn shrink(engine: &Path) -> Result<()> {
    let found = process::find_on_path(&["wasm-opt"]);
    let version = found.as_ref().and_then(|wasm_opt| {
        let command = &mut process::command(wasm_opt).ok()?;
        version_in(&process::output(command.arg("--version")).ok()?)
    });
    let Some(wasm_opt) = found.filter(|_| version >= Some(OLDEST_WASM_OPT)) else {
        println!(
            "    wasm-opt {OLDEST_WASM_OPT} or newer is not on PATH, so the engine stays as it is; with it the engine gets \
             smaller, in some minutes. It is part of Binaryen: https://github.com/WebAssembly/binaryen/releases"
        );
        return Ok(());
    };
    let before = bytes(engine)?;
    let smaller = engine.with_extension("smaller");
    let optimised =
        process::run(process::command(wasm_opt)?.arg("-Os").args(WASM_FEATURES).arg(engine).arg("-o").arg(&smaller));
    if let Err(error) = optimised {
        // What it was given is as good a program as before.
        println!("    {error:#}; the engine stays as it is");
        return if smaller.exists() { Ok(fs::remove_file(smaller)?) } else { Ok(()) };
    }
    fs::rename(&smaller, engine).with_context(|| format!("cannot replace {}", engine.display()))?;
    println!("    {} became {}", human(before), human(bytes(engine)?));
    Ok(())
}

/// 123 of `wasm-opt version 123 (version_123)`.
fn version_in(printed: &str) -> Option<u32> {
    printed.strip_prefix("wasm-opt version ")?.split_whitespace().next()?.parse().ok()
}

/// A line for each file and folder at the top, the largest first, and one for all of them.
fn sizes(out: &Path) -> Result<String> {
    let mut sizes = BTreeMap::<String, u64>::new();
    for file in files(out)? {
        let inside = file.strip_prefix(out).context("a file outside of its folder")?;
        let mut parts = inside.components().map(|part| part.as_os_str().to_string_lossy());
        let Some(top) = parts.next() else { bail!("{} is no folder", out.display()) };
        let slash = if parts.next().is_some() { "/" } else { "" };
        *sizes.entry(format!("{top}{slash}")).or_default() += bytes(&file)?;
    }
    let total = sizes.values().sum();
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by_key(|(_, bytes)| Reverse(*bytes));
    sizes.push(("total".to_owned(), total));
    let width = sizes.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    Ok(sizes.into_iter().map(|(name, bytes)| format!("{name:width$}  {:>9}\n", human(bytes))).collect())
}

/// All files below `folder`, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot look into {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() { &mut folders } else { &mut files }.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn bytes(file: &Path) -> Result<u64> {
    Ok(fs::metadata(file).with_context(|| format!("cannot look at {}", file.display()))?.len())
}

fn human(bytes: u64) -> String {
    if bytes < 1_000_000 { format!("{:.1} kB", bytes as f64 / 1e3) } else { format!("{:.1} MB", bytes as f64 / 1e6) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn built_page() -> TempDir {
        let dist = tempfile::tempdir().unwrap();
        for (file, length) in [
            ("index.html", 1_000),
            ("engine-0123abcd_bg.wasm", 9_000_000),
            ("samples/index.json", 2),
            ("samples/orange.png", 20_000),
            ("samples/local/index.json", 2),
            ("samples/local/n01443537.png", 20_000),
        ] {
            let file = dist.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, vec![0; length]).unwrap();
        }
        dist
    }

    #[test]
    fn pictures_that_may_not_be_passed_on_stay_behind() {
        let (dist, out) = (built_page(), tempfile::tempdir().unwrap());
        copy_page(dist.path(), out.path()).unwrap();
        assert!(out.path().join("samples/orange.png").is_file());
        assert!(!out.path().join("samples/local").exists());
        assert_eq!(files(out.path()).unwrap().len(), 4);
        assert!(dist.path().join("samples/local/n01443537.png").is_file(), "the demo has lost its own");
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let out = built_page();
        let error = prepare(Some(out.path().to_path_buf())).unwrap_err().to_string();
        assert!(error.contains("is not empty"), "{error}");
        assert!(out.path().join("index.html").is_file());
        prepare(Some(out.path().join("new"))).unwrap();
    }

    #[test]
    fn sizes_are_told_with_the_largest_first() {
        let page = built_page();
        assert_eq!(
            sizes(page.path()).unwrap().lines().collect::<Vec<_>>(),
            [
                "engine-0123abcd_bg.wasm     9.0 MB",
                "samples/                   40.0 kB",
                "index.html                  1.0 kB",
                "total                       9.0 MB",
            ]
        );
    }

    #[test]
    fn versions_of_wasm_opt_are_read() {
        assert_eq!(version_in("wasm-opt version 123 (version_123)"), Some(123));
        assert_eq!(version_in("wasm-opt version 108"), Some(108));
        assert_eq!(version_in("something else"), None);
    }

    #[test]
    fn the_engine_is_known_by_its_name() {
        let page = built_page();
        assert!(engine(page.path()).unwrap().ends_with("engine-0123abcd_bg.wasm"));
        fs::remove_file(page.path().join("engine-0123abcd_bg.wasm")).unwrap();
        assert!(engine(page.path()).unwrap_err().to_string().contains("no engine"));
    }
}
