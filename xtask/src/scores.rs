//! `cargo xtask scores`: the README's table of scores, written from what `bastion evaluate --save` left in the models.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::process;

const BEGIN: &str = "<!-- scores:begin (written by `cargo xtask scores`) -->";
const END: &str = "<!-- scores:end -->";
const MODELS: [&str; 2] = ["standard", "hardened"];

/// Writes the table into the README, or with `check` only says whether it is there already.
///
/// # Errors
/// If a model has no scores, the README has no place for them, or with `check` if it has others.
pub fn run(check: bool) -> Result<()> {
    let root = process::root()?;
    let readme = root.join("README.md");
    let old = fs::read_to_string(&readme).context("cannot read README.md")?;
    let new = with_table(&old, &table(&root.join("static/models"))?)?;
    if check {
        ensure!(old == new, "README.md does not show the scores of the shipped models; run `cargo xtask scores`");
        println!("    the README shows the scores of the shipped models");
        return Ok(());
    }
    fs::write(&readme, new).context("cannot write README.md")?;
    println!("README.md shows the scores of the shipped models");
    Ok(())
}

fn with_table(readme: &str, table: &str) -> Result<String> {
    let (Some(begin), Some(end)) = (readme.find(BEGIN), readme.find(END)) else {
        bail!("README.md has no place for the scores: it needs the lines {BEGIN} and {END}")
    };
    ensure!(begin < end, "README.md has the end of the scores before their beginning");
    Ok(format!("{}\n{table}{}", &readme[..begin + BEGIN.len()], &readme[end..]))
}

fn table(models: &Path) -> Result<String> {
    let cards = MODELS
        .map(|name| -> Result<Value> {
            let file = models.join(name).join("model.json");
            let json = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            serde_json::from_slice(&json).with_context(|| format!("cannot understand {}", file.display()))
        })
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let [first, ..] = cards.as_slice() else { bail!("there are no models") };
    let names = scores(first)?.into_iter().map(score_name).collect::<Result<Vec<_>>>()?;
    let mut text =
        format!("\n| network | weights | {} |\n|---|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for card in &cards {
        let cells = scores(card)?.into_iter().map(cell).collect::<Result<Vec<_>>>()?;
        let megabytes = card["weights"]["bytes"].as_f64().context("a model without a size")? / 1e6;
        let name = card["name"].as_str().context("a model without a name")?;
        text += &format!("| {name} | {megabytes:.1} MB | {} |\n", cells.join(" | "));
    }
    let images = first["scores"][0]["top1"]["of"].as_u64().context("a score without its number of images")?;
    Ok(text
        + &format!(
            "\nTop-1 accuracy on {images} validation images with Wilson's 95% interval; attacks are white-box.\n"
        ))
}

/// Those of clean images and of plain white-box attacks: a card may hold many more.
fn scores(card: &Value) -> Result<Vec<&Value>> {
    let plain = |score: &&Value| {
        let unusual = ["goal", "restarts", "crafted_on"].iter().any(|field| !score[field].is_null());
        score["set"] == "validation" && !unusual && score["attack"]["channel_scale"].is_null()
    };
    let scores: Vec<&Value> = card["scores"].as_array().into_iter().flatten().filter(plain).collect();
    ensure!(!scores.is_empty(), "{} has no scores; run `cargo bastion evaluate --save`", card["name"]);
    Ok(scores)
}

/// `clean`, `BIM-5, 4/255`.
fn score_name(score: &Value) -> Result<String> {
    let attack = &score["attack"];
    let Some(kind) = attack["kind"].as_str() else { return Ok("clean".into()) };
    let epsilon = attack["epsilon"].as_f64().context("an attack without epsilon")? * 255.0;
    let steps = if kind == "fgsm" { String::new() } else { format!("-{}", attack["steps"]) };
    Ok(format!("{}{steps}, {}/255", kind.to_uppercase(), (epsilon * 100.0).round() / 100.0))
}

fn cell(score: &Value) -> Result<String> {
    let number = |value: &Value| value.as_f64().context("a score that is no number");
    let value = number(&score["top1"]["hits"])? / number(&score["top1"]["of"])?;
    let (low, high) = (number(&score["top1_interval"][0])?, number(&score["top1_interval"][1])?);
    Ok(format!("{:.1}% [{:.1}, {:.1}]", 100.0 * value, 100.0 * low, 100.0 * high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_model(folder: &Path, name: &str, scores: &str) {
        fs::create_dir_all(folder.join(name)).unwrap();
        let json = format!(r#"{{"name": "{name}", "weights": {{"bytes": 1500000}}, "scores": {scores}}}"#);
        fs::write(folder.join(name).join("model.json"), json).unwrap();
    }

    const SCORES: &str = r#"[
        {"set": "validation", "top1": {"hits": 1, "of": 4}, "top1_interval": [0.0456, 0.6994]},
        {"set": "augmented", "top1": {"hits": 2, "of": 4}, "top1_interval": [0.15, 0.85]},
        {"set": "validation", "attack": {"kind": "bim", "epsilon": 0.01568628, "steps": 5}, "top1": {"hits": 0, "of": 4}, "top1_interval": [0, 0.49]}
    ]"#;

    #[test]
    fn the_table_shows_values_with_their_intervals_and_count() {
        let folder = tempfile::tempdir().unwrap();
        for name in MODELS {
            write_model(folder.path(), name, SCORES);
        }
        let table = table(folder.path()).unwrap();
        assert!(table.contains("| network | weights | clean | BIM-5, 4/255 |"), "{table}");
        assert!(table.contains("| standard | 1.5 MB | 25.0% [4.6, 69.9] | 0.0% [0.0, 49.0] |"), "{table}");
        assert!(table.contains("on 4 validation images"), "{table}");
    }

    #[test]
    fn a_model_without_scores_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), "standard", SCORES);
        write_model(folder.path(), "hardened", "[]");
        assert!(table(folder.path()).unwrap_err().to_string().contains("hardened"));
    }

    #[test]
    fn only_the_marked_part_changes() {
        let readme = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = with_table(&readme, "\nnew\n").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\n\nnew\n{END}\nafter\n"));
        assert_eq!(with_table(&new, "\nnew\n").unwrap(), new);
        assert!(with_table("nothing", "").is_err());
    }
}
