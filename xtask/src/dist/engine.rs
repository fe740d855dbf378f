//! Names with a hash for the engine, which Trunk gives to the page's own program only.
//!
//! Without them the engine's files have to be asked for anew at every visit, since a host cannot see in their names that
//! they never change. The page learns the names from a `<meta>` in its head, where `web/page/src/app/browser/worker.rs` looks for them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

/// The script that the page starts, which names the two others.
const LOADER: &str = "engine_loader.js";
/// What Trunk makes of the program, and what comes between the name and the ending.
const PROGRAM: [(&str, &str, &str); 2] = [("engine", "", ".js"), ("engine", "_bg", ".wasm")];

/// Where the loader is told how many bytes the program has before it is compressed.
const UNKNOWN_SIZE: &str = "unpackedBytes = 0;";

/// Hexadecimal digits of a hash that a name gets: as many as Trunk's.
const DIGITS: usize = 16;

/// Renames the engine's files in `out` by their content and tells the loader and the page.
///
/// # Errors
/// If a file is missing, or the loader or the page is not of the form that this relies on.
pub fn name_by_content(out: &Path) -> Result<()> {
    let read = |name: &str| fs::read_to_string(out.join(name)).with_context(|| format!("cannot read {name}"));
    let mut loader = read(LOADER)?;
    let mut names = Vec::new();
    ensure!(loader.contains(UNKNOWN_SIZE), "{LOADER} has no `{UNKNOWN_SIZE}`, so it cannot be told the program's size");
    for (stem, middle, ending) in PROGRAM {
        let old = format!("{stem}{middle}{ending}");
        let content = fs::read(out.join(&old)).with_context(|| format!("there is no {old} in {}", out.display()))?;
        let new = format!("{stem}-{}{middle}{ending}", hash(&content));
        ensure!(loader.contains(&format!("./{old}")), "{LOADER} does not load ./{old}, so it cannot be renamed");
        loader = loader.replace(&format!("./{old}"), &format!("./{new}"));
        if ending == ".wasm" {
            loader = loader.replace(UNKNOWN_SIZE, &format!("unpackedBytes = {};", content.len()));
        }
        fs::rename(out.join(&old), out.join(&new)).with_context(|| format!("cannot rename {old}"))?;
        names.push(new);
    }
    let new_loader = format!("engine_loader-{}.js", hash(loader.as_bytes()));
    fs::remove_file(out.join(LOADER)).with_context(|| format!("cannot remove {LOADER}"))?;
    fs::write(out.join(&new_loader), loader).with_context(|| format!("cannot write {new_loader}"))?;
    names.insert(0, new_loader);

    let page = read("index.html")?;
    let end_of_head = page.find("</head>").context("index.html has no </head>")?;
    let (head, body) = page.split_at(end_of_head);
    let page = format!("{head}  <meta name=\"bastion-engine\" content=\"{}\" />\n  {body}", names.join(" "));
    fs::write(out.join("index.html"), page).context("cannot write index.html")?;
    println!("    {}", names.join(", "));
    Ok(())
}

/// The first digits of the content's SHA-256.
pub(super) fn hash(content: &[u8]) -> String {
    let digits = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    digits.chars().take(DIGITS).collect()
}
