//! Sentences about a network's answer, made of measured numbers alone.
//!
//! A sentence says which class has which probability, how the evidence for a class is spread over the picture, and what an attack
//! changed. No part of what the picture shows is named, since none is known; nor is a picture said to be attacked or safe.

use serde::{Deserialize, Serialize};

use crate::standing::Standing;

/// Number of cells that a sentence speaks of at most.
const STRONGEST: usize = 3;

/// A class with its probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Likely {
    /// Name of the class.
    pub name: String,
    /// Softmax probability, 0 to 1.
    pub probability: f32,
}

/// What was measured of a network's answer to a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerFacts {
    /// Name of the network.
    pub network: String,
    /// The likeliest class.
    pub answer: Likely,
    /// The second likeliest class; none of a network with one class.
    pub runner_up: Option<Likely>,
    /// Evidence for a class against another; none where it is not known exactly, or not to be put into words.
    pub evidence: Option<EvidenceFacts>,
    /// How the picture compares with untouched ones.
    #[serde(default)]
    pub standing: Standing,
    /// What an attack changed; none without an attack.
    pub attack: Option<AttackFacts>,
}

/// The difference of two logits as a sum over the cells of a grid, and the bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceFacts {
    /// Class that the evidence is for.
    pub class: String,
    /// Class that the evidence is against.
    pub against: String,
    /// Rows of the grid.
    pub rows: usize,
    /// Columns of the grid.
    pub columns: usize,
    /// What each cell adds to the difference, row by row from the top: `[rows, columns]`.
    pub cells: Vec<f32>,
    /// What the bias adds.
    pub bias: f32,
}

/// What an attack changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackFacts {
    /// Name of the attack in print: `BIM`.
    pub attack: String,
    /// Radius of the attack in print: `4/255`, `L2 0.5`, `3 pixels`.
    pub within: String,
    /// Largest change of a value, in 255ths.
    pub largest_change: f32,
    /// The likeliest class of the attacked picture.
    pub answer: Likely,
    /// Probability of the answer before the attack, now: 0 to 1.
    pub former_answer: f32,
    /// The evidence for the same class against the same other, now.
    pub evidence: Option<EvidenceFacts>,
    /// How the attacked picture compares with untouched ones.
    #[serde(default)]
    pub standing: Standing,
}

impl AnswerFacts {
    /// Returns the same facts but for those of evidence, before the attack and after it.
    #[must_use]
    pub fn without_evidence(self) -> Self {
        let attack = self.attack.map(|attack| AttackFacts { evidence: None, ..attack });
        Self { evidence: None, attack, ..self }
    }
}

impl EvidenceFacts {
    /// Returns the difference of the two logits: the sum of all cells and the bias.
    pub fn total(&self) -> f32 {
        self.cells.iter().sum::<f32>() + self.bias
    }

    /// Returns the cells with the largest positive values, at most three, joined by place: each place with its number of cells
    /// and its share (0 to 1) of the sum of all positive cells, largest first.
    pub fn strongest(&self) -> Vec<PlaceShare> {
        let positive: f32 = self.cells.iter().filter(|&&cell| cell > 0.0).sum();
        let mut order: Vec<usize> = (0..self.cells.len()).filter(|&cell| self.cells[cell] > 0.0).collect();
        order.sort_by(|&a, &b| self.cells[b].total_cmp(&self.cells[a]));
        let mut places: Vec<PlaceShare> = Vec::new();
        for cell in order.into_iter().take(STRONGEST) {
            let place = place_of(cell / self.columns, cell % self.columns, self.rows, self.columns);
            let share = self.cells[cell] / positive;
            match places.iter_mut().find(|found| found.place == place) {
                Some(found) => (found.cells, found.share) = (found.cells + 1, found.share + share),
                None => places.push(PlaceShare { place, cells: 1, share }),
            }
        }
        places.sort_by(|a, b| b.share.total_cmp(&a.share));
        places
    }

    /// Returns what `after` has lost: cells and bias of this evidence less those of `after`.
    fn less(&self, after: &Self) -> Self {
        let cells = self.cells.iter().zip(&after.cells).map(|(before, after)| before - after).collect();
        Self { cells, bias: self.bias - after.bias, ..self.clone() }
    }
}

/// Cells at one place of a picture, and their share in the evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlaceShare {
    /// Name of the place: `upper left`.
    pub place: &'static str,
    /// Number of cells.
    pub cells: usize,
    /// Share in the sum of all positive cells, 0 to 1.
    pub share: f32,
}

/// Returns the name of the third of the picture, each way, that the middle of a cell is in.
fn place_of(row: usize, column: usize, rows: usize, columns: usize) -> &'static str {
    // The middle of a cell is at (2 row + 1) / 2 rows, so its third is that times 3, rounded down.
    let third = |at: usize, of: usize| (3 * (2 * at + 1) / (2 * of)).min(2);
    const PLACES: [[&str; 3]; 3] = [
        ["upper left", "upper middle", "upper right"],
        ["middle left", "centre", "middle right"],
        ["lower left", "lower middle", "lower right"],
    ];
    PLACES[third(row, rows)][third(column, columns)]
}

/// Returns what was measured, in sentences.
pub fn sentence(facts: &AnswerFacts) -> String {
    let AnswerFacts { network, answer, runner_up, evidence, standing, attack } = facts;
    let mut text = format!("The network {network} answers {}", with_probability(answer));
    if let Some(second) = runner_up {
        text += &format!("; the runner-up is {}", with_probability(second));
    }
    text += ".";
    if let Some(evidence) = evidence {
        text += &of_evidence(evidence);
    }
    text += &standing.in_words("the picture");
    if let Some(attack) = attack {
        text += &of_attack(attack, answer, evidence.as_ref());
        text += &attack.standing.in_words("the attacked picture");
    }
    text + &standing.adaptive()
}

fn of_evidence(evidence: &EvidenceFacts) -> String {
    let EvidenceFacts { class, against, rows, columns, cells, bias } = evidence;
    let sum = |sign: f32| cells.iter().map(|cell| (sign * cell).max(0.0)).sum::<f32>();
    let mut text = format!(
        " The logit of {class} less that of {against} is {}: in a grid of {rows} x {columns} cells the evidence for {class} adds \
         up to {}, the evidence against it to {}, and the bias adds {}.",
        number(evidence.total()),
        number(sum(1.0)),
        number(sum(-1.0)),
        number(*bias)
    );
    if let Some(places) = in_words(&evidence.strongest()) {
        text += &format!(" Of the evidence for {class}, {places}.");
    }
    text
}

fn of_attack(attack: &AttackFacts, before: &Likely, evidence: Option<&EvidenceFacts>) -> String {
    let AttackFacts { attack: name, within, largest_change, answer, former_answer, evidence: now, .. } = attack;
    let mut text = format!(
        " {} within {within} changed no value by more than {} of 255 levels, and the answer is ",
        capitalised(name),
        trimmed(*largest_change)
    );
    text += &match answer.name == before.name {
        true => format!("still {}.", with_probability(answer)),
        false => {
            format!("now {}; {} has {}.", with_probability(answer), before.name, percent(*former_answer))
        }
    };
    let Some((was, now)) = evidence.zip(now.as_ref()) else { return text };
    text += &format!(
        " The logit of {} less that of {} went from {} to {}.",
        was.class,
        was.against,
        number(was.total()),
        number(now.total())
    );
    if now.total() < was.total()
        && let Some(places) = in_words(&was.less(now).strongest())
    {
        text += &format!(" Of the evidence that was lost, {places}.");
    }
    text
}

/// Returns `44% is in 2 cells in the centre and 20% in 1 cell in the upper left`; none without cells.
fn in_words(places: &[PlaceShare]) -> Option<String> {
    let place = |PlaceShare { place, cells, share }: &PlaceShare| {
        let unit = if *cells == 1 { "cell" } else { "cells" };
        (format!("{:.0}%", 100.0 * share), format!("in {cells} {unit} in the {place}"))
    };
    let mut places = places.iter().map(place);
    let (share, first) = places.next()?;
    let rest: Vec<String> = places.map(|(share, place)| format!("{share} {place}")).collect();
    let first = format!("{share} is {first}");
    Some(match rest.as_slice() {
        [] => first,
        [one] => format!("{first} and {one}"),
        [others @ .., last] => format!("{first}, {} and {last}", others.join(", ")),
    })
}

fn with_probability(likely: &Likely) -> String {
    format!("{} ({})", likely.name, percent(likely.probability))
}

/// Returns a probability in percent; one that would be rounded to 0 or 100 is not said to be that.
fn percent(probability: f32) -> String {
    match probability {
        p if p >= 0.9995 => "over 99.9%".into(),
        p if p < 0.0005 => "under 0.1%".into(),
        p => format!("{:.1}%", 100.0 * p),
    }
}

/// Returns a text with its first letter as at the beginning of a sentence.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Returns a number with two places, without a minus before zero.
fn number(value: f32) -> String {
    let text = format!("{value:.2}");
    if text == "-0.00" { "0.00".into() } else { text }
}

/// Returns a number with one place at most.
fn trimmed(value: f32) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(String::from).unwrap_or(text)
}

#[cfg(test)]
mod tests;
