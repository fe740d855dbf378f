//! A picture as the file that a visitor takes home, and what is left of an attack in it.

use shared::bundle::Bundle;
use shared::image::Picture;

use super::error::StepError;
use super::open::of_pixels;
use super::report::post;
use super::session::Session;
use protocol::{Guess, Pixels, Reply, RequestId, Slot};

impl Session {
    /// Saves a picture, reads the file again, and asks the network of `slot` what it sees in it.
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
        let png = of_pixels(pixels)?.encode_png()?;
        let read_again = Picture::decode_png(&png)?;
        let top = self.predict(bundle, &read_again).await?.top();
        Ok((png, top))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_picture_is_the_one_that_was_shown() {
        let picture = Picture::from_rgb8((0..64 * 64 * 3).map(|i| (i % 251) as u8).collect()).unwrap();
        let png = of_pixels(&Pixels(picture.to_rgba8())).unwrap().encode_png().unwrap();
        assert_eq!(Picture::decode_png(&png).unwrap().as_rgb8(), picture.as_rgb8());
        assert!(of_pixels(&Pixels(vec![0; 8])).is_err());
    }
}
