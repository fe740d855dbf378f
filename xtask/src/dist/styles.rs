//! One style sheet of all of them, in their order: a request instead of a dozen, and a third less to send, since they say much
//! the same.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::engine::hash;

/// How Trunk links a style sheet.
const LINK: [&str; 2] = ["<link rel=\"stylesheet\" href=\"./", "\"/>"];

/// Puts the style sheets of the page in `out` together, under a name by their content.
///
/// # Errors
/// If the page links none in the way that this relies on, or a file cannot be read or written.
pub fn unite(out: &Path) -> Result<()> {
    let index = out.join("index.html");
    let page = fs::read_to_string(&index).context("cannot read index.html")?;
    let names = linked(&page);
    let links = page.matches("rel=\"stylesheet\"").count();
    // One that is written in another way would be left out, and not be in its place.
    ensure!(links > 0 && links == names.len(), "index.html links {links} style sheets, {} as {LINK:?}", names.len());
    let mut all = String::new();
    for name in &names {
        all += &fs::read_to_string(out.join(name)).with_context(|| format!("cannot read {name}"))?;
        all.push('\n');
    }
    let united = format!("styles-{}.css", hash(all.as_bytes()));
    let mut page = page.replacen(&link(names[0]), &link(&united), 1);
    for name in &names[1..] {
        page = page.replacen(&link(name), "", 1);
    }
    for name in &names {
        fs::remove_file(out.join(name)).with_context(|| format!("cannot remove {name}"))?;
    }
    fs::write(out.join(&united), all).with_context(|| format!("cannot write {united}"))?;
    fs::write(&index, page).context("cannot write index.html")?;
    println!("    {united}, of {}", names.len());
    Ok(())
}

fn link(name: &str) -> String {
    format!("{}{name}{}", LINK[0], LINK[1])
}

/// The style sheets of a page, in their order.
fn linked(page: &str) -> Vec<&str> {
    page.split(LINK[0]).skip(1).filter_map(|rest| Some(rest.split_once(LINK[1])?.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_style_sheets_become_one_in_their_order() {
        let out = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| fs::write(out.path().join(name), content).unwrap();
        write("b-1.css", "b{}");
        write("a-2.css", "a{}");
        write("index.html", &format!("<head>\n{}\n{}\n<p>", link("b-1.css"), link("a-2.css")));
        unite(out.path()).unwrap();
        let page = fs::read_to_string(out.path().join("index.html")).unwrap();
        let [name] = linked(&page)[..] else { panic!("{page}") };
        assert!(name.starts_with("styles-") && page.starts_with("<head>\n<link") && page.ends_with("<p>"), "{page}");
        assert_eq!(fs::read_to_string(out.path().join(name)).unwrap(), "b{}\na{}\n");
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 2, "the others are gone");
        assert!(unite(tempfile::tempdir().unwrap().path()).is_err());
        write("index.html", "<head>");
        assert!(unite(out.path()).unwrap_err().to_string().contains("links 0 style sheets"));
    }
}
