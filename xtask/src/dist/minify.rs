//! Makes the page's scripts and style sheet smaller with esbuild, where npm is available: no comments, no space, short local names.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::human;
use crate::page::{INDEX_HTML, STYLES, read, write};
use crate::{npm, process};

/// Scripts in files of their own. The workers' loader is a template, whose placeholders esbuild would change.
const SCRIPTS: [&str; 5] = ["app.js", "cpu-engine.js", "gpu-engine.js", "decoder.js", "sw.js"];

/// Begin and end of a script in the page itself.
const INLINE: [&str; 2] = ["<script>", "</script>"];

/// Kinds of text that esbuild reads.
#[derive(Clone, Copy, Debug)]
enum Loader {
    Script,
    Style,
}

/// Minifies scripts, style sheet and page in `out`. Without an esbuild that starts they stay as they are, and work as before.
///
/// # Errors
/// If a file is missing or cannot be written, or esbuild does not take what it has to.
pub fn all(out: &Path) -> Result<()> {
    let esbuild = match find() {
        Ok(esbuild) => esbuild,
        Err(error) => {
            println!("    scripts and styles stay as they are, some kilobytes larger: {error:#}");
            return Ok(());
        }
    };
    let shrink = |loader: Loader, text: &str| {
        let (program, before) = esbuild.split_first().context("no program")?;
        minified(process::command(program)?.args(before), loader, text)
    };
    for name in SCRIPTS {
        replace(&out.join(name), |text| shrink(Loader::Script, text))?;
    }
    replace(&out.join(STYLES), |text| shrink(Loader::Style, text))?;
    replace(&out.join(INDEX_HTML), |page| page_without_space(page, |script| shrink(Loader::Script, script)))
}

/// Returns the command that starts esbuild, a program and its first arguments.
///
/// # Errors
/// If npm cannot install esbuild, or it does not start: npm leaves out a program for this machine where there is none.
fn find() -> Result<Vec<PathBuf>> {
    let package = npm::ESBUILD.ensure()?;
    let node = npm::node().context("Node.js is not on PATH")?;
    let found = vec![node, package.join("bin/esbuild")];
    process::output(process::command(&found[0])?.arg(&found[1]).arg("--version")).context("esbuild does not start")?;
    Ok(found)
}

/// Replaces the text of a file, and prints by how much it shrank.
fn replace(file: &Path, shrink: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let before = read(file)?;
    let after = shrink(&before).with_context(|| format!("cannot make {} smaller", file.display()))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    println!("    {name}: {} became {}", human(before.len() as u64), human(after.len() as u64));
    write(file, &after)
}

/// Gives a text to esbuild's standard input and returns what esbuild makes of it. Syntax stays as it is written, since the page
/// tells old browsers what they lack.
fn minified(command: &mut Command, loader: Loader, text: &str) -> Result<String> {
    let loader = match loader {
        Loader::Script => "--loader=js",
        Loader::Style => "--loader=css",
    };
    command.args(["--minify-whitespace", "--minify-identifiers", "--charset=utf8", "--log-level=warning", loader]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("esbuild does not start")?;
    // esbuild reads all of its input before it writes.
    let written = child.stdin.take().context("no input")?.write_all(text.as_bytes());
    let output = child.wait_with_output().context("esbuild does not end")?;
    ensure!(output.status.success(), "esbuild failed ({})", output.status);
    written.context("esbuild does not read")?;
    String::from_utf8(output.stdout).context("esbuild wrote no text")
}

/// Returns a page with smaller scripts, and otherwise without comments and without space at the beginning of lines.
fn page_without_space(page: &str, mut shrink: impl FnMut(&str) -> Result<String>) -> Result<String> {
    let mut parts = Vec::new();
    let mut rest = page;
    while let Some((before, (script, after))) =
        rest.split_once(INLINE[0]).and_then(|(before, rest)| Some((before, rest.split_once(INLINE[1])?)))
    {
        parts.extend([
            without_space(before)?,
            INLINE[0].to_owned(),
            shrink(script)?.trim().to_owned(),
            INLINE[1].to_owned(),
        ]);
        rest = after;
    }
    parts.push(without_space(rest)?);
    Ok(parts.concat())
}

/// Returns HTML without comments and without space at the beginning of lines.
fn without_space(html: &str) -> Result<String> {
    // Where space counts, none may go.
    for kind in ["<pre", "<textarea", "<script"] {
        ensure!(
            !html.contains(kind),
            "{INDEX_HTML} has an element {kind} whose spaces may count: write it without line breaks, or teach {} to keep it",
            file!()
        );
    }
    let mut visible = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once("<!--") {
        visible += before;
        rest = after.split_once("-->").with_context(|| format!("a comment of {INDEX_HTML} has no end"))?.1;
    }
    visible += rest;
    let lines = visible.split('\n').map(|line| line.trim_start_matches([' ', '\t']));
    // Of what is empty, one end of line is enough.
    let mut kept = String::new();
    for (number, line) in lines.enumerate() {
        if number > 0 && !kept.ends_with('\n') {
            kept.push('\n');
        }
        kept += line;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_and_comments_go_and_texts_stay_apart() {
        let page = "<p>\n    One  two\n    <b>three</b>\n</p>\n\n    <!-- Of two\n  lines. -->\n    <p>four</p>\n";
        let expected = "<p>\nOne  two\n<b>three</b>\n</p>\n<p>four</p>\n";
        assert_eq!(page_without_space(page, |_| panic!("no script")).unwrap(), expected);
        for refused in ["<pre>\n  a</pre>", "<script type=\"module\">a()</script>", "<!-- a"] {
            assert!(page_without_space(refused, |_| panic!("no script")).is_err(), "{refused}");
        }
    }

    #[test]
    fn scripts_in_the_page_are_shrunk_on_their_own() {
        let page = "<head>\n  <script>\n    a(\"<!-- b -->\");\n  </script>\n  <script>c()</script>\n</head>";
        let mut seen = Vec::new();
        let shrunk = page_without_space(page, |script| {
            seen.push(script.to_owned());
            Ok(format!("{}\n", seen.len()))
        });
        assert_eq!(shrunk.unwrap(), "<head>\n<script>1</script>\n<script>2</script>\n</head>");
        assert_eq!(seen, ["\n    a(\"<!-- b -->\");\n  ", "c()"]);
        assert!(page_without_space(page, |_| anyhow::bail!("no")).is_err());
    }
}
