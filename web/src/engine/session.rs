//! The device, the networks and the picture they look at.

use burn::prelude::*;
use shared::bundle::Bundle;
use shared::device::{Backend, DeviceError, Engine, read};
use shared::image::Picture;
use shared::metrics::{softmax, top_k};

use super::clock::{breathe, now_ms};
use super::inbox::Inbox;
use super::report::post;
use web::protocol::{Guess, Pixels, Reply, RequestId, Slot, TOP};

/// An engine at work.
pub(crate) struct Session {
    engine: Engine,
    bundles: [Bundle; 2],
    pub(crate) opened: Option<Opened>,
}

/// The picture opened last, and what the networks take it for.
pub(crate) struct Opened {
    pub(crate) picture: Picture,
    /// Best class of each network, standard first.
    pub(crate) clean: [usize; 2],
}

impl Session {
    pub(crate) fn new(engine: Engine, bundles: [Bundle; 2]) -> Self {
        Self { engine, bundles, opened: None }
    }

    pub(crate) fn device(&self) -> &Device {
        &self.engine.device
    }

    pub(crate) fn bundle(&self, slot: Slot) -> &Bundle {
        &self.bundles[slot.index()]
    }

    /// Decodes a file and classifies it with both networks.
    pub(crate) async fn open(&mut self, id: RequestId, bytes: &[u8], inbox: &Inbox) {
        let picture = match Picture::decode(bytes) {
            Ok(picture) => picture,
            Err(error) => {
                post(&Reply::BadPicture { id, message: error.to_string() });
                return;
            }
        };
        let original_size = picture.original_size();
        post(&Reply::Seen { id, pixels: Pixels(picture.to_rgba8()), original_size });
        self.opened = None;
        let mut clean = [0; 2];
        for slot in Slot::ALL {
            breathe().await;
            if inbox.ends_opening() {
                return;
            }
            let started = now_ms();
            match self.guess(slot, &picture).await {
                Ok(top) => {
                    clean[slot.index()] = best(&top);
                    post(&Reply::Classified { id, slot, top, elapsed_ms: now_ms() - started });
                }
                Err(error) => {
                    self.fail(id, &error);
                    return;
                }
            }
        }
        self.opened = Some(Opened { picture, clean });
    }

    /// A network's best guesses for a picture, best first.
    pub(crate) async fn guess(&self, slot: Slot, picture: &Picture) -> Result<Vec<Guess>, DeviceError> {
        let logits = self.bundle(slot).model.forward(picture.to_tensor(self.device()));
        let shares = softmax(&read(logits).await?);
        Ok(top_k(&shares, TOP).into_iter().map(|class| Guess { class, share: shares[class] }).collect())
    }

    /// Tells the page that the device failed at a request.
    pub(crate) fn fail(&self, id: RequestId, error: &dyn std::fmt::Display) {
        post(&match self.engine.backend {
            Backend::WebGpu => Reply::WebGpuFailed(format!("{error}.")),
            _ => Reply::Refused { id, message: format!("The computation failed: {error}.") },
        });
    }
}

/// The best of some guesses.
fn best(top: &[Guess]) -> usize {
    // A network has at least one class, so there is a first guess.
    top.first().map_or(0, |guess| guess.class)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_takes_in_what_the_engine_reads_and_no_more() {
        assert_eq!(web::protocol::MAX_FILE_BYTES, shared::image::MAX_FILE_BYTES);
        assert_eq!(web::protocol::SIDE as usize, shared::image::SIDE);
    }
}
