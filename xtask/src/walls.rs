//! The walls between packages: which libraries a package must not depend on, not even through another package.

use anyhow::{Result, ensure};

use crate::process;
use crate::tools::WASM_TARGET;

/// A package, a library that it must not reach, and why.
const WALLS: [(&str, &str, &str); 3] = [
    ("protocol", "burn", "the page links it too, and would get all of burn's constructors"),
    ("page", "burn", "networks are the engine's, and the page has to come first"),
    ("engine", "leptos", "a worker has no document"),
];

/// Checks that no wall is broken.
///
/// # Errors
/// Names the wall that is, and through which packages.
pub fn check() -> Result<()> {
    for (package, barred, reason) in WALLS {
        let listed = tree(package, &["--prefix", "none", "--format", "{p}"])?;
        if let Some(found) = reached(&listed, barred) {
            let path = tree(package, &["--invert", found])?;
            ensure!(false, "`{package}` must not depend on `{found}`: {reason}. It does, read upwards:\n{path}");
        }
        println!("    `{package}` does without `{barred}`");
    }
    Ok(())
}

/// Returns what `cargo tree` prints for a package as the browser gets it.
fn tree(package: &str, arguments: &[&str]) -> Result<String> {
    let mut command = process::cargo()?;
    command.args(["tree", "--locked", "--edges", "normal", "--target", WASM_TARGET, "--package", package]);
    process::output(command.args(arguments))
}

/// Returns the first package of a list, a line `name vVersion` each, that is `barred` or one of its parts, such as
/// `barred-core`.
fn reached<'a>(listed: &'a str, barred: &str) -> Option<&'a str> {
    let mut names = listed.lines().filter_map(|line| line.split_whitespace().next());
    names.find(|name| name.strip_prefix(barred).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_and_its_parts_are_found() {
        assert_eq!(reached("page v0.1.0 (/page)\nserde v1.0.0\nburn v0.22.1 (*)", "burn"), Some("burn"));
        assert_eq!(reached("engine v0.1.0\nleptos_dom v0.8.8", "leptos"), Some("leptos_dom"));
        assert_eq!(reached("page v0.1.0\nburner v1.0.0\nno-burn v1.0.0", "burn"), None);
    }

    #[test]
    fn a_broken_wall_shows_its_path() {
        let listed = tree("tests", &["--prefix", "none", "--format", "{p}"]).unwrap();
        let found = reached(&listed, "burn").unwrap();
        assert!(tree("tests", &["--invert", found]).unwrap().contains("tests v"));
        assert_eq!(reached(&tree("xtask", &["--prefix", "none", "--format", "{p}"]).unwrap(), "burn"), None);
    }
}
