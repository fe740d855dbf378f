//! Building the page: what it needs, `trunk build`, and whether that gave a whole page.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::steps::Steps;
use crate::{process, stamp, tools};

/// The bundles that the page shows at first where `index.json` does not say otherwise.
const MODELS: [&str; 2] = ["standard", "hardened"];

/// Name of the list of networks.
const INDEX: &str = "index.json";

/// Builds the page into `dist/` unless that is the page of these very sources, and returns the folder.
///
/// # Errors
/// If a tool cannot be had, a model is missing, or the build fails or gives only part of a page.
pub fn ensure_built(steps: &mut Steps) -> Result<PathBuf> {
    let root = process::root()?;
    let dist = root.join("dist");
    if steps.run("page up to date?", || is_current(&root, &dist))? {
        return Ok(dist);
    }
    steps.run("wasm32 target", tools::ensure_wasm_target)?;
    let wasm_bindgen = steps.run("wasm-bindgen", tools::ensure_wasm_bindgen)?;
    let trunk = steps.run("Trunk", tools::ensure_trunk)?;
    steps.run("dependencies", || process::run(process::cargo()?.args(["fetch", "--locked"])))?;
    steps.run("page", || build(&root, &dist, &trunk, &wasm_bindgen))?;
    Ok(dist)
}

fn is_current(root: &Path, dist: &Path) -> Result<bool> {
    check_models(&root.join("static/models"))?;
    let current =
        fs::read_to_string(stamp_file(root)).is_ok_and(|old| new_stamp(root, dist).is_ok_and(|new| old == new));
    println!("    {}", if current { "yes: nothing has changed since dist was built" } else { "no" });
    Ok(current)
}

fn build(root: &Path, dist: &Path, trunk: &Path, wasm_bindgen: &Path) -> Result<()> {
    let stamp_file = stamp_file(root);
    if stamp_file.exists() {
        fs::remove_file(&stamp_file).with_context(|| format!("cannot remove {}", stamp_file.display()))?;
    }
    let mut command = process::command(trunk)?;
    command
        .args(["build", "--locked", "--release", "--offline"])
        .env("PATH", path_starting_with(wasm_bindgen)?)
        .env("TRUNK_SKIP_VERSION_CHECK", "true")
        // Trunk reads this as a switch that is `true` or `false`, and refuses the customary `1`.
        .env_remove("NO_COLOR");
    process::run(&mut command).context("the page does not build; the compiler's messages are above")?;
    check_result(dist)?;
    let folder = stamp_file.parent().context("the stamp has no folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(&stamp_file, new_stamp(root, dist)?).with_context(|| format!("cannot write {}", stamp_file.display()))
}

fn stamp_file(root: &Path) -> PathBuf {
    root.join("target/xtask/page.stamp")
}

fn new_stamp(root: &Path, dist: &Path) -> Result<String> {
    let rustc = process::output(process::command("rustc")?.arg("--version"))?;
    stamp::take(root, dist, &format!("{rustc}\ntrunk {}", tools::TRUNK_VERSION))
}

/// PATH with the folder of `program` in front, so that Trunk takes this one.
fn path_starting_with(program: &Path) -> Result<std::ffi::OsString> {
    let folder = program.parent().map(Path::to_path_buf);
    let rest = env::var_os("PATH").unwrap_or_default();
    env::join_paths(folder.into_iter().chain(env::split_paths(&rest))).context("PATH cannot be extended")
}

/// Are the models there that the page loads first? Finding out now saves a build of many minutes.
fn check_models(models: &Path) -> Result<()> {
    let check = |file: PathBuf| {
        let bytes = fs::metadata(&file).map_or(0, |metadata| metadata.len());
        if bytes == 0 {
            bail!(
                "{} is missing or empty; restore it with `git checkout static/models`, or make it with `cargo bastion \
                 train` and `cargo bastion export`",
                file.display()
            );
        }
        Ok(file)
    };
    let first = first_models(models);
    ensure!(
        first.len() == MODELS.len(),
        "{} lists fewer than two networks, and the page compares two; `cargo bastion export` makes another one",
        models.join(INDEX).display()
    );
    for model in first {
        let folder = models.join(model);
        let card = fs::read(check(folder.join("model.json"))?)?;
        for file in weights_files(&card) {
            check(folder.join(file))?;
        }
    }
    Ok(())
}

/// The first two different ones that `index.json` lists; the usual ones if there is no such list, as the page has it.
pub fn first_models(models: &Path) -> Vec<String> {
    let index = fs::read(models.join(INDEX)).ok().and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    let listed = index.and_then(|index| serde_json::from_value::<Vec<String>>(index["models"].clone()).ok());
    let mut names: Vec<String> = Vec::new();
    for name in listed.unwrap_or_else(|| MODELS.map(str::to_owned).into()) {
        if names.len() < MODELS.len() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The files that a card says its weights are in.
fn weights_files(card: &[u8]) -> Vec<String> {
    let card: Value = serde_json::from_slice(card).unwrap_or_default();
    let file = |part: &Value| part["file"].as_str().map(str::to_owned);
    match card["weights"]["parts"].as_array() {
        Some(parts) => parts.iter().filter_map(file).collect(),
        None => vec![file(&card["weights"]).unwrap_or_else(|| "model.safetensors".into())],
    }
}

/// Is what Trunk left in `dist` a page: an entry, both programs, the models?
fn check_result(dist: &Path) -> Result<()> {
    ensure!(dist.join("index.html").is_file(), "the build left no index.html in {}", dist.display());
    let entries = fs::read_dir(dist).with_context(|| format!("cannot look into {}", dist.display()))?;
    let programs = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .count();
    ensure!(
        programs >= 2,
        "the build left {programs} .wasm files in {}; the page and its engine are two",
        dist.display()
    );
    check_models(&dist.join("models"))
        .context("the build did not copy the models; index.html names the folders to copy")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_models(folder: &Path) {
        for model in MODELS {
            fs::create_dir_all(folder.join(model)).unwrap();
            for file in ["model.json", "model.safetensors"] {
                fs::write(folder.join(model).join(file), "x").unwrap();
            }
        }
    }

    #[test]
    fn a_missing_or_empty_model_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write_models(folder.path());
        check_models(folder.path()).unwrap();
        fs::write(folder.path().join("hardened/model.safetensors"), "").unwrap();
        let error = check_models(folder.path()).unwrap_err().to_string();
        assert!(error.contains("hardened") && error.contains("model.safetensors"), "{error}");
    }

    #[test]
    fn the_first_two_of_the_list_are_looked_for_in_all_their_parts() {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path();
        write_models(models);
        fs::write(models.join("index.json"), r#"{"models": ["hardened", "wide", "gone"]}"#).unwrap();
        assert!(check_models(models).unwrap_err().to_string().contains("wide"));
        let card = r#"{"weights": {"file": "w", "parts": [{"file": "w.0"}, {"file": "w.1"}]}}"#;
        fs::create_dir(models.join("wide")).unwrap();
        fs::write(models.join("wide/model.json"), card).unwrap();
        fs::write(models.join("wide/w.0"), "x").unwrap();
        assert!(check_models(models).unwrap_err().to_string().contains("w.1"));
        fs::write(models.join("wide/w.1"), "x").unwrap();
        check_models(models).unwrap();
    }

    #[test]
    fn fewer_than_two_networks_are_refused_before_the_page_is_built() {
        let folder = tempfile::tempdir().unwrap();
        write_models(folder.path());
        for list in ["[]", r#"["standard"]"#, r#"["standard", "standard"]"#] {
            fs::write(folder.path().join(INDEX), format!(r#"{{"models": {list}}}"#)).unwrap();
            let error = check_models(folder.path()).unwrap_err().to_string();
            assert!(error.contains("index.json") && error.contains("fewer than two"), "{list}: {error}");
        }
        let list = r#"{"models": ["standard", "standard", "hardened"]}"#;
        fs::write(folder.path().join(INDEX), list).unwrap();
        check_models(folder.path()).unwrap();
    }

    #[test]
    fn half_a_page_is_no_page() {
        let folder = tempfile::tempdir().unwrap();
        let dist = folder.path();
        assert!(check_result(dist).unwrap_err().to_string().contains("no index.html"));
        fs::write(dist.join("index.html"), "").unwrap();
        fs::write(dist.join("app_bg.wasm"), "").unwrap();
        assert!(check_result(dist).unwrap_err().to_string().contains("1 .wasm file"));
        fs::write(dist.join("engine_bg.wasm"), "").unwrap();
        assert!(format!("{:#}", check_result(dist).unwrap_err()).contains("did not copy the models"));
        write_models(&dist.join("models"));
        check_result(dist).unwrap();
    }
}
