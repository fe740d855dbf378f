//! An attack on both networks, step by step and side by side.

use burn::prelude::*;
use shared::attack::{AttackConfig, AttackError, AttackRun, Ball, Goal, smallest_in_8_bits};
use shared::bundle::Bundle;
use shared::device::read;
use shared::image::{Picture, ToTensor as _};
use shared::metrics::l2_distance;

use super::clock::{now_ms, yield_now};
use super::error::StepError;
use super::inbox::Inbox;
use super::messages::NO_SOURCE;
use super::prediction::Prediction;
use super::report::post;
use super::session::{Opened, Session};
use protocol::text::sentence;
use protocol::{Guess, Pixels, Radius, Reply, RequestId, Settings, Slot, Step};

/// The same noise every time, for both networks.
const NOISE_SEED: u64 = 0;

/// Candidates of a generation of the one-pixel attack: a quarter of the paper's, so that a generation takes a CPU seconds.
const POPULATION: usize = 100;

/// An attack through the gradients of one network.
pub(crate) struct RunningAttack<'a> {
    slot: Slot,
    bundle: &'a Bundle,
    run: AttackRun,
    config: AttackConfig,
    label: usize,
    goal: Goal,
    /// Steps after which it was ended, since it had succeeded.
    ended_after: Option<usize>,
    /// Time spent on each network.
    elapsed_ms: [f64; 2],
}

impl RunningAttack<'_> {
    /// Tells whether no step is left to take.
    pub(crate) fn is_done(&self) -> bool {
        self.run.is_done() || self.ended_after.is_some()
    }

    /// Takes a gradient step.
    pub(crate) fn advance(&mut self) {
        self.run.step(&self.bundle.model);
    }

    /// Returns the attacked picture as it is now: rounded to 8 bits, and within `radius` of the clean one all the same.
    pub(crate) async fn picture(&self, clean: &Picture, radius: Radius) -> Result<Picture, StepError> {
        let attacked = self.run.adversarial();
        let device = attacked.device();
        let values = read(attacked).await?;
        let Self { config, label, goal, bundle, .. } = self;
        if config.kind.ends_at_the_boundary() {
            return Ok(smallest_in_8_bits(&bundle.model, clean, &values, config, *label, *goal, &device).await?);
        }
        Ok(Picture::from_attacked(&values, clean, &radius.threat())?)
    }
}

impl Session {
    /// Attacks the picture opened last, each network through its own gradients, a step of each in turn; or both with the
    /// pictures that one of them gives. Ends early if a newer request waits.
    pub(crate) async fn attack(&self, id: RequestId, settings: Settings, inbox: &Inbox) {
        let Some((opened, bundles)) = self.opened_and_loaded() else {
            post(&Reply::Refused { id, message: "There is no picture to attack yet: choose one first.".into() });
            return;
        };
        let begun: Result<Vec<_>, _> = Slot::ALL
            .into_iter()
            .filter(|slot| settings.crafted_on.is_none_or(|source| source == *slot))
            .filter_map(|slot| Some(self.begin_attack(slot, bundles[slot.index()]?, &settings, opened)))
            .collect();
        let mut attacks = match begun {
            Ok(attacks) => attacks,
            Err(error) => {
                post(&Reply::Refused { id, message: sentence(&format!("This attack cannot be run: {error}")) });
                return;
            }
        };
        if attacks.is_empty() {
            post(&Reply::Refused { id, message: NO_SOURCE.into() });
            return;
        }
        let mut begins = true;
        while begins || attacks.iter().any(|attack| !attack.is_done()) {
            // Where it begins is shown as well: at the picture itself, or at a random place near it.
            for attack in attacks.iter_mut().filter(|attack| begins || !attack.is_done()) {
                if let Err(error) = self.step(id, attack, begins, &settings, opened).await {
                    return self.fail(id, &error);
                }
                yield_now().await;
                if inbox.ends_attack() {
                    return;
                }
            }
            begins = false;
        }
        for (slot, bundle) in Slot::ALL.into_iter().zip(bundles) {
            let Some(bundle) = bundle else { continue };
            match self.noise(bundle, &settings, opened).await {
                Ok(best) => post(&Reply::Noise { id, slot, best }),
                Err(error) => return self.fail(id, &error),
            }
            yield_now().await;
            if inbox.ends_attack() {
                return;
            }
        }
        post(&Reply::Finished { id });
    }

    /// Begins an attack through the gradients of the network in `slot`, which is `bundle`.
    ///
    /// # Errors
    ///
    /// If a setting is out of range.
    pub(crate) fn begin_attack<'a>(
        &self,
        slot: Slot,
        bundle: &'a Bundle,
        settings: &Settings,
        opened: &Opened,
    ) -> Result<RunningAttack<'a>, AttackError> {
        let clean = opened.clean[slot.index()];
        let (label, goal) = match settings.target {
            Some(target) => (target, Goal::Targeted),
            // The visitor's picture has no true label: away from what this network itself says.
            None => (clean, Goal::Untargeted),
        };
        let config = config(settings);
        let run = self.new_run(&config, &opened.picture, label, goal)?;
        Ok(RunningAttack { slot, bundle, run, config, label, goal, ended_after: None, elapsed_ms: [0.0; 2] })
    }

    fn new_run(
        &self,
        attack: &AttackConfig,
        picture: &Picture,
        label: usize,
        goal: Goal,
    ) -> Result<AttackRun, AttackError> {
        let label = Tensor::<1, Int>::from_ints([label as i32], self.device());
        AttackRun::new(attack, picture.to_tensor(self.device()), label, goal)
    }

    /// Takes one gradient step, or none where the attack begins, and posts what the networks answer to the picture that is
    /// shown then: the rounded one.
    async fn step(
        &self,
        id: RequestId,
        attack: &mut RunningAttack<'_>,
        begins: bool,
        settings: &Settings,
        opened: &Opened,
    ) -> Result<(), StepError> {
        let started = now_ms();
        if !begins {
            attack.advance();
        }
        // A device has carried out what was queued on it once something is read.
        let attacked = attack.picture(&opened.picture, settings.radius()).await?;
        if !begins {
            attack.elapsed_ms[attack.slot.index()] += now_ms() - started;
        }
        let Some(bundles) = self.bundles() else { return Ok(()) };
        let done = attack.run.steps_done();
        let no_gradient = done > 0 && attack.run.is_done() && read(attack.run.slope()).await? == [0.0];
        // The network whose gradients are used comes first: its answer decides whether the attack goes on.
        let others = settings.crafted_on.map(Slot::other);
        for slot in [Some(attack.slot), others].into_iter().flatten() {
            let Some(bundle) = bundles[slot.index()] else { continue };
            let started = now_ms();
            let prediction = self.predict(bundle, &attacked).await?;
            let elapsed_ms = &mut attack.elapsed_ms[slot.index()];
            *elapsed_ms += now_ms() - started;
            let elapsed_ms = *elapsed_ms;
            let clean = opened.clean[slot.index()];
            if slot == attack.slot && settings.stop_at_success && done > 0 && succeeds(&prediction, clean, settings) {
                attack.ended_after = Some(done);
            }
            let step = Step {
                done: done as u32,
                total: attack.ended_after.unwrap_or(attack.run.steps_total()) as u32,
                attacked: Pixels(attacked.to_rgba8()),
                largest_change: largest_change(&opened.picture, &attacked),
                l2: l2_distance(&opened.picture.to_chw(), &attacked.to_chw()),
                loss: prediction.loss(settings.target.unwrap_or(clean)),
                top: prediction.top(),
                own_share: prediction.share(clean),
                target_share: settings.target.map(|target| prediction.share(target)),
                no_gradient,
                elapsed_ms,
            };
            post(&Reply::Step { id, slot, step: Box::new(step) });
        }
        Ok(())
    }

    /// Returns what a network answers to the control: a change as large as the attack's, aimed at nothing.
    async fn noise(&self, bundle: &Bundle, settings: &Settings, opened: &Opened) -> Result<Guess, StepError> {
        let noisy = control(&opened.picture, settings.radius(), self.device()).await?;
        Ok(self.predict(bundle, &noisy).await?.best())
    }
}

/// Tells whether an attack has what it wants of a network that said `clean`.
fn succeeds(prediction: &Prediction, clean: usize, settings: &Settings) -> bool {
    let answer = prediction.best().class;
    settings.target.map_or(answer != clean, |target| answer == target)
}

/// Returns random noise at the distance `radius` of a picture, in 8 bits: the same noise every time.
async fn control(clean: &Picture, radius: Radius, device: &Device) -> Result<Picture, StepError> {
    let noisy = Ball::new(clean.to_tensor(device), radius.threat()).random_corner(NOISE_SEED);
    Ok(Picture::from_attacked(&read(noisy).await?, clean, &radius.threat())?)
}

/// Returns the largest change of a channel, in 255ths.
fn largest_change(original: &Picture, changed: &Picture) -> u8 {
    let pairs = original.as_rgb8().iter().zip(changed.as_rgb8());
    pairs.map(|(&from, &to)| from.abs_diff(to)).max().unwrap_or(0)
}

fn config(settings: &Settings) -> AttackConfig {
    AttackConfig {
        step_size: settings.step_size_tenths.filter(|_| settings.kind.takes_step_size()).map(|_| in_pixels(settings)),
        seed: u64::from(settings.seed),
        population: POPULATION,
        ..AttackConfig::new(settings.kind, settings.radius().in_pixel_units(), settings.steps as usize)
    }
}

/// Returns the step size in pixel units.
fn in_pixels(settings: &Settings) -> f32 {
    settings.step_size_units() / Radius::per_pixel_unit(settings.norm())
}

#[cfg(test)]
mod tests {
    use shared::attack::{AttackKind, Norm};

    use super::*;

    #[test]
    fn settings_become_an_attack_in_pixel_units() {
        let settings = Settings { kind: AttackKind::Pgd, epsilon_255: 8, steps: 7, seed: 3, ..Settings::default() };
        let attack = config(&settings);
        assert_eq!((attack.kind, attack.steps, attack.step_size, attack.seed), (AttackKind::Pgd, 7, None, 3));
        assert!((attack.epsilon - 8.0 / 255.0).abs() < 1e-7);
    }

    #[test]
    fn the_control_is_as_large_as_the_radius_says() {
        let clean = Picture::from_rgb8((0..64 * 64 * 3).map(|i| (i % 231 + 12) as u8).collect()).unwrap();
        let noise = |radius: Radius| pollster::block_on(control(&clean, radius, &Device::flex())).unwrap();
        let noisy = noise(Radius::linf(8));
        for (&from, &to) in clean.as_rgb8().iter().zip(noisy.as_rgb8()) {
            assert!(from.abs_diff(to) == 8, "{from} became {to}");
        }
        assert!(noisy == noise(Radius::linf(8)), "the same every time");
        for units in [5, 10, 30, 43, 50, 100, 500] {
            let radius = Radius { norm: Norm::L2, units };
            let part = l2_distance(&noise(radius).to_chw(), &clean.to_chw()) / radius.in_pixel_units();
            assert!((0.85..=1.0).contains(&part), "{}: {part} of it", radius.short());
        }
        for radius in [Radius::linf(0), Radius { norm: Norm::L2, units: 0 }] {
            assert!(noise(radius) == clean, "{}", radius.short());
        }
    }
}
