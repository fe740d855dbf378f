//! A plain document, written as Markdown and as HTML; and what reports of experiments have in common.

use std::path::Path;

use anyhow::Result;
use shared::metrics::Proportion;

use crate::files::write_atomically;

/// A part of a document. Texts are plain: each form escapes what it must.
pub enum Block {
    Title(String),
    Heading(String),
    Paragraph(String),
    Code(String),
    Table {
        caption: String,
        head: Vec<String>,
        rows: Vec<Vec<String>>,
    },
    /// Name of an SVG file beside the document, without its end.
    Figure {
        file: String,
        caption: String,
    },
}

/// Writes `report.md` and `report.html` to the folder `dir`.
///
/// # Errors
/// When a file cannot be written.
pub fn write(blocks: &[Block], dir: &Path) -> Result<()> {
    write_atomically(&dir.join("report.md"), markdown(blocks).as_bytes())?;
    write_atomically(&dir.join("report.html"), html(blocks).as_bytes())
}

/// `12.30% [10.10, 14.90]`, with Wilson's 95% interval.
pub fn percent(measured: Proportion) -> String {
    let [low, high] = measured.wilson_interval().map(|bound| 100.0 * bound);
    format!("{:.2}% [{low:.2}, {high:.2}]", 100.0 * measured.value())
}

/// `20 classes (chance is 5.0%), 8000 training pictures`.
pub fn scale(classes: usize, train_images: usize) -> String {
    format!("{classes} classes (chance is {:.1}%), {train_images} training pictures", 100.0 / classes as f64)
}

/// `1 step`, `2 steps`.
pub fn counted(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// As GitHub shows it.
fn markdown(blocks: &[Block]) -> String {
    let text = |block: &Block| match block {
        Block::Title(text) => format!("# {}\n", plain(text)),
        Block::Heading(text) => format!("## {}\n", plain(text)),
        Block::Paragraph(text) => format!("{}\n", plain(text)),
        Block::Code(text) => format!("```text\n{text}\n```\n"),
        Block::Table { caption, head, rows } => {
            let row = |cells: &[String]| {
                format!("| {} |\n", cells.iter().map(|cell| plain(cell)).collect::<Vec<_>>().join(" | "))
            };
            let rule = format!("|{}\n", "---|".repeat(head.len()));
            format!(
                "{}\n\n{}{rule}{}",
                plain(caption),
                row(head),
                rows.iter().map(|cells| row(cells)).collect::<String>()
            )
        }
        Block::Figure { file, caption } => format!("![{}]({file}.svg)\n", plain(caption)),
    };
    blocks.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// Escapes characters that have a meaning in Markdown.
fn plain(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*").replace('<', "&lt;")
}

/// One page that needs nothing but the figures beside it.
fn html(blocks: &[Block]) -> String {
    let title = blocks.iter().find_map(|block| match block {
        Block::Title(text) => Some(escaped(text)),
        _ => None,
    });
    let text = |block: &Block| match block {
        Block::Title(text) => format!("<h1>{}</h1>\n", escaped(text)),
        Block::Heading(text) => format!("<h2>{}</h2>\n", escaped(text)),
        Block::Paragraph(text) => format!("<p>{}</p>\n", escaped(text)),
        Block::Code(text) => format!("<pre>{}</pre>\n", escaped(text)),
        Block::Table { caption, head, rows } => {
            let head: String = head.iter().map(|cell| format!("<th scope=\"col\">{}</th>", escaped(cell))).collect();
            let row = |cells: &Vec<String>| {
                let cell = |(place, cell): (usize, &String)| match place {
                    0 => format!("<th scope=\"row\">{}</th>", escaped(cell)),
                    _ => format!("<td>{}</td>", escaped(cell)),
                };
                format!("<tr>{}</tr>\n", cells.iter().enumerate().map(cell).collect::<String>())
            };
            format!(
                "<div class=\"wide\"><table>\n<caption>{}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{}</tbody>\n\
                 </table></div>\n",
                escaped(caption),
                rows.iter().map(row).collect::<String>()
            )
        }
        Block::Figure { file, caption } => format!(
            "<figure><img src=\"{0}.svg\" alt=\"{1}\"><figcaption>{1}</figcaption></figure>\n",
            escaped(file),
            escaped(caption)
        ),
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n<main>\n{}</main>\n</html>\n",
        title.unwrap_or_default(),
        blocks.iter().map(text).collect::<String>()
    )
}

const STYLE: &str = "\
:root { color-scheme: light dark; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { line-height: 1.2; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1.5rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .5rem; }
th, td { padding: .3rem .8rem; text-align: left; border-top: 1px solid #8884; vertical-align: top; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid #8884; }
figure { margin: 1.5rem 0; }
img { max-width: 100%; background: #fff; }
";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks() -> Vec<Block> {
        let cells = |cells: [&str; 2]| cells.map(String::from).to_vec();
        vec![
            Block::Title("A < B & C".into()),
            Block::Table {
                caption: "Numbers".into(),
                head: cells(["", "a|b"]),
                rows: vec![cells(["x", "1*"]), cells(["y", "2"])],
            },
            Block::Figure { file: "bars".into(), caption: "Bars".into() },
            Block::Code("bastion reproduce".into()),
        ]
    }

    #[test]
    fn markdown_escapes_its_own_signs() {
        let text = markdown(&blocks());
        assert!(text.starts_with("# A &lt; B & C\n"), "{text}");
        assert!(text.contains("|  | a\\|b |\n|---|---|\n| x | 1\\* |\n| y | 2 |\n"), "{text}");
        assert!(text.contains("![Bars](bars.svg)") && text.contains("```text\nbastion reproduce\n```"), "{text}");
    }

    #[test]
    fn html_is_one_whole_page() {
        let text = html(&blocks());
        for part in [
            "<title>A &lt; B &amp; C</title>",
            "<th scope=\"col\">a|b</th>",
            "<tr><th scope=\"row\">x</th><td>1*</td></tr>",
            "<img src=\"bars.svg\" alt=\"Bars\">",
            "<pre>bastion reproduce</pre>",
            "</html>",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
