//! What the page says of the choice: which networks it shows, and what becomes of those that are wanted.

use super::{Choice, Obstacle};
use crate::state::{Phase, State};
use protocol::{OTHER_CLASSES, Offer, Slot, Training};

/// Largest weights that are downloaded without a question, in bytes.
const MAX_UNASKED_BYTES: u64 = 10_000_000;

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
    /// Returns the name in attributes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Asking(_) => "asking",
            Self::Loading => "loading",
            Self::Unfit(_) => "unfit",
            Self::Failed(_) => "failed",
        }
    }
}

impl State {
    /// Returns the folder of the network that the visitor wants to see.
    pub fn wanted(&self, slot: Slot) -> Option<&str> {
        self.pairing.wanted.as_ref().map(|pair| pair[slot.index()].as_str())
    }

    /// Returns the folder of the network that a column shows: of the one that is loaded, before that of the one that will be.
    pub fn shown(&self, slot: Slot) -> Option<&str> {
        let pair = self.pairing.good.as_ref().or(self.pairing.wanted.as_ref())?;
        Some(&pair[slot.index()])
    }

    /// Returns what a column's network is called.
    pub fn title(&self, slot: Slot) -> String {
        match (self.shown(slot), slot) {
            (Some(""), _) => "No network".into(),
            (Some(folder), _) => self.offer(folder).map_or(folder, |offer| &offer.title).to_owned(),
            (None, Slot::Left) => "Standard".into(),
            (None, Slot::Right) => "Hardened".into(),
        }
    }

    /// Returns what the network is called that the visitor wants to see.
    pub fn wanted_title(&self, slot: Slot) -> String {
        let wanted = self.wanted(slot).unwrap_or_default();
        self.offer(wanted).map_or(wanted, |offer| &offer.title).to_owned()
    }

    /// Returns what a column's network was trained on.
    pub fn training(&self, slot: Slot) -> Training {
        match (self.shown(slot), slot) {
            (Some(folder), _) => self.offer(folder).map_or(Training::Unknown, |offer| offer.training),
            (None, Slot::Left) => Training::Ordinary,
            (None, Slot::Right) => Training::Attacked,
        }
    }

    /// Tells whether there is anything to choose from.
    pub fn can_choose(&self) -> bool {
        self.networks.len() > 2
    }

    /// Tells whether none of the two networks is large.
    pub fn are_small(&self) -> bool {
        let offered = |slot| self.shown(slot).and_then(|folder| self.offer(folder));
        Slot::ALL.into_iter().all(|slot| offered(slot).is_none_or(is_small))
    }

    /// Tells whether the engine is there and lacks networks, where it cannot do its work.
    pub fn lacks_networks(&self) -> bool {
        self.pairing.listening
    }

    /// Tells whether the page is still without networks and says so at its head; what a chooser loads is said beside it.
    pub fn is_starting(&self) -> bool {
        !matches!(self.engine.phase, Phase::Ready | Phase::Failed(_)) && !self.pairing.held
    }

    /// Returns what is to be said of a wanted network that is not there yet.
    pub fn pending(&self, slot: Slot) -> Option<Pending> {
        let Choice { wanted, good, loading, trouble, listening, .. } = &self.pairing;
        let wanted = wanted.as_ref().filter(|_| *listening)?;
        let alone = self.missing(slot).filter(|_| loading.is_none() && good.as_ref() == Some(wanted));
        if let Some(why) = alone {
            return Some(Pending::Failed(why.to_owned()));
        }
        let offer = self.offer(&wanted[slot.index()])?;
        let changes = good.as_ref().is_some_and(|good| good[slot.index()] != wanted[slot.index()]);
        if loading.as_ref().is_some_and(|(_, pair)| pair == wanted) {
            let told = changes || self.missing(slot).is_some() || good.is_none() && !is_small(offer);
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
}

/// Tells whether a network is small enough to be downloaded without a question.
pub(super) fn is_small(offer: &Offer) -> bool {
    offer.weights_bytes <= MAX_UNASKED_BYTES
}
