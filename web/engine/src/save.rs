//! A picture as the file that a visitor takes home, and what the network sees in the file's pixels.

use shared::bundle::Bundle;

use super::error::StepError;
use super::open::of_pixels;
use super::report::post;
use super::session::Session;
use protocol::{Guess, Pixels, Reply, RequestId, Slot};

impl Session {
    /// Encodes a picture as a PNG file, and classifies its pixels with the network of `slot`: the file decodes to the same ones.
    pub(crate) async fn save(&self, id: RequestId, slot: Slot, pixels: &Pixels) {
        let Some(bundle) = self.bundles().and_then(|bundles| bundles[slot.index()]) else {
            post(&Reply::Refused { id, message: "The network is not loaded.".into() });
            return;
        };
        match self.saved(bundle, pixels).await {
            Ok((png, top)) => post(&Reply::Saved { id, slot, png, top }),
            Err(error) => self.fail(id, &error),
        }
    }

    async fn saved(&self, bundle: &Bundle, pixels: &Pixels) -> Result<(Vec<u8>, Vec<Guess>), StepError> {
        let picture = of_pixels(pixels)?;
        let top = self.predict(bundle, &picture).await?.top();
        Ok((picture.encode_png()?, top))
    }
}

#[cfg(test)]
mod tests {
    use shared::image::Picture;

    use super::*;

    #[test]
    fn a_saved_picture_is_the_one_that_was_shown() {
        let picture = Picture::from_rgb8((0..64 * 64 * 3).map(|i| (i % 251) as u8).collect()).unwrap();
        let png = of_pixels(&Pixels(picture.to_rgba8())).unwrap().encode_png().unwrap();
        assert_eq!(Picture::decode(&png).unwrap().as_rgb8(), picture.as_rgb8());
        assert!(of_pixels(&Pixels(vec![0; 8])).is_err());
    }
}
