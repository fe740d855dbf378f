//! What a network computes on the way to its answer: the evidence of each part of the picture, the maps of its stages, and what its
//! detectors say. Nothing of it is computed, and no detector is fetched, before the visitor asks.

use burn::prelude::*;
use shared::bundle::{BundleError, Card};
use shared::detect::{Detector, DetectorCard, load_detector};
use shared::device::read;
use shared::explain::{compare_maps, evidence_against};
use shared::image::{Picture, ToTensor as _};
use shared::metrics::{softmax, top_k};
use shared::model::Stages;
use terms::sentence::{AnswerFacts, AttackFacts, EvidenceFacts, Likely, sentence};
use terms::standing::Standing;

use super::clock::yield_now;
use super::error::StepError;
use super::inbox::Inbox;
use super::inside::{Gauge, Inside, StageMaps, View};
use super::paint::{evidence_over, montage};
use super::report::post;
use super::session::Session;
use protocol::text::sentence as in_a_sentence;
use protocol::{Pixels, Reply, RequestId, Settings, Slot};

/// Channels of a stage that are drawn.
const CHANNELS: usize = 6;

/// A detector with what its card says.
pub(crate) type Known = (DetectorCard, Detector);

/// How a picture was changed, in print.
pub(crate) struct Change {
    /// Name of the attack.
    pub(crate) attack: String,
    /// Radius of the attack.
    pub(crate) within: String,
}

/// What a network computed of one picture.
struct Looked {
    stages: Stages,
    logits: Vec<f32>,
    scores: Vec<f32>,
}

impl Looked {
    fn likely(&self, card: &Card, class: usize) -> Likely {
        let name = card.classes.get(class).map_or_else(|| format!("class {class}"), |class| class.short_name().into());
        Likely { name, probability: softmax(&self.logits).get(class).copied().unwrap_or_default() }
    }
}

impl Session {
    /// Looks into both networks at the picture opened last, and at the attacked pictures. Ends early if a newer request waits.
    pub(crate) async fn look(
        &mut self,
        id: RequestId,
        attacked: [Option<Pixels>; 2],
        settings: Settings,
        inbox: &Inbox,
    ) {
        for (slot, attacked) in Slot::ALL.into_iter().zip(attacked) {
            let problems = self.fetch_detectors(slot).await;
            let attacked = attacked.and_then(|pixels| picture(&pixels));
            let change = Change { attack: settings.kind.label().into(), within: settings.radius().short() };
            match self.look_into(slot, attacked.as_ref(), change).await {
                Ok(Some(mut inside)) => {
                    for problem in problems {
                        inside.words += &format!(" {problem}");
                    }
                    if let Err(error) = post_inside(id, slot, &inside) {
                        return self.fail(id, &error);
                    }
                }
                Ok(None) => {}
                Err(error) => return self.fail(id, &error),
            }
            yield_now().await;
            if inbox.ends_attack() {
                return;
            }
        }
        post(&Reply::Finished { id });
    }

    /// Fetches and loads the detectors of the network in `slot`, unless they are there. Returns a sentence for each that cannot be used; the
    /// others can.
    pub(crate) async fn fetch_detectors(&mut self, slot: Slot) -> Vec<String> {
        let Some((name, card)) = self.without_detectors(slot) else { return vec![] };
        let (mut detectors, mut problems) = (Vec::with_capacity(card.detectors.len()), vec![]);
        for described in &card.detectors {
            let content = match &described.weights {
                Some(part) => self.models().part(&name, part).await.map(Some),
                None => Ok(None),
            };
            let loaded = content.and_then(|content| {
                load_detector(&card, described, content.as_deref(), self.device()).map_err(|error: BundleError| {
                    in_a_sentence(&format!("The detector {} of {name} cannot be used: {error}", described.kind))
                })
            });
            match loaded {
                Ok(detector) => detectors.push((described.clone(), detector)),
                Err(problem) => problems.push(problem),
            }
        }
        self.set_detectors(slot, detectors, problems.is_empty());
        problems
    }

    pub(crate) async fn look_into(
        &self,
        slot: Slot,
        attacked: Option<&Picture>,
        change: Change,
    ) -> Result<Option<Inside>, StepError> {
        let Some((opened, bundles)) = self.opened_and_loaded() else { return Ok(None) };
        let Some(bundle) = bundles[slot.index()] else { return Ok(None) };
        let card = &bundle.card;
        let before = self.looked(slot, &opened.picture).await?;
        let after = match attacked {
            Some(picture) => Some((picture, self.looked(slot, picture).await?)),
            None => None,
        };
        let [first, second] = best_two(&before.logits);
        // The evidence is for the answer before the attack, against what the attack made of it or else the runner-up.
        let now = after.as_ref().map(|(_, after)| best_two(&after.logits)[0]).filter(|class| *class != first);
        let rival = now.unwrap_or(second);
        let evidence_before = self.evidence(slot, &before.stages, first, rival).await?;
        let evidence_after = match &after {
            Some((_, after)) => self.evidence(slot, &after.stages, first, rival).await?,
            None => None,
        };
        let largest = [&evidence_before, &evidence_after].into_iter().flatten().flat_map(|one| &one.cells);
        let largest = largest.fold(0.0f32, |largest, cell| largest.max(cell.abs()));
        let view = |picture: &Picture, looked: &Looked, evidence: &Option<EvidenceFacts>| View {
            evidence: evidence.as_ref().map(|evidence| evidence_over(picture, evidence, largest)),
            gauges: self.gauges(slot, &looked.scores),
        };
        let stages = match &after {
            Some((_, after)) => stage_maps(card, &before.stages, &after.stages).await?,
            None => vec![],
        };
        let attack = after.as_ref().map(|(picture, after)| AttackFacts {
            attack: change.attack,
            within: change.within,
            largest_change: largest_change(&opened.picture, picture),
            answer: after.likely(card, best_two(&after.logits)[0]),
            former_answer: after.likely(card, first).probability,
            evidence: evidence_after.clone(),
            standing: self.standing(slot, &after.scores),
        });
        let facts = AnswerFacts {
            network: card.name.clone(),
            answer: before.likely(card, first),
            runner_up: (card.classes.len() > 1).then(|| before.likely(card, second)),
            evidence: evidence_before.clone(),
            standing: self.standing(slot, &before.scores),
            attack,
        };
        Ok(Some(Inside {
            before: view(&opened.picture, &before, &evidence_before),
            after: after.as_ref().map(|(picture, after)| view(picture, after, &evidence_after)),
            colours: evidence_before.as_ref().map_or_else(String::new, |evidence| {
                let EvidenceFacts { class, against, .. } = evidence;
                format!("Red cells speak for {class}, blue ones for {against}.")
            }),
            stages,
            evasion: None,
            none_of: facts.standing.none_of(card.classes.len()),
            // A map that was not checked, or does no better than the middle of the picture, is shown without words.
            words: match card.puts_evidence_into_words() {
                true => sentence(&facts),
                false => sentence(&facts.without_evidence()),
            },
        }))
    }

    async fn looked(&self, slot: Slot, picture: &Picture) -> Result<Looked, StepError> {
        let images = picture.to_tensor(self.device());
        let Some(bundle) = self.bundles().and_then(|bundles| bundles[slot.index()]) else {
            return Ok(Looked {
                stages: Stages { maps: vec![], logits: Tensor::zeros([1, 1], self.device()) },
                logits: vec![],
                scores: vec![],
            });
        };
        let stages = bundle.model.stages(images.clone());
        let mut scores = vec![];
        for (_, detector) in self.detectors(slot) {
            scores.extend(read(detector.score(&bundle.model, images.clone(), &stages)).await?);
            yield_now().await;
        }
        let logits = read(stages.logits.clone()).await?;
        Ok(Looked { stages, logits, scores })
    }

    async fn evidence(
        &self,
        slot: Slot,
        stages: &Stages,
        class: usize,
        rival: usize,
    ) -> Result<Option<EvidenceFacts>, StepError> {
        let Some(bundle) = self.bundles().and_then(|bundles| bundles[slot.index()]) else { return Ok(None) };
        let Some(maps) = stages.maps.last() else { return Ok(None) };
        let [_, _, rows, columns] = maps.dims();
        let one = |class: usize| Tensor::<1, Int>::from_ints([class as i32], self.device());
        let found = evidence_against(&bundle.model, maps.clone(), one(class), one(rival));
        let Ok(Some(evidence)) = found else { return Ok(None) };
        let name =
            |class: usize| bundle.card.classes.get(class).map_or_else(String::new, |class| class.short_name().into());
        let cells = read(evidence.cells).await?;
        let bias = read(evidence.bias).await?.first().copied().unwrap_or_default();
        Ok(Some(EvidenceFacts { class: name(class), against: name(rival), rows, columns, cells, bias }))
    }

    fn standing(&self, slot: Slot, scores: &[f32]) -> Standing {
        Standing::of(self.detectors(slot).iter().map(|(card, _)| card).zip(scores.iter().copied()))
    }

    fn gauges(&self, slot: Slot, scores: &[f32]) -> Vec<Gauge> {
        let gauge = |((card, _), score): (&Known, &f32)| Gauge {
            kind: card.kind,
            share_above: card.calibration.share_above(*score),
            note: card.figures_in_words(),
        };
        self.detectors(slot).iter().zip(scores).map(gauge).collect()
    }
}

/// Sends to the page what was found inside of a network.
///
/// # Errors
///
/// [`StepError`] if a drawing cannot be encoded.
pub(crate) fn post_inside(id: RequestId, slot: Slot, inside: &Inside) -> Result<(), StepError> {
    post(&Reply::Looked { id, slot, insight: inside.written(slot)? });
    Ok(())
}

/// Draws the maps of each stage's channels that the attack changed most.
async fn stage_maps(card: &Card, before: &Stages, after: &Stages) -> Result<Vec<StageMaps>, StepError> {
    // Maps that cannot be compared are those of a device that failed: reading them says so.
    let Ok(changes) = compare_maps(&before.maps, &after.maps).await else { return Ok(vec![]) };
    let names = card.architecture.stages();
    let mut drawn = Vec::with_capacity(changes.len());
    for (place, (change, stage)) in changes.into_iter().zip(names).enumerate() {
        let channels = change.most_changed(CHANNELS);
        let [_, _, height, width] = before.maps[place].dims();
        let (was, now) = (read(before.maps[place].clone()).await?, read(after.maps[place].clone()).await?);
        drawn.push(StageMaps {
            name: stage.name,
            change: change.change,
            drawing: montage(&was, &now, &channels, [height, width]),
            channels,
        });
    }
    Ok(drawn)
}

/// Returns the likeliest class and the one after it; the same one twice where there is one class.
fn best_two(logits: &[f32]) -> [usize; 2] {
    let best = top_k(logits, 2);
    let first = best.first().copied().unwrap_or_default();
    [first, best.get(1).copied().unwrap_or(first)]
}

/// Returns the largest change of a value, in 255ths.
fn largest_change(before: &Picture, after: &Picture) -> f32 {
    let pairs = before.as_rgb8().iter().zip(after.as_rgb8());
    pairs.map(|(a, b)| f32::from(a.abs_diff(*b))).fold(0.0, f32::max)
}

/// Returns the picture that a canvas shows; none if it is of another size.
fn picture(pixels: &Pixels) -> Option<Picture> {
    let rgb = pixels.0.as_chunks::<4>().0.iter().flat_map(|[red, green, blue, _]| [*red, *green, *blue]);
    Picture::from_rgb8(rgb.collect()).ok()
}
