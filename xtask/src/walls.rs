//! The walls between packages: libraries that a package must not depend on, directly or through another package.

use anyhow::{Result, ensure};

use crate::process;
use crate::tools::WASM_TARGET;

/// A package, a library that the package must not depend on, and the reason.
const WALLS: [(&str, &str, &str); 8] = [
    ("protocol", "burn", "the page links it too, and would get all of burn's constructors"),
    ("page", "burn", "networks are the engine's, and the page has to come first"),
    ("page", "picture", "a file that breaks a decoder would break the page"),
    ("page", "image", "a file that breaks a decoder would break the page"),
    ("engine", "leptos", "a worker has no document"),
    ("engine", "wgpu", "a browser without an adapter would wait for the compilers of one"),
    ("decoder", "leptos", "a worker has no document"),
    ("decoder", "burn", "a picture has to come before the engine does"),
];

/// Checks that no package depends on a library behind a wall.
///
/// # Errors
/// Names the package, the library, and the dependencies in between.
pub fn check() -> Result<()> {
    for (package, forbidden, reason) in WALLS {
        let list = tree(package, &["--prefix", "none", "--format", "{p}"])?;
        if let Some(found) = find_package(&list, forbidden) {
            let path = tree(package, &["--invert", found])?;
            ensure!(false, "`{package}` must not depend on `{found}`: {reason}. It does, read upwards:\n{path}");
        }
        println!("    `{package}` does without `{forbidden}`");
    }
    Ok(())
}

/// Returns the output of `cargo tree` for a package built for the browser.
fn tree(package: &str, arguments: &[&str]) -> Result<String> {
    let mut command = process::cargo()?;
    command.args(["tree", "--locked", "--edges", "normal", "--target", WASM_TARGET, "--package", package]);
    process::output(command.args(arguments))
}

/// Returns the first package of a list (lines of `name vVersion`) that is the library `forbidden` or one of its parts,
/// such as `forbidden-core`.
fn find_package<'a>(list: &'a str, forbidden: &str) -> Option<&'a str> {
    let mut names = list.lines().filter_map(|line| line.split_whitespace().next());
    names.find(|name| name.strip_prefix(forbidden).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_and_its_parts_are_found() {
        assert_eq!(find_package("page v0.1.0 (/page)\nserde v1.0.0\nburn v0.22.1 (*)", "burn"), Some("burn"));
        assert_eq!(find_package("engine v0.1.0\nleptos_dom v0.8.8", "leptos"), Some("leptos_dom"));
        assert_eq!(find_package("page v0.1.0\nburner v1.0.0\nno-burn v1.0.0", "burn"), None);
    }

    #[test]
    fn a_broken_wall_shows_its_path() {
        let list = tree("tests", &["--prefix", "none", "--format", "{p}"]).unwrap();
        let found = find_package(&list, "burn").unwrap();
        assert!(tree("tests", &["--invert", found]).unwrap().contains("tests v"));
        assert_eq!(find_package(&tree("xtask", &["--prefix", "none", "--format", "{p}"]).unwrap(), "burn"), None);
    }
}
