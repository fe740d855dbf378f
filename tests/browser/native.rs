//! The page's results computed natively: the same networks, on the CPU.

use std::fs;
use std::path::Path;

use burn::prelude::*;
use shared::attack::{AttackConfig, AttackRun, Goal};
use shared::bundle::Bundle;
use shared::image::{Picture, ToTensor as _};
use shared::metrics::{softmax, top_k};
use tests::{label_tensor, read};

use crate::page::{NETWORKS, SIDES};

/// The page's two networks, loaded natively.
pub struct Native {
    bundles: [Bundle; 2],
    device: Device,
}

impl Native {
    /// Loads the networks of the page in `folder`.
    pub fn load(folder: &Path) -> Self {
        let device = Device::flex();
        let bundles = NETWORKS.map(|network| {
            let file = |name| fs::read(folder.join("models").join(network).join(name)).unwrap();
            let (card, weights) = (file("model.json"), file("model.safetensors"));
            pollster::block_on(Bundle::load(&card, &weights, &device)).unwrap()
        });
        Self { bundles, device }
    }

    /// Returns a network's probability of each class for a picture's RGB values.
    pub fn shares(&self, side: &str, rgb8: &[u8]) -> Vec<f32> {
        let picture = Picture::from_rgb8(rgb8.to_vec()).unwrap();
        softmax(&read(self.bundle(side).model.forward(picture.to_tensor(&self.device))))
    }

    /// Returns the RGB values after an untargeted FGSM, rounded to the nearest byte as the engine does for a canvas.
    pub fn fgsm(&self, side: &str, rgb8: &[u8], epsilon_255: u8) -> Vec<u8> {
        let own_answer = top_k(&self.shares(side, rgb8), 1);
        let images = Picture::from_rgb8(rgb8.to_vec()).unwrap().to_tensor(&self.device);
        let config = AttackConfig::fgsm(f32::from(epsilon_255) / 255.0);
        let run = AttackRun::new(&config, images, label_tensor(&own_answer, &self.device), Goal::Untargeted).unwrap();
        let attacked = read(run.finish(&self.bundle(side).model));
        Picture::from_chw(&attacked).unwrap().as_rgb8().to_vec()
    }

    fn bundle(&self, side: &str) -> &Bundle {
        let index = SIDES.iter().position(|name| *name == side);
        &self.bundles[index.unwrap_or_else(|| panic!("no network stands on the {side}"))]
    }
}
