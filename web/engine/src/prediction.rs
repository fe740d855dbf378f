//! A network's answer to a picture.

use shared::bundle::Bundle;
use shared::device::{DeviceError, read};
use shared::image::{Picture, ToTensor as _};
use shared::metrics::{cross_entropy, softmax, top_k};

use super::session::Session;
use protocol::{Guess, TOP};

/// What a network says of one picture.
pub(crate) struct Prediction {
    logits: Vec<f32>,
    shares: Vec<f32>,
}

impl Prediction {
    fn new(logits: Vec<f32>) -> Self {
        Self { shares: softmax(&logits), logits }
    }

    /// Returns the best guesses, best first.
    pub(crate) fn top(&self) -> Vec<Guess> {
        let guess = |class| Guess { class, share: self.shares[class] };
        top_k(&self.shares, TOP).into_iter().map(guess).collect()
    }

    /// Returns the best guess.
    pub(crate) fn best(&self) -> Guess {
        let class = top_k(&self.shares, 1).first().copied().unwrap_or_default();
        Guess { class, share: self.share(class) }
    }

    /// Returns the probability of a class, 0 to 1.
    pub(crate) fn share(&self, class: usize) -> f32 {
        self.shares.get(class).copied().unwrap_or_default()
    }

    /// Returns the cross entropy with a class, in nats; NaN for a class that the network does not have.
    pub(crate) fn loss(&self, class: usize) -> f32 {
        if class < self.logits.len() { cross_entropy(&self.logits, class) as f32 } else { f32::NAN }
    }
}

impl Session {
    /// Asks a network what it sees.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub(crate) async fn predict(&self, bundle: &Bundle, picture: &Picture) -> Result<Prediction, DeviceError> {
        Ok(Prediction::new(read(bundle.model.forward(picture.to_tensor(self.device()))).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_to_one_and_the_loss_is_that_of_the_logits() {
        let prediction = Prediction::new(vec![1.0, 3.0, -90.0]);
        assert!((prediction.shares.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!((prediction.best().class, prediction.top().len()), (1, 3));
        for class in [0, 1] {
            assert!((prediction.loss(class) + prediction.share(class).ln()).abs() < 1e-5);
        }
        assert!((prediction.loss(2) - 93.126_93).abs() < 1e-3, "{}", prediction.loss(2));
        assert!(prediction.loss(3).is_nan() && prediction.share(3) == 0.0);
    }
}
