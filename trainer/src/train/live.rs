//! Attacks crafted while training, against the network as it is at that moment.

use burn::prelude::*;
use shared::attack::{AttackConfig, AttackRun, Goal, n_fgsm};
use shared::model::Classifier;
use shared::seed::{Purpose, derive};

use super::config::TrainConfig;
use super::mix::{Portion, Share};

/// The settings of a run's attacks.
#[derive(Clone, Debug)]
pub struct LiveAttacks {
    epsilon: f32,
    /// Steps in which the radius rises from 0.
    warm_up_steps: usize,
    bim_steps: usize,
    pgd_steps: usize,
    /// Steps that single-step attacks take instead of one: more after a collapse.
    single_steps: usize,
    seed: u64,
}

impl LiveAttacks {
    /// Returns the attacks of `config` after so many collapses of the run.
    pub fn new(config: &TrainConfig, steps_total: usize, collapses: usize) -> Self {
        Self {
            epsilon: config.epsilon.value(),
            warm_up_steps: (config.epsilon_warm_up * steps_total as f64).round() as usize,
            bim_steps: config.bim_steps,
            pgd_steps: config.pgd_steps,
            single_steps: 1 + collapses,
            seed: config.seed,
        }
    }

    /// Returns attacks of radius 0, for a model that only takes weights from a file.
    pub fn none() -> Self {
        Self { epsilon: 0.0, warm_up_steps: 0, bim_steps: 1, pgd_steps: 1, single_steps: 1, seed: 0 }
    }

    /// Returns the batch with the rows of its live portions attacked.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, size, size]`, `targets`: `[batch]`, both on `model`'s device, without autodiff
    /// - output: as `images`
    ///
    /// `first_row` is the index of the first row in the whole batch, so that random starts differ on several devices.
    pub fn apply(
        &self,
        mut images: Tensor<4>,
        targets: &Tensor<1, Int>,
        portions: &[Portion],
        first_row: usize,
        step: usize,
        model: &Classifier,
    ) -> Tensor<4> {
        for (index, Portion { share, rows }) in portions.iter().enumerate().filter(|(_, found)| found.share.is_live()) {
            let of_step = derive(self.seed, step as u64, Purpose::LiveStarts);
            let seed = derive(of_step, (first_row + rows.start + index) as u64, Purpose::LiveStarts);
            let part = images.clone().narrow(0, rows.start, rows.len());
            let labels = targets.clone().narrow(0, rows.start, rows.len());
            let attacked = self.attack(*share, part, labels, step, seed, model);
            let [_, channels, height, width] = images.dims();
            images = images.slice_assign([rows.clone(), 0..channels, 0..height, 0..width], attacked);
        }
        images
    }

    fn attack(
        &self,
        share: Share,
        images: Tensor<4>,
        targets: Tensor<1, Int>,
        step: usize,
        seed: u64,
        model: &Classifier,
    ) -> Tensor<4> {
        let epsilon = self.epsilon_at(step);
        let config = match share {
            // After a collapse, training goes on with several steps.
            Share::NFgsm | Share::FgsmRs if self.single_steps > 1 => {
                AttackConfig::pgd(epsilon, self.single_steps, seed)
            }
            Share::Fgsm if self.single_steps > 1 => AttackConfig {
                // Shorter steps, which together reach as far as FGSM's.
                step_size: Some(1.25 * epsilon / self.single_steps as f32),
                ..AttackConfig::bim(epsilon, self.single_steps)
            },
            Share::NFgsm => {
                // The settings were checked before the run, and there is a label for each image.
                return n_fgsm(epsilon, images, targets, model, seed).expect("a radius that was checked");
            }
            Share::FgsmRs => AttackConfig { step_size: Some(1.25 * epsilon), ..AttackConfig::pgd(epsilon, 1, seed) },
            Share::Pgd => AttackConfig::pgd(epsilon, self.pgd_steps, seed),
            Share::Fgsm => AttackConfig::fgsm(epsilon),
            Share::Bim => AttackConfig::bim(epsilon, self.bim_steps),
            Share::Normal | Share::Augmented | Share::CraftedFgsm | Share::CraftedBim => return images,
        };
        let labels = match share {
            // Away from the class predicted for the clean images, not from the true class (eq. 3 of the paper): a single
            // step away from the true class leaks it (Kurakin et al., 2016, arXiv 1611.01236).
            Share::Fgsm | Share::Bim => {
                let [batch, ..] = images.dims();
                model.forward(images.clone()).argmax(1).reshape([batch])
            }
            Share::Normal
            | Share::Augmented
            | Share::CraftedFgsm
            | Share::CraftedBim
            | Share::FgsmRs
            | Share::NFgsm
            | Share::Pgd => targets,
        };
        AttackRun::new(&config, images, labels, Goal::Untargeted)
            // The settings were checked before the run, and there is a label for each image.
            .expect("an attack that was checked, on as many labels as images")
            .finish(model)
    }

    fn epsilon_at(&self, step: usize) -> f32 {
        if step >= self.warm_up_steps {
            return self.epsilon;
        }
        self.epsilon * (step + 1) as f32 / self.warm_up_steps as f32
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use shared::model::{Architecture, BuildNetwork as _, WideResNetConfig};

    use super::super::mix::portions;
    use super::super::tests::config;
    use super::*;

    const EPSILON: f32 = 4.0 / 255.0;

    fn model() -> Classifier {
        let architecture = Architecture::WideResNet(WideResNetConfig::new(10, 1));
        architecture.init_seeded(5, [0.5; 3], [0.25; 3], 1, &Device::flex()).unwrap()
    }

    fn attacks(flags: &[&str], collapses: usize) -> LiveAttacks {
        LiveAttacks::new(&config(flags), 100, collapses)
    }

    /// Returns the largest change of each row.
    fn moved(attacks: &LiveAttacks, mix: &[Share], step: usize) -> Vec<f32> {
        let changes = changes(attacks, mix, step);
        changes
            .chunks_exact(3 * 32 * 32)
            .map(|row| row.iter().fold(0.0, |most, change| change.abs().max(most)))
            .collect()
    }

    /// Returns the change of each value, of two rows a share.
    fn changes(attacks: &LiveAttacks, mix: &[Share], step: usize) -> Vec<f32> {
        let device = Device::flex();
        let rows = 2 * mix.len();
        // Away from the ends of the range, so that nothing is cut off.
        let values: Vec<f32> = (0..rows * 3 * 32 * 32).map(|i| 0.3 + 0.4 * ((i * 37 % 101) as f32 / 100.0)).collect();
        let images = Tensor::<4>::from_data(TensorData::new(values, [rows, 3, 32, 32]), &device);
        let targets = Tensor::<1, Int>::from_data(TensorData::new(vec![1i64; rows], [rows]), &device);
        let portions = portions(mix, rows, 0..rows);
        let attacked = attacks.apply(images.clone(), &targets, &portions, 0, step, &model());
        crate::models::read(attacked.sub(images)).unwrap()
    }

    #[test]
    fn each_share_is_attacked_as_its_name_says() {
        use Share::{Augmented, Bim, Fgsm, FgsmRs, NFgsm, Normal, Pgd};
        let mix = [Normal, Augmented, Fgsm, Bim, FgsmRs, NFgsm, Pgd];
        let moved = moved(&attacks(&[], 0), &mix, 50);
        let near = |row: usize, value: f32| assert!((moved[row] - value).abs() < 1e-6, "row {row}: {}", moved[row]);
        (0..4).for_each(|row| near(row, 0.0));
        (4..8).for_each(|row| near(row, EPSILON));
        for row in [8, 9, 12, 13] {
            assert!((0.5 * EPSILON..=EPSILON + 1e-6).contains(&moved[row]), "row {row}: {}", moved[row]);
        }
        for row in [10, 11] {
            assert!((1.5 * EPSILON..=3.0 * EPSILON + 1e-6).contains(&moved[row]), "row {row}: {}", moved[row]);
        }
    }

    #[test]
    fn the_radius_warms_up() {
        let attacks = attacks(&["--epsilon-warm-up", "0.5"], 0);
        let moved = |step| moved(&attacks, &[Share::Fgsm], step)[0];
        for (step, part) in [(0, 0.02), (24, 0.5), (49, 1.0), (99, 1.0)] {
            assert!((moved(step) - part * EPSILON).abs() < 1e-6, "step {step}: {}", moved(step));
        }
    }

    #[test]
    fn after_a_collapse_single_steps_become_several_within_the_ball() {
        for share in Share::value_variants() {
            let changes = |collapses| changes(&attacks(&[], collapses), &[*share], 0);
            let (before, after) = (changes(0), changes(1));
            assert_eq!(before != after, share.is_single_step(), "{share:?}");
            assert!(after.iter().all(|&change| change.abs() <= EPSILON + 1e-6), "{share:?}");
        }
    }
}
