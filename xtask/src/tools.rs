//! The tools that build the page: the wasm32 target, Trunk, and the wasm-bindgen command line of the locked version.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The last Trunk that the workspace's Rust version compiles.
pub const TRUNK_VERSION: &str = "0.21.14";

/// A program that comes as a crate.
struct Tool {
    package: &'static str,
    binary: &'static str,
    version: String,
    /// How to compile it. These programs run for seconds but take minutes to optimise fully: Trunk's own release
    /// profile (fat LTO, one codegen unit) costs several times what it saves us.
    profile: &'static [&'static str],
}

const QUICK_TO_COMPILE: &[&str] = &[
    "--config=profile.release.opt-level=1",
    "--config=profile.release.lto=\"off\"",
    "--config=profile.release.codegen-units=16",
    "--config=profile.release.debug=false",
];

/// wasm-bindgen chews through tens of megabytes of code, so it keeps its optimiser.
const QUICK_TO_RUN: &[&str] = &["--config=profile.release.opt-level=2", "--config=profile.release.debug=false"];

/// Adds the wasm32 target to the toolchain in use unless it is there.
pub fn ensure_wasm_target() -> Result<()> {
    let sysroot = sysroot()?;
    if sysroot.join("lib/rustlib").join(WASM_TARGET).join("lib").is_dir() {
        println!("    {WASM_TARGET} is installed");
        return Ok(());
    }
    if process::find_on_path(&["rustup"]).is_none() {
        bail!(
            "the Rust toolchain in {} cannot compile for {WASM_TARGET} and there is no rustup to add it; install Rust \
             with rustup (https://rustup.rs), or add your distribution's package for that target",
            sysroot.display()
        );
    }
    process::run(process::command("rustup")?.args(["target", "add", WASM_TARGET]))
}

/// Adds rustfmt and clippy to the toolchain in use unless they are there.
pub fn ensure_components() -> Result<()> {
    let bin = sysroot()?.join("bin");
    for (component, binary) in [("rustfmt", "cargo-fmt"), ("clippy", "cargo-clippy")] {
        if bin.join(format!("{binary}{}", env::consts::EXE_SUFFIX)).is_file() {
            continue;
        }
        process::run(process::command("rustup")?.args(["component", "add", component]))
            .with_context(|| format!("{component} is missing; add it with `rustup component add {component}`"))?;
    }
    println!("    rustfmt and clippy are installed");
    Ok(())
}

/// The toolchain's own folder.
pub fn sysroot() -> Result<PathBuf> {
    Ok(PathBuf::from(process::output(process::command("rustc")?.args(["--print", "sysroot"]))?))
}

/// A Trunk of the right version, installed if need be.
pub fn ensure_trunk() -> Result<PathBuf> {
    let version = TRUNK_VERSION.to_owned();
    Tool { package: "trunk", binary: "trunk", version, profile: QUICK_TO_COMPILE }.ensure()
}

/// A wasm-bindgen of exactly the version in Cargo.lock (any other refuses to work), installed if need be.
pub fn ensure_wasm_bindgen() -> Result<PathBuf> {
    let version = wasm_bindgen_version()?;
    Tool { package: "wasm-bindgen-cli", binary: "wasm-bindgen", version, profile: QUICK_TO_RUN }.ensure()
}

fn wasm_bindgen_version() -> Result<String> {
    let lock = fs::read_to_string(process::root()?.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    locked_version(&lock, "wasm-bindgen").context("Cargo.lock has no version of wasm-bindgen")
}

fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    let version = lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?;
    Some(version.to_owned())
}

impl Tool {
    /// From PATH, else from this project's own tools, else by `cargo binstall`, else compiled.
    fn ensure(&self) -> Result<PathBuf> {
        let installed = self.own_binary()?;
        let on_path = process::find_on_path(&[self.binary]);
        for candidate in on_path.iter().chain([&installed]) {
            match self.version_of(candidate) {
                Some(version) if version == self.version => {
                    println!("    {} {version} is installed", self.binary);
                    return Ok(candidate.clone());
                }
                Some(version) => println!("    {} {version} will not do: {} is needed", self.binary, self.version),
                None => {}
            }
        }
        self.install()?;
        match self.version_of(&installed) {
            Some(version) if version == self.version => Ok(installed),
            other => bail!("installed {} {}, but it says its version is {other:?}", self.package, self.version),
        }
    }

    /// The version that `binary` prints, which is the second word of `trunk 0.21.14`.
    fn version_of(&self, binary: &PathBuf) -> Option<String> {
        let printed = process::output(Command::new(binary).arg("--version")).ok()?;
        Some(printed.strip_prefix(self.binary)?.split_whitespace().next()?.to_owned())
    }

    fn own_binary(&self) -> Result<PathBuf> {
        Ok(tools_folder()?.join("bin").join(format!("{}{}", self.binary, env::consts::EXE_SUFFIX)))
    }

    fn install(&self) -> Result<()> {
        let root = tools_folder()?;
        if process::find_on_path(&["cargo-binstall"]).is_some() {
            let downloaded = process::run(
                process::cargo()?
                    .args(["binstall", "--no-confirm", "--force", "--disable-strategies", "compile", "--root"])
                    .arg(&root)
                    .arg(format!("{}@{}", self.package, self.version)),
            );
            match downloaded {
                Ok(()) => return Ok(()),
                Err(error) => println!("    no ready-made binary ({error:#}); compiling instead"),
            }
        }
        println!("    compiling {} {}: some minutes, once", self.package, self.version);
        let build = root.join("build");
        let compile = |locked: &[&str]| {
            process::run(
                process::cargo()?
                    .args(["install", "--force", self.package, "--version", &self.version])
                    .args(locked)
                    .args(self.profile)
                    .arg("--root")
                    .arg(&root)
                    .arg("--target-dir")
                    .arg(&build),
            )
        };
        // A mirror may lack a version that the program's own lock file names (a yanked one, say); any that fits will do.
        if let Err(error) = compile(&["--locked"]) {
            println!("    not with its own lock file ({error:#}); once more with what the registry has");
            compile(&[])?;
        }
        // Objects of a program that is never compiled again; a gigabyte not worth an error if it stays.
        let _ = fs::remove_dir_all(build);
        Ok(())
    }
}

fn tools_folder() -> Result<PathBuf> {
    Ok(process::root()?.join("target/tools"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_that_of_the_package_and_not_of_its_namesakes() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(locked_version(lock, "trunk"), None);
    }

    #[test]
    fn cargo_lock_names_a_wasm_bindgen() {
        let version = wasm_bindgen_version().unwrap();
        assert_eq!(version.split('.').count(), 3, "{version}");
    }
}
