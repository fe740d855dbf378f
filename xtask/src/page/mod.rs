//! Builds the page as a folder for any web server: its programs, one style sheet, and the files of `static/`.

pub mod folder;
mod html;
pub mod names;
pub mod programs;
mod stamp;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use terms::card::Card;
use terms::index::{DEFAULT_NETWORKS, INDEX_FILE, Index};

use crate::process;
use crate::steps::Steps;
use programs::Profile;

/// The page's HTML, in the workspace root and at the top of the built folder.
pub const INDEX_HTML: &str = "index.html";

/// The page's style sheet, at the top of the built folder.
pub const STYLES: &str = "styles.css";

/// Folder of files that are served unchanged.
const STATIC: &str = "static";

/// Folder of pictures of Tiny ImageNet, written by `bastion export --samples`; the page may show them on this machine
/// only.
const LOCAL_SAMPLES: &str = "samples/local";

/// The sample pictures that are copied with the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Samples {
    /// All pictures: for a page that stays on this machine.
    Local,
    /// Pictures that may be published.
    Public,
}

/// Builds the page into `dist/`, compiles only programs that have changed, and returns the folder.
///
/// # Errors
/// If a tool cannot be installed, a model is missing, or a program does not compile.
pub fn ensure_built(steps: &mut Steps) -> Result<PathBuf> {
    let programs = ensure_programs(steps, Profile::Demo)?;
    let root = process::root()?;
    let dist = folder::create_empty(&root.join("dist"))?;
    steps.run("copy", || copy(&root, &programs, &dist, Samples::Local))?;
    steps.run("names", || names::assign(&dist))?;
    Ok(dist)
}

/// Builds the page's programs and returns their folder.
///
/// # Errors
/// If a tool cannot be installed, a model is missing, or a program does not compile.
pub fn ensure_programs(steps: &mut Steps, profile: Profile) -> Result<PathBuf> {
    check_models(&process::root()?.join(STATIC).join("models"))?;
    programs::ensure(steps, profile)
}

/// Copies programs and static files into `out`, and writes the page and its style sheet; programs keep the names that wasm-bindgen
/// chose.
///
/// # Errors
/// If a file cannot be read or written, or `index.html` has no place for the texts about attacks or links a style sheet in another
/// form.
pub fn copy(root: &Path, programs: &Path, out: &Path, samples: Samples) -> Result<()> {
    let source = root.join(STATIC);
    let local = Some(source.join(LOCAL_SAMPLES)).filter(|local| samples == Samples::Public && local.is_dir());
    folder::copy(programs, out, None)?;
    folder::copy(&source, out, local.as_deref())?;
    html::write_page(root, out)?;
    if local.is_some() {
        println!("    without {LOCAL_SAMPLES}: those pictures are under ImageNet's terms and stay on this machine");
    }
    Ok(())
}

/// Returns the text of a file.
///
/// # Errors
/// If the file cannot be read; with its name.
pub fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Writes the text of a file.
///
/// # Errors
/// If the file cannot be written; with its name.
pub fn write(file: &Path, content: &str) -> Result<()> {
    fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))
}

/// Checks that the files of the default networks exist, before a build of many minutes.
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
        first.len() == DEFAULT_NETWORKS.len(),
        "{} lists fewer than two networks, and the page compares two; `cargo bastion export` makes another one",
        models.join(INDEX_FILE).display()
    );
    for model in first {
        let folder = models.join(model);
        let file = check(folder.join("model.json"))?;
        let card = Card::from_json(&fs::read(&file)?).with_context(|| file.display().to_string())?;
        for part in card.weights.files() {
            check(folder.join(part.file))?;
        }
    }
    Ok(())
}

/// Returns the first two different networks of `index.json`, or the default networks if that file is missing or invalid,
/// as the page does.
pub fn first_models(models: &Path) -> Vec<String> {
    let json = fs::read(models.join(INDEX_FILE)).unwrap_or_default();
    let listed = Index::from_json(&json).map(|index| index.models);
    let names = listed.unwrap_or_else(|_| DEFAULT_NETWORKS.map(str::to_owned).into());
    names.into_iter().take(DEFAULT_NETWORKS.len()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::test_cards;

    fn write_models(folder: &Path) {
        for model in DEFAULT_NETWORKS {
            fs::create_dir_all(folder.join(model)).unwrap();
            fs::write(folder.join(model).join("model.json"), test_cards::card(model, &json!({}))).unwrap();
            fs::write(folder.join(model).join("model.safetensors"), "x").unwrap();
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
    fn the_first_two_networks_of_the_list_need_all_their_parts() {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path();
        write_models(models);
        fs::write(models.join("index.json"), r#"{"models": ["hardened", "wide", "gone"]}"#).unwrap();
        assert!(check_models(models).unwrap_err().to_string().contains("wide"));
        let part = |file: &str| json!({ "file": file, "sha256": "", "bytes": 1 });
        let parts = [part("w.0"), part("w.1")];
        let weights = json!({ "file": "w", "precision": "f16", "sha256": "", "bytes": 2, "parts": parts });
        let card = test_cards::card("wide", &json!({ "weights": weights }));
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
            fs::write(folder.path().join(INDEX_FILE), format!(r#"{{"models": {list}}}"#)).unwrap();
            let error = check_models(folder.path()).unwrap_err().to_string();
            assert!(error.contains("index.json") && error.contains("fewer than two"), "{list}: {error}");
        }
        let list = r#"{"models": ["standard", "standard", "hardened"]}"#;
        fs::write(folder.path().join(INDEX_FILE), list).unwrap();
        check_models(folder.path()).unwrap();
    }
}
