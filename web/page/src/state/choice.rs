//! Which two networks stand side by side.
//!
//! The visitor wants a pair; the engine holds one, or none yet. Where they differ, the wanted one is loaded unless something is
//! in the way: it is large and the visitor has not agreed to the download, its networks do not know the same classes, or it
//! failed. Meanwhile the pair that was good last stays.

mod pending;

use std::sync::Arc;

pub use pending::Pending;

use super::{Column, Effect, Phase, State};
use protocol::{Listed, OTHER_CLASSES, Offer, Pair, Request, RequestId, Slot};

/// What is in the way of the wanted pair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Obstacle {
    /// It was tried and failed.
    Trouble,
    OtherClasses,
    /// The visitor has to agree to a download.
    Size,
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
    /// Returns the same page with the pair that was wanted on the visit before.
    #[must_use]
    pub fn remembering(mut self, pair: Option<Pair>) -> Self {
        self.pairing.wanted = pair;
        self
    }

    fn offer(&self, folder: &str) -> Option<&Offer> {
        self.networks.iter().find(|network| network.folder == folder)?.offer.as_ref().ok()
    }

    fn must_ask(&self, folder: &str) -> bool {
        let agreed = self.pairing.agreed.iter().any(|agreed| agreed == folder);
        let held =
            self.pairing.held && self.pairing.good.as_ref().is_some_and(|good| good.iter().any(|it| it == folder));
        let here = |offer: &Offer| pending::is_small(offer) || offer.kept_bytes >= offer.weights_bytes;
        !agreed && !held && !self.offer(folder).is_none_or(here)
    }

    fn obstacle(&self, pair: &Pair) -> Option<Obstacle> {
        let class_sets = pair.each_ref().map(|folder| self.offer(folder).map(|offer| offer.class_set));
        if self.pairing.trouble.is_some() {
            Some(Obstacle::Trouble)
        } else if matches!(class_sets, [Some(left), Some(right)] if left != right) {
            Some(Obstacle::OtherClasses)
        } else if pair.iter().any(|folder| self.must_ask(folder)) {
            Some(Obstacle::Size)
        } else {
            None
        }
    }

    /// Takes the list of the networks there are.
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
        self.engine.phase = Phase::Failed(match reasons.is_empty() {
            true => {
                "models/index.json lists no network. Export two with `bastion export`, and build the page again.".into()
            }
            false => reasons.join(" "),
        });
        Vec::new()
    }

    /// Returns the wanted pair, with the first networks of the list in the place of what there is no more; one network beside what
    /// cannot be used, if there is only one.
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
        if let [only] = usable[..] {
            let folders = || self.networks.iter().map(|it| it.folder.as_str());
            let other = folders().find(|folder| *folder != only).unwrap_or_default();
            let is_wanted = |slot| self.wanted(slot) == Some(only);
            let left = is_wanted(Slot::Left) || folders().next() == Some(only) && !is_wanted(Slot::Right);
            return Some(if left { [only, other] } else { [other, only] }.map(str::to_owned));
        }
        let [left, right] = pair;
        Some([left?.to_owned(), right?.to_owned()])
    }

    /// Returns why a place has no network while the other network works alone.
    pub fn missing(&self, slot: Slot) -> Option<&str> {
        let models = self.models.as_ref().filter(|_| self.pairing.held)?;
        models[slot.index()].as_ref().err().map(String::as_str)
    }

    fn is_alone(&self) -> bool {
        Slot::ALL.into_iter().any(|slot| self.missing(slot).is_some())
    }

    /// Tells whether another pair than the one that is being loaded was good.
    pub(super) fn has_other_pair(&self) -> bool {
        let Choice { good, loading, .. } = &self.pairing;
        good.as_ref().is_some_and(|good| loading.as_ref().is_some_and(|(_, pair)| pair != good))
    }

    /// Takes the visitor's choice of a network for a place, unless it stands in the other.
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

    /// Takes the visitor's consent to download the wanted pair, or to try that again.
    pub(super) fn go_on(&mut self) -> Vec<Effect> {
        let known = |pair: &Pair| pair.iter().all(|folder| self.offer(folder).is_some());
        let Some(wanted) = self.pairing.wanted.clone().filter(|pair| self.pairing.listening && known(pair)) else {
            // A fresh engine asks the server anew which networks there are.
            self.engine.cpu_restarts = 0;
            return self.restart();
        };
        self.pairing.agreed.extend(wanted.iter().cloned());
        self.pairing.trouble = None;
        self.pursue()
    }

    /// Takes the visitor's choice to stay with the pair that is there.
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
                self.engine.phase = match (obstacle, &self.pairing.trouble) {
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
            None if self.pairing.held && self.pairing.good.as_ref() == Some(&target) && !self.is_alone() => Vec::new(),
            _ => self.load(target),
        }
    }

    fn load(&mut self, pair: Pair) -> Vec<Effect> {
        // An attack that a lost device interrupted goes on; one that the visitor's choice ends does not.
        let attack_again = self.attack.resume && !self.pairing.held;
        self.drop_work();
        self.attack.resume = attack_again;
        for slot in Slot::ALL.map(Slot::index) {
            if self.pairing.good.as_ref().is_some_and(|good| good[slot] != pair[slot]) {
                self.columns[slot] = Column::default();
            }
        }
        self.engine.phase = Phase::Downloading;
        self.engine.downloads = [None, None];
        let id = self.next_id();
        self.pairing.loading = Some((id, pair.clone()));
        vec![Effect::Post(Request::Load { id, pair })]
    }

    /// Tells whether the engine's words on a request to load are still of interest.
    pub(super) fn is_loading(&self, id: RequestId) -> bool {
        self.pairing.loading.as_ref().is_some_and(|(loading, _)| *loading == id)
    }

    /// Notes that a pair is loaded; returns what is to be remembered of that.
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

    /// Notes that a network of the pair cannot be loaded.
    pub(super) fn not_loaded(&mut self, slot: Slot, why: String) -> Vec<Effect> {
        let Some((_, pair)) = self.pairing.loading.take() else { return Vec::new() };
        self.pairing.held = false;
        self.pairing.trouble = Some((slot, why));
        if self.pairing.good.as_ref() == Some(&pair) {
            self.pairing.good = None;
        }
        self.pursue()
    }

    /// Forgets what failed, which may succeed with another device.
    pub(super) fn forget_trouble(&mut self) {
        self.pairing.trouble = None;
    }

    /// Blames a failure while loading on the new network, if another pair was good before, with which a fresh engine
    /// begins. Tells whether there was one.
    pub(super) fn blames_new_network(&mut self, why: &str) -> bool {
        let Choice { loading: Some((_, pair)), good: Some(good), trouble, .. } = &mut self.pairing else {
            return false;
        };
        let tested = match self.engine.phase {
            Phase::SelfTesting(slot) => Some(slot),
            _ => None,
        };
        let new = tested.into_iter().chain(Slot::ALL).find(|slot| pair[slot.index()] != good[slot.index()]);
        let Some(slot) = new else { return false };
        *trouble = Some((slot, why.to_owned()));
        true
    }

    /// Forgets the networks, of which a fresh engine holds none.
    pub(super) fn forget_engine(&mut self) {
        self.pairing.listening = false;
        self.pairing.held = false;
        self.pairing.loading = None;
    }

    /// Notes how many bytes of a network the browser keeps.
    pub(super) fn kept(&mut self, folder: &str, bytes: u64) {
        let networks = Arc::make_mut(&mut self.networks);
        let offers = networks.iter_mut().filter(|network| network.folder == folder);
        offers.filter_map(|network| network.offer.as_mut().ok()).for_each(|offer| offer.kept_bytes = bytes);
    }
}
