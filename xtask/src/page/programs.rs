//! Compiles the page's programs with cargo, and generates their JavaScript with wasm-bindgen as a library.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use wasm_bindgen_cli_support::{Bindgen, Output};

use super::stamp;
use crate::process;
use crate::steps::Steps;
use crate::tools::{self, WASM_TARGET};

/// The page's programs. Program `name` becomes `name.js` and `name_bg.wasm`.
const PROGRAMS: [Program; 4] = [
    Program { package: "page", name: "app", feature: None },
    Program { package: "engine", name: "cpu-engine", feature: None },
    Program { package: "engine", name: "gpu-engine", feature: Some("engine/webgpu") },
    Program { package: "decoder", name: "decoder", feature: None },
];

/// Part of the names of wasm-streams' exports. leptos brings that crate for server functions, which the page has none of.
const UNUSED: &str = "intounderlying";

/// A program of the page.
struct Program {
    /// Package of the binary.
    package: &'static str,
    /// Name of the binary.
    name: &'static str,
    /// Feature that the binary is built with. Cargo gives a feature to all that one command builds, so that each feature takes a
    /// command of its own.
    feature: Option<&'static str>,
}

/// A profile of `Cargo.toml` for the page's programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// Quick to build: for the demo and for tests.
    Demo,
    /// Optimised as a whole: for visitors.
    Page,
}

impl Profile {
    /// Returns the name of the profile in `Cargo.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Page => "page",
        }
    }
}

/// Compiles the programs and returns the folder with their WebAssembly and JavaScript.
///
/// cargo compiles what has changed; JavaScript is generated again only if the WebAssembly has changed.
///
/// # Errors
/// If the wasm32 target cannot be installed, or a program does not compile or is refused for a browser.
pub fn ensure(steps: &mut Steps, profile: Profile) -> Result<PathBuf> {
    steps.run("wasm32 target", tools::ensure_wasm_target)?;
    steps.run("page", || compile(profile))?;
    let folder = process::root()?.join("target/xtask").join(profile.name());
    steps.run("wasm-bindgen", || bind_all(&compiled(profile)?, &folder))?;
    Ok(folder)
}

/// Lints the workspace's code in the programs, compiled for the browser.
///
/// `cargo clippy` would type-check every dependency, which takes some minutes. With clippy's driver in the compiler's
/// place, the dependencies that were built for the page are reused, and only the workspace's own code is compiled
/// again.
///
/// # Errors
/// If the compiler or clippy reports a warning.
pub fn lint(profile: Profile) -> Result<()> {
    // The form in which `cargo clippy` passes `-D warnings` to its driver.
    let deny_warnings = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";
    for mut command in builds(profile)? {
        command.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver").env("CLIPPY_ARGS", deny_warnings);
        process::run(&mut command)?;
    }
    Ok(())
}

/// Compiles all programs.
fn compile(profile: Profile) -> Result<()> {
    for mut command in builds(profile)? {
        process::run(&mut command).context("the page does not build; the compiler's messages are above")?;
    }
    Ok(())
}

/// Returns the commands that build all programs: one for those without a feature, then one for each of the others.
fn builds(profile: Profile) -> Result<Vec<Command>> {
    let mut features: Vec<_> = PROGRAMS.iter().map(|program| program.feature).collect();
    features.sort_unstable();
    features.dedup();
    let build = |feature: Option<&str>| {
        let mut command = process::cargo()?;
        command.args(["build", "--locked", "--target", WASM_TARGET, "--profile", profile.name()]);
        for Program { package, name, .. } in PROGRAMS.iter().filter(|program| program.feature == feature) {
            command.args(["--package", package, "--bin", name]);
        }
        command.args(feature.into_iter().flat_map(|feature| ["--features", feature]));
        Ok(command)
    };
    features.into_iter().map(build).collect()
}

/// Returns the paths of the programs' WebAssembly as written by the linker.
fn compiled(profile: Profile) -> Result<[PathBuf; PROGRAMS.len()]> {
    let folder = process::target_folder()?.join(WASM_TARGET).join(profile.name());
    Ok(PROGRAMS.map(|program| folder.join(format!("{}.wasm", program.name))))
}

/// Writes the programs' WebAssembly and JavaScript into `folder`, unless `folder` is up to date.
fn bind_all(programs: &[PathBuf], folder: &Path) -> Result<()> {
    let stamp_file = folder.with_extension("stamp");
    // Another xtask may bind in another way.
    let xtask = std::env::current_exe().context("cannot tell which program this is")?;
    let stamp = || stamp::take(programs.iter().map(PathBuf::as_path).chain([folder, &xtask]));
    if fs::read_to_string(&stamp_file).is_ok_and(|old| stamp().is_ok_and(|new| old == new)) {
        println!("    nothing has changed");
        return Ok(());
    }
    // An incomplete result must not pass for a complete one.
    for stale in [&stamp_file, folder].into_iter().filter(|path| path.exists()) {
        let removed = if stale.is_dir() { fs::remove_dir_all(stale) } else { fs::remove_file(stale) };
        removed.with_context(|| format!("cannot remove {}", stale.display()))?;
    }
    programs.iter().try_for_each(|program| bind(program, folder))?;
    fs::write(&stamp_file, stamp()?).with_context(|| format!("cannot write {}", stamp_file.display()))
}

/// Writes a program with its JavaScript, an ES module, into `folder`.
fn bind(program: &Path, folder: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    let mut output = bindgen
        .input_path(program)
        .web(true)?
        .typescript(false)
        .generate_output()
        .with_context(|| format!("wasm-bindgen cannot use {}", program.display()))?;
    refuse_command_exports(output.wasm().funcs.iter().filter_map(|function| function.name.as_deref()))
        .with_context(|| program.display().to_string())?;
    let names = drop_unused_and_shorten(&mut output).with_context(|| program.display().to_string())?;
    output.emit(folder).with_context(|| format!("cannot write to {}", folder.display()))?;
    let script = folder.join(program.file_name().context("a program without a name")?).with_extension("js");
    let text = renamed(&super::read(&script)?, &names);
    let kept = names.keys().find(|name| text.contains(name.as_str()));
    ensure!(kept.is_none(), "{} still has the old name {}", script.display(), kept.map_or("", String::as_str));
    super::write(&script, &text)
}

/// Removes exports that nothing in the page calls, so that wasm-opt removes what only they call; and gives short names to imports
/// and exports with a hash in theirs: 16 hexadecimal digits in the program and again in its script, which no compression makes
/// shorter. Returns the new names by the old ones, for the script.
///
/// # Errors
/// If the program uses what is removed, or has a name twice.
fn drop_unused_and_shorten(output: &mut Output) -> Result<HashMap<String, String>> {
    let module = output.wasm_mut();
    // To hand an object to JavaScript, a program imports a function that wraps it in its exported class.
    let used = module.imports.iter().find(|import| import.name.replace('_', "").contains(UNUSED));
    ensure!(
        used.is_none(),
        "the program hands streams of wasm-streams to JavaScript (`{}`): keep their exports, `UNUSED` in {}",
        used.map_or("", |import| &import.name),
        file!()
    );
    let exports = module.exports.iter().map(|export| export.name.clone());
    for name in exports.filter(|name| name.contains(UNUSED)).collect::<Vec<_>>() {
        module.exports.remove(&name)?;
    }
    let mut names = HashMap::new();
    let imports = module.imports.iter_mut().map(|import| &mut import.name);
    let exports = module.exports.iter_mut().map(|export| &mut export.name);
    for (number, name) in imports.chain(exports).filter(|name| has_hash(name)).enumerate() {
        let short = format!("_{number}");
        let before = names.insert(std::mem::replace(name, short.clone()), short);
        ensure!(
            before.is_none(),
            "two imports or exports have one name, which became {name} and {}",
            before.unwrap_or_default()
        );
    }
    Ok(names)
}

/// Returns whether a part of a name is a hash, as in `__wbg_fetch_0123456789abcdef` and `invoke__h0123456789abcdef_14`.
fn has_hash(name: &str) -> bool {
    name.split('_').any(|part| {
        let digits = part.strip_prefix('h').unwrap_or(part);
        digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Returns a script with other names in the places of those that `names` has.
fn renamed(script: &str, names: &HashMap<String, String>) -> String {
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let mut result = String::with_capacity(script.len());
    let mut rest = script;
    while let Some(begin) = rest.find(in_name) {
        let (before, from_name) = rest.split_at(begin);
        let (name, after) = from_name.split_at(from_name.find(|c| !in_name(c)).unwrap_or(from_name.len()));
        result += before;
        result += names.get(name).map_or(name, String::as_str);
        rest = after;
    }
    result + rest
}

/// Refuses a program whose exports each run all static constructors, given the names of its functions.
///
/// The linker wraps every export in a function `name.command_export` that does so, unless the program calls
/// `__wasm_call_ctors` itself. burn has thousands of constructors, so that each call from JavaScript would take 0.3 ms
/// more.
fn refuse_command_exports<'a>(mut functions: impl Iterator<Item = &'a str>) -> Result<()> {
    let wrapped = functions.find(|name| name.ends_with(".command_export"));
    ensure!(
        wrapped.is_none(),
        "every call from JavaScript would run all static constructors, as function `{}` does; the program has to call \
         `__wasm_call_ctors` once, at its start: see `constructors.rs` of the engine",
        wrapped.unwrap_or_default()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_hash_become_short_in_program_and_script() {
        assert!(has_hash("__wbg_fetch_0123456789abcdef") && has_hash("invoke__h0123456789abcdef_14"));
        assert!(
            !has_hash("__wbindgen_malloc") && !has_hash("run_0123456789abcdeg") && !has_hash("a_0123456789abcdef0")
        );
        let (hash, longer) = ("invoke__h0123456789abcdef", "invoke__h0123456789abcdef_14");
        let names = [(hash, "_0"), (longer, "_1")].map(|(old, new)| (old.to_owned(), new.to_owned()));
        let script = format!("a({{ {hash}: wasm.{longer}, \"{hash}\": $x }});\nx{hash}");
        let expected = format!("a({{ _0: wasm._1, \"_0\": $x }});\nx{hash}");
        assert_eq!(renamed(&script, &HashMap::from(names)), expected);

        let folder = tempfile::tempdir().unwrap();
        let (program, out) = (folder.path().join("engine.wasm"), folder.path().join("out"));
        fs::write(&program, exporting(longer, "run")).unwrap();
        bind(&program, &out).unwrap();
        assert!(fs::read(out.join("engine_bg.wasm")).unwrap().windows(2).any(|bytes| bytes == b"_0"));
        fs::write(&program, exporting("intounderlyingsource_pull", "run")).unwrap();
        bind(&program, &out).unwrap();
        let bytes = fs::read(out.join("engine_bg.wasm")).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(UNUSED));
    }

    /// Returns a module that exports one empty function as `export`, with this name in its name section.
    fn exporting(export: &str, name: &str) -> Vec<u8> {
        let section = |id: u8, content: &[u8]| [&[id, content.len() as u8], content].concat();
        let named = |name: &str| [&[name.len() as u8], name.as_bytes()].concat();
        let functions = [&[1, 0], named(name).as_slice()].concat();
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(1, &[1, 0x60, 0, 0]),
            section(3, &[1, 0]),
            section(7, &[&[1], named(export).as_slice(), &[0, 0]].concat()),
            section(10, &[1, 2, 0, 0x0b]),
            section(0, &[named("name"), section(1, &functions)].concat()),
        ]
        .concat()
    }

    #[test]
    fn a_program_that_runs_constructors_at_each_call_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (program, out) = (folder.path().join("engine.wasm"), folder.path().join("out"));
        fs::write(&program, exporting("run", "run.command_export")).unwrap();
        let error = format!("{:#}", bind(&program, &out).unwrap_err());
        assert!(error.contains("engine.wasm") && error.contains("`run.command_export`"), "{error}");
        fs::write(&program, exporting("run", "run")).unwrap();
        bind(&program, &out).unwrap();
        assert!(out.join("engine.js").is_file() && out.join("engine_bg.wasm").is_file());
    }

    #[test]
    fn programs_are_bound_again_once_they_change_or_the_result_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let (program, out) = (folder.path().join("app.wasm"), folder.path().join("out"));
        fs::write(&program, exporting("run", "run")).unwrap();
        let made = || {
            bind_all(std::slice::from_ref(&program), &out).unwrap();
            fs::metadata(out.join("app.js")).unwrap().modified().unwrap()
        };
        let first = made();
        assert_eq!(made(), first);
        fs::write(&program, exporting("walk", "walk")).unwrap();
        let second = made();
        assert!(second > first);
        fs::remove_file(out.join("app_bg.wasm")).unwrap();
        assert!(made() > second);
    }
}
