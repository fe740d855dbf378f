//! A picture is opened, and disturbed in one way or another, and both networks say what it shows.

use std::sync::Arc;

use shared::image::{Crop, ImageError, Photo, Picture};

use super::clock::{now_ms, yield_now};
use super::disturb::disturbed;
use super::inbox::Inbox;
use super::report::post;
use super::session::{File, Opened, Session};
use protocol::{Disturbance, Pixels, Reply, RequestId, Slot};

impl Session {
    /// Takes a file in the place of the one before, and shows both networks a square of it.
    pub(crate) async fn open(
        &mut self,
        id: RequestId,
        file: Arc<Vec<u8>>,
        crop: Option<Crop>,
        disturbance: &Disturbance,
        inbox: &Inbox,
    ) {
        // The one before is freed before this one is decoded and takes as much memory.
        self.file = Some(File::Encoded(file));
        self.crop(id, crop, disturbance, inbox).await;
    }

    /// Cuts a square out of the file opened last, disturbs that and classifies it with both networks.
    pub(crate) async fn crop(&mut self, id: RequestId, crop: Option<Crop>, disturbance: &Disturbance, inbox: &Inbox) {
        let Some(file) = self.file.take() else {
            post(&Reply::Refused { id, message: "There is no picture yet: choose one first.".into() });
            return;
        };
        let source = match self.cut(file, crop) {
            Ok(source) => source,
            Err(error) => {
                post(&Reply::BadPicture { id, message: error.to_string() });
                return;
            }
        };
        (self.opened, self.source) = (None, None);
        let picture = match disturbed(&source, disturbance).await {
            Ok(picture) => picture,
            Err(error) => return self.fail(id, &error),
        };
        let original_size = source.original_size();
        self.source = Some(source);
        post(&Reply::Seen { id, pixels: Pixels(picture.to_rgba8()), original_size });
        self.classify(id, picture, inbox).await;
    }

    /// Cuts a square out of a file's picture, and keeps the file if it is one.
    fn cut(&mut self, file: File, crop: Option<Crop>) -> Result<Picture, ImageError> {
        /// Pixels of the largest picture that is kept decoded: 72 MB.
        const MOST_KEPT: u64 = 24_000_000;
        let (photo, encoded) = match file {
            File::Decoded(photo) => (photo, None),
            File::Encoded(bytes) => (Photo::decode(&bytes)?, Some(bytes)),
        };
        let (width, height) = photo.size();
        let crop = crop.map(|crop| crop.within((width, height)));
        let picture = photo.picture(crop)?;
        let is_large = u64::from(width) * u64::from(height) > MOST_KEPT;
        self.file = Some(match encoded {
            Some(bytes) if is_large => File::Encoded(bytes),
            _ => File::Decoded(photo),
        });
        Ok(picture)
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

    /// Asks both networks. Ends early if a newer request waits that would make the answers pointless.
    async fn classify(&mut self, id: RequestId, picture: Picture, inbox: &Inbox) {
        self.opened = None;
        let Some(bundles) = self.bundles() else {
            post(&Reply::Refused { id, message: "The networks are not loaded yet.".into() });
            return;
        };
        let mut clean = [0; 2];
        for (slot, bundle) in Slot::ALL.into_iter().zip(bundles) {
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
