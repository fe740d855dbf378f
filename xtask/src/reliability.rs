//! The table of faults (`docs/reliability.md`): each row names a test that is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::process;

const TABLE: &str = "docs/reliability.md";

/// Folders with tests.
const SOURCES: [&str; 5] = ["shared", "tests", "trainer", "web", "xtask"];

/// Checks that each fault in the table has a test.
///
/// # Errors
/// Names the rows without a test, and the tests that are not there.
pub fn check() -> Result<()> {
    let root = process::root()?;
    let table = fs::read_to_string(root.join(TABLE)).with_context(|| format!("cannot read {TABLE}"))?;
    let mut tests = BTreeSet::new();
    for folder in SOURCES {
        collect_tests(&root.join(folder), &mut tests)?;
    }
    let faults = check_rows(&table, &tests)?;
    println!("    {faults} faults, each with a test");
    Ok(())
}

/// Returns the number of rows.
fn check_rows(table: &str, tests: &BTreeSet<String>) -> Result<usize> {
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with('|')).filter(|line| !is_head(line)).collect();
    let mut wrong = Vec::new();
    for row in &rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let named: Vec<_> = last.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            wrong.push(format!("no test: {row}"));
        }
        wrong
            .extend(named.iter().filter(|name| !tests.contains(**name)).map(|name| format!("no test `{name}`: {row}")));
    }
    ensure!(wrong.is_empty(), "{TABLE} has rows whose last column names no test that is there:\n{}", wrong.join("\n"));
    ensure!(!rows.is_empty(), "{TABLE} has no rows");
    Ok(rows.len())
}

/// Tells whether a row is a table's head, or the line below.
fn is_head(row: &str) -> bool {
    row.starts_with("| fault |") || row.starts_with("|---")
}

/// Collects the names of the test functions below a folder.
fn collect_tests(folder: &Path, tests: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot look into {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect_tests(&path, tests)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            tests.extend(tests_of(&source));
        }
    }
    Ok(())
}

/// Returns the names of the functions behind a `#[test]`, or a test of another runtime's, in a source.
fn tests_of(source: &str) -> impl Iterator<Item = String> {
    let mut marked = false;
    source.lines().map(str::trim).filter_map(move |line| {
        if line.starts_with("#[") {
            marked |= line.ends_with("test]") || line.contains("test(");
            return None;
        }
        let name = line.trim_start_matches("pub ").trim_start_matches("async ").strip_prefix("fn ")?;
        std::mem::take(&mut marked).then(|| name.split(['(', '<']).next().unwrap_or_default().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_functions_that_are_tests_count() {
        let source =
            "#[test]\n#[ignore = \"slow\"]\nfn one() {}\nfn helper() {}\n    #[tokio::test]\n    async fn two() {}\n";
        assert_eq!(tests_of(source).collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn a_row_without_a_test_is_found() {
        let tests = BTreeSet::from(["there".to_owned()]);
        let head = "| fault | what happens | test |\n|---|---|---|\n";
        let check = |row: &str| check_rows(&format!("{head}{row}\n"), &tests);
        assert_eq!(check("| a | b | `there` |").unwrap(), 1);
        for (row, expected) in [("| a | b | |", "no test: "), ("| a | b | `gone` |", "no test `gone`"), ("", "no rows")]
        {
            let error = check(row).unwrap_err().to_string();
            assert!(error.contains(expected), "{row}: {error}");
        }
    }
}
