//! An attack on a network and one of its detectors together, by an attacker who knows both.

use burn::prelude::*;
use shared::detect::{DetectorKind, Evaded, Evasion, EvasionConfig, Strategy};
use shared::device::read;
use shared::image::{Picture, ToTensor as _};

use super::clock::yield_now;
use super::error::Ended;
use super::inbox::Inbox;
use super::look::{Change, post_inside};
use super::report::post;
use super::session::Session;
use protocol::{Radius, Reply, RequestId, Settings, Slot};
use terms::attack::Norm;

/// Steps of the attack.
const STEPS: usize = 40;
/// False-alarm rate of the threshold that the attack must stay below.
const RATE: f64 = 0.05;
/// Seed of the random start.
const SEED: u64 = 0;
/// Radius where the settings are of another norm, in 255ths.
const USUAL: u16 = 8;

impl Session {
    /// Attacks the picture opened last so that each network is fooled and its detector of this kind raises no alarm, and looks into the
    /// networks at what came of it. Ends early if a newer request waits.
    pub(crate) async fn evade(&mut self, id: RequestId, kind: DetectorKind, settings: Settings, inbox: &Inbox) {
        let radius = match settings.radius() {
            radius if radius.norm == Norm::Linf => radius,
            _ => Radius::linf(USUAL),
        };
        for slot in Slot::ALL {
            let problems = self.fetch_detectors(slot).await;
            let is_there = self.detectors(slot).iter().any(|(card, _)| card.kind == kind);
            if !is_there && !problems.is_empty() {
                return post(&Reply::Refused { id, message: problems.join(" ") });
            }
            let found = match self.evaded(id, slot, kind, radius, inbox).await {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(ended) => return self.ended(id, ended),
            };
            let change = Change { attack: "The attack on network and detector".into(), within: radius.short() };
            match self.look_into(slot, Some(&found.picture), change).await {
                Ok(Some(mut inside)) => {
                    inside.words = format!("{} {}", found.verdict(kind), inside.words);
                    inside.evasion = Some(format!(
                        "orthogonal PGD on the network and its detector {kind} within {}: {STEPS} steps from one random start, seed {SEED}, \
                         threshold at {}% false alarms",
                        radius.short(),
                        100.0 * RATE
                    ));
                    if let Err(error) = post_inside(id, slot, &inside) {
                        return self.fail(id, &error);
                    }
                }
                Ok(None) => {}
                Err(error) => return self.fail(id, &error),
            }
        }
        post(&Reply::Finished { id });
    }

    async fn evaded(
        &self,
        id: RequestId,
        slot: Slot,
        kind: DetectorKind,
        radius: Radius,
        inbox: &Inbox,
    ) -> Result<Option<Found>, Ended> {
        let Some((opened, bundles)) = self.opened_and_loaded() else { return Ok(None) };
        let Some(bundle) = bundles[slot.index()] else { return Ok(None) };
        let Some((card, detector)) = self.detectors(slot).iter().find(|(card, _)| card.kind == kind) else {
            return Ok(None);
        };
        let clean = opened.clean[slot.index()];
        let threshold = card.calibration.threshold(RATE);
        let config = EvasionConfig {
            epsilon: radius.in_pixel_units(),
            steps: STEPS,
            strategy: Strategy::Orthogonal,
            threshold,
            seed: SEED,
        };
        let labels = Tensor::<1, Int>::from_ints([clean as i32], self.device());
        let about = Evaded { labels, targets: None, guides: None };
        let mut run = Evasion::new(&config, opened.picture.to_tensor(self.device()), about)?;
        while !run.is_done() {
            run.step(&bundle.model, detector);
            // A device has carried out what was queued on it once something is read.
            read(run.best_score()).await?;
            post(&Reply::Sweeping { id });
            yield_now().await;
            if inbox.ends_attack() {
                return Err(Ended::Interrupted);
            }
        }
        let values = read(run.best()).await?;
        let picture = Picture::from_attacked(&values, &opened.picture, &radius.threat())?;
        // The verdict is about the picture in 8 bits, which is what a file would hold.
        let images = picture.to_tensor(self.device());
        let stages = bundle.model.stages(images.clone());
        let score = read(detector.score(&bundle.model, images, &stages)).await?;
        let answer = self.predict(bundle, &picture).await?.best().class;
        let alarm = score.first().is_some_and(|score| *score > threshold);
        Ok(Some(Found { picture, fooled: answer != clean, alarm }))
    }
}

/// What an attack came to.
struct Found {
    picture: Picture,
    fooled: bool,
    alarm: bool,
}

impl Found {
    /// Says what became of network and detector.
    fn verdict(&self, kind: DetectorKind) -> String {
        let detector = kind.label();
        let of_100 = 100.0 * RATE;
        match (self.fooled, self.alarm) {
            (true, false) => format!(
                "The attacker, who knows both, fooled the network, and the detector ({detector}) raised no alarm, at a threshold that \
                 {of_100} of 100 untouched pictures exceed."
            ),
            (true, true) => format!("The attacker fooled the network, and the detector ({detector}) raised an alarm."),
            (false, _) => {
                format!(
                    "The attacker, who knows the network and its detector ({detector}), did not fool the network in {STEPS} steps."
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_say_what_became_of_both() {
        let picture = || Picture::from_rgb8(vec![0; 64 * 64 * 3]).unwrap();
        let verdict = |fooled, alarm| Found { picture: picture(), fooled, alarm }.verdict(DetectorKind::Maps);
        assert!(verdict(true, false).contains("raised no alarm, at a threshold that 5 of 100"));
        assert!(verdict(true, true).contains("raised an alarm"));
        assert!(verdict(false, true).contains("did not fool the network in 40 steps"));
    }
}
