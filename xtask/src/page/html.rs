//! Writes the page's HTML and its one style sheet, of the style sheets that `index.html` in the workspace links.

use std::path::Path;

use anyhow::{Result, ensure};
use terms::attack::AttackKind;

use super::{INDEX_HTML, STYLES, read, write};

/// Start and end of a line of `index.html` that links a style sheet.
const LINK: [&str; 2] = ["<link rel=\"stylesheet\" href=\"", "\" />"];

/// The line of `index.html` that the texts about attacks replace.
const ATTACKS: &str = "<!-- The texts about attacks. -->";

/// Writes `index.html` of `root` into `out`, with the texts about attacks and with its style sheets merged into one.
///
/// # Errors
/// If a file is missing, or the page has no place for the texts.
pub fn write_page(root: &Path, out: &Path) -> Result<()> {
    let page = merge_styles(root, out)?;
    ensure!(page.contains(ATTACKS), "{INDEX_HTML} lacks the line {ATTACKS}");
    write(&out.join(INDEX_HTML), &page.replace(ATTACKS, &attack_texts()))
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
    write(&out.join(STYLES), &styles)?;
    println!("    {STYLES}, of {links}");
    let link = format!("    {}./{STYLES}{}", LINK[0], LINK[1]);
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

#[cfg(test)]
mod tests {
    use std::fs;

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
        assert_eq!(page, format!("<head>\n{}\n<p>\n</p>\n", link("./styles.css")));
        assert_eq!(fs::read_to_string(out.path().join(STYLES)).unwrap(), "b{}\na{}\n");
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1, "one style sheet alone");

        let refused = || merge_styles(root.path(), out.path()).unwrap_err().to_string();
        write(INDEX_HTML, &format!("<head>\n{}<p>", link("b.css")));
        assert!(refused().contains("links 1 style sheets, 0 as"), "{}", refused());
        write(INDEX_HTML, "<head>");
        assert!(refused().contains("links 0 style sheets"));
        write(INDEX_HTML, &link("c.css"));
        assert!(refused().contains("c.css"));
    }
}
