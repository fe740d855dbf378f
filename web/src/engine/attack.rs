//! An attack on both networks, step by step and side by side.

use burn::prelude::*;
use shared::attack::{AttackConfig, AttackError, AttackKind, AttackRun, Goal};
use shared::image::{ImageError, Picture, difference};

use super::clock::{breathe, now_ms};
use super::inbox::Inbox;
use super::pixels::{add_noise, gain, largest_change, project};
use super::report::post;
use super::session::{Opened, ReadError, Session, best, read};
use web::protocol::{self, Noise, Pixels, Reply, RequestId, Settings, Slot, Step, Verdict};

/// Why a step came to nothing.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A picture of NaN: the device computed nonsense.
    #[error(transparent)]
    Picture(#[from] ImageError),
}

/// An attack on one network.
struct Assault {
    slot: Slot,
    run: AttackRun,
    clean: usize,
    elapsed_ms: f64,
}

impl Session {
    /// Attacks the picture opened last through each network's own gradients, a step of each in turn. Ends early if a newer
    /// request waits.
    pub(crate) async fn attack(&self, id: RequestId, settings: Settings, inbox: &Inbox) {
        let Some(opened) = &self.opened else {
            post(&Reply::Refused { id, message: "There is no picture to attack yet: choose one first.".into() });
            return;
        };
        let mut assaults = match Slot::ALL.map(|slot| self.assault(slot, &settings, opened)) {
            [Ok(standard), Ok(hardened)] => [standard, hardened],
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
            match self.noise(slot, &settings, opened).await {
                Ok(noise) => post(&Reply::Noise { id, slot, noise }),
                Err(error) => return self.fail(id, &error),
            }
        }
        post(&Reply::Finished { id });
    }

    fn assault(&self, slot: Slot, settings: &Settings, opened: &Opened) -> Result<Assault, AttackError> {
        let clean = opened.clean[slot.index()];
        let (label, goal) = match settings.target {
            Some(target) => (target, Goal::Targeted),
            // The visitor's picture has no true label: away from what this network itself says.
            None => (clean, Goal::Untargeted),
        };
        let label = Tensor::<1, Int>::from_ints([label as i32], self.device());
        let images = opened.picture.to_tensor(self.device());
        let run = AttackRun::new(&config(settings), images, label, goal)?;
        Ok(Assault { slot, run, clean, elapsed_ms: 0.0 })
    }

    /// One gradient step, and what the network says to the picture that is shown: the rounded one.
    async fn step(&self, assault: &mut Assault, settings: &Settings, clean: &Picture) -> Result<Step, StepError> {
        let started = now_ms();
        assault.run.step(&self.bundle(assault.slot).model);
        let rounded = Picture::from_chw(&read(assault.run.adversarial()).await?)?;
        let mut rgb8 = rounded.as_rgb8().to_vec();
        project(clean.as_rgb8(), &mut rgb8, settings.epsilon_255);
        let attacked = Picture::from_rgb8(rgb8)?;
        let top = self.guess(assault.slot, &attacked).await?;
        assault.elapsed_ms += now_ms() - started;

        let gain = gain(settings.epsilon_255);
        Ok(Step {
            done: assault.run.steps_done() as u32,
            total: assault.run.steps_total() as u32,
            perturbation: Pixels(difference(clean, &attacked, gain).to_rgba8()),
            gain,
            largest_change: largest_change(clean.as_rgb8(), attacked.as_rgb8()),
            verdict: Verdict::judge(assault.clean, best(&top), settings.target),
            attacked: Pixels(attacked.to_rgba8()),
            top,
            elapsed_ms: assault.elapsed_ms,
        })
    }

    /// The control: a change as large as the attack's, aimed at nothing.
    async fn noise(&self, slot: Slot, settings: &Settings, opened: &Opened) -> Result<Noise, StepError> {
        let noisy = Picture::from_rgb8(add_noise(opened.picture.as_rgb8(), settings.epsilon_255))?;
        let top = self.guess(slot, &noisy).await?;
        let verdict = Verdict::judge(opened.clean[slot.index()], best(&top), settings.target);
        // A network has at least one class, so there is a first guess.
        Ok(Noise { best: top[0], verdict })
    }
}

fn config(settings: &Settings) -> AttackConfig {
    let kind = match settings.kind {
        protocol::AttackKind::Fgsm => AttackKind::Fgsm,
        // There is no random point to start from in a ball without extent.
        protocol::AttackKind::Pgd if settings.epsilon_255 > 0 => AttackKind::Pgd,
        protocol::AttackKind::Bim | protocol::AttackKind::Pgd => AttackKind::Bim,
    };
    AttackConfig::new(kind, f32::from(settings.epsilon_255) / 255.0, settings.steps as usize)
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
        assert_eq!(config(&Settings { epsilon_255: 0, ..settings }).kind, AttackKind::Bim);
    }
}
