//! Child processes: run in the workspace root, printed before they start, with errors that name the command.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Returns the workspace root: the parent of this package's folder as cargo sets it, or the current folder if the
/// program was not started by cargo.
///
/// # Errors
/// If that folder is not the root of this workspace.
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

/// Returns the output of `cargo metadata` for the workspace's own packages, without dependencies.
///
/// # Errors
/// If cargo fails, or does not write JSON.
pub fn metadata() -> Result<Value> {
    let text = output(cargo()?.args(["metadata", "--locked", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("`cargo metadata` did not write JSON")
}

/// Returns cargo's target folder, which CARGO_TARGET_DIR or a configuration file may set.
///
/// # Errors
/// If `cargo metadata` fails or does not contain the folder.
pub fn target_folder() -> Result<PathBuf> {
    let folder = metadata()?["target_directory"].as_str().map(PathBuf::from);
    folder.context("`cargo metadata` names no target folder")
}

/// Returns a command that runs in the workspace root, without the environment variables that `cargo run` has set.
///
/// Some build scripts (ring's, for one) are rerun whenever `CARGO_PKG_NAME` and similar variables change, so passing
/// these on would make `cargo xtask test` and a plain `cargo test` undo each other's work.
///
/// # Errors
/// If the workspace root cannot be found.
pub fn command(program: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = Command::new(program);
    command.current_dir(root()?);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_set_by_cargo_run) {
            command.env_remove(&name);
        }
    }
    Ok(command)
}

/// Returns whether `cargo run` sets this environment variable for the package that it runs.
fn is_set_by_cargo_run(variable: &str) -> bool {
    const NAMES: [&str; 5] =
        ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PRIMARY_PACKAGE"];
    variable.starts_with("CARGO_PKG_") || NAMES.contains(&variable)
}

/// Returns a command for the cargo that started this program, so that all steps use one toolchain.
///
/// # Errors
/// If the workspace root cannot be found.
pub fn cargo() -> Result<Command> {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Prints the command line and runs the command, whose output is inherited.
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

/// Runs a command without printing anything and returns its standard output, trimmed.
///
/// # Errors
/// If the program is missing or does not end with exit code 0; the message holds its standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{}`", program_name(command)))?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", command_line(command), output.status, messages.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns the path of the first of `names` that is a file in a folder of PATH.
pub fn find_on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    names.iter().find_map(|name| {
        let file = format!("{name}{}", env::consts::EXE_SUFFIX);
        folders.iter().map(|folder| folder.join(&file)).find(|candidate| candidate.is_file())
    })
}

/// Returns whether packages can be installed without a password: as root, on a system with apt.
pub fn may_use_apt() -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    is_root && find_on_path(&["apt-get"]).is_some()
}

/// Installs Debian packages, where [`may_use_apt`] returns true.
///
/// # Errors
/// If apt-get fails.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    run(command("apt-get")?.args(["-q", "update"]))?;
    run(command("apt-get")?
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-q", "install", "-y", "--no-install-recommends"])
        .args(packages))
}

/// Returns the name of a command's program without its folder and ending.
fn program_name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_stem().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

/// Returns a command as a line to print; arguments are not quoted.
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
    fn variables_of_cargo_run_are_recognised() {
        assert!(is_set_by_cargo_run("CARGO_PKG_NAME"));
        assert!(is_set_by_cargo_run("CARGO_MANIFEST_DIR"));
        assert!(!is_set_by_cargo_run("CARGO_HOME"));
        assert!(!is_set_by_cargo_run("CARGO_TARGET_DIR"));
    }
}
