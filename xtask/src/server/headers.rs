//! Reads the file `_headers`, which sets the headers of responses by path, as Netlify and Cloudflare Pages do.
//!
//! ```text
//! # A path, in which * stands for any text; below the path, indented, the headers of all files that match.
//! /*
//!   X-Content-Type-Options: nosniff
//! /app-0123abcd.js
//!   Cache-Control: public, max-age=31536000, immutable
//! ```
//!
//! All rules that match a path apply, and a header that several of them set gets all their values, joined by commas.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use axum::http::{HeaderName, HeaderValue};

/// Name of the file, at the top of the folder.
pub const FILE: &str = "_headers";

/// The rules of a file `_headers`.
#[derive(Default, Debug)]
pub struct HeaderRules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    pattern: String,
    /// Names and values.
    headers: Vec<(String, String)>,
}

impl HeaderRules {
    /// Reads the rules of a folder; none if the folder has no `_headers`.
    ///
    /// # Errors
    /// If the file cannot be read or parsed.
    pub fn of(folder: &Path) -> Result<Self> {
        let file = folder.join(FILE);
        match fs::read_to_string(&file) {
            Ok(text) => Self::parse(&text).with_context(|| file.display().to_string()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    /// Parses the text of a file `_headers`.
    ///
    /// # Errors
    /// Names the line that is neither a path nor a header below a path.
    pub fn parse(text: &str) -> Result<Self> {
        let mut rules = Vec::<Rule>::new();
        for (number, line) in text.lines().enumerate() {
            let (number, content) = (number + 1, line.trim());
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            if !line.starts_with([' ', '\t']) {
                if !content.starts_with('/') {
                    bail!("line {number}: {content:?} is no path, which begins with a slash; headers are indented");
                }
                rules.push(Rule { pattern: content.to_owned(), headers: Vec::new() });
                continue;
            }
            let Some(rule) = rules.last_mut() else { bail!("line {number}: {content:?} stands below no path") };
            let Some((name, value)) = content.split_once(':') else {
                bail!("line {number}: {content:?} is no header, which has a name, a colon and a value")
            };
            let (name, value) = (name.trim(), value.trim());
            HeaderName::try_from(name).with_context(|| format!("line {number}: {name:?}"))?;
            HeaderValue::try_from(value).with_context(|| format!("line {number}: {value:?}"))?;
            rule.headers.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self(rules))
    }

    /// Returns the names and values of the headers for `path`, which begins with a slash and is decoded; each name
    /// once.
    pub fn for_path(&self, path: &str) -> Vec<(String, String)> {
        let mut headers = Vec::<(String, String)>::new();
        for (name, value) in self.0.iter().filter(|rule| matches(&rule.pattern, path)).flat_map(|rule| &rule.headers) {
            match headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, values)) => *values += &format!(", {value}"),
                None => headers.push((name.clone(), value.clone())),
            }
        }
        headers
    }
}

/// Returns whether `path` matches `pattern`, in which each `*` stands for any text, slashes included.
fn matches(pattern: &str, path: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == path };
    let Some(path) = path.strip_prefix(start) else { return false };
    path.char_indices().map(|(at, _)| at).chain([path.len()]).any(|at| matches(rest, &path[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_text() {
        for (pattern, path) in
            [("/*", "/"), ("/*", "/a/b.js"), ("/a/*", "/a/"), ("/*.js", "/a/b.js"), ("/a*b*c", "/abc"), ("/a", "/a")]
        {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [("/a/*", "/a"), ("/*.js", "/a.json"), ("/a", "/ab"), ("/", "/a"), ("/a*b*c", "/acb")] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn all_rules_that_match_apply() {
        let text = "# all\n/*\n  X-A: 1\n\tX-B: b: c\n\n/x/*\n  x-a: 2\n/y\n  X-C: 3\n";
        let rules = HeaderRules::parse(text).unwrap();
        let pairs = |path: &str| -> Vec<String> {
            rules.for_path(path).iter().map(|(name, value)| format!("{name}={value}")).collect()
        };
        assert_eq!(pairs("/x/1"), ["X-A=1, 2", "X-B=b: c"]);
        assert_eq!(pairs("/y"), ["X-A=1", "X-B=b: c", "X-C=3"]);
    }

    #[test]
    fn a_malformed_line_is_named() {
        for (text, words) in [
            ("  X-A: 1\n", "line 1"),
            ("/*\n  nonsense\n", "no header"),
            ("/*\n  two words: 1\n", "line 2: \"two words\""),
            ("/*\n\nX-A: 1\n", "line 3: \"X-A: 1\" is no path"),
        ] {
            let error = format!("{:#}", HeaderRules::parse(text).unwrap_err());
            assert!(error.contains(words), "{error}");
        }
    }
}
