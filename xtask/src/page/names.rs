//! Puts a hash of the content into the names of programs and style sheets, so that browsers may cache them for ever and
//! a page never loads a worker of another build. `index.html` and the workers' loaders are changed to the new names, and the texts
//! about attacks are put into `index.html`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use terms::attack::AttackKind;

use super::INDEX_HTML;

/// Files of the page's program, which `index.html` names.
const APP: [&str; 2] = ["app.js", "app_bg.wasm"];

/// Programs that run in workers. `index.html` names their loader and files: `engine_loader.js engine.js engine_bg.wasm`.
const WORKERS: [&str; 2] = ["engine", "decoder"];

/// Script that loads a worker's program. It names the program `program` and has a placeholder for the size of the program in
/// bytes, uncompressed.
const LOADER: &str = "worker_loader.js";
const UNKNOWN_SIZE: &str = "unpackedBytes = 0;";

/// Start and end of a line of `index.html` that links a style sheet.
const LINK: [&str; 2] = ["<link rel=\"stylesheet\" href=\"", "\" />"];

/// The line of `index.html` that the texts about attacks replace.
const ATTACKS: &str = "<!-- The texts about attacks. -->";

/// Number of hexadecimal digits of a hash in a name.
const DIGITS: usize = 16;

/// Renames programs and loaders in `out` by their content, and writes the `index.html` of `root` with the new names, and
/// with its style sheets merged into one.
///
/// # Errors
/// If a file is missing, or the loader or the page does not name a file that it has to.
pub fn assign(root: &Path, out: &Path) -> Result<()> {
    let page = merge_styles(root, out)?;
    let mut page = replace_name(&page, INDEX_HTML, ATTACKS, &attack_texts())?;
    for name in APP {
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

/// Merges the page's style sheets into one, in their order, and returns the HTML that links it. That takes one request
/// instead of a dozen, and a third fewer bytes, since style sheets compress better together.
fn merge_styles(root: &Path, out: &Path) -> Result<String> {
    let page = read(&root.join(INDEX_HTML))?;
    let linked = |line: &'_ str| line.trim().strip_prefix(LINK[0])?.strip_suffix(LINK[1]).map(|file| root.join(file));
    let files: Vec<_> = page.lines().filter_map(linked).collect();
    let links = page.matches("rel=\"stylesheet\"").count();
    // A link in another form would be left out of the merged style sheet.
    ensure!(links > 0 && links == files.len(), "{INDEX_HTML} links {links} style sheets, {} as {LINK:?}", files.len());
    let styles = files.iter().map(|file| Ok(read(file)? + "\n")).collect::<Result<String>>()?;
    let name = hashed_name("styles.css", styles.as_bytes());
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

/// Returns an element for each attack, which carries the texts that the page shows of the chosen one. They stand in the HTML since
/// the page appears no earlier than its program is there.
fn attack_texts() -> String {
    let quoted = |text: &str| text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let of_attack = |kind: AttackKind| {
        let [summary, formula, source] = [kind.words().summary, kind.words().formula, kind.words().source].map(quoted);
        format!(
            "<i id=\"words-{kind}\" data-summary=\"{summary}\" data-formula=\"{formula}\" data-source=\"{source}\"></i>"
        )
    };
    AttackKind::ALL.map(of_attack).join("\n        ")
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
    fn every_attack_has_its_texts_and_an_explanation_in_the_page() {
        let page = read(&crate::process::root().unwrap().join(INDEX_HTML)).unwrap();
        assert_eq!(page.matches(ATTACKS).count(), 1);
        let texts = attack_texts();
        for kind in AttackKind::ALL {
            assert!(page.contains(&format!("id=\"{kind}\"")), "{kind} is not explained in {INDEX_HTML}");
            assert!(texts.contains(&format!("<i id=\"words-{kind}\" data-summary=\"")), "{kind}");
        }
        assert!(!texts.contains("</i><"), "an element a line");
    }

    #[test]
    fn all_style_sheets_become_one_in_their_order() {
        let (root, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |name: &str, content: &str| fs::write(root.path().join(name), content).unwrap();
        write("b.css", "b{}");
        write("a.css", "a{}");
        let link = |name: &str| format!("    {}{name}{}", LINK[0], LINK[1]);
        write(INDEX_HTML, &format!("<head>\n{}\n<p>\n{}\n</p>\n", link("b.css"), link("a.css")));
        let page = merge_styles(root.path(), out.path()).unwrap();
        let [style] = &*fs::read_dir(out.path()).unwrap().collect::<Vec<_>>() else { panic!("not one style sheet") };
        let style = style.as_ref().unwrap().path();
        let name = style.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("styles-"), "{name}");
        assert_eq!(page, format!("<head>\n{}\n<p>\n</p>\n", link(&format!("./{name}"))));
        assert_eq!(fs::read_to_string(style).unwrap(), "b{}\na{}\n");

        let refused = || merge_styles(root.path(), out.path()).unwrap_err().to_string();
        write(INDEX_HTML, &format!("<head>\n{}<p>", link("b.css")));
        assert!(refused().contains("links 1 style sheets, 0 as"), "{}", refused());
        write(INDEX_HTML, "<head>");
        assert!(refused().contains("links 0 style sheets"));
        write(INDEX_HTML, &link("c.css"));
        assert!(refused().contains("c.css"));
    }

    #[test]
    fn a_file_that_is_not_named_is_not_renamed_in_silence() {
        assert_eq!(replace_name("import('./a.js')", "page", "a.js", "a-1.js").unwrap(), "import('./a-1.js')");
        let error = replace_name("import('./b.js')", "page", "a.js", "a-1.js").unwrap_err().to_string();
        assert!(error.contains("page does not name a.js"), "{error}");
    }
}
