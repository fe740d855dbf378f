//! The files of the two networks: the server's, or those that this browser keeps.
//!
//! The card is small and says which weights are current, so the server is asked for it on each visit. The weights are kept under
//! their hash. Card and weights are kept together, once they are known to belong together: so what is kept is always a network
//! that can be loaded, and takes the server's place wherever that gives none.

use shared::bundle::{BundleError, Card};

use super::complaint;
use super::download::{FetchError, Freshness};
use web::protocol::{Download, Slot};

/// Where files come from.
pub(crate) trait Source {
    /// Fetches a file. `progress` hears how many bytes are here, after each piece.
    ///
    /// # Errors
    ///
    /// [`FetchError`] says whether the network, the server or the connection failed.
    async fn get(&self, address: &str, freshness: Freshness, progress: impl FnMut(u64)) -> Result<Vec<u8>, FetchError>;
}

/// Where files are kept.
pub(crate) trait Shelf {
    /// The bytes kept under an address.
    async fn get(&self, address: &str) -> Option<Vec<u8>>;

    /// Keeps bytes under an address, instead of what was there; whether that worked. If not, what was there is there still.
    async fn put(&self, address: &str, bytes: &[u8]) -> bool;

    /// Forgets all addresses that begin with `prefix`, except one.
    async fn forget(&self, prefix: &str, except: Option<&str>);
}

/// A network's files.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Files {
    pub(crate) card_json: Vec<u8>,
    pub(crate) weights: Vec<u8>,
    /// Whether the next visit finds them in this browser.
    pub(crate) kept: bool,
}

/// Why the server gave no network.
#[derive(Debug)]
enum Trouble {
    /// `model.json` or the weights did not come.
    Fetch { file: String, error: FetchError },
    /// What came is no network.
    Unusable(BundleError),
}

impl Trouble {
    /// Whether the server may well have the network, and only not now.
    fn may_pass(&self) -> bool {
        match self {
            Self::Fetch { error: FetchError::Status { status }, .. } => *status >= 500,
            // A page that a hotel's network gives for every address; files in the middle of being replaced.
            Self::Fetch { .. } | Self::Unusable(_) => true,
        }
    }

    fn text(&self, slot: Slot) -> String {
        match self {
            Self::Fetch { file, error } => complaint::missing(slot, file, error),
            Self::Unusable(error) => complaint::unusable(slot, error),
        }
    }
}

/// Where one network's files are looked for.
pub(crate) struct Library<'a, S, K> {
    pub(crate) slot: Slot,
    /// Address of the network's folder, with a slash at its end.
    pub(crate) folder: String,
    pub(crate) server: &'a S,
    /// None in a browser that keeps nothing.
    pub(crate) shelf: Option<&'a K>,
}

impl<S: Source, K: Shelf> Library<'_, S, K> {
    /// Gets card and weights, which belong together: the server's, or the kept ones where it gives none. `tell` hears how far
    /// the download is.
    ///
    /// # Errors
    ///
    /// A text for the visitor.
    pub(crate) async fn fetch(&self, tell: &dyn Fn(Download)) -> Result<Files, String> {
        let trouble = match self.current(tell).await {
            Ok(files) => return Ok(files),
            Err(trouble) => trouble,
        };
        let text = trouble.text(self.slot);
        match if trouble.may_pass() { self.kept().await } else { None } {
            Some(files) => {
                log::warn!("the kept copy is used: {text}");
                let total = files.weights.len() as u64;
                tell(Download { slot: self.slot, received: total, total, cached: true });
                Ok(files)
            }
            None => Err(text),
        }
    }

    fn card_address(&self) -> String {
        format!("{}{CARD}", self.folder)
    }

    fn weights_address(&self, card: &Card) -> String {
        format!("{}{}", self.folder, card.weights.file)
    }

    /// What the weights that `card` describes are kept under.
    fn weights_key(&self, card: &Card) -> String {
        format!("{}?sha256={}", self.weights_address(card), card.weights.sha256)
    }

    /// The network that the server has, whose weights may well be kept here.
    async fn current(&self, tell: &dyn Fn(Download)) -> Result<Files, Trouble> {
        let card_json = self
            .server
            .get(&self.card_address(), Freshness::Revalidate, |_| {})
            .await
            .map_err(|error| Trouble::Fetch { file: CARD.into(), error })?;
        let card = Card::from_json(&card_json).map_err(Trouble::Unusable)?;
        let (slot, total) = (self.slot, card.weights.bytes);
        tell(Download { slot, received: 0, total, cached: false });
        let (weights, cached) = match self.kept_weights(&card).await {
            Some(weights) => (weights, true),
            None => (self.download_weights(&card, tell).await?, false),
        };
        tell(Download { slot, received: total, total, cached });
        let kept = self.keep(&card, &card_json, (!cached).then_some(&weights)).await;
        Ok(Files { card_json, weights, kept })
    }

    /// The network that was kept on an earlier visit.
    async fn kept(&self) -> Option<Files> {
        let card_json = self.shelf?.get(&self.card_address()).await?;
        let card = Card::from_json(&card_json).ok()?;
        let weights = self.kept_weights(&card).await?;
        Some(Files { card_json, weights, kept: true })
    }

    async fn kept_weights(&self, card: &Card) -> Option<Vec<u8>> {
        let (shelf, key) = (self.shelf?, self.weights_key(card));
        let weights = shelf.get(&key).await?;
        if card.weights.check(&weights).is_ok() {
            return Some(weights);
        }
        // A damaged copy is of no use, and may stand in the way of a sound one.
        shelf.forget(&key, None).await;
        None
    }

    /// The weights that `card` describes, from the server. A copy with another hash is fetched again, once.
    async fn download_weights(&self, card: &Card, tell: &dyn Fn(Download)) -> Result<Vec<u8>, Trouble> {
        let (slot, total) = (self.slot, card.weights.bytes);
        let mut freshness = Freshness::Default;
        loop {
            let mut told = 0;
            let progress = |received: u64| {
                // A message for every hundredth is enough for a bar.
                if received >= told + total / 100 {
                    told = received;
                    tell(Download { slot, received: received.min(total), total, cached: false });
                }
            };
            let weights = self.server.get(&self.weights_address(card), freshness, progress).await;
            let weights = weights.map_err(|error| Trouble::Fetch { file: card.weights.file.clone(), error })?;
            match card.weights.check(&weights) {
                Ok(()) => return Ok(weights),
                // Perhaps an older copy in the browser's HTTP cache.
                Err(_) if freshness != Freshness::Reload => freshness = Freshness::Reload,
                Err(error) => return Err(Trouble::Unusable(error)),
            }
        }
    }

    /// Keeps card and weights, unless they are kept already; `weights` are none if those are. Whether they are kept now: only
    /// then those of an older card are forgotten.
    async fn keep(&self, card: &Card, card_json: &[u8], weights: Option<&Vec<u8>>) -> bool {
        let Some(shelf) = self.shelf else {
            return false;
        };
        let key = self.weights_key(card);
        if let Some(weights) = weights
            && !shelf.put(&key, weights).await
        {
            return false;
        }
        let address = self.card_address();
        if shelf.get(&address).await.as_deref() != Some(card_json) && !shelf.put(&address, card_json).await {
            return false;
        }
        shelf.forget(&self.weights_address(card), Some(&key)).await;
        true
    }
}

/// Name of the card's file.
const CARD: &str = "model.json";

#[cfg(test)]
mod tests;
