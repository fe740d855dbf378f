//! A picture is opened, and disturbed in one way or another, and both networks say what it shows.

use shared::image::{self, ImageError, Photo, Picture};

use super::clock::{breathe, now_ms};
use super::disturb::disturbed;
use super::inbox::Inbox;
use super::report::post;
use super::session::{Opened, Session};
use protocol::{Crop, Disturbance, Pixels, Reply, RequestId, Slot};

/// A picture file and what is in it. Decoding a photograph takes longer than all else that is done to it, and a hand that
/// moves the crop asks for another square ten times a second.
pub(crate) struct File {
    bytes: Vec<u8>,
    photo: Photo,
}

impl Session {
    /// Decodes a file, cuts a square out of it, disturbs that and classifies it with both networks.
    pub(crate) async fn open(
        &mut self,
        id: RequestId,
        bytes: Vec<u8>,
        crop: Option<Crop>,
        disturbance: &Disturbance,
        inbox: &Inbox,
    ) {
        let source = match self.cut(bytes, crop) {
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

    /// A square of a file's picture, which is decoded unless it was the last time.
    fn cut(&mut self, bytes: Vec<u8>, crop: Option<Crop>) -> Result<Picture, ImageError> {
        /// Pixels of the largest picture that is kept decoded: 72 MB. What is larger is decoded again.
        const MOST_KEPT: u64 = 24_000_000;
        // A picture that is not asked for any more is freed before another one takes as much.
        let same = self.file.take().filter(|file| file.bytes == bytes);
        let file = match same {
            Some(file) => file,
            None => File { photo: Photo::decode(&bytes)?, bytes },
        };
        let (width, height) = file.photo.size();
        let crop = crop.map(|crop| crop.within((width, height)));
        let picture = file.photo.picture(crop.map(|Crop { x, y, side }| image::Crop { x, y, side }))?;
        self.file = (u64::from(width) * u64::from(height) <= MOST_KEPT).then_some(file);
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
            breathe().await;
            if inbox.ends_opening() {
                return;
            }
            let started = now_ms();
            match self.look(bundle, &picture).await {
                Ok(look) => {
                    clean[slot.index()] = look.best().class;
                    post(&Reply::Classified { id, slot, top: look.top(), elapsed_ms: now_ms() - started });
                }
                Err(error) => return self.fail(id, &error),
            }
        }
        self.opened = Some(Opened { picture, clean });
    }
}
