//! `cargo xtask scores`: the README's tables of scores, written from the model cards, where `bastion evaluate --save`,
//! `bastion check --save` and `bastion detector evaluate --save` put them.

mod detectors;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use terms::attack::{AttackConfig, AttackKind, BIM_STEPS, Goal, Norm, PAPER_EPSILON_STD, ensemble};
use terms::card::Card;
use terms::picture::SIDE;
use terms::score::{ImageSet, Score};

use crate::process;

const BEGIN: &str = "<!-- scores:begin (written by `cargo xtask scores`) -->";
const END: &str = "<!-- scores:end -->";
const MODELS: [&str; 2] = ["standard", "hardened"];
/// The cell of a missing measurement.
const NO_VALUE: &str = "–";

/// Column of the paper's hardened network (Table 1), under the paper's protocol.
const PAPER_NAME: &str = "the paper's hardened, a Wide ResNet-50 pretrained on ImageNet";
/// Top-1 accuracies of the paper's hardened network: clean, augmented, FGSM, BIM-5.
const PAPER_TOP1: [f64; 4] = [0.6189, 0.5494, 0.4768, 0.5205];

/// Writes the tables into the README, or with `check` only compares them with the README's.
///
/// # Errors
/// If a model has no scores, the README has no markers for the tables, or with `check` if the tables differ.
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

/// Returns the README with `tables` between its markers.
fn with_tables(readme: &str, tables: &str) -> Result<String> {
    let (Some(begin), Some(end)) = (readme.find(BEGIN), readme.find(END)) else {
        bail!("README.md has no place for the scores: it needs the lines {BEGIN} and {END}")
    };
    ensure!(begin < end, "README.md has the end of the scores before their beginning");
    Ok(format!("{}\n{tables}{}", &readme[..begin + BEGIN.len()], &readme[end..]))
}

/// Returns the tables of the models in `models`, and the sentences that explain them.
fn tables(models: &Path) -> Result<String> {
    let cards = MODELS.iter().map(|name| read_card(models, name)).collect::<Result<Vec<_>>>()?;
    let names = cards.iter().map(|card| card.name.as_str()).collect::<Vec<_>>();
    let images = cards.iter().map(images).max().unwrap_or_default();
    let mut text = format!("\n{}", head(&names));
    for (title, fact) in FACTS {
        text += &row(title, cards.iter().map(|card| Some(fact(card))));
    }
    for (title, measured) in white_box() {
        text += &row(&title, cards.iter().map(|card| cell(card, &measured, images)));
    }
    text += &row("median smallest change that fools (DDN, L2)", cards.iter().map(smallest));
    text += &row("items of `bastion check` that hold", cards.iter().map(checks));
    text += &format!(
        "\nTop-1 accuracy with Wilson's 95% interval on {} validation images, or on as many of them as is said. Attacks are \
         white-box. AutoAttack is the figure to compare networks by; PGD on cross entropy alone is kinder. Both count an image as \
         fooled if any step from any start fools.\n",
        grouped(images)
    );
    let [normal, augmented, fgsm, bim] = transfer(MODELS[0]);
    if cards.iter().any(|card| [&fgsm, &bim].iter().any(|measured| find(card, measured).is_some())) {
        text += &format!(
            "\nThe paper's protocol, in which images are crafted on {} and shown to all, at epsilon 0.2 in normalised space; it \
             says how an attack carries over, not how robust a network is:\n\n{}",
            MODELS[0],
            head(&[&names[..], &[PAPER_NAME]].concat())
        );
        let rows = [("clean", normal), ("augmented", augmented), ("FGSM", fgsm), ("BIM-5", bim)];
        for ((title, measured), paper) in rows.into_iter().zip(PAPER_TOP1) {
            let cells = cards.iter().map(|card| cell(card, &measured, images));
            text += &row(title, cells.chain([Some(format!("{:.2}%", 100.0 * paper))]));
        }
    }
    Ok(text + &detectors::table(&cards) + "\n")
}

/// Returns the first lines of a table with a column for each of `names`.
fn head(names: &[&str]) -> String {
    format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()))
}

/// Returns a line of a table; an empty text if no cell has a value.
fn row(title: &str, cells: impl Iterator<Item = Option<String>>) -> String {
    let cells: Vec<Option<String>> = cells.collect();
    if cells.iter().all(Option::is_none) {
        return String::new();
    }
    let cells: Vec<&str> = cells.iter().map(|cell| cell.as_deref().unwrap_or(NO_VALUE)).collect();
    format!("| {title} | {} |\n", cells.join(" | "))
}

/// Formats a cell of a row about the networks themselves.
type Fact = fn(&Card) -> String;

/// The rows about the networks themselves.
const FACTS: [(&str, Fact); 3] = [
    ("architecture", |card| card.architecture.name()),
    ("weights", |card| format!("{:.1} MB", card.weights.bytes as f64 / 1e6)),
    ("multiply-accumulates", |card| {
        format!("{:.0} million", card.architecture.cost(card.classes.len(), SIDE).macs as f64 / 1e6)
    }),
];

/// The measurement of a row.
struct Measurement {
    set: ImageSet,
    /// The attack; epsilon is in pixel units, or in normalised space if images are crafted on another network.
    attack: Option<AttackConfig>,
    /// Attacks on what the one before has left.
    then: Vec<AttackConfig>,
    restarts: usize,
    crafted_on: Option<&'static str>,
}

impl Measurement {
    /// Returns the measurement without an attack.
    fn plain(set: ImageSet) -> Self {
        Self { set, attack: None, then: vec![], restarts: 1, crafted_on: None }
    }

    /// Returns the measurement under a white-box attack on validation images, from one start.
    fn attacked(attack: AttackConfig) -> Self {
        Self { attack: Some(attack), ..Self::plain(ImageSet::Validation) }
    }

    /// Returns the measurement under several white-box attacks, one after the other; `None` for none.
    fn sequence(mut attacks: Vec<AttackConfig>) -> Option<Self> {
        let then = attacks.split_off(1.min(attacks.len()));
        attacks.pop().map(|first| Self { then, ..Self::attacked(first) })
    }

    /// Returns whether `score` is of this measurement, with any seed.
    fn matches(&self, score: &Score) -> bool {
        let unseeded = |attack: &AttackConfig| AttackConfig { seed: 0, ..attack.clone() };
        let then = |attacks: &[AttackConfig]| attacks.iter().map(unseeded).collect::<Vec<_>>();
        let attack = match (&self.attack, &score.attack) {
            (None, None) => true,
            (Some(wanted), Some(found)) => {
                let in_pixels = found.channel_scale == [1.0; 3];
                let same = AttackConfig { seed: found.seed, channel_scale: found.channel_scale, ..wanted.clone() };
                // The sentence below the table states how PGD and the like count.
                let counted = !wanted.kind.properties().until_fooled || score.until_fooled;
                same == *found && in_pixels == self.crafted_on.is_none() && counted
            }
            _ => false,
        };
        attack
            && then(&score.then) == then(&self.then)
            && score.set == self.set
            && score.goal == Goal::Untargeted
            && score.restarts == self.restarts
            && score.crafted_on.as_deref() == self.crafted_on
    }
}

/// Returns the rows of the first table, the field's figure first.
fn white_box() -> Vec<(String, Measurement)> {
    let mut rows = vec![
        ("clean".into(), Measurement::plain(ImageSet::Validation)),
        ("augmented".into(), Measurement::plain(ImageSet::Augmented)),
    ];
    let sequences = [(4u8, Norm::Linf), (8, Norm::Linf)].map(|(levels, norm)| (f32::from(levels) / 255.0, norm));
    for (epsilon, norm) in sequences.into_iter().chain([(0.5, Norm::L2)]) {
        let attacks = ensemble::autoattack(norm, epsilon);
        let title = format!("**{}**", ensemble::name(&attacks[0], &attacks[1..]));
        rows.extend(Measurement::sequence(attacks).map(|measured| (title, measured)));
    }
    let one_pixel = AttackConfig::new(AttackKind::OnePixel, 1.0, AttackKind::OnePixel.default_steps());
    rows.push(("one pixel".into(), Measurement::attacked(one_pixel)));
    for epsilon_255 in [4u8, 8] {
        let epsilon = f32::from(epsilon_255) / 255.0;
        rows.push((format!("FGSM at {epsilon_255}/255"), Measurement::attacked(AttackConfig::fgsm(epsilon))));
        for restarts in [1, 10] {
            let starts = if restarts > 1 { format!(", {restarts} starts") } else { String::new() };
            let measured = Measurement { restarts, ..Measurement::attacked(AttackConfig::pgd(epsilon, 50, 0)) };
            rows.push((format!("PGD-50 at {epsilon_255}/255, cross entropy alone{starts}"), measured));
        }
    }
    rows
}

/// Returns the median length of the smallest change that DDN finds, with the number of images that it is taken over.
fn smallest(card: &Card) -> Option<String> {
    let of_ddn = |score: &&Score| score.attack.as_ref().is_some_and(|attack| attack.kind == AttackKind::Ddn);
    let score = card.scores.iter().filter(of_ddn).max_by_key(|score| score.top1.of)?;
    let median = score.smallest.as_ref()?.median;
    let epsilon = score.attack.as_ref()?.epsilon;
    let length = median.map_or(format!("above {epsilon}"), |median| format!("{median:.3}"));
    // Images that are wrong without an attack have no smallest change.
    Some(format!("{length}, over {} images", grouped(score.success?.of)))
}

/// Returns the rows of the second table.
fn transfer(source: &'static str) -> [Measurement; 4] {
    let attacked = |attack| Measurement { crafted_on: Some(source), ..Measurement::attacked(attack) };
    [
        Measurement::plain(ImageSet::Validation),
        Measurement::plain(ImageSet::Augmented),
        attacked(AttackConfig::fgsm(PAPER_EPSILON_STD)),
        attacked(AttackConfig::bim(PAPER_EPSILON_STD, BIM_STEPS)),
    ]
}

/// Reads the card of a network in `models`; refuses a card without a clean accuracy.
fn read_card(models: &Path, name: &str) -> Result<Card> {
    let file = models.join(name).join("model.json");
    let json = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let card = Card::from_json(&json).with_context(|| format!("cannot understand {}", file.display()))?;
    ensure!(images(&card) > 0, "{} has no scores; run `cargo bastion evaluate --save`", card.name);
    Ok(card)
}

/// Returns the number of images of the clean accuracy; 0 if there is none.
fn images(card: &Card) -> usize {
    find(card, &Measurement::plain(ImageSet::Validation)).map_or(0, |score| score.top1.of)
}

/// Returns the score of a measurement; the score on the most images if there are several.
fn find<'a>(card: &'a Card, measured: &Measurement) -> Option<&'a Score> {
    card.scores.iter().filter(|score| measured.matches(score)).max_by_key(|score| score.top1.of)
}

/// Formats a score as `27.1% [26.3, 28.0]`, with its number of images if that is not `images`.
fn cell(card: &Card, measured: &Measurement, images: usize) -> Option<String> {
    let score = find(card, measured)?;
    let [low, high] = score.top1_interval.map(|end| 100.0 * end);
    let part = if score.top1.of == images { String::new() } else { format!(" of {}", grouped(score.top1.of)) };
    Some(format!("{:.1}% [{low:.1}, {high:.1}]{part}", 100.0 * score.top1.value()))
}

/// Formats the number of items that hold: `14 of 14, on 1,000 images`. Items that could not be measured do not count.
fn checks(card: &Card) -> Option<String> {
    let checks = card.checks.as_ref()?;
    let verdicts: Vec<bool> = checks.items.iter().filter_map(|item| item.passed).collect();
    let passed = verdicts.iter().filter(|&&passed| passed).count();
    Some(format!("{passed} of {}, on {} images", verdicts.len(), grouped(checks.images)))
}

/// Formats a count with commas between thousands: `10,000`.
fn grouped(count: usize) -> String {
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
    use serde_json::{Value, json};

    use super::*;
    use crate::test_cards;

    fn write_model(folder: &Path, name: &str, scores: &[String], checks: Value) {
        fs::create_dir_all(folder.join(name)).unwrap();
        let scores: Vec<Value> = scores.iter().map(|score| serde_json::from_str(score).unwrap()).collect();
        let card = test_cards::card(name, &json!({ "scores": scores, "checks": checks }));
        fs::write(folder.join(name).join("model.json"), card).unwrap();
    }

    const CLEAN: &str = r#"{"set": "validation", "top1": {"hits": 1, "of": 4}, "top1_interval": [0.0456, 0.6994],
        "top5": {"hits": 2, "of": 4}}"#;

    /// Returns the JSON of an attack's score, with further fields for the attack (`settings`) and the score (`more`).
    fn attacked(settings: &str, hits: u32, of: u32, more: &str) -> String {
        format!(
            r#"{{"set": "validation", "attack": {{{settings}, "step_size": null, "seed": 0}},
            "top1": {{"hits": {hits}, "of": {of}}}, "top1_interval": [0.125, 0.5],
            "top5": {{"hits": {of}, "of": {of}}}{more}}}"#
        )
    }

    #[test]
    fn tables_show_values_with_their_intervals_and_counts() {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), "standard", &[CLEAN.into()], Value::Null);
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
        let item = |passed: Option<bool>| json!({ "name": "", "figure": "", "limit": "", "passed": passed });
        let items = [Some(true), Some(false), None].map(item);
        let checks = json!({ "epsilon": 0.03, "images": 1000, "items": items });
        write_model(folder.path(), "hardened", &scores, checks);
        let text = tables(folder.path()).unwrap();
        for line in [
            "| | standard | hardened |",
            "| architecture | WRN-16-4 | WRN-16-4 |",
            "| weights | 1.5 MB | 1.5 MB |",
            "| multiply-accumulates | 98 million | 98 million |",
            "| clean | 25.0% [4.6, 69.9] | 25.0% [4.6, 69.9] |",
            "| augmented | – | 25.0% [4.6, 69.9] |",
            "| PGD-50 at 4/255, cross entropy alone | – | 25.0% [12.5, 50.0] |",
            "| PGD-50 at 4/255, cross entropy alone, 10 starts | – | 0.0% [12.5, 50.0] of 1,000 |",
            "| items of `bastion check` that hold | – | 1 of 2, on 1,000 images |",
            "| BIM-5 | – | 50.0% [12.5, 50.0] | 52.05% |",
            "| FGSM | – | – | 47.68% |",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in: {text}");
        }
        assert!(!text.contains("PGD-50 at 8/255"), "another way of counting than the text says: {text}");
        assert!(text.contains("on 4 validation images"), "{text}");
        assert!(!text.contains("8/255"), "what nobody measured has no row: {text}");
    }

    #[test]
    fn without_transfer_there_is_one_table() {
        let folder = tempfile::tempdir().unwrap();
        for name in MODELS {
            write_model(folder.path(), name, &[CLEAN.into()], Value::Null);
        }
        assert!(!tables(folder.path()).unwrap().contains("paper"));
    }

    #[test]
    fn a_model_without_scores_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), "standard", &[CLEAN.into()], Value::Null);
        write_model(folder.path(), "hardened", &[], Value::Null);
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
