//! A network's card: what it is, how it was made, what it is good for and what not.

use super::chart::number;
use super::headline::headline;
use super::{Network, Sheet};
use protocol::text;
use terms::card::{Card, CheckItem, Checks, share_in_words};
use terms::picture::SIDE;

/// Hash of the whole of Tiny ImageNet, as `bastion data import` prints it: networks trained on it can be told from others.
const TINY_IMAGENET_SHA256: &str = "a2b618b9303813d9fdefb5107545494f0c2492d8770142aaeea995405f69681b";

/// A part of the card; it has at least one line.
#[derive(Clone, PartialEq, Debug)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// Its lines.
    pub facts: Vec<Fact>,
}

/// A line of the card.
#[derive(Clone, PartialEq, Debug)]
pub struct Fact {
    /// What it is about.
    pub name: &'static str,
    /// What it says.
    pub value: Value,
}

/// What a line of the card says.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Words.
    Words(String),
    /// A hash, to be compared and not to be read.
    Hash(String),
    /// Commands, in order.
    Commands(Vec<String>),
    /// Questions about the scores, with their answers.
    Checks(Vec<CheckItem>),
}

/// Returns what a card says; what it does not know is left out.
pub fn sections(network: &Network<'_>) -> Vec<Section> {
    let card = network.card;
    let mut sections = vec![
        Section { title: "What it is", facts: what_it_is(card) },
        Section { title: "How it was trained", facts: training(card) },
        Section { title: "What it is for", facts: purpose(network) },
        Section {
            title: "Whether its scores can be believed",
            facts: card.checks.as_ref().map(checks).unwrap_or_default(),
        },
        Section { title: "What its detectors of attacks are worth", facts: detectors(card) },
    ];
    for section in &mut sections {
        section.facts.retain(|fact| !fact.value.is_empty());
    }
    sections.retain(|section| !section.facts.is_empty());
    sections
}

fn words(name: &'static str, words: impl Into<String>) -> Fact {
    Fact { name, value: Value::Words(words.into()) }
}

/// Describes a network that was built, whose architecture is sound.
fn what_it_is(card: &Card) -> Vec<Fact> {
    let cost = card.architecture.cost(card.classes.len(), SIDE);
    let mut facts = vec![words("Name", &*card.name), words("Architecture", card.architecture.name())];
    // The page is a 32-bit program; a network that it loads has fewer parameters than that counts.
    facts.extend(usize::try_from(cost.parameters).ok().map(|count| words("Parameters", text::count(count))));
    facts.extend([
        words("Operations", format!("{} multiply-accumulates a picture", text::operations(cost.macs))),
        words("Classes", text::count(card.classes.len())),
        words("Weights", format!("{}, {}", text::bytes(card.weights.bytes), card.weights.precision)),
        Fact { name: "Weights’ sha256", value: Value::Hash(card.weights.sha256.clone()) },
    ]);
    facts
}

fn training(card: &Card) -> Vec<Fact> {
    let rgb = |[r, g, b]: [f32; 3]| format!("{r:.4}, {g:.4}, {b:.4} (red, green, blue)");
    let recipe = match mix_in_words(&mix(card)).as_str() {
        "" => card.recipe.name.clone(),
        meaning => format!("{}: {meaning}", card.recipe.name),
    };
    vec![
        words("Recipe", recipe),
        words("Data", data(card)),
        Fact { name: "Data’s sha256", value: Value::Hash(card.data_sha256.clone()) },
        words("Pixels’ mean", rgb(card.mean)),
        words("Pixels’ deviation", rgb(card.std)),
        Fact { name: "Made by", value: Value::Commands(card.recipe.commands.clone()) },
    ]
}

/// Returns the shares of a batch that a recipe's settings name: `augmented`, `n-fgsm`.
pub fn mix(card: &Card) -> Vec<&str> {
    card.recipe.config["mix"].as_array().into_iter().flatten().filter_map(|name| name.as_str()).collect()
}

/// Returns what the pictures were that a network was trained on: `of each 3 pictures, one is attacked by PGD; 2 are as they
/// are.`; empty where it is not known.
fn mix_in_words(mix: &[&str]) -> String {
    let mut shares: Vec<(&str, usize)> = Vec::new();
    for &name in mix {
        match shares.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => shares.push((name, 1)),
        }
    }
    match shares[..] {
        [] => String::new(),
        [(name, _)] => format!("pictures that are {}.", share_in_words(name).unwrap_or(name)),
        _ => {
            let parts: Vec<String> = shares
                .iter()
                .map(|(name, count)| format!("{} {}", count_are(*count), share_in_words(name).unwrap_or(name)))
                .collect();
            format!("of each {} pictures, {}.", mix.len(), parts.join("; "))
        }
    }
}

fn count_are(count: usize) -> String {
    if count == 1 { "one is".into() } else { format!("{count} are") }
}

fn data(card: &Card) -> String {
    match card.data_sha256.as_str() {
        "" => String::new(),
        TINY_IMAGENET_SHA256 => {
            "Tiny ImageNet’s training pictures at 64 × 64 pixels. They are under ImageNet’s terms: research and education, \
             not commerce."
                .into()
        }
        _ => "A data set of one’s own; see its hash.".into(),
    }
}

fn checks(found: &Checks) -> Vec<Fact> {
    let count = |passed| found.items.iter().filter(|item| item.passed == passed).count();
    let answers = [(count(Some(true)), "passed"), (count(Some(false)), "failed"), (count(None), "not measured")];
    let answers = answers.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let on = format!(
        "“bastion check” on {} validation pictures, attacks at {}/255 unless a line says otherwise: {}.",
        text::count(found.images),
        number((found.epsilon * 255.0).into()),
        answers.collect::<Vec<_>>().join(", ")
    );
    vec![words("Checked", on), Fact { name: "Found", value: Value::Checks(found.items.clone()) }]
}

fn detectors(card: &Card) -> Vec<Fact> {
    let measured = card.detectors.iter().filter(|detector| detector.figures.is_some());
    measured.map(|detector| words(detector.kind.label(), detector.figures_in_words())).collect()
}

fn purpose(network: &Network<'_>) -> Vec<Fact> {
    vec![
        words("Intended use", "To see and to teach what attacks do to a classifier, and what hardening does about it."),
        words(
            "Not for",
            "Recognising what is in a picture where something depends on it, anything about people, and keeping an attacker out.",
        ),
        words("Limitations", limitations(network)),
        words(
            "Licence",
            "Networks that come with Bastion are under MIT or Apache-2.0, as its code is; others under what their makers say.",
        ),
    ]
}

/// Returns the limitations, in figures as far as there are any.
fn limitations(network: &Network<'_>) -> String {
    let mut sentences = Vec::new();
    let sheet = Sheet::of(&[*network]);
    if let Some(headline) = headline(&sheet)
        && let [figures] = headline.networks.as_slice()
    {
        sentences.push(format!(
            "Of {} validation pictures it knows {}, and {} under {} (white-box).",
            text::count(figures.clean.top1.of),
            figures.clean.top1_words(),
            figures.attacked.top1_words(),
            headline.attack,
        ));
    }
    sentences.push(format!(
        "It answers with one of {} classes whatever it is shown. Attacks other than those in the tables were not tried on it.",
        text::count(network.card.classes.len())
    ));
    sentences.join(" ")
}

impl Value {
    fn is_empty(&self) -> bool {
        match self {
            Self::Words(text) | Self::Hash(text) => text.is_empty(),
            Self::Commands(commands) => commands.is_empty(),
            Self::Checks(items) => items.is_empty(),
        }
    }
}
