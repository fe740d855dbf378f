//! A picture is opened, and disturbed in one way or another, and both networks say what it shows.

use shared::image::{ImageError, Picture};

use super::clock::{now_ms, yield_now};
use super::disturb::disturbed;
use super::inbox::Inbox;
use super::report::post;
use super::session::{Opened, Session};
use protocol::{Disturbance, Pixels, Reply, RequestId, Slot};

impl Session {
    /// Takes a picture in the place of the one before, disturbs it and classifies it with both networks.
    pub(crate) async fn open(&mut self, id: RequestId, pixels: &Pixels, disturbance: &Disturbance, inbox: &Inbox) {
        let source = match of_pixels(pixels) {
            Ok(source) => source,
            Err(error) => return post(&Reply::Refused { id, message: error.to_string() }),
        };
        let picture = match disturbed(&source, disturbance).await {
            Ok(picture) => picture,
            Err(error) => return self.fail(id, &error),
        };
        self.source = Some(source);
        post(&Reply::Seen { id, pixels: Pixels(picture.to_rgba8()) });
        self.classify(id, picture, inbox).await;
    }

    /// Disturbs the picture opened last in another way, and classifies it.
    pub(crate) async fn disturb(&mut self, id: RequestId, disturbance: &Disturbance, inbox: &Inbox) {
        let Some(source) = &self.source else {
            post(&Reply::Refused { id, message: "There is no picture yet: choose one first.".into() });
            return;
        };
        let picture = match disturbed(source, disturbance).await {
            Ok(picture) => picture,
            Err(error) => return self.fail(id, &error),
        };
        post(&Reply::Disturbed { id, pixels: Pixels(picture.to_rgba8()) });
        self.classify(id, picture, inbox).await;
    }

    /// Asks the networks. Ends early if a newer request waits that would make the answers pointless.
    async fn classify(&mut self, id: RequestId, picture: Picture, inbox: &Inbox) {
        self.opened = None;
        let Some(bundles) = self.bundles() else {
            post(&Reply::Refused { id, message: "The networks are not loaded yet.".into() });
            return;
        };
        let mut clean = [0; 2];
        for (slot, bundle) in Slot::ALL.into_iter().zip(bundles) {
            let Some(bundle) = bundle else { continue };
            yield_now().await;
            if inbox.ends_opening() {
                return;
            }
            let started = now_ms();
            match self.predict(bundle, &picture).await {
                Ok(prediction) => {
                    clean[slot.index()] = prediction.best().class;
                    post(&Reply::Classified { id, slot, top: prediction.top(), elapsed_ms: now_ms() - started });
                }
                Err(error) => return self.fail(id, &error),
            }
        }
        self.opened = Some(Opened { picture, clean });
    }
}

/// Returns the picture on a canvas, without the alpha that canvases have.
pub(crate) fn of_pixels(pixels: &Pixels) -> Result<Picture, ImageError> {
    Picture::from_rgb8(pixels.0.chunks_exact(4).flat_map(|rgba| [rgba[0], rgba[1], rgba[2]]).collect())
}
