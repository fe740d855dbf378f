//! The device, the networks and the picture they look at.

use burn::prelude::*;
use shared::bundle::Bundle;
use shared::device::{Backend, Engine};
use shared::image::Picture;

use super::clock::yield_now;
use super::error::LoadError;
use super::inbox::Inbox;
use super::models::Models;
use super::report::post;
use super::scores::Network;
use super::{catalogue, messages, models};
use protocol::{OTHER_CLASSES, Pair, Reply, RequestId, Slot};

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

    /// Returns both networks, left and right, if they are loaded.
    pub(crate) fn bundles(&self) -> Option<[&Bundle; 2]> {
        let [Some(left), Some(right)] = &self.loaded else { return None };
        Some([&left.bundle, &right.bundle])
    }

    /// Returns the picture and both networks, if they are there.
    pub(crate) fn opened_and_loaded(&self) -> Option<(&Opened, [&Bundle; 2])> {
        Some((self.opened.as_ref()?, self.bundles()?))
    }

    /// Loads two networks, but for what is loaded already. Ends early if a newer request waits that ends it; a part of the
    /// weights that is here by then is kept.
    pub(crate) async fn load(&mut self, id: RequestId, pair: &Pair, inbox: &Inbox) {
        if inbox.unless_ended(self.load_both(id, pair)).await.is_none() {
            // No answer of the download will come: report how much of it is kept.
            self.tell_kept(pair).await;
        }
    }

    async fn load_both(&mut self, id: RequestId, pair: &Pair) {
        for slot in Slot::ALL {
            if let Err(reply) = self.load_one(id, slot, pair).await {
                post(&reply);
                self.tell_kept(pair).await;
                return;
            }
        }
        self.tell_kept(pair).await;
        let [Some(left), Some(right)] = &self.loaded else { return };
        if left.bundle.card.classes != right.bundle.card.classes {
            // One is an older network that was kept: the cards that are listed agree.
            post(&Reply::NotLoaded { id, slot: Slot::Right, message: OTHER_CLASSES.into() });
            return;
        }
        let [left_title, right_title] = [left, right].map(|loaded| self.models.title(&loaded.name));
        let networks = [
            Network { title: &left_title, card: &left.bundle.card },
            Network { title: &right_title, card: &right.bundle.card },
        ];
        let catalogue = Box::new(catalogue::catalogue(networks, left.kept && right.kept));
        post(&Reply::Ready { id, catalogue });
    }

    /// Loads the network of one place. What it replaces is freed first, once all that is needed is here.
    ///
    /// # Errors
    ///
    /// The reply that says why not.
    async fn load_one(&mut self, id: RequestId, slot: Slot, pair: &Pair) -> Result<(), Reply> {
        let name = &pair[slot.index()];
        if self.loaded[slot.index()].as_ref().is_some_and(|loaded| loaded.name == *name) {
            return Ok(());
        }
        let not_loaded = |message| Reply::NotLoaded { id, slot, message };
        let other = self.models.known_card(&pair[slot.other().index()]);
        // Before anything is downloaded in vain.
        if self.models.known_card(name).is_ok_and(|card| other.is_ok_and(|other| other.classes != card.classes)) {
            return Err(not_loaded(OTHER_CLASSES.into()));
        }
        let tell = |download| post(&Reply::Download { id, download });
        let files = self.models.fetch(slot, name, &tell).await.map_err(not_loaded)?;
        self.opened = None;
        self.source = None;
        if self.loaded[slot.index()].take().is_some() {
            // A backend keeps what was freed for the next tensors; those of another network are of other sizes.
            self.device().memory_cleanup();
        }
        post(&Reply::SelfTest { id, slot });
        // Loading computes without a pause, and the message is delivered only in one.
        yield_now().await;
        let bundle = match models::load(name, &files, self.device()).await {
            Ok(bundle) => bundle,
            Err(LoadError::Device(reason)) if self.engine.backend == Backend::WebGpu => {
                return Err(Reply::WebGpuFailed(reason));
            }
            Err(LoadError::Device(reason)) => return Err(not_loaded(messages::fails_on_cpu(name, &reason))),
            Err(LoadError::Bundle(reason)) => return Err(not_loaded(reason)),
        };
        self.loaded[slot.index()] = Some(Loaded { name: name.clone(), bundle, kept: files.kept });
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
            Backend::WebGpu => Reply::WebGpuFailed(format!("{error}.")),
            _ => Reply::Refused { id, message: format!("The computation failed: {error}.") },
        });
    }
}
