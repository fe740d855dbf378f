//! What a visitor takes home: pictures, and a report of all that is shown.

use serde_json::{Value, json};

use super::parts::Saving;
use super::{Effect, Saved, State, Work};
use crate::protocol::{Guess, Request, RequestId, Slot, Step};

/// Of what kind the report is; changes whenever a field changes its meaning.
const REPORT_FORMAT: u32 = 1;

impl State {
    /// Whether the attacked picture of a network can be saved now.
    pub fn can_save(&self, slot: Slot) -> bool {
        self.work() == Work::Idle && self.opened && self.columns[slot.index()].step().is_some()
    }

    pub(super) fn save_picture(&mut self, slot: Slot) -> Vec<Effect> {
        if !self.can_save(slot) {
            return Vec::new();
        }
        let Some(step) = self.columns[slot.index()].step() else { return Vec::new() };
        let pixels = step.attacked.clone();
        let name = format!("{}-{}-{}.png", self.file_stem(), self.attacked_with.kind.name(), self.folder_or_slot(slot));
        let id = self.next_id();
        self.saving = Some(Saving { id, name, pixels: pixels.clone() });
        vec![Effect::Post(Request::Save { id, slot, pixels })]
    }

    pub(super) fn saved(&mut self, id: RequestId, slot: Slot, png: Vec<u8>, top: Vec<Guess>) -> Vec<Effect> {
        let Some(Saving { name, pixels, .. }) = self.saving.take_if(|saving| saving.id == id) else {
            return Vec::new();
        };
        let column = &mut self.columns[slot.index()];
        // Another picture, attack or step may be shown by now, of which this says nothing.
        if column.step().is_some_and(|step| step.attacked == pixels) {
            column.saved = Some(Saved { bytes: png.len(), top });
        }
        vec![Effect::Download { name, media_type: "image/png", bytes: png }]
    }

    /// What a network says of the picture that was saved, beside what it said of the one before the attack.
    pub fn saved_words(&self, slot: Slot) -> Option<String> {
        let column = &self.columns[slot.index()];
        let best = column.saved.as_ref()?.top.first()?;
        let clean = column.clean.first()?.class;
        let share = crate::text::percent(best.share.into());
        let name = self.class_name(best.class);
        Some(match self.attacked_with.target {
            Some(target) if best.class == target => {
                format!("Saved and read again, it still says {name} ({share}), the target.")
            }
            _ if best.class == clean => {
                format!("Saved and read again, it says {name} ({share}), as before the attack.")
            }
            _ => format!("Saved and read again, it says {name} ({share}): the attack outlives the file."),
        })
    }

    pub(super) fn save_report(&mut self) -> Vec<Effect> {
        let Some(report) = self.report() else { return Vec::new() };
        // A value made of strings, numbers and lists of them becomes text.
        let text = serde_json::to_string_pretty(&report).unwrap_or_default();
        let name = format!("{}-{}.json", self.file_stem(), self.attacked_with.kind.name());
        vec![Effect::Download { name, media_type: "application/json", bytes: text.into_bytes() }]
    }

    /// Whether there is something to report: both networks have looked at a picture.
    pub fn can_report(&self) -> bool {
        self.picture.is_some() && self.columns.iter().all(|column| !column.clean.is_empty())
    }

    /// All that is shown of the picture and the attack, but for the pictures themselves; none before a picture is classified.
    pub fn report(&self) -> Option<Value> {
        let shown = self.picture.as_ref().filter(|_| self.can_report())?;
        let attacked = self.columns.iter().any(|column| !column.steps.is_empty());
        Some(json!({
            "format": REPORT_FORMAT,
            "made_by": format!("Bastion {}", env!("CARGO_PKG_VERSION")),
            "backend": self.backend,
            "picture": {
                "title": shown.candidate.title,
                "label": self.label().map(|class| self.class(class)),
                "original_size": shown.original_size,
                "crop": self.seen_crop().map(|(crop, _)| crop),
                "disturbance": self.disturbed_with,
            },
            "attack": attacked.then(|| json!({
                "settings": self.attacked_with,
                "step_size_255": self.attacked_with.step_size_255(),
                "link": self.link_with(self.attacked_with, self.disturbed_with).query(),
            })),
            "networks": Slot::ALL.map(|slot| self.network_report(slot)),
        }))
    }

    fn network_report(&self, slot: Slot) -> Value {
        let column = &self.columns[slot.index()];
        let info = self.models.as_ref().map(|models| &models[slot.index()]);
        let guesses = |top: &[Guess]| top.iter().map(|guess| self.guess(*guess)).collect::<Vec<_>>();
        let step = |step: &Step| {
            json!({
                "done": step.done,
                "loss": step.loss,
                "own_share": step.own_share,
                "largest_change_255": step.largest_change,
                "top": guesses(&step.top),
            })
        };
        let curve = &self.curves[slot.index()];
        let point = |point: &crate::protocol::Point| {
            json!({
                "epsilon_255": point.epsilon_255,
                "loss": point.loss,
                "own_share": point.own_share,
                "best": self.guess(point.best),
                "fooled": point.fooled,
            })
        };
        json!({
            "folder": self.shown(slot),
            "title": self.title(slot),
            "architecture": info.map(|info| &info.architecture),
            "weights_sha256": info.map(|info| &info.weights_sha256),
            "clean": guesses(&column.clean),
            "steps": column.steps.iter().map(step).collect::<Vec<_>>(),
            "ended": column.steps.last().map(|_| column.progress.name()),
            "verdict": self.verdict(slot).map(super::Verdict::name),
            "noise": column.noise.map(|guess| self.guess(guess)),
            "curve": curve.points.iter().map(point).collect::<Vec<_>>(),
            "curve_settings": (!curve.points.is_empty()).then_some(self.swept_with),
            "smallest_epsilon_255": curve.smallest,
        })
    }

    fn guess(&self, guess: Guess) -> Value {
        json!({ "class": self.class(guess.class), "probability": guess.share })
    }

    fn class(&self, class: usize) -> Value {
        match self.classes.get(class) {
            Some(label) => json!({ "index": class, "wnid": label.wnid, "name": label.name }),
            None => json!({ "index": class }),
        }
    }

    /// `bastion-school-bus`.
    fn file_stem(&self) -> String {
        let title = self.picture.as_ref().map_or("picture", |shown| shown.candidate.title.as_str());
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let words: String = title.chars().map(plain).collect();
        let parts: Vec<&str> = words.split('-').filter(|part| !part.is_empty()).collect();
        let stem: String = parts.join("-").chars().take(40).collect();
        format!("bastion-{}", if stem.is_empty() { "picture" } else { &stem })
    }

    fn folder_or_slot(&self, slot: Slot) -> String {
        self.shown(slot).map_or_else(|| slot.name().to_owned(), str::to_owned)
    }
}
