//! The networks that the server has: listed, fetched, loaded to the device and checked there.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use burn::prelude::Device;
use serde::Deserialize;
use shared::bundle::{Bundle, BundleError, Card};

use super::cache::CacheShelf;
use super::catalogue;
use super::complaint;
use super::download::{FetchError, Freshness, Server};
use super::files::{Files, Library, ReadCard, Shelf, Source};
use web::protocol::{Download, Listed, Slot};

/// Why a network cannot be used.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// The device computes it wrongly or not at all; how, in the end of a sentence.
    Device(String),
    /// Its files are wrong.
    Bundle(String),
}

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
        let names = index(&format!("{folder}{INDEX}"), &Server, shelf.as_ref()).await;
        let mut models = Self { folder, shelf, networks: Vec::new() };
        let cards = join_all(names.iter().map(|name| models.card(name))).await;
        models.networks = names.into_iter().zip(cards).map(|(name, card)| Network { name, card }).collect();
        models
    }

    /// What the page is told of them.
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

    /// What the page calls a network.
    pub(crate) fn title(&self, name: &str) -> String {
        let cards = self.networks.iter().filter_map(|network| Some(&network.card.as_ref().ok()?.card));
        match self.known_card(name) {
            Ok(card) => catalogue::title(name, card, &cards.collect::<Vec<_>>()),
            Err(_) => name.to_owned(),
        }
    }

    /// How many bytes of a network's weights this browser keeps.
    pub(crate) async fn kept_bytes(&self, name: &str) -> u64 {
        match self.network(name).map(|network| &network.card) {
            Some(Ok(read)) => self.library(name).kept_bytes(&read.card).await,
            _ => 0,
        }
    }

    /// A network's card, if it has one.
    ///
    /// # Errors
    ///
    /// A text for the visitor.
    pub(crate) fn known_card(&self, name: &str) -> Result<&Card, String> {
        let network = self.network(name).ok_or_else(|| format!("There is no network called {name}."))?;
        network.card.as_ref().map(|read| &read.card).map_err(Clone::clone)
    }

    /// Gets a network's files. `tell` hears how far that is.
    ///
    /// # Errors
    ///
    /// A text for the visitor.
    pub(crate) async fn fetch(&mut self, slot: Slot, name: &str, tell: &dyn Fn(Download)) -> Result<Files, String> {
        self.known_card(name)?;
        let Some(Network { card: Ok(read), .. }) = self.network(name) else {
            return Err(format!("There is no network called {name}."));
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

    fn network(&self, name: &str) -> Option<&Network> {
        self.networks.iter().find(|network| network.name == name)
    }

    async fn card(&self, name: &str) -> Result<ReadCard, String> {
        if is_folder_name(name) { self.library(name).card().await } else { Err(complaint::no_folder_name(name)) }
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
        BundleError::Device(reason) => LoadError::Device(format!("it failed during the self-test ({reason}).")),
        error => LoadError::Bundle(complaint::unusable(name, &error)),
    })
}

/// Name of the list, in the folder of the networks' folders.
const INDEX: &str = "index.json";

/// The networks there are where there is no list.
const DEFAULTS: [&str; 2] = ["standard", "hardened"];

/// The list of networks.
#[derive(Deserialize)]
struct Index {
    /// Names of folders beside it; the first two stand side by side at first.
    models: Vec<String>,
}

impl Index {
    /// Each name once.
    fn read(json: &[u8]) -> Result<Vec<String>, String> {
        let Self { models } = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let mut names: Vec<String> = Vec::with_capacity(models.len());
        for name in models {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// The names in the list at `address`: the server's, or the kept one where it gives none, or else the usual two.
async fn index(address: &str, server: &impl Source, shelf: Option<&impl Shelf>) -> Vec<String> {
    let mut json = Vec::new();
    let answer = server.get(address, Freshness::Revalidate, &mut json, |_| {}).await;
    let trouble = match &answer {
        Ok(()) => match Index::read(&json) {
            Ok(names) => {
                keep_index(address, &json, shelf).await;
                return names;
            }
            Err(error) => format!("it is no list of networks ({error})"),
        },
        Err(error) => error.to_string(),
    };
    let gone = matches!(answer, Err(FetchError::Status { status }) if status < 500);
    let mut kept = Vec::new();
    let found = match shelf {
        Some(shelf) if !gone => shelf.get(address, &mut kept).await,
        _ => false,
    };
    if let Some(names) = Index::read(&kept).ok().filter(|_| found) {
        return names;
    }
    log::warn!("models/{INDEX}: {trouble}; the networks {} are looked for", DEFAULTS.join(" and "));
    DEFAULTS.map(str::to_owned).into()
}

/// Keeps the list for a visit without a network, unless it is kept already. Where there is no room, the usual two are found.
async fn keep_index(address: &str, json: &[u8], shelf: Option<&impl Shelf>) {
    if let Some(shelf) = shelf {
        let mut before = Vec::new();
        if !shelf.get(address, &mut before).await || before != json {
            shelf.put(address, json).await;
        }
    }
}

/// Whether a name is that of a folder beside the list, and means in an address what it says.
fn is_folder_name(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
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
    use crate::files::tests::{Answer, FakeServer, FakeShelf};

    const ADDRESS: &str = "http://page/models/index.json";

    fn names(answer: Option<Answer>, shelf: &FakeShelf) -> Vec<String> {
        let server = FakeServer::at(answer.map(|answer| (ADDRESS, answer)));
        pollster::block_on(index(ADDRESS, &server, Some(shelf)))
    }

    fn list(json: &str) -> Option<Answer> {
        Some(Answer::File(json.as_bytes().to_vec()))
    }

    #[test]
    fn the_list_names_each_network_once_and_is_kept() {
        let shelf = FakeShelf::default();
        let three = ["wide", "standard", "narrow"];
        assert_eq!(names(list(r#"{"models": ["wide", "standard", "wide", "narrow"]}"#), &shelf), three);
        assert_eq!(names(None, &shelf), three, "without a network");
        assert_eq!(names(list("<!doctype html>"), &shelf), three, "the page of a hotel");
        assert_eq!(names(Some(Answer::Status(404)), &shelf), DEFAULTS, "it was taken away");
    }

    #[test]
    fn without_a_list_there_are_the_usual_two() {
        let answers = [None, Some(Answer::Status(404)), list("[]"), list(r#"{"models": "standard"}"#), list("")];
        for answer in answers {
            assert_eq!(names(answer, &FakeShelf::default()), DEFAULTS);
        }
    }

    #[test]
    fn only_names_of_folders_beside_the_list_are_asked_for() {
        for name in ["standard", "wide_resnet50-2", "v1.5"] {
            assert!(is_folder_name(name), "{name}");
        }
        for name in ["", ".", "..", ".git", "a/b", "../samples", "a\\b", "http://a", "a?b", "a#b", "%2e%2e", "a b"] {
            assert!(!is_folder_name(name), "{name}");
        }
    }

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
