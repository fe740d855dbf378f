//! `cargo xtask scores`: the README's tables of scores, written from what `bastion evaluate --save` and `bastion check --save`
//! left in the models.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::process;

const BEGIN: &str = "<!-- scores:begin (written by `cargo xtask scores`) -->";
const END: &str = "<!-- scores:end -->";
const MODELS: [&str; 2] = ["standard", "hardened"];
/// What stands where nothing was measured.
const NOTHING: &str = "–";

/// The paper's hardened network (Table 1), under the paper's protocol.
const PAPER_NAME: &str = "the paper's hardened, a Wide ResNet-50 pretrained on ImageNet";
const PAPER: [f64; 4] = [0.6189, 0.5494, 0.4768, 0.5205];

/// Writes the tables into the README, or with `check` only says whether they are there already.
///
/// # Errors
/// If a model has no scores, the README has no place for them, or with `check` if it has others.
pub fn run(check: bool) -> Result<()> {
    let root = process::root()?;
    let readme = root.join("README.md");
    let old = fs::read_to_string(&readme).context("cannot read README.md")?;
    let new = with_tables(&old, &tables(&root.join("static/models"))?)?;
    if check {
        ensure!(old == new, "README.md does not show the scores of the shipped models; run `cargo xtask scores`");
        println!("    the README shows the scores of the shipped models");
        return Ok(());
    }
    fs::write(&readme, new).context("cannot write README.md")?;
    println!("README.md shows the scores of the shipped models");
    Ok(())
}

fn with_tables(readme: &str, tables: &str) -> Result<String> {
    let (Some(begin), Some(end)) = (readme.find(BEGIN), readme.find(END)) else {
        bail!("README.md has no place for the scores: it needs the lines {BEGIN} and {END}")
    };
    ensure!(begin < end, "README.md has the end of the scores before their beginning");
    Ok(format!("{}\n{tables}{}", &readme[..begin + BEGIN.len()], &readme[end..]))
}

fn tables(models: &Path) -> Result<String> {
    let cards = MODELS
        .map(|name| -> Result<Card> {
            let file = models.join(name).join("model.json");
            let json = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            Card::new(serde_json::from_slice(&json).with_context(|| format!("cannot understand {}", file.display()))?)
        })
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let names = cards.iter().map(|card| card.name.as_str()).collect::<Vec<_>>();
    let images = cards.iter().map(|card| card.images).max().unwrap_or_default();
    let mut text = format!("\n{}", head(&names));
    for (title, fact) in FACTS {
        text += &row(title, cards.iter().map(fact));
    }
    for (title, measured) in white_box() {
        text += &row(&title, cards.iter().map(|card| card.cell(&measured, images)));
    }
    text += &row("items of `bastion check` that hold", cards.iter().map(Card::checks));
    text += &format!(
        "\nTop-1 accuracy with Wilson's 95% interval on {} validation images, or on as many of them as is said. Attacks are \
         white-box; PGD counts an image as fooled if any of its steps from any of its starts fools.\n",
        grouped(images)
    );
    let [normal, augmented, fgsm, bim] = transfer(MODELS[0]);
    if cards.iter().any(|card| [&fgsm, &bim].iter().any(|measured| card.find(measured).is_some())) {
        text += &format!(
            "\nThe paper's protocol, in which images are crafted on {} and shown to all, at epsilon 0.2 in normalised space; it \
             says how an attack carries over, not how robust a network is:\n\n{}",
            MODELS[0],
            head(&[&names[..], &[PAPER_NAME]].concat())
        );
        let rows = [("clean", normal), ("augmented", augmented), ("FGSM", fgsm), ("BIM-5", bim)];
        for ((title, measured), paper) in rows.into_iter().zip(PAPER) {
            let cells = cards.iter().map(|card| card.cell(&measured, images));
            text += &row(title, cells.chain([Some(format!("{:.2}%", 100.0 * paper))]));
        }
    }
    Ok(text + "\n")
}

/// The first lines of a table with a column for each of `names`.
fn head(names: &[&str]) -> String {
    format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()))
}

/// A line of a table; none if there is nothing in it.
fn row(title: &str, cells: impl Iterator<Item = Option<String>>) -> String {
    let cells: Vec<Option<String>> = cells.collect();
    if cells.iter().all(Option::is_none) {
        return String::new();
    }
    let cells: Vec<&str> = cells.iter().map(|cell| cell.as_deref().unwrap_or(NOTHING)).collect();
    format!("| {title} | {} |\n", cells.join(" | "))
}

/// A cell of a row about the networks themselves.
type Fact = fn(&Card) -> Option<String>;

/// What is said of a network itself.
const FACTS: [(&str, Fact); 3] = [
    ("architecture", |card| {
        let architecture = &card.json["architecture"];
        match architecture["family"].as_str()? {
            "wide-resnet" => Some(format!("WRN-{}-{}", architecture["depth"], architecture["width"])),
            family => Some(family.into()),
        }
    }),
    ("weights", |card| Some(format!("{:.1} MB", card.json["weights"]["bytes"].as_f64()? / 1e6))),
    ("multiply-accumulates", |card| Some(format!("{:.0} million", card.json["cost"]["macs"].as_f64()? / 1e6))),
];

/// What a score has to be of.
struct Measured {
    set: &'static str,
    attack: Option<Attack>,
    crafted_on: Option<&'static str>,
}

struct Attack {
    kind: &'static str,
    steps: u64,
    /// In pixels, or in normalised space where images are crafted on another network.
    epsilon: f64,
    restarts: u64,
}

/// The rows of the first table.
fn white_box() -> Vec<(String, Measured)> {
    let plain = |set| Measured { set, attack: None, crafted_on: None };
    let attacked = |name: &str, kind, steps, epsilon_255: u8, restarts| {
        let attack = Some(Attack { kind, steps, epsilon: f64::from(epsilon_255) / 255.0, restarts });
        let starts = if restarts > 1 { format!(", {restarts} starts") } else { String::new() };
        (format!("{name}, {epsilon_255}/255{starts}"), Measured { set: "validation", attack, crafted_on: None })
    };
    vec![
        ("clean".into(), plain("validation")),
        ("augmented".into(), plain("augmented")),
        attacked("FGSM", "fgsm", 1, 4, 1),
        attacked("PGD-50", "pgd", 50, 4, 1),
        attacked("PGD-50", "pgd", 50, 4, 10),
        attacked("FGSM", "fgsm", 1, 8, 1),
        attacked("PGD-50", "pgd", 50, 8, 1),
        attacked("PGD-50", "pgd", 50, 8, 10),
    ]
}

/// The rows of the second one.
fn transfer(source: &'static str) -> [Measured; 4] {
    let plain = |set| Measured { set, attack: None, crafted_on: None };
    let attacked = |kind, steps| Measured {
        set: "validation",
        attack: Some(Attack { kind, steps, epsilon: 0.2, restarts: 1 }),
        crafted_on: Some(source),
    };
    [plain("validation"), plain("augmented"), attacked("fgsm", 1), attacked("bim", 5)]
}

/// A model's `model.json`.
struct Card {
    name: String,
    /// On which its clean accuracy was measured.
    images: u64,
    json: Value,
}

impl Card {
    fn new(json: Value) -> Result<Self> {
        let name = json["name"].as_str().context("a model without a name")?.to_owned();
        let mut card = Self { name, images: 0, json };
        let clean = Measured { set: "validation", attack: None, crafted_on: None };
        let score = card.find(&clean).and_then(|score| score["top1"]["of"].as_u64());
        card.images =
            score.with_context(|| format!("{} has no scores; run `cargo bastion evaluate --save`", card.name))?;
        Ok(card)
    }

    /// The score of what is asked for, on the most images if there are several.
    fn find(&self, measured: &Measured) -> Option<&Value> {
        let scores = self.json["scores"].as_array()?.iter().filter(|score| measured.is(score));
        scores.max_by_key(|score| score["top1"]["of"].as_u64())
    }

    /// `27.1% [26.3, 28.0]`, and how many images it is of if it is not of `images`.
    fn cell(&self, measured: &Measured, images: u64) -> Option<String> {
        let score = self.find(measured)?;
        let (hits, of) = (score["top1"]["hits"].as_f64()?, score["top1"]["of"].as_u64()?);
        let [low, high] = [0, 1].map(|end| score["top1_interval"][end].as_f64());
        let part = if of == images { String::new() } else { format!(" of {}", grouped(of)) };
        Some(format!("{:.1}% [{:.1}, {:.1}]{part}", 100.0 * (hits / of as f64), 100.0 * low?, 100.0 * high?))
    }

    /// `14 of 14, on 1,000 images`. What could not be measured is not among them.
    fn checks(&self) -> Option<String> {
        let checks = &self.json["checks"];
        let verdicts = checks["items"].as_array()?.iter().filter_map(|item| item["passed"].as_bool());
        let verdicts: Vec<bool> = verdicts.collect();
        let passed = verdicts.iter().filter(|&&passed| passed).count();
        Some(format!("{passed} of {}, on {} images", verdicts.len(), grouped(checks["images"].as_u64()?)))
    }
}

impl Measured {
    fn is(&self, score: &Value) -> bool {
        if score["set"] != self.set || !score["goal"].is_null() || score["crafted_on"].as_str() != self.crafted_on {
            return false;
        }
        let found = &score["attack"];
        let Some(attack) = &self.attack else { return found.is_null() };
        let in_pixels = found["channel_scale"].is_null();
        // Epsilon was an f32.
        let close = |epsilon: f64| (epsilon - attack.epsilon).abs() < 1e-6;
        found["kind"] == attack.kind
            && found["steps"] == attack.steps
            && found["step_size"].is_null()
            && in_pixels == self.crafted_on.is_none()
            && found["epsilon"].as_f64().is_some_and(close)
            && score["restarts"].as_u64().unwrap_or(1) == attack.restarts
            // As the text below the table says.
            && (attack.kind != "pgd" || score["until_fooled"] == true)
    }
}

/// `10,000`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_model(folder: &Path, name: &str, scores: &str, more: &str) {
        fs::create_dir_all(folder.join(name)).unwrap();
        let json = format!(
            r#"{{"name": "{name}", "architecture": {{"family": "wide-resnet", "depth": 10, "width": 3}},
            "weights": {{"bytes": 1500000}}, "scores": {scores}{more}}}"#
        );
        fs::write(folder.join(name).join("model.json"), json).unwrap();
    }

    const CLEAN: &str = r#"{"set": "validation", "top1": {"hits": 1, "of": 4}, "top1_interval": [0.0456, 0.6994]}"#;

    /// An attack's score: `settings` of the attack, `more` of the score.
    fn attacked(settings: &str, hits: u32, of: u32, more: &str) -> String {
        format!(
            r#"{{"set": "validation", "attack": {{{settings}, "step_size": null, "seed": 0}},
            "top1": {{"hits": {hits}, "of": {of}}}, "top1_interval": [0.125, 0.5]{more}}}"#
        )
    }

    #[test]
    fn tables_show_values_with_their_intervals_and_counts() {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), "standard", &format!("[{CLEAN}]"), "");
        let pgd = r#""kind": "pgd", "epsilon": 0.015686275, "steps": 50"#;
        let transferred = r#""kind": "bim", "epsilon": 0.2, "steps": 5, "channel_scale": [0.28, 0.27, 0.28]"#;
        let scores = [
            CLEAN.replace("validation", "augmented"),
            CLEAN.into(),
            attacked(pgd, 1, 2, r#", "until_fooled": true"#),
            attacked(pgd, 1, 4, r#", "until_fooled": true"#),
            attacked(pgd, 0, 1000, r#", "until_fooled": true, "restarts": 10"#),
            attacked(pgd, 3, 4, r#", "crafted_on": "standard""#),
            attacked(r#""kind": "pgd", "epsilon": 0.03137255, "steps": 50"#, 3, 4, ""),
            attacked(transferred, 2, 4, r#", "crafted_on": "standard""#),
        ];
        let more = r#", "cost": {"parameters": 1, "macs": 97500000}, "checks": {"images": 1000, "items": [{"passed": true},
            {"passed": false}, {}]}"#;
        write_model(folder.path(), "hardened", &format!("[{}]", scores.join(",")), more);
        let text = tables(folder.path()).unwrap();
        for line in [
            "| | standard | hardened |",
            "| architecture | WRN-10-3 | WRN-10-3 |",
            "| weights | 1.5 MB | 1.5 MB |",
            "| multiply-accumulates | – | 98 million |",
            "| clean | 25.0% [4.6, 69.9] | 25.0% [4.6, 69.9] |",
            "| augmented | – | 25.0% [4.6, 69.9] |",
            "| PGD-50, 4/255 | – | 25.0% [12.5, 50.0] |",
            "| PGD-50, 4/255, 10 starts | – | 0.0% [12.5, 50.0] of 1,000 |",
            "| items of `bastion check` that hold | – | 1 of 2, on 1,000 images |",
            "| BIM-5 | – | 50.0% [12.5, 50.0] | 52.05% |",
            "| FGSM | – | – | 47.68% |",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in: {text}");
        }
        assert!(!text.contains("PGD-50, 8/255"), "another way of counting than the text says: {text}");
        assert!(text.contains("on 4 validation images"), "{text}");
        assert!(!text.contains("8/255"), "what nobody measured has no row: {text}");
    }

    #[test]
    fn without_transfer_there_is_one_table() {
        let folder = tempfile::tempdir().unwrap();
        for name in MODELS {
            write_model(folder.path(), name, &format!("[{CLEAN}]"), "");
        }
        assert!(!tables(folder.path()).unwrap().contains("paper"));
    }

    #[test]
    fn a_model_without_scores_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), "standard", &format!("[{CLEAN}]"), "");
        write_model(folder.path(), "hardened", "[]", "");
        assert!(tables(folder.path()).unwrap_err().to_string().contains("hardened"));
    }

    #[test]
    fn only_the_marked_part_changes() {
        let readme = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = with_tables(&readme, "\nnew\n").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\n\nnew\n{END}\nafter\n"));
        assert_eq!(with_tables(&new, "\nnew\n").unwrap(), new);
        assert!(with_tables("nothing", "").is_err());
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([7, 999, 1000, 10_000, 1_234_567].map(grouped), ["7", "999", "1,000", "10,000", "1,234,567"]);
    }
}
