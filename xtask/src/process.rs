//! Child processes: started in the workspace root, shown before they run, with errors that name the command.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// The workspace root.
///
/// Cargo tells where this package is; without cargo (the program started by hand) it is the current folder.
pub fn root() -> Result<PathBuf> {
    let root = match env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from) {
        Some(package) => package.parent().map_or(package.clone(), Path::to_path_buf),
        None => env::current_dir().context("cannot find the current folder")?,
    };
    ensure!(
        root.join("Cargo.lock").is_file() && root.join("xtask").is_dir(),
        "{} is not the root of this workspace; run `cargo xtask` inside the repository",
        root.display()
    );
    Ok(root)
}

/// Returns what cargo says of the workspace's own packages: `cargo metadata`, without dependencies.
///
/// # Errors
/// If cargo does not answer, or not in JSON.
pub fn metadata() -> Result<Value> {
    let text = output(cargo()?.args(["metadata", "--locked", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("`cargo metadata` did not write JSON")
}

/// Returns the folder that cargo builds in, which CARGO_TARGET_DIR or a configuration file may name.
///
/// # Errors
/// If cargo does not say.
pub fn target_folder() -> Result<PathBuf> {
    let folder = metadata()?["target_directory"].as_str().map(PathBuf::from);
    folder.context("`cargo metadata` names no target folder")
}

/// A command that runs in the workspace root, free of what `cargo run` has added to the environment.
///
/// Some build scripts (ring's, for one) are rerun whenever `CARGO_PKG_NAME` and its like change, so passing them on
/// would make `cargo xtask test` and a plain `cargo test` undo each other's work.
pub fn command(program: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = Command::new(program);
    command.current_dir(root()?);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_of_this_package) {
            command.env_remove(&name);
        }
    }
    Ok(command)
}

fn is_of_this_package(variable: &str) -> bool {
    const NAMES: [&str; 5] =
        ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PRIMARY_PACKAGE"];
    variable.starts_with("CARGO_PKG_") || NAMES.contains(&variable)
}

/// The cargo that started this program, so that all steps use one toolchain.
pub fn cargo() -> Result<Command> {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Prints the command line and runs it, its output going where ours goes.
///
/// # Errors
/// If the program is missing or does not end with exit code 0.
pub fn run(command: &mut Command) -> Result<()> {
    let line = command_line(command);
    println!("    $ {line}");
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{}`", program_name(command)))?;
    ensure!(status.success(), "`{line}` failed ({status})");
    Ok(())
}

/// Runs a command silently and returns its standard output, trimmed.
///
/// # Errors
/// If the program is missing or does not end with exit code 0; the message holds its standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{}`", program_name(command)))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", command_line(command), output.status, complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The first of `names` that is a file in a folder of PATH.
pub fn find_on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    names.iter().find_map(|name| {
        let file = format!("{name}{}", env::consts::EXE_SUFFIX);
        folders.iter().map(|folder| folder.join(&file)).find(|candidate| candidate.is_file())
    })
}

/// Is this the superuser of a Debian-like system, who may install packages without being asked?
pub fn may_use_apt() -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    is_root && find_on_path(&["apt-get"]).is_some()
}

/// Installs Debian packages. Only sensible where [`may_use_apt`] is true.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    run(command("apt-get")?.args(["-q", "update"]))?;
    run(command("apt-get")?
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-q", "install", "-y", "--no-install-recommends"])
        .args(packages))
}

fn program_name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_stem().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

fn command_line(command: &Command) -> String {
    let mut line = program_name(command);
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named_in_the_error() {
        let error = run(cargo().unwrap().arg("no-such-subcommand")).unwrap_err();
        assert!(format!("{error:#}").starts_with("`cargo no-such-subcommand` failed"), "{error:#}");
    }

    #[test]
    fn a_missing_program_is_named_in_the_error() {
        let error = output(&mut command("bastion-no-such-program").unwrap()).unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot start `bastion-no-such-program`"), "{error:#}");
    }

    #[test]
    fn what_cargo_run_adds_is_not_passed_on() {
        assert!(is_of_this_package("CARGO_PKG_NAME"));
        assert!(is_of_this_package("CARGO_MANIFEST_DIR"));
        assert!(!is_of_this_package("CARGO_HOME"));
        assert!(!is_of_this_package("CARGO_TARGET_DIR"));
    }
}
