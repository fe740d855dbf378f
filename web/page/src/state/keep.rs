//! What a visitor takes home: pictures, and a report of all that is shown.

use super::parts::Saving;
use super::{Effect, Saved, Stage, State};
use protocol::{Guess, Request, RequestId, Slot};

impl State {
    /// Tells whether the attacked picture of a network can be saved now.
    pub fn can_save(&self, slot: Slot) -> bool {
        self.stage == Stage::Classified && self.columns[slot.index()].step().is_some()
    }

    pub(super) fn save_picture(&mut self, slot: Slot) -> Vec<Effect> {
        if !self.can_save(slot) {
            return Vec::new();
        }
        let Some(step) = self.columns[slot.index()].step() else { return Vec::new() };
        let pixels = step.attacked.clone();
        let name = format!("{}-{}-{}.png", self.file_stem(), self.attack.latest.kind.name(), self.folder_or_slot(slot));
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

    /// Returns what a network says of the picture that was saved, beside what it said of the one before the attack.
    pub fn saved_words(&self, slot: Slot) -> Option<String> {
        let column = &self.columns[slot.index()];
        let best = column.saved.as_ref()?.top.first()?;
        let clean = column.clean.first()?.class;
        let share = crate::text::percent(best.share.into());
        let name = self.class_name(best.class);
        Some(match self.attack.latest.target {
            Some(target) if best.class == target => {
                format!("As saved, with 8 bits a channel, it still says {name} ({share}), the target.")
            }
            _ if best.class == clean => {
                format!("As saved, with 8 bits a channel, it says {name} ({share}), as before the attack.")
            }
            _ => format!("As saved, with 8 bits a channel, it says {name} ({share}): the attack outlives the file."),
        })
    }

    pub(super) fn save_report(&mut self) -> Vec<Effect> {
        let Some(report) = self.report() else { return Vec::new() };
        let name = format!("{}-{}.json", self.file_stem(), self.attack.latest.kind.name());
        vec![Effect::Download { name, media_type: "application/json", bytes: report.to_string().into_bytes() }]
    }

    /// `bastion-school-bus`.
    fn file_stem(&self) -> String {
        let title = self.picture.shown.as_ref().map_or("picture", |shown| shown.candidate.file.title.as_str());
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
