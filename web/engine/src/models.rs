//! The networks that the server has: listed, fetched, loaded to the device and checked there.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use burn::prelude::Device;
use shared::bundle::{Bundle, BundleError, Card, Part};
use shared::index::is_folder_name;

use super::cache::CacheShelf;
use super::catalogue;
use super::download::Server;
use super::error::LoadError;
use super::files::{Files, Library, ReadCard};
use super::index;
use super::messages;
use protocol::{Download, Listed, Slot};

/// The networks there are.
pub(crate) struct Models {
    /// Address of `models/`, with a slash at its end.
    folder: String,
    /// None in a browser that keeps nothing.
    shelf: Option<CacheShelf>,
    networks: Vec<Network>,
}

/// A network, and what is known of it before it is loaded.
struct Network {
    name: String,
    card: Result<ReadCard, String>,
}

impl Models {
    /// Asks the server at `base`, which ends with a slash, which networks it has, and each for its card.
    pub(crate) async fn list(base: &str) -> Self {
        let shelf = CacheShelf::open().await;
        let folder = format!("{base}models/");
        let names = index::names(&folder, &Server, shelf.as_ref()).await;
        let mut models = Self { folder, shelf, networks: Vec::new() };
        let cards = join_all(names.iter().map(|name| models.card(name))).await;
        models.networks = names.into_iter().zip(cards).map(|(name, card)| Network { name, card }).collect();
        models
    }

    /// Describes the networks for the page.
    pub(crate) async fn listed(&self) -> Vec<Listed> {
        let mut kept_bytes = Vec::with_capacity(self.networks.len());
        for network in &self.networks {
            kept_bytes.push(self.kept_bytes(&network.name).await);
        }
        let networks = self.networks.iter().map(|network| {
            let card = network.card.as_ref().map(|read| &read.card).map_err(Clone::clone);
            (network.name.as_str(), card)
        });
        catalogue::listed(&networks.collect::<Vec<_>>(), &kept_bytes)
    }

    /// Returns what the page calls a network.
    pub(crate) fn title(&self, name: &str) -> String {
        let cards = self.networks.iter().filter_map(|network| Some(&network.card.as_ref().ok()?.card));
        match self.known_card(name) {
            Ok(card) => catalogue::title(name, card, &cards.collect::<Vec<_>>()),
            Err(_) => name.to_owned(),
        }
    }

    /// Returns how many bytes of a network's weights this browser keeps.
    pub(crate) async fn kept_bytes(&self, name: &str) -> u64 {
        match self.network(name).map(|network| &network.card) {
            Some(Ok(read)) => self.library(name).kept_bytes(&read.card).await,
            _ => 0,
        }
    }

    /// Returns a network's card, if it has one.
    ///
    /// # Errors
    ///
    /// A text for the visitor.
    pub(crate) fn known_card(&self, name: &str) -> Result<&Card, String> {
        let network = self.network(name).ok_or_else(|| messages::unknown(name))?;
        network.card.as_ref().map(|read| &read.card).map_err(Clone::clone)
    }

    /// Gets a network's files. `tell` is given the progress.
    ///
    /// # Errors
    ///
    /// A text for the visitor.
    pub(crate) async fn fetch(&mut self, slot: Slot, name: &str, tell: &dyn Fn(Download)) -> Result<Files, String> {
        self.known_card(name)?;
        let Some(Network { card: Ok(read), .. }) = self.network(name) else {
            return Err(messages::unknown(name));
        };
        let fetched = self.library(name).fetch(slot, read, tell).await;
        if fetched.is_err() {
            // Perhaps the server has another network by now: the next try begins with its card.
            let card = self.card(name).await;
            if let Some(network) = self.networks.iter_mut().find(|network| network.name == name && card.is_ok()) {
                network.card = card;
            }
        }
        fetched
    }

    /// Gets a small file that a network's card describes besides the weights.
    ///
    /// # Errors
    ///
    /// A text for the visitor.
    pub(crate) async fn part(&self, name: &str, part: &Part) -> Result<Vec<u8>, String> {
        self.library(name).part(part).await
    }

    fn network(&self, name: &str) -> Option<&Network> {
        self.networks.iter().find(|network| network.name == name)
    }

    async fn card(&self, name: &str) -> Result<ReadCard, String> {
        if is_folder_name(name) { self.library(name).card().await } else { Err(messages::no_folder_name(name)) }
    }

    fn library<'a>(&'a self, name: &'a str) -> Library<'a, Server, CacheShelf> {
        let folder = format!("{}{name}/", self.folder);
        Library { network: name, folder, server: &Server, shelf: self.shelf.as_ref() }
    }
}

/// Loads a network to the device and checks that it computes there what it should.
///
/// # Errors
///
/// [`LoadError`], with a text for the visitor.
pub(crate) async fn load(name: &str, files: &Files, device: &Device) -> Result<Bundle, LoadError> {
    Bundle::load(&files.card_json, &files.weights, device).await.map_err(|error| match error {
        BundleError::ProbeDiffers { what, difference, .. } => {
            LoadError::Device(format!("in the self-test its {what} were off by {:.2}%.", 100.0 * difference))
        }
        BundleError::Device(reason) => {
            LoadError::Device(format!("it failed during the self-test ({})", reason.trim_end_matches('.')) + ".")
        }
        error => LoadError::Bundle(messages::unusable(name, &error)),
    })
}

/// Waits for all of them at once.
async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, output) in waiting.iter_mut().zip(&mut outputs).filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                *output = Some(value);
            }
        }
        if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_waited_for_in_their_order() {
        let later = |rounds: u32| {
            let mut left = rounds;
            poll_fn(move |context| {
                left -= 1;
                context.waker().wake_by_ref();
                if left == 0 { Poll::Ready(rounds) } else { Poll::Pending }
            })
        };
        assert_eq!(pollster::block_on(join_all([3, 1, 2].map(later))), [3, 1, 2]);
    }
}
