//! Which two networks stand side by side.
//!
//! The visitor wants a pair; the engine holds one, or none yet. Where they differ, the wanted one is loaded unless something is
//! in the way: it is large and the visitor has not agreed to the download, its networks do not know the same classes, or it
//! failed. Meanwhile the pair that was good last stays.

use std::sync::Arc;

use super::{Column, Effect, Phase, State};
use crate::protocol::{Listed, OTHER_CLASSES, Offer, Pair, Request, RequestId, Slot, Training};

/// Largest weights that are downloaded without a question, in bytes.
const MAX_UNASKED_BYTES: u64 = 10_000_000;

/// What is in the way of the wanted pair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Obstacle {
    /// It was tried and failed.
    Trouble,
    OtherClasses,
    /// The visitor has to agree to a download.
    Size,
}

/// What a place's chooser says of a network that is wanted there and not there yet.
#[derive(Clone, PartialEq, Debug)]
pub enum Pending {
    /// The visitor has to agree to its download.
    Asking(Offer),
    /// It is being loaded.
    Loading,
    /// It cannot stand beside the other one; why.
    Unfit(String),
    /// It could not be loaded; why.
    Failed(String),
}

impl Pending {
    /// Its name in attributes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Asking(_) => "asking",
            Self::Loading => "loading",
            Self::Unfit(_) => "unfit",
            Self::Failed(_) => "failed",
        }
    }
}

/// The visitor's choice, and how far it is.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Choice {
    /// What the visitor wants to see; before the list is here, what was wanted on the visit before.
    pub(super) wanted: Option<Pair>,
    /// The pair that was loaded last, and in good order.
    good: Option<Pair>,
    /// Whether the engine has listed its networks and takes requests.
    pub(super) listening: bool,
    /// Whether the engine holds the good pair. It may have freed a part of it for one that then failed.
    held: bool,
    /// The pair that the engine loads.
    loading: Option<(RequestId, Pair)>,
    /// Folders of the networks to whose download the visitor has agreed.
    agreed: Vec<String>,
    /// Why the wanted pair could not be loaded: the place, and a sentence.
    trouble: Option<(Slot, String)>,
    /// Whether the visitor has chosen on this visit.
    chosen: bool,
}

impl State {
    /// The same page with the pair that was wanted on the visit before.
    #[must_use]
    pub fn remembering(mut self, pair: Option<Pair>) -> Self {
        self.pairing.wanted = pair;
        self
    }

    /// Folder of the network that the visitor wants to see.
    pub fn wanted(&self, slot: Slot) -> Option<&str> {
        self.pairing.wanted.as_ref().map(|pair| pair[slot.index()].as_str())
    }

    /// Folder of the network that a column shows: of the one that is loaded, before that of the one that will be.
    pub fn shown(&self, slot: Slot) -> Option<&str> {
        let pair = self.pairing.good.as_ref().or(self.pairing.wanted.as_ref())?;
        Some(&pair[slot.index()])
    }

    /// What a column's network is called.
    pub fn title(&self, slot: Slot) -> String {
        match (self.shown(slot), slot) {
            (Some(folder), _) => self.offer(folder).map_or(folder, |offer| &offer.title).to_owned(),
            (None, Slot::Left) => "Standard".into(),
            (None, Slot::Right) => "Hardened".into(),
        }
    }

    /// What the network is called that the visitor wants to see.
    pub fn wanted_title(&self, slot: Slot) -> String {
        let wanted = self.wanted(slot).unwrap_or_default();
        self.offer(wanted).map_or(wanted, |offer| &offer.title).to_owned()
    }

    /// What a column's network was trained on.
    pub fn training(&self, slot: Slot) -> Training {
        match (self.shown(slot), slot) {
            (Some(folder), _) => self.offer(folder).map_or(Training::Unknown, |offer| offer.training),
            (None, Slot::Left) => Training::Ordinary,
            (None, Slot::Right) => Training::Attacked,
        }
    }

    /// Whether there is anything to choose from.
    pub fn can_choose(&self) -> bool {
        self.networks.len() > 2
    }

    /// Whether none of the two networks is large.
    pub fn are_small(&self) -> bool {
        let is_small = |slot| self.shown(slot).and_then(|folder| self.offer(folder)).is_none_or(Offer::is_small);
        Slot::ALL.into_iter().all(is_small)
    }

    /// Whether trying again may help against what the page failed for.
    pub fn can_retry(&self) -> bool {
        self.pairing.listening && matches!(self.phase, Phase::Failed(_))
    }

    /// Whether the page is still without networks and says so at its head; what a chooser loads is told beside it.
    pub fn is_starting(&self) -> bool {
        !matches!(self.phase, Phase::Ready | Phase::Failed(_)) && !self.pairing.held
    }

    /// What is to be said of a wanted network that is not there yet.
    pub fn pending(&self, slot: Slot) -> Option<Pending> {
        let Choice { wanted, good, loading, trouble, listening, .. } = &self.pairing;
        let wanted = wanted.as_ref().filter(|_| *listening)?;
        let offer = self.offer(&wanted[slot.index()])?;
        let changes = good.as_ref().is_some_and(|good| good[slot.index()] != wanted[slot.index()]);
        if loading.as_ref().is_some_and(|(_, pair)| pair == wanted) {
            let told = changes || good.is_none() && !offer.is_small();
            return told.then_some(Pending::Loading);
        }
        match self.obstacle(wanted)? {
            // With no pair at all, it is said where the engine's failures are.
            Obstacle::Trouble => {
                let (_, why) = trouble.as_ref().filter(|(place, _)| *place == slot && good.is_some())?;
                Some(Pending::Failed(why.clone()))
            }
            Obstacle::OtherClasses => changes.then(|| Pending::Unfit(OTHER_CLASSES.into())),
            Obstacle::Size => self.must_ask(&wanted[slot.index()]).then(|| Pending::Asking(offer.clone())),
        }
    }

    fn offer(&self, folder: &str) -> Option<&Offer> {
        self.networks.iter().find(|network| network.folder == folder)?.offer.as_ref().ok()
    }

    fn must_ask(&self, folder: &str) -> bool {
        let agreed = self.pairing.agreed.iter().any(|agreed| agreed == folder);
        let held =
            self.pairing.held && self.pairing.good.as_ref().is_some_and(|good| good.iter().any(|it| it == folder));
        let here = |offer: &Offer| offer.is_small() || offer.kept_bytes >= offer.weights_bytes;
        !agreed && !held && !self.offer(folder).is_some_and(here)
    }

    fn obstacle(&self, pair: &Pair) -> Option<Obstacle> {
        let class_sets = pair.each_ref().map(|folder| self.offer(folder).map(|offer| offer.class_set));
        if self.pairing.trouble.is_some() {
            Some(Obstacle::Trouble)
        } else if class_sets[0] != class_sets[1] {
            Some(Obstacle::OtherClasses)
        } else if pair.iter().any(|folder| self.must_ask(folder)) {
            Some(Obstacle::Size)
        } else {
            None
        }
    }

    /// The engine has said what networks there are.
    pub(super) fn listed(&mut self, networks: Vec<Listed>) -> Vec<Effect> {
        self.networks = Arc::new(networks);
        self.pairing.listening = true;
        let good = self.pairing.good.take();
        self.pairing.good = good.filter(|pair| pair.iter().all(|folder| self.offer(folder).is_some()));
        self.pairing.wanted = self.usable_pair();
        if self.pairing.wanted.is_some() {
            return self.pursue();
        }
        let reasons: Vec<&str> =
            self.networks.iter().filter_map(|network| Some(network.offer.as_ref().err()?.as_str())).collect();
        self.phase = Phase::Failed(match reasons.is_empty() {
            true => {
                "Two networks are compared here, and models/index.json lists fewer. Export another one with `bastion \
                     export`, and build the page again."
                    .into()
            }
            false => reasons.join(" "),
        });
        Vec::new()
    }

    /// The wanted pair, with the first networks of the list in the place of what there is no more.
    fn usable_pair(&self) -> Option<Pair> {
        let usable: Vec<&str> =
            self.networks.iter().map(|it| it.folder.as_str()).filter(|it| self.offer(it).is_some()).collect();
        let mut pair = Slot::ALL.map(|slot| self.wanted(slot).filter(|folder| usable.contains(folder)));
        if pair[0] == pair[1] {
            pair[1] = None;
        }
        for slot in Slot::ALL {
            let other = pair[slot.other().index()];
            let class_set = |folder: &str| self.offer(folder).map(|offer| offer.class_set);
            let free = || usable.iter().copied().filter(|folder| Some(*folder) != other);
            let fits = |folder: &&str| other.is_none_or(|other| class_set(folder) == class_set(other));
            let place = &mut pair[slot.index()];
            *place = place.or_else(|| free().find(fits)).or_else(|| free().next());
        }
        let [left, right] = pair;
        Some([left?.to_owned(), right?.to_owned()])
    }

    /// The visitor wants another network in a place; not the one that stands in the other.
    pub(super) fn choose_network(&mut self, slot: Slot, folder: &str) -> Vec<Effect> {
        if self.offer(folder).is_none() || self.wanted(slot.other()) == Some(folder) {
            return Vec::new();
        }
        let Some(wanted) = &mut self.pairing.wanted else { return Vec::new() };
        wanted[slot.index()] = folder.to_owned();
        self.pairing.trouble = None;
        self.pairing.chosen = true;
        self.pursue()
    }

    /// The visitor agrees to the downloads that the wanted pair takes, or to try them again.
    pub(super) fn go_on(&mut self) -> Vec<Effect> {
        let Some(wanted) = &self.pairing.wanted else { return self.restart() };
        self.pairing.agreed.extend(wanted.iter().cloned());
        self.pairing.trouble = None;
        self.pursue()
    }

    /// The visitor stays with the pair that is there.
    pub(super) fn stay(&mut self) -> Vec<Effect> {
        self.pairing.trouble = None;
        self.pairing.agreed.clear();
        if let Some(good) = &self.pairing.good {
            self.pairing.agreed.extend(good.iter().cloned());
            self.pairing.wanted = Some(good.clone());
        }
        self.pursue()
    }

    /// Has the wanted pair loaded, or the good one while something is in the way of that.
    fn pursue(&mut self) -> Vec<Effect> {
        let Some(wanted) = self.pairing.wanted.clone().filter(|_| self.pairing.listening) else {
            return Vec::new();
        };
        let target = match (self.obstacle(&wanted), self.pairing.good.clone()) {
            (None, _) => wanted,
            (Some(_), Some(good)) => good,
            (Some(obstacle), None) => {
                self.phase = match (obstacle, &self.pairing.trouble) {
                    (Obstacle::Size, _) => Phase::Asking,
                    (Obstacle::Trouble, Some((_, why))) => Phase::Failed(why.clone()),
                    (Obstacle::OtherClasses | Obstacle::Trouble, _) => Phase::Failed(OTHER_CLASSES.into()),
                };
                let stops = self.pairing.loading.take().is_some();
                return stops.then_some(Effect::Post(Request::Cancel)).into_iter().collect();
            }
        };
        match &self.pairing.loading {
            Some((_, pair)) if *pair == target => Vec::new(),
            None if self.pairing.held && self.pairing.good.as_ref() == Some(&target) => Vec::new(),
            _ => self.load(target),
        }
    }

    fn load(&mut self, pair: Pair) -> Vec<Effect> {
        // An attack that a lost device interrupted goes on; one that the visitor's choice ends does not.
        let attack_again = self.attack_again && !self.pairing.held;
        self.drop_work();
        self.attack_again = attack_again;
        for slot in Slot::ALL.map(Slot::index) {
            if self.pairing.good.as_ref().is_some_and(|good| good[slot] != pair[slot]) {
                self.columns[slot] = Column::default();
            }
        }
        self.phase = Phase::Downloading;
        self.downloads = [None, None];
        let id = self.next_id();
        self.pairing.loading = Some((id, pair.clone()));
        vec![Effect::Post(Request::Load { id, pair })]
    }

    /// Whether the engine's words on a request to load are still of interest.
    pub(super) fn is_loading(&self, id: RequestId) -> bool {
        self.pairing.loading.as_ref().is_some_and(|(loading, _)| *loading == id)
    }

    /// A pair is loaded; gives what is to be remembered of that.
    pub(super) fn loaded(&mut self) -> Option<Effect> {
        let (_, pair) = self.pairing.loading.take()?;
        self.pairing.good = Some(pair.clone());
        self.pairing.held = true;
        if self.pairing.wanted.as_ref() != Some(&pair) {
            return None;
        }
        self.pairing.trouble = None;
        let usual = self.networks.iter().take(2).map(|network| &network.folder).eq(&pair);
        self.pairing.chosen.then(|| Effect::RememberPair((!usual).then_some(pair)))
    }

    /// A network of the pair that was to be loaded cannot be.
    pub(super) fn not_loaded(&mut self, slot: Slot, why: String) -> Vec<Effect> {
        let Some((_, pair)) = self.pairing.loading.take() else { return Vec::new() };
        self.pairing.held = false;
        self.pairing.trouble = Some((slot, why));
        if self.pairing.good.as_ref() == Some(&pair) {
            self.pairing.good = None;
        }
        self.pursue()
    }

    /// What failed may succeed with another device.
    pub(super) fn forget_trouble(&mut self) {
        self.pairing.trouble = None;
    }

    /// The engine crashed, which need not be tried again if it was over a network that is not needed.
    pub(super) fn crashed_while_loading(&mut self, why: &str) {
        let Choice { loading, good, trouble, .. } = &mut self.pairing;
        if let (Some((_, pair)), Some(good)) = (loading, good)
            && let Some(slot) = Slot::ALL.into_iter().find(|slot| pair[slot.index()] != good[slot.index()])
        {
            *trouble = Some((slot, why.to_owned()));
        }
    }

    /// A fresh engine holds no networks.
    pub(super) fn forget_engine(&mut self) {
        self.pairing.listening = false;
        self.pairing.held = false;
        self.pairing.loading = None;
    }

    /// The browser keeps so much of a network by now.
    pub(super) fn kept(&mut self, folder: &str, bytes: u64) {
        let networks = Arc::make_mut(&mut self.networks);
        let offers = networks.iter_mut().filter(|network| network.folder == folder);
        offers.filter_map(|network| network.offer.as_mut().ok()).for_each(|offer| offer.kept_bytes = bytes);
    }
}

impl Offer {
    /// Whether it is downloaded without a question.
    pub fn is_small(&self) -> bool {
        self.weights_bytes <= MAX_UNASKED_BYTES
    }
}
