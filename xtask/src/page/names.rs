//! Puts a hash of the content into the names of programs and the style sheet, so that browsers may cache them for ever and
//! a page never loads a worker of another build. `index.html` and the workers' loaders are changed to the new names.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::{INDEX_HTML, STYLES, read, write};

/// Files that `index.html` names and loads itself.
const OWN: [&str; 3] = [STYLES, "app.js", "app_bg.wasm"];

/// Programs that run in workers. `index.html` names their loader and files: `decoder_loader.js decoder.js decoder_bg.wasm`.
const WORKERS: [&str; 3] = ["cpu-engine", "gpu-engine", "decoder"];

/// Script that loads a worker's program. It names the program `program` and has a placeholder for the size of the program in
/// bytes, uncompressed.
const LOADER: &str = "worker_loader.js";
const UNKNOWN_SIZE: &str = "unpackedBytes = 0;";

/// Number of hexadecimal digits of a hash in a name.
const DIGITS: usize = 16;

/// Renames programs, loaders and the style sheet in `out` by their content, and names them so in its `index.html`.
///
/// # Errors
/// If a file is missing, or the loader or the page does not name a file that it has to.
pub fn assign(out: &Path) -> Result<()> {
    let mut page = read(&out.join(INDEX_HTML))?;
    for name in OWN {
        let (new, _) = rename(out, name)?;
        page = replace_name(&page, INDEX_HTML, name, &new)?;
    }
    let template = read(&out.join(LOADER))?;
    for worker in WORKERS {
        let mut loader = template.clone();
        for end in [".js", "_bg.wasm"] {
            let name = format!("{worker}{end}");
            let (new, bytes) = rename(out, &name)?;
            page = replace_name(&page, INDEX_HTML, &name, &new)?;
            loader = replace_name(&loader, LOADER, &format!("program{end}"), &new)?;
            if end == "_bg.wasm" {
                loader = replace_name(&loader, LOADER, UNKNOWN_SIZE, &format!("unpackedBytes = {bytes};"))?;
            }
        }
        let name = format!("{worker}_loader.js");
        let new = hashed_name(&name, loader.as_bytes());
        write(&out.join(&new), &loader)?;
        println!("    {new}");
        page = replace_name(&page, INDEX_HTML, &name, &new)?;
    }
    fs::remove_file(out.join(LOADER)).with_context(|| format!("cannot remove {LOADER}"))?;
    write(&out.join(INDEX_HTML), &page)
}

/// Renames a file of `out` by its content, and returns the new name and the file's size in bytes.
fn rename(out: &Path, name: &str) -> Result<(String, usize)> {
    let content = fs::read(out.join(name)).with_context(|| format!("there is no {name} in {}", out.display()))?;
    let new = hashed_name(name, &content);
    fs::rename(out.join(name), out.join(&new)).with_context(|| format!("cannot rename {name}"))?;
    println!("    {new}");
    Ok((new, content.len()))
}

/// Adds a hash of the content to a name: `app.js` becomes `app-0123456789abcdef.js`.
fn hashed_name(name: &str, content: &[u8]) -> String {
    let stem = name.strip_suffix("_bg.wasm").or_else(|| Some(name.rsplit_once('.')?.0)).unwrap_or(name);
    let digits = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{stem}-{}{}", &digits[..DIGITS], &name[stem.len()..])
}

/// Replaces a name in the text of `file`.
///
/// # Errors
/// If the text does not contain the name.
fn replace_name(text: &str, file: &str, old: &str, new: &str) -> Result<String> {
    ensure!(text.contains(old), "{file} does not name {old}, which is renamed");
    Ok(text.replace(old, new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_named_is_not_renamed_in_silence() {
        assert_eq!(replace_name("import('./a.js')", "page", "a.js", "a-1.js").unwrap(), "import('./a-1.js')");
        let error = replace_name("import('./b.js')", "page", "a.js", "a-1.js").unwrap_err().to_string();
        assert!(error.contains("page does not name a.js"), "{error}");
    }
}
