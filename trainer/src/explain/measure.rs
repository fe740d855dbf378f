//! What is measured of one network's answer to one picture.

use std::path::PathBuf;

use anyhow::{Context, Result};
use burn::prelude::*;
use serde::Serialize;
use shared::attack::AttackConfig;
use shared::bundle::Bundle;
use shared::detect::{Detector, DetectorCard};
use shared::explain::{Attribution, Evidence, Method, StageChange, compare_maps, evidence_against};
use shared::image::{Picture, ToTensor as _};
use shared::metrics::{l0_distance, l2_distance, linf_distance};
use shared::model::Stages;
use shared::sentence::{AnswerFacts, AttackFacts, EvidenceFacts, Likely, sentence};
use shared::standing::Standing;

use crate::models::{self, Guess};

/// Number of channels of a stage that are shown.
const SHOWN: usize = 8;
/// Number of classes that are listed.
const GUESSES: usize = 5;

/// A network, and the picture that its answer is explained for.
pub struct Subject<'a> {
    /// Network with its card.
    pub bundle: &'a Bundle,
    /// Detectors of the network.
    pub detectors: &'a [(DetectorCard, Detector)],
    /// The picture.
    pub picture: &'a Picture,
    /// The attacked picture with the attack; none without an attack.
    pub attacked: Option<(&'a AttackConfig, &'a Picture, bool)>,
    /// Class to explain; none for the network's answer.
    pub class: Option<usize>,
    /// Method of the map.
    pub method: Method,
}

/// What was measured of one network: every number of `explain.json`.
#[derive(Serialize)]
pub struct Explanation {
    /// Name of the network.
    pub model: String,
    /// Likeliest classes of the picture, best first.
    pub before: Vec<Guess>,
    /// Class that the map is for.
    pub class: String,
    /// Class that the evidence is against: the answer, or the runner-up where the answer is explained. None of a network with
    /// one class.
    pub against: Option<String>,
    /// Method of the map.
    pub method: Method,
    /// Whether the map is the evidence for `class` less that for `against`, which adds up to the difference of their logits;
    /// else it is a map of `class` alone.
    pub is_difference: bool,
    /// Map of the picture.
    pub map: Attribution,
    /// Map of the attacked picture.
    pub map_after: Option<Attribution>,
    /// What an attack did.
    pub attacked: Option<AttackedReport>,
    /// The stages, in order.
    pub stages: Vec<StageReport>,
    /// Measurements that the sentence is made of.
    pub facts: AnswerFacts,
    /// The measurements in words.
    pub sentence: String,
    /// A note for a picture that may show none of the classes.
    pub none_of: Option<String>,
    /// Files of the figures.
    pub figures: Vec<PathBuf>,
}

/// What an attack did to a picture.
#[derive(Serialize)]
pub struct AttackedReport {
    /// Likeliest classes of the attacked picture, best first.
    pub after: Vec<Guess>,
    /// Whether any input gradient was other than zero; else the attack had nothing to follow.
    pub had_gradient: bool,
    /// Largest change of a value, pixel units.
    pub linf: f32,
    /// Euclidean length of the change, pixel units.
    pub l2: f32,
    /// Number of changed pixels.
    pub pixels: usize,
}

/// A stage's maps before and after an attack.
#[derive(Serialize)]
pub struct StageReport {
    /// Name of the stage.
    pub stage: String,
    /// Energies, and changes by an attack; without one nothing has changed.
    #[serde(flatten)]
    pub maps: StageChange,
    /// Channels that the figure shows: the most changed ones, without an attack those with the most energy.
    pub shown: Vec<usize>,
}

/// The maps of a stage's channels that are shown: before and after, each the number of its channel with `[side, side]` values.
pub struct ChosenStage {
    /// Maps of the picture.
    pub before: Vec<Attribution>,
    /// Maps of the attacked picture; empty without an attack.
    pub after: Vec<Attribution>,
}

/// An explanation with the maps that are drawn.
pub struct Measured {
    /// The numbers.
    pub explanation: Explanation,
    /// The chosen channels of each stage.
    pub stages: Vec<ChosenStage>,
}

/// Measures what `subject` asks for.
///
/// # Errors
/// When the device fails, or the network has no classes.
pub fn measure(subject: &Subject<'_>, device: &Device) -> Result<Measured> {
    let Subject { bundle, detectors, picture, attacked, class, method } = *subject;
    let guesses = |picture: &Picture| -> Result<Vec<Guess>> {
        let all = models::classify(bundle, std::slice::from_ref(picture), bundle.card.classes.len(), device)?;
        all.into_iter().next().context("the model gave no answer")
    };
    let all_before = guesses(picture)?;
    let answer = all_before.first().context("the model has no classes")?;
    let class = class.unwrap_or(answer.index);
    let against = all_before.iter().find(|guess| guess.index != class).map(|guess| guess.index);
    let name = |index: usize| bundle.card.classes[index].short_name().to_string();

    let view = View::of(bundle, picture, class, against, method, device)?;
    let view_after =
        attacked.map(|(_, picture, _)| View::of(bundle, picture, class, against, method, device)).transpose()?;
    let facts_of = |view: &View| {
        let cells = view.difference.as_ref()?;
        let (map, bias) = (cells.0.clone(), cells.1);
        let Attribution { height: rows, width: columns, values: cells } = map;
        Some(EvidenceFacts { class: name(class), against: name(against?), rows, columns, cells, bias })
    };
    let standing = |picture: &Picture| -> Result<Standing> {
        let images = picture.to_tensor(device);
        let stages = bundle.model.stages(images.clone());
        let mut scored = vec![];
        for (card, detector) in detectors {
            let scores = models::read(detector.score(&bundle.model, images.clone(), &stages))?;
            scored.extend(scores.into_iter().map(|score| (card, score)));
        }
        Ok(Standing::of(scored))
    };
    let likely = |guess: &Guess| Likely { name: name(guess.index), probability: guess.probability };
    let mut facts = AnswerFacts {
        network: bundle.card.name.clone(),
        answer: likely(answer),
        runner_up: all_before.get(1).map(likely),
        evidence: facts_of(&view),
        standing: standing(picture)?,
        attack: None,
    };
    let mut report = None;
    if let Some(((config, changed, had_gradient), view_after)) = attacked.zip(view_after.as_ref()) {
        let after = guesses(changed)?;
        let (from, to) = (picture.to_chw(), changed.to_chw());
        let linf = linf_distance(&from, &to);
        facts.attack = Some(AttackFacts {
            attack: config.kind.label().into(),
            within: config.kind.norm().in_words(config.epsilon),
            largest_change: 255.0 * linf,
            answer: likely(after.first().context("the model gave no answer")?),
            former_answer: after
                .iter()
                .find(|guess| guess.index == answer.index)
                .map_or(0.0, |guess| guess.probability),
            evidence: facts_of(view_after),
            standing: standing(changed)?,
        });
        let pixels = l0_distance(&from, &to);
        let after = after.into_iter().take(GUESSES).collect();
        report = Some(AttackedReport { after, had_gradient, linf, l2: l2_distance(&from, &to), pixels });
    }

    let maps_after = view_after.as_ref().map_or(&view.maps, |view| &view.maps);
    let changes = pollster::block_on(compare_maps(&view.maps, maps_after))?;
    let names = bundle.card.architecture.stages();
    let (mut stages, mut drawn) = (Vec::new(), Vec::new());
    for (number, (maps, stage)) in changes.into_iter().zip(names).enumerate() {
        let shown = match attacked {
            Some(_) => maps.most_changed(SHOWN),
            None => {
                let energies: Vec<f32> = maps.channels.iter().map(|channel| channel.energy_before).collect();
                shared::metrics::top_k(&energies, SHOWN)
            }
        };
        let after = match &view_after {
            Some(view) => channels(&view.maps[number], &shown)?,
            None => vec![],
        };
        drawn.push(ChosenStage { before: channels(&view.maps[number], &shown)?, after });
        stages.push(StageReport { stage: stage.name, maps, shown });
    }
    let explanation = Explanation {
        model: bundle.card.name.clone(),
        before: all_before.into_iter().take(GUESSES).collect(),
        class: name(class),
        against: against.map(name),
        method,
        is_difference: view.is_difference,
        map: view.map,
        map_after: view_after.map(|view| view.map),
        attacked: report,
        stages,
        // A map that was not checked, or does no better than the middle of the picture, is shown without words.
        sentence: match bundle.card.puts_evidence_into_words() {
            true => sentence(&facts),
            false => sentence(&facts.clone().without_evidence()),
        },
        none_of: facts.standing.none_of(bundle.card.classes.len()),
        facts,
        figures: vec![],
    };
    Ok(Measured { explanation, stages: drawn })
}

/// What a network makes of one picture.
struct View {
    maps: Vec<Tensor<4>>,
    /// Evidence for the class against the other, with the part of the bias, where it is exact.
    difference: Option<(Attribution, f32)>,
    map: Attribution,
    is_difference: bool,
}

impl View {
    fn of(
        bundle: &Bundle,
        picture: &Picture,
        class: usize,
        against: Option<usize>,
        method: Method,
        device: &Device,
    ) -> Result<Self> {
        let images = picture.to_tensor(device);
        let index = |class: usize| Tensor::<1, Int>::from_data([class as i64], device);
        let Stages { maps, .. } = bundle.model.stages(images.clone());
        let last = maps.last().context("the network has no stages")?.clone();
        let exact = match against {
            Some(against) => evidence_against(&bundle.model, last, index(class), index(against))?,
            None => None,
        };
        let difference = match exact {
            Some(Evidence { cells, bias }) => Some((one(cells)?, models::read(bias)?.iter().sum())),
            None => None,
        };
        let (map, is_difference) = match (&difference, method) {
            (Some((cells, _)), Method::Cam) => (cells.clone(), true),
            _ => (one(method.map(&bundle.model, images, index(class))?)?, false),
        };
        Ok(Self { maps, difference, map, is_difference })
    }
}

/// Reads the map of a batch of one.
fn one(map: Tensor<3>) -> Result<Attribution> {
    pollster::block_on(Attribution::read(map))?.pop().context("there is no map")
}

/// Reads some channels of the maps of one picture.
fn channels(maps: &Tensor<4>, chosen: &[usize]) -> Result<Vec<Attribution>> {
    let [_, channels, height, width] = maps.dims();
    let all = maps.clone().narrow(0, 0, 1).reshape([channels, height, width]);
    let all = pollster::block_on(Attribution::read(all))?;
    Ok(chosen.iter().filter_map(|&channel| all.get(channel).cloned()).collect())
}

#[cfg(test)]
mod tests;
