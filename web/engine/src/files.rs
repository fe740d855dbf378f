//! The files of the networks: the server's, or those that this browser keeps.
//!
//! The card is small and says which weights are current, so the server is asked for it on each visit. The weights may be cut into
//! parts; each is kept under its hash as soon as it is here, so that a download which was interrupted goes on at the part that
//! is missing. The card is kept once all of its weights are: so what is kept is always a network that can be loaded, and takes
//! the server's place wherever that gives none.

use shared::bundle::{Card, CardError, Part};

use super::download::{Freshness, Source};
use super::messages;
use protocol::download::DownloadError;
use protocol::{Download, Slot};

/// Where files are kept.
pub(crate) trait Shelf {
    /// Tells whether something is kept under an address.
    async fn has(&self, address: &str) -> bool;

    /// Appends what is kept under an address to `bytes`; whether there is anything.
    async fn get(&self, address: &str, bytes: &mut Vec<u8>) -> bool;

    /// Keeps bytes under an address, instead of what was there; whether that worked. If not, what was there is there still.
    async fn put(&self, address: &str, bytes: &[u8]) -> bool;

    /// Forgets all addresses that begin with `prefix`, but for those that are wanted.
    async fn forget(&self, prefix: &str, wanted: impl Fn(&str) -> bool);
}

/// A network's files.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Files {
    pub(crate) card_json: Vec<u8>,
    pub(crate) weights: Vec<u8>,
    /// Whether the next visit finds them in this browser.
    pub(crate) kept: bool,
}

/// A card, as it was read and as it means.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ReadCard {
    pub(crate) json: Vec<u8>,
    pub(crate) card: Card,
    /// Whether it is the server's, and not one that was kept.
    current: bool,
}

/// Why the server gave no network.
#[derive(Debug)]
enum FetchError {
    /// `model.json` or the weights did not come.
    Fetch { file: String, error: DownloadError },
    /// What came is no network.
    Unusable(CardError),
    /// The browser has no room in memory for so many bytes.
    NoMemory(u64),
}

impl FetchError {
    /// Tells whether the server may well have the network, and only not now.
    fn may_pass(&self) -> bool {
        match self {
            Self::Fetch { error: DownloadError::Status(status), .. } => *status >= 500,
            // A page that a hotel's network gives for every address; files in the middle of being replaced.
            Self::Fetch { .. } | Self::Unusable(_) => true,
            Self::NoMemory(_) => false,
        }
    }

    fn text(&self, network: &str) -> String {
        match self {
            Self::Fetch { file, error } => messages::missing(network, file, error),
            Self::Unusable(error) => messages::unusable(network, error),
            Self::NoMemory(bytes) => messages::too_large(network, *bytes),
        }
    }
}

/// Where one network's files are looked for.
pub(crate) struct Library<'a, S, K> {
    /// Its folder's name.
    pub(crate) network: &'a str,
    /// Address of that folder, with a slash at its end.
    pub(crate) folder: String,
    pub(crate) server: &'a S,
    /// None in a browser that keeps nothing.
    pub(crate) shelf: Option<&'a K>,
}

impl<S: Source, K: Shelf> Library<'_, S, K> {
    /// Gets the card: the server's, or the kept one where it gives none.
    ///
    /// # Errors
    ///
    /// A text for the visitor.
    pub(crate) async fn card(&self) -> Result<ReadCard, String> {
        let error = match self.current_card().await {
            Ok(card) => return Ok(card),
            Err(error) => error,
        };
        self.kept_card(&error).await.ok_or_else(|| error.text(self.network))
    }

    /// Gets weights that belong to `card`, and the card with them: another one if the server does not give these weights, and
    /// those of an older card are kept. `tell` is given the progress of the download.
    ///
    /// # Errors
    ///
    /// A text for the visitor.
    pub(crate) async fn fetch(&self, slot: Slot, card: &ReadCard, tell: &dyn Fn(Download)) -> Result<Files, String> {
        let error = match self.weights(slot, card, tell).await {
            Ok(files) => return Ok(files),
            Err(error) => error,
        };
        let text = || error.text(self.network);
        let kept = self.kept_card(&error).await.filter(|kept| kept.json != card.json).ok_or_else(text)?;
        self.weights(slot, &kept, tell).await.map_err(|_| text())
    }

    /// Returns how many bytes of a card's weights are kept.
    pub(crate) async fn kept_bytes(&self, card: &Card) -> u64 {
        let mut bytes = 0;
        if let Some(shelf) = self.shelf {
            for part in card.weights.files() {
                if shelf.has(&self.key(&part)).await {
                    bytes += part.bytes;
                }
            }
        }
        bytes
    }

    /// Gets a small file that a card describes besides the weights: the kept one, or the server's, which is kept then.
    ///
    /// # Errors
    ///
    /// A text for the visitor.
    pub(crate) async fn part(&self, part: &Part) -> Result<Vec<u8>, String> {
        let mut content = Vec::new();
        if !self.take_kept(part, &mut content).await {
            self.download(part, &mut content, |_| {}).await.map_err(|error| error.text(self.network))?;
            if let Some(shelf) = self.shelf {
                shelf.put(&self.key(part), &content).await;
            }
        }
        Ok(content)
    }

    fn card_address(&self) -> String {
        format!("{}{CARD}", self.folder)
    }

    fn address(&self, part: &Part) -> String {
        format!("{}{}", self.folder, part.file)
    }

    /// Returns what a part of the weights is kept under.
    fn key(&self, part: &Part) -> String {
        format!("{}?sha256={}", self.address(part), part.sha256)
    }

    async fn current_card(&self) -> Result<ReadCard, FetchError> {
        let mut json = Vec::new();
        let address = self.card_address();
        let kept = match self.shelf {
            Some(shelf) => shelf.has(&address).await,
            None => false,
        };
        let asked = self.server.get(&address, Freshness::Revalidate { kept }, &mut json, |_| {}).await;
        asked.map_err(|error| FetchError::Fetch { file: CARD.into(), error })?;
        let card = Card::from_json(&json).map_err(FetchError::Unusable)?;
        Ok(ReadCard { json, card, current: true })
    }

    /// Returns the card that was kept on an earlier visit, if it may stand in for the server's.
    async fn kept_card(&self, error: &FetchError) -> Option<ReadCard> {
        if !error.may_pass() {
            return None;
        }
        let mut json = Vec::new();
        if !self.shelf?.get(&self.card_address(), &mut json).await {
            return None;
        }
        let card = Card::from_json(&json).ok()?;
        log::warn!("the kept copy is used: {}", error.text(self.network));
        Some(ReadCard { json, card, current: false })
    }

    /// Returns the weights of a card, part by part from the shelf or from the server.
    async fn weights(&self, slot: Slot, card: &ReadCard, tell: &dyn Fn(Download)) -> Result<Files, FetchError> {
        let ReadCard { json, card, current } = card;
        let total = card.weights.bytes;
        let report = |received: u64, cached| tell(Download { slot, received, total, cached });
        report(0, false);
        let mut weights = Vec::new();
        let room = usize::try_from(total).map_err(|_| FetchError::NoMemory(total))?;
        // Once and in full: a vector that grows is copied, and takes up to twice the memory.
        weights.try_reserve_exact(room).map_err(|_| FetchError::NoMemory(total))?;
        let (mut cached, mut kept) = (true, true);
        for part in card.weights.files() {
            if !self.take_kept(&part, &mut weights).await {
                cached = false;
                self.download(&part, &mut weights, |received| report(received.min(total), false)).await?;
                kept &= match self.shelf {
                    Some(shelf) => shelf.put(&self.key(&part), &weights[weights.len() - part.bytes as usize..]).await,
                    None => false,
                };
            }
            report((weights.len() as u64).min(total), false);
        }
        // Sound parts may still be parts of something else; one part has the hash of the whole, and is checked already.
        if !card.weights.parts.is_empty() {
            card.weights.check(&weights).map_err(FetchError::Unusable)?;
        }
        report(total, cached);
        kept = kept && (!current || self.keep(card, json).await);
        Ok(Files { card_json: json.clone(), weights, kept })
    }

    /// Appends a kept part, if it is there and sound.
    async fn take_kept(&self, part: &Part, weights: &mut Vec<u8>) -> bool {
        let Some(shelf) = self.shelf else { return false };
        let (start, key) = (weights.len(), self.key(part));
        if !shelf.get(&key, weights).await {
            return false;
        }
        if part.check(&weights[start..]).is_ok() {
            return true;
        }
        weights.truncate(start);
        // A damaged copy is of no use, and may stand in the way of a sound one.
        shelf.forget(&key, |_| false).await;
        false
    }

    /// Appends a part from the server. A copy with another hash is fetched again, once. `tell` is given how many bytes of the whole
    /// are here.
    async fn download(&self, part: &Part, weights: &mut Vec<u8>, tell: impl Fn(u64)) -> Result<(), FetchError> {
        let start = weights.len();
        let mut freshness = Freshness::Default;
        loop {
            let mut told = 0;
            let progress = |received: u64| {
                // A message for every hundredth is enough for a bar.
                if received >= told + part.bytes / 100 {
                    told = received;
                    tell(start as u64 + received);
                }
            };
            let asked = self.server.get(&self.address(part), freshness, weights, progress).await;
            asked.map_err(|error| FetchError::Fetch { file: part.file.clone(), error })?;
            match part.check(&weights[start..]) {
                Ok(()) => return Ok(()),
                // Perhaps an older copy in the browser's HTTP cache.
                Err(_) if freshness != Freshness::Reload => freshness = Freshness::Reload,
                Err(error) => return Err(FetchError::Unusable(error)),
            }
            weights.truncate(start);
        }
    }

    /// Keeps a card whose weights are kept. Whether it is kept now: only then the files of an older card are forgotten.
    async fn keep(&self, card: &Card, card_json: &[u8]) -> bool {
        let Some(shelf) = self.shelf else {
            return false;
        };
        let address = self.card_address();
        let mut before = Vec::new();
        let known = shelf.get(&address, &mut before).await && before == card_json;
        if !known && !shelf.put(&address, card_json).await {
            return false;
        }
        let of_detectors = card.detectors.iter().filter_map(|detector| detector.weights.clone());
        let mut current: Vec<String> =
            card.weights.files().into_iter().chain(of_detectors).map(|part| self.key(&part)).collect();
        current.push(address);
        shelf.forget(&self.folder, |kept| current.iter().any(|address| address == kept)).await;
        true
    }
}

/// Name of the card's file.
const CARD: &str = "model.json";

#[cfg(test)]
pub(crate) mod tests;
