//! The device, the networks and the picture they look at.

use burn::prelude::*;
use shared::bundle::{Bundle, Card};
use shared::device::{Backend, Engine};
use shared::image::Picture;

use super::clock::yield_now;
use super::error::{Ended, LoadError, StepError};
use super::inbox::Inbox;
use super::look::Known;
use super::models::Models;
use super::report::post;
use super::scores::Network;
use super::{catalogue, messages, models};
use protocol::text::sentence;
use protocol::{Catalogue, OTHER_CLASSES, Pair, Reply, RequestId, Slot};

/// An engine at work.
pub(crate) struct Session {
    engine: Engine,
    models: Models,
    /// Left and right; none before it is loaded, and while another takes its place.
    loaded: [Option<Loaded>; 2],
    /// The picture opened last, not disturbed.
    pub(crate) source: Option<Picture>,
    pub(crate) opened: Option<Opened>,
}

/// A network on the device.
struct Loaded {
    /// Its folder.
    name: String,
    bundle: Bundle,
    /// Whether this browser keeps its files.
    kept: bool,
    /// Its detectors that are fetched.
    detectors: Vec<Known>,
    /// Whether they are all of its detectors.
    has_all_detectors: bool,
}

/// The picture that the networks see, and what they take it for.
pub(crate) struct Opened {
    /// Disturbed, where the visitor wants it to be.
    pub(crate) picture: Picture,
    /// Best class of each network, left and right.
    pub(crate) clean: [usize; 2],
}

impl Session {
    pub(crate) fn new(engine: Engine, models: Models) -> Self {
        Self { engine, models, loaded: [None, None], source: None, opened: None }
    }

    pub(crate) fn device(&self) -> &Device {
        &self.engine.device
    }

    /// Returns the networks, left and right, as far as they are loaded; none if none is.
    pub(crate) fn bundles(&self) -> Option<[Option<&Bundle>; 2]> {
        let bundles = self.loaded.each_ref().map(|loaded| loaded.as_ref().map(|loaded| &loaded.bundle));
        bundles.iter().any(Option::is_some).then_some(bundles)
    }

    /// Returns the networks that the server has.
    pub(crate) fn models(&self) -> &Models {
        &self.models
    }

    /// Returns the detectors of the network in `slot`, as far as they are fetched.
    pub(crate) fn detectors(&self, slot: Slot) -> &[Known] {
        self.loaded[slot.index()].as_ref().map_or(&[], |loaded| &loaded.detectors)
    }

    /// Returns folder and card of the network in `slot`, if it is there and not all of its detectors are.
    pub(crate) fn without_detectors(&self, slot: Slot) -> Option<(String, Card)> {
        let loaded = self.loaded[slot.index()].as_ref().filter(|loaded| !loaded.has_all_detectors)?;
        Some((loaded.name.clone(), loaded.bundle.card.clone()))
    }

    /// Gives the network in `slot` its detectors.
    pub(crate) fn set_detectors(&mut self, slot: Slot, detectors: Vec<Known>, are_all: bool) {
        if let Some(loaded) = &mut self.loaded[slot.index()] {
            (loaded.detectors, loaded.has_all_detectors) = (detectors, are_all);
        }
    }

    /// Returns the picture and the networks, if they are there.
    pub(crate) fn opened_and_loaded(&self) -> Option<(&Opened, [Option<&Bundle>; 2])> {
        Some((self.opened.as_ref()?, self.bundles()?))
    }

    /// Loads two networks, but for what is loaded already. Ends early if a newer request waits that ends it; a part of the
    /// weights that is here by then is kept.
    pub(crate) async fn load(&mut self, id: RequestId, pair: &Pair, inbox: &Inbox) {
        if let Some(outcome) = inbox.unless_ended(self.load_both(id, pair)).await {
            post(&outcome.map_or_else(|reply| reply, |catalogue| Reply::Ready { id, catalogue: Box::new(catalogue) }));
        }
        // Also where no answer of the download will come.
        self.tell_kept(pair).await;
    }

    /// Loads both networks; or one, where there was no pair before that the page can go back to.
    ///
    /// # Errors
    ///
    /// The reply that says why not.
    async fn load_both(&mut self, id: RequestId, pair: &Pair) -> Result<Catalogue, Reply> {
        let not_loaded = |slot, message| Reply::NotLoaded { id, slot, message };
        let had_pair = self.loaded.iter().all(Option::is_some);
        let cards = pair.each_ref().map(|name| self.models.known_card(name));
        // Before anything is downloaded in vain.
        if let [Ok(left), Ok(right)] = &cards
            && left.classes != right.classes
        {
            let changed = |slot: Slot| {
                let loaded = &self.loaded[slot.index()];
                loaded.as_ref().is_none_or(|loaded| loaded.name != pair[slot.index()])
            };
            let slot = Slot::ALL.into_iter().find(|slot| changed(*slot)).unwrap_or(Slot::Right);
            return Err(not_loaded(slot, OTHER_CLASSES.into()));
        }
        let mut failures = [None, None];
        for slot in Slot::ALL {
            match self.load_one(id, slot, &pair[slot.index()]).await {
                Ok(()) => {}
                Err(LoadError::Device(reason)) => return Err(Reply::WebGpuFailed(reason)),
                Err(LoadError::Bundle(message)) if had_pair => return Err(not_loaded(slot, message)),
                Err(LoadError::Bundle(message)) => {
                    self.loaded[slot.index()] = None;
                    failures[slot.index()] = Some(message);
                }
            }
        }
        let there: Vec<&Loaded> = self.loaded.iter().flatten().collect();
        let Some(first) = there.first() else {
            return Err(not_loaded(Slot::Left, failures.into_iter().flatten().collect::<Vec<_>>().join(" ")));
        };
        if there.iter().any(|loaded| loaded.bundle.card.classes != first.bundle.card.classes) {
            // One is an older network that was kept: the cards that are listed agree.
            return Err(not_loaded(Slot::Right, OTHER_CLASSES.into()));
        }
        let titles: Vec<String> = there.iter().map(|loaded| self.models.title(&loaded.name)).collect();
        let networks = titles.iter().zip(&there);
        let mut networks = networks.map(|(title, loaded)| Network { title, card: &loaded.bundle.card });
        let kept = there.iter().all(|loaded| loaded.kept);
        // A place without a failure has a network.
        let described = failures.map(|why| why.map_or_else(|| networks.next().ok_or_else(String::new), Err));
        Ok(catalogue::catalogue(described, kept))
    }

    /// Loads the network of one place. What it replaces is freed first, once all that is needed is here.
    ///
    /// # Errors
    ///
    /// [`LoadError::Device`] if WebGPU fails, and [`LoadError::Bundle`], with a text for the visitor, for all else.
    async fn load_one(&mut self, id: RequestId, slot: Slot, name: &str) -> Result<(), LoadError> {
        if self.loaded[slot.index()].as_ref().is_some_and(|loaded| loaded.name == *name) {
            return Ok(());
        }
        let tell = |download| post(&Reply::Download { id, download });
        let files = self.models.fetch(slot, name, &tell).await.map_err(LoadError::Bundle)?;
        self.opened = None;
        self.source = None;
        if self.loaded[slot.index()].take().is_some() {
            // A backend keeps what was freed for the next tensors; those of another network are of other sizes.
            self.device().memory_cleanup();
        }
        post(&Reply::SelfTest { id, slot });
        // Loading computes without a pause, and the message is delivered only in one.
        yield_now().await;
        let bundle = models::load(name, &files, self.device()).await.map_err(|error| match error {
            LoadError::Device(reason) if self.engine.backend != Backend::WebGpu => {
                LoadError::Bundle(messages::fails_on_cpu(name, &reason))
            }
            error => error,
        })?;
        self.loaded[slot.index()] = Some(Loaded {
            name: name.to_owned(),
            bundle,
            kept: files.kept,
            detectors: vec![],
            has_all_detectors: false,
        });
        Ok(())
    }

    async fn tell_kept(&self, pair: &Pair) {
        for folder in pair {
            let bytes = self.models.kept_bytes(folder).await;
            post(&Reply::Kept { folder: folder.clone(), bytes });
        }
    }

    /// Reports to the page that the device failed at a request.
    pub(crate) fn fail(&self, id: RequestId, error: &dyn std::fmt::Display) {
        post(&match self.engine.backend {
            Backend::WebGpu => Reply::WebGpuFailed(sentence(&error.to_string())),
            _ => Reply::Refused { id, message: sentence(&format!("The computation failed: {error}")) },
        });
    }

    /// Reports to the page why work of several steps ended early: nothing if a newer request waits.
    pub(crate) fn ended(&self, id: RequestId, ended: Ended) {
        match ended {
            Ended::Interrupted => {}
            Ended::Failed(StepError::Attack(error)) => {
                post(&Reply::Refused { id, message: sentence(&format!("This attack cannot be run: {error}")) });
            }
            Ended::Failed(error) => self.fail(id, &error),
        }
    }
}
