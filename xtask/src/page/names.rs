//! Names by content: programs and style sheets get a hash into their names, so that browsers may keep them for ever and a page
//! never meets the engine of another build. `index.html` and the engine's loader learn the names.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::INDEX_HTML;

/// Files of the page's program. The page names them.
const APP: [&str; 2] = ["app.js", "app_bg.wasm"];
/// Files of the engine. The page and the loader name them.
const ENGINE: [&str; 2] = ["engine.js", "engine_bg.wasm"];
/// The script that the page starts as a worker.
const LOADER: &str = "engine_loader.js";

/// Where the loader is told how many bytes the program has before it is compressed.
const UNKNOWN_SIZE: &str = "unpackedBytes = 0;";

/// How the page links a style sheet, on a line of its own.
const LINK: [&str; 2] = ["<link rel=\"stylesheet\" href=\"", "\" />"];

/// Hexadecimal digits of a hash in a name.
const DIGITS: usize = 16;

/// Renames programs and loader in `out` by their content, and writes the page of `root` there, which names them, with one style
/// sheet of all that it links.
///
/// # Errors
/// If a file is missing, or the loader or the page does not name a file that it has to.
pub fn assign(root: &Path, out: &Path) -> Result<()> {
    let mut page = unite_styles(root, out)?;
    let mut loader = read(&out.join(LOADER))?;
    ensure!(loader.contains(UNKNOWN_SIZE), "{LOADER} has no `{UNKNOWN_SIZE}`, so it cannot be told the program's size");
    for name in APP.into_iter().chain(ENGINE) {
        let content = fs::read(out.join(name)).with_context(|| format!("there is no {name} in {}", out.display()))?;
        let new = named(name, &content);
        fs::rename(out.join(name), out.join(&new)).with_context(|| format!("cannot rename {name}"))?;
        page = renamed(&page, INDEX_HTML, name, &new)?;
        if ENGINE.contains(&name) {
            loader = renamed(&loader, LOADER, name, &new)?;
        }
        if name == ENGINE[1] {
            loader = loader.replace(UNKNOWN_SIZE, &format!("unpackedBytes = {};", content.len()));
        }
        println!("    {new}");
    }
    let new = named(LOADER, loader.as_bytes());
    fs::remove_file(out.join(LOADER)).with_context(|| format!("cannot remove {LOADER}"))?;
    write(&out.join(&new), &loader)?;
    write(&out.join(INDEX_HTML), &renamed(&page, INDEX_HTML, LOADER, &new)?)
}

/// Writes one style sheet of all that the page links, in their order, and returns the page that links it. One request instead
/// of a dozen, and a third less to send, since they say much the same.
fn unite_styles(root: &Path, out: &Path) -> Result<String> {
    let page = read(&root.join(INDEX_HTML))?;
    let linked = |line: &'_ str| line.trim().strip_prefix(LINK[0])?.strip_suffix(LINK[1]).map(|file| root.join(file));
    let files: Vec<_> = page.lines().filter_map(linked).collect();
    let links = page.matches("rel=\"stylesheet\"").count();
    // One that is written in another way would be left out, and not be in its place.
    ensure!(links > 0 && links == files.len(), "{INDEX_HTML} links {links} style sheets, {} as {LINK:?}", files.len());
    let styles = files.iter().map(|file| Ok(read(file)? + "\n")).collect::<Result<String>>()?;
    let name = named("styles.css", styles.as_bytes());
    write(&out.join(&name), &styles)?;
    println!("    {name}, of {links}");
    let link = format!("    {}./{name}{}", LINK[0], LINK[1]);
    let first = page.lines().position(|line| linked(line).is_some());
    let lines = page.lines().enumerate().filter_map(|(number, line)| match linked(line) {
        Some(_) if Some(number) == first => Some(link.as_str()),
        Some(_) => None,
        None => Some(line),
    });
    Ok(lines.collect::<Vec<_>>().join("\n") + "\n")
}

/// Puts a hash of the content into a name: `app.js` becomes `app-0123456789abcdef.js`.
fn named(name: &str, content: &[u8]) -> String {
    let stem = name.strip_suffix("_bg.wasm").or_else(|| Some(name.rsplit_once('.')?.0)).unwrap_or(name);
    let digits = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{stem}-{}{}", &digits[..DIGITS], &name[stem.len()..])
}

/// Replaces a name in the text of `file`.
fn renamed(text: &str, file: &str, old: &str, new: &str) -> Result<String> {
    ensure!(text.contains(old), "{file} does not name {old}, which is renamed");
    Ok(text.replace(old, new))
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn write(file: &Path, content: &str) -> Result<()> {
    fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_style_sheets_become_one_in_their_order() {
        let (root, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |name: &str, content: &str| fs::write(root.path().join(name), content).unwrap();
        write("b.css", "b{}");
        write("a.css", "a{}");
        let link = |name: &str| format!("    {}{name}{}", LINK[0], LINK[1]);
        write(INDEX_HTML, &format!("<head>\n{}\n<p>\n{}\n</p>\n", link("b.css"), link("a.css")));
        let page = unite_styles(root.path(), out.path()).unwrap();
        let [style] = &*fs::read_dir(out.path()).unwrap().collect::<Vec<_>>() else { panic!("not one style sheet") };
        let style = style.as_ref().unwrap().path();
        let name = style.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("styles-"), "{name}");
        assert_eq!(page, format!("<head>\n{}\n<p>\n</p>\n", link(&format!("./{name}"))));
        assert_eq!(fs::read_to_string(style).unwrap(), "b{}\na{}\n");

        let refused = || unite_styles(root.path(), out.path()).unwrap_err().to_string();
        write(INDEX_HTML, &format!("<head>\n{}<p>", link("b.css")));
        assert!(refused().contains("links 1 style sheets, 0 as"), "{}", refused());
        write(INDEX_HTML, "<head>");
        assert!(refused().contains("links 0 style sheets"));
        write(INDEX_HTML, &link("c.css"));
        assert!(refused().contains("c.css"));
    }

    #[test]
    fn a_file_that_is_not_named_is_not_renamed_in_silence() {
        assert_eq!(renamed("import('./a.js')", "page", "a.js", "a-1.js").unwrap(), "import('./a-1.js')");
        let error = renamed("import('./b.js')", "page", "a.js", "a-1.js").unwrap_err().to_string();
        assert!(error.contains("page does not name a.js"), "{error}");
    }
}
