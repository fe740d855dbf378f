//! An attack on both networks, step by step and side by side.

use burn::prelude::*;
use shared::attack::{AttackConfig, AttackError, AttackKind, AttackRun, Goal};
use shared::bundle::Bundle;
use shared::device::{DeviceError, read};
use shared::image::{ImageError, Picture, difference};

use super::clock::{breathe, now_ms};
use super::inbox::Inbox;
use super::pixels::{gain, largest_change, project};
use super::report::post;
use super::session::{Opened, Session};
use web::protocol::{self, Guess, Pixels, Reply, RequestId, Settings, Slot, Step};

/// Why a step came to nothing.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A picture of NaN: the device computed nonsense.
    #[error(transparent)]
    Picture(#[from] ImageError),
    #[error(transparent)]
    Attack(#[from] AttackError),
}

/// The same noise every time, for both networks.
const NOISE_SEED: u64 = 0;

/// An attack on one network.
struct Assault<'a> {
    slot: Slot,
    bundle: &'a Bundle,
    run: AttackRun,
    elapsed_ms: f64,
}

impl Session {
    /// Attacks the picture opened last through each network's own gradients, a step of each in turn. Ends early if a newer
    /// request waits.
    pub(crate) async fn attack(&self, id: RequestId, settings: Settings, inbox: &Inbox) {
        let (Some(opened), Some(bundles)) = (&self.opened, self.bundles()) else {
            post(&Reply::Refused { id, message: "There is no picture to attack yet: choose one first.".into() });
            return;
        };
        let both = Slot::ALL.map(|slot| self.assault(slot, bundles[slot.index()], &settings, opened));
        let mut assaults = match both {
            [Ok(left), Ok(right)] => [left, right],
            [Err(error), _] | [_, Err(error)] => {
                post(&Reply::Refused { id, message: format!("This attack cannot be run: {error}.") });
                return;
            }
        };
        while assaults.iter().any(|assault| !assault.run.is_done()) {
            for assault in &mut assaults {
                match self.step(assault, &settings, &opened.picture).await {
                    Ok(step) => post(&Reply::Step { id, slot: assault.slot, step: Box::new(step) }),
                    Err(error) => return self.fail(id, &error),
                }
                breathe().await;
                if inbox.ends_attack() {
                    return;
                }
            }
        }
        for slot in Slot::ALL {
            match self.noise(slot, bundles[slot.index()], &settings, opened).await {
                Ok(best) => post(&Reply::Noise { id, slot, best }),
                Err(error) => return self.fail(id, &error),
            }
            breathe().await;
            if inbox.ends_attack() {
                return;
            }
        }
        post(&Reply::Finished { id });
    }

    fn assault<'a>(
        &self,
        slot: Slot,
        bundle: &'a Bundle,
        settings: &Settings,
        opened: &Opened,
    ) -> Result<Assault<'a>, AttackError> {
        let clean = opened.clean[slot.index()];
        let (label, goal) = match settings.target {
            Some(target) => (target, Goal::Targeted),
            // The visitor's picture has no true label: away from what this network itself says.
            None => (clean, Goal::Untargeted),
        };
        let run = self.begin(&config(settings), &opened.picture, label, goal)?;
        Ok(Assault { slot, bundle, run, elapsed_ms: 0.0 })
    }

    fn begin(
        &self,
        attack: &AttackConfig,
        picture: &Picture,
        label: usize,
        goal: Goal,
    ) -> Result<AttackRun, AttackError> {
        let label = Tensor::<1, Int>::from_ints([label as i32], self.device());
        AttackRun::new(attack, picture.to_tensor(self.device()), label, goal)
    }

    /// One gradient step, and what the network says to the picture that is shown: the rounded one.
    async fn step(&self, assault: &mut Assault<'_>, settings: &Settings, clean: &Picture) -> Result<Step, StepError> {
        let started = now_ms();
        assault.run.step(&assault.bundle.model);
        let attacked = picture_of(&assault.run, clean, settings.epsilon_255).await?;
        let top = self.guess(assault.bundle, &attacked).await?;
        assault.elapsed_ms += now_ms() - started;

        let gain = gain(settings.epsilon_255);
        Ok(Step {
            done: assault.run.steps_done() as u32,
            total: assault.run.steps_total() as u32,
            perturbation: Pixels(difference(clean, &attacked, gain).to_rgba8()),
            gain,
            largest_change: largest_change(clean.as_rgb8(), attacked.as_rgb8()),
            attacked: Pixels(attacked.to_rgba8()),
            top,
            elapsed_ms: assault.elapsed_ms,
        })
    }

    /// What a network answers to the control: a change as large as the attack's, aimed at nothing.
    async fn noise(
        &self,
        slot: Slot,
        bundle: &Bundle,
        settings: &Settings,
        opened: &Opened,
    ) -> Result<Guess, StepError> {
        let clean = opened.clean[slot.index()];
        let control = AttackConfig::noise(epsilon(settings), NOISE_SEED);
        // It asks no network, so label and goal are of no account.
        let run = self.begin(&control, &opened.picture, clean, Goal::Untargeted)?;
        let noisy = picture_of(&run, &opened.picture, settings.epsilon_255).await?;
        let top = self.guess(bundle, &noisy).await?;
        // A network has at least one class, so there is a first guess.
        Ok(top[0])
    }
}

/// What is shown and scored of a run as it is now: rounded to 8 bits, and within `radius` of the clean picture all the same.
async fn picture_of(run: &AttackRun, clean: &Picture, radius: u8) -> Result<Picture, StepError> {
    let rounded = Picture::from_chw(&read(run.adversarial()).await?)?;
    let mut rgb8 = rounded.as_rgb8().to_vec();
    project(clean.as_rgb8(), &mut rgb8, radius);
    Ok(Picture::from_rgb8(rgb8)?)
}

fn config(settings: &Settings) -> AttackConfig {
    let kind = match settings.kind {
        protocol::AttackKind::Fgsm => AttackKind::Fgsm,
        protocol::AttackKind::Bim => AttackKind::Bim,
        protocol::AttackKind::Pgd => AttackKind::Pgd,
    };
    AttackConfig::new(kind, epsilon(settings), settings.steps as usize)
}

/// In pixel units.
fn epsilon(settings: &Settings) -> f32 {
    f32::from(settings.epsilon_255) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_an_attack_in_pixel_units() {
        let settings = Settings { kind: protocol::AttackKind::Pgd, epsilon_255: 8, steps: 7, target: None };
        let attack = config(&settings);
        assert_eq!((attack.kind, attack.steps), (AttackKind::Pgd, 7));
        assert!((attack.epsilon - 8.0 / 255.0).abs() < 1e-7);
    }

    #[test]
    fn the_control_fills_the_ball_and_nothing_does_without_one() {
        let clean = Picture::from_rgb8((0..64 * 64 * 3).map(|i| (i % 251) as u8).collect()).unwrap();
        let device = Device::flex();
        let changed = |attack: &AttackConfig, radius: u8| {
            let label = Tensor::<1, Int>::from_ints([0], &device);
            let run = AttackRun::new(attack, clean.to_tensor(&device), label, Goal::Untargeted).unwrap();
            pollster::block_on(picture_of(&run, &clean, radius)).unwrap()
        };
        let noisy = changed(&AttackConfig::noise(8.0 / 255.0, NOISE_SEED), 8);
        for (&from, &to) in clean.as_rgb8().iter().zip(noisy.as_rgb8()) {
            assert!(to == from.saturating_sub(8) || to == from.saturating_add(8), "{from} became {to}");
        }
        assert!(noisy == changed(&AttackConfig::noise(8.0 / 255.0, NOISE_SEED), 8), "the same every time");
        for attack in [AttackConfig::noise(0.0, NOISE_SEED), AttackConfig::pgd(0.0, 3, 1)] {
            assert!(changed(&attack, 0) == clean, "{attack}");
        }
    }
}
