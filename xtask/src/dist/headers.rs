//! Writes the file `_headers`: the content security policy and permissions of the page, and how long files may be
//! cached.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::address_of;
use crate::page::folder::files;
use crate::server::headers::{FILE, HeaderRules};

/// `Cache-Control` of files whose name changes with their content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// `Cache-Control` of all other files: cached, but revalidated each time.
const REVALIDATE: &str = "no-cache";

/// Limit of Cloudflare Pages for the length of a line.
const MAX_LINE_LENGTH: usize = 2_000;
/// Limit of Cloudflare Pages for the number of paths.
const MAX_PATHS: usize = 100;

/// Headers of every response, besides the content security policy.
const COMMON_HEADERS: [(&str, &str); 4] = [
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(self), microphone=(), geolocation=(), payment=(), usb=()"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("X-Content-Type-Options", "nosniff"),
];

/// Writes `_headers` for all files in `out`.
///
/// # Errors
/// If a file cannot be read or written, or the page has more inline scripts or names than hosts accept.
pub fn write(out: &Path) -> Result<()> {
    let page = fs::read_to_string(out.join("index.html")).context("cannot read index.html")?;
    let addresses = files(out)?.iter().map(|file| address_of(file, out)).collect::<Result<Vec<_>>>()?;
    let text = text(&policy(&page), &addresses);
    let longest = text.lines().map(str::len).max().unwrap_or(0);
    ensure!(longest < MAX_LINE_LENGTH, "{FILE} has a line of {longest} characters, and hosts take {MAX_LINE_LENGTH}");
    let rules = text.lines().filter(|line| line.starts_with('/')).count();
    ensure!(rules <= MAX_PATHS, "{FILE} has {rules} paths, and hosts take {MAX_PATHS}");
    // `cargo xtask serve` must be able to read the text.
    HeaderRules::parse(&text)?;
    fs::write(out.join(FILE), text).with_context(|| format!("cannot write {FILE}"))
}

/// Returns the text of `_headers`. No path gets `Cache-Control` from two rules, since hosts would join the values.
fn text(policy: &str, addresses: &[String]) -> String {
    let mut text = "# Written by `cargo xtask dist`; see docs/hosting.md.\n/*\n".to_owned();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  Content-Security-Policy: {policy}");
    for (name, value) in COMMON_HEADERS {
        let _ = writeln!(text, "  {name}: {value}");
    }
    let mut paths = BTreeSet::from(["/".to_owned()]);
    for address in addresses {
        match address.split_once('/') {
            Some((folder, _)) => paths.insert(format!("/{folder}/*")),
            None => !address.starts_with('_') && !address.starts_with('.') && paths.insert(format!("/{address}")),
        };
    }
    for path in paths {
        let caching = if never_changes(&path) { IMMUTABLE } else { REVALIDATE };
        let _ = writeln!(text, "{path}\n  Cache-Control: {caching}");
    }
    text
}

/// Returns whether a file has a hash in its name: `app-0123abcd4567ef89.js`, `decoder-0123abcd4567ef89_bg.wasm`. The
/// service worker uses the same pattern.
pub fn never_changes(path: &str) -> bool {
    let Some((stem, "js" | "wasm" | "css")) = path.rsplit_once('.') else { return false };
    let stem = stem.strip_suffix("_bg").unwrap_or(stem);
    let hash = stem.rsplit_once('-').map_or("", |(_, hash)| hash);
    hash.len() >= 8 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns the content security policy of a page with this HTML.
///
/// The policy allows the page's own script files, and inline scripts by their hash. `wasm-unsafe-eval` allows compiling
/// WebAssembly and no other evaluation. Pictures that visitors choose may be fetched from any address, and are drawn on canvases;
/// drawings of what is inside of a network come from the engine as `data:`; inline style attributes set the lengths of bars.
fn policy(page: &str) -> String {
    let hashes = |tag: &str| inline(page, tag).map(|content| format!(" {}", hash(content))).collect::<String>();
    [
        "default-src 'self'".to_owned(),
        format!("script-src 'self' 'wasm-unsafe-eval'{}", hashes("script")),
        format!("style-src 'self'{}", hashes("style")),
        "style-src-attr 'unsafe-inline'".to_owned(),
        "img-src 'self' data:".to_owned(),
        "media-src 'self' blob:".to_owned(),
        "connect-src 'self' blob: data: https:".to_owned(),
        "worker-src 'self'".to_owned(),
        "object-src 'none'".to_owned(),
        "base-uri 'self'".to_owned(),
        "form-action 'none'".to_owned(),
        "frame-ancestors 'self'".to_owned(),
    ]
    .join("; ")
}

/// Returns the text of each element `<tag ...>` of the page that has no `src`.
fn inline<'a>(page: &'a str, tag: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
    let mut rest = page;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(&open)? + open.len();
            let (attributes, content) = rest[start..].split_once('>')?;
            // Skip tags whose names only begin with `tag`.
            if !attributes.is_empty() && !attributes.starts_with(char::is_whitespace) {
                rest = &rest[start..];
                continue;
            }
            let (content, after) = content.split_once(&close)?;
            rest = after;
            if !attributes.contains(" src=") {
                return Some(content);
            }
        }
    })
}

/// Returns the hash of an inline script in the form of the policy. Browsers hash the text with `\n` as line endings.
fn hash(content: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(content.replace("\r\n", "\n"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_scripts_are_allowed_by_their_hash_and_nothing_else_is() {
        let page = "<head><style>p{}</style><script type=\"module\">alert('Hello, world.');</script></head>\
                    <script src=\"./a.js\"></script><scripted>no</scripted>";
        assert_eq!(inline(page, "script").collect::<Vec<_>>(), ["alert('Hello, world.');"]);
        let policy = policy(page);
        // The example of the specification, https://www.w3.org/TR/CSP3/#external-hash.
        let hash = "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='";
        assert!(policy.contains(&format!("script-src 'self' 'wasm-unsafe-eval' {hash};")), "{policy}");
        assert!(policy.contains("style-src 'self' 'sha256-"), "{policy}");
        assert!(!policy.contains("'unsafe-eval'") && !policy.contains("script-src 'unsafe-inline'"), "{policy}");
    }

    #[test]
    fn files_with_a_hash_in_their_name_are_immutable_and_others_are_revalidated() {
        let addresses = ["index.html", "app-0123abcd4567ef89.js", "sw.js", "models/a/model.json", ".nojekyll"];
        let rules = HeaderRules::parse(&text("p", &addresses.map(str::to_owned))).unwrap();
        let cache = |path: &str| {
            let found = rules.for_path(path).into_iter().find(|(name, _)| name == "Cache-Control");
            found.map(|(_, value)| value).unwrap_or_default()
        };
        assert_eq!(cache("/app-0123abcd4567ef89.js"), IMMUTABLE);
        for path in ["/", "/index.html", "/sw.js", "/models/a/model.json"] {
            assert_eq!(cache(path), REVALIDATE, "{path}");
        }
        assert_eq!(rules.for_path("/x").len(), 1 + COMMON_HEADERS.len());
    }

    #[test]
    fn hashes_in_names_are_recognised() {
        for name in ["base-0123abcd.css", "/app-0123abcd4567ef89_bg.wasm", "engine_loader-0123abcd4567ef89.js"] {
            assert!(never_changes(name), "{name}");
        }
        for name in
            ["sw.js", "engine_loader.js", "icon-192.png", "model-0123abcd.json", "a-0123.js", "long-standing.js"]
        {
            assert!(!never_changes(name), "{name}");
        }
    }
}
