//! How far downloads are, as the page shows it.

use super::{Coming, Phase, State};
use crate::text;
use protocol::{Download, Slot};

/// A download: what a bar and the words beside it are made of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bar {
    /// Bytes that are here; none where nobody knows, or while the browser compiles.
    pub received: Option<u64>,
    /// Bytes in all, at least 1.
    pub total: u64,
    /// The same in words.
    pub words: String,
}

impl State {
    /// Returns how far the engine's program is.
    pub fn engine_bar(&self) -> Bar {
        let coming = self.engine.program;
        let total = coming.map_or(1, |coming| coming.total.max(1));
        if self.engine.phase != Phase::Starting {
            let words = coming.map_or_else(|| "loaded".into(), |coming| text::bytes(coming.total));
            return Bar { received: Some(total), total, words };
        }
        match coming {
            Some(coming) if coming.is_here() => {
                Bar { received: None, total, words: format!("{}, compiling", text::bytes(coming.total)) }
            }
            Some(Coming { received, .. }) => Bar { received: Some(received), total, words: amount(received, total) },
            None => Bar { received: None, total, words: "loading".into() },
        }
    }

    /// Returns how far the weights of the network in `slot` are.
    pub fn network_bar(&self, slot: Slot) -> Bar {
        let Some(Download { received, total, cached, .. }) = self.engine.downloads[slot.index()] else {
            return Bar { received: Some(0), total: 1, words: "waiting".into() };
        };
        let words = if self.engine.phase == Phase::SelfTesting(slot) {
            format!("{}, warming up", text::bytes(total))
        } else if cached {
            format!("{}, kept earlier", text::bytes(total))
        } else {
            amount(received, total)
        };
        Bar { received: Some(received), total: total.max(1), words }
    }
}

/// Returns `0.7 of 1.4 MB, 50%`; `1.4 MB`.
fn amount(received: u64, total: u64) -> String {
    if received == total {
        return text::bytes(total);
    }
    let share = received as f64 / total as f64;
    format!("{} of {}, {}", text::bytes(received), text::bytes(total), text::percent(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_awaited_loaded_compiled_and_there() {
        let mut page = State::default();
        let bar = |received, total, words: &str| Bar { received, total, words: words.into() };
        page.engine.phase = Phase::Starting;
        assert_eq!(page.engine_bar(), bar(None, 1, "loading"));
        page.engine.program = Some(Coming { received: 500_000, total: 1_000_000 });
        assert_eq!(page.engine_bar(), bar(Some(500_000), 1_000_000, "500 kB of 1.0 MB, 50%"));
        page.engine.program = Some(Coming { received: 1_000_000, total: 1_000_000 });
        assert_eq!(page.engine_bar(), bar(None, 1_000_000, "1.0 MB, compiling"));
        page.engine.phase = Phase::OpeningDevice;
        assert_eq!(page.engine_bar(), bar(Some(1_000_000), 1_000_000, "1.0 MB"));
    }

    #[test]
    fn a_network_waits_comes_or_was_kept_and_warms_up() {
        let mut page = State::default();
        let words = |page: &State| page.network_bar(Slot::Left).words;
        assert_eq!((words(&page).as_str(), page.network_bar(Slot::Left).total), ("waiting", 1));
        let download = |received, cached| Some(Download { slot: Slot::Left, received, total: 2_000_000, cached });
        page.engine.downloads[0] = download(500_000, false);
        assert_eq!(words(&page), "500 kB of 2.0 MB, 25%");
        page.engine.downloads[0] = download(2_000_000, false);
        assert_eq!(words(&page), "2.0 MB");
        page.engine.downloads[0] = download(2_000_000, true);
        assert_eq!(words(&page), "2.0 MB, kept earlier");
        page.engine.phase = Phase::SelfTesting(Slot::Left);
        assert_eq!(words(&page), "2.0 MB, warming up");
    }
}
