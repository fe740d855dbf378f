//! Feature maps before and after an attack.

use burn::prelude::*;
use burn::tensor::DType;
use serde::Serialize;

use super::ExplainError;
use crate::device::read;
use crate::metrics::top_k;

/// Change that an attack makes in the maps of one stage. A batch is taken as a whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageChange {
    /// Length of the change of all maps, as a share of the length of the maps before: `||A' - A|| / ||A||`, from 0. None where all
    /// maps were 0.
    pub change: Option<f32>,
    /// Channels, in order.
    pub channels: Vec<ChannelChange>,
}

/// Change that an attack makes in the maps of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChannelChange {
    /// Mean absolute value before the attack.
    pub energy_before: f32,
    /// Mean absolute value after the attack.
    pub energy_after: f32,
    /// Length of the change, as a share of the length of the channel's maps before. None where these were 0.
    pub change: Option<f32>,
    /// Share of the channel in the squared length of the whole stage's change, 0 to 1; 0 where nothing changed.
    pub share: f32,
}

impl StageChange {
    /// Returns the numbers of the `count` channels with the largest shares of the change, largest first. A channel that was nearly
    /// 0 everywhere changes by a large factor without a large share.
    pub fn most_changed(&self, count: usize) -> Vec<usize> {
        let shares: Vec<f32> = self.channels.iter().map(|channel| channel.share).collect();
        top_k(&shares, count)
    }
}

/// Returns the mean absolute value of each place over the channels: `[batch, channels, height, width]` to `[batch, height, width]`.
pub fn energy(maps: Tensor<4>) -> Tensor<3> {
    let [batch, _, height, width] = maps.dims();
    maps.cast(DType::F32).abs().mean_dim(1).reshape([batch, height, width])
}

/// Compares the maps of all stages before and after an attack: those of [`crate::model::Stages`] of the same pictures in the same
/// order.
///
/// # Errors
///
/// [`ExplainError::Device`] if a result cannot be read.
///
/// # Panics
///
/// If the shapes of a stage's maps differ.
pub async fn compare_maps(before: &[Tensor<4>], after: &[Tensor<4>]) -> Result<Vec<StageChange>, ExplainError> {
    let mut stages = Vec::with_capacity(before.len());
    for (before, after) in before.iter().zip(after) {
        let (before, after) = (before.clone().cast(DType::F32), after.clone().cast(DType::F32));
        let places = before.dims().iter().product::<usize>() / before.dims()[1];
        let squares_before = read(sum_by_channel(before.clone().square())).await?;
        let squares_changed = read(sum_by_channel(after.clone().sub(before.clone()).square())).await?;
        let energies_before = read(sum_by_channel(before.abs())).await?;
        let energies_after = read(sum_by_channel(after.abs())).await?;
        let (all_before, all_changed) = (squares_before.iter().sum(), squares_changed.iter().sum::<f32>());
        let channels = (0..squares_before.len()).map(|channel| ChannelChange {
            energy_before: energies_before[channel] / places as f32,
            energy_after: energies_after[channel] / places as f32,
            change: relative(squares_changed[channel], squares_before[channel]),
            share: if all_changed > 0.0 { squares_changed[channel] / all_changed } else { 0.0 },
        });
        stages.push(StageChange { change: relative(all_changed, all_before), channels: channels.collect() });
    }
    Ok(stages)
}

/// Sums over all pictures and places: `[batch, channels, height, width]` to `[channels]`.
fn sum_by_channel(maps: Tensor<4>) -> Tensor<1> {
    let [_, channels, ..] = maps.dims();
    maps.swap_dims(0, 1).flatten::<2>(1, 3).sum_dim(1).reshape([channels])
}

/// Returns the ratio of two lengths of which the squares are given; none where the second is 0.
fn relative(square: f32, of: f32) -> Option<f32> {
    (of > 0.0).then(|| (square / of).sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::test_network::{network, pictures, values};
    use super::*;

    fn compared(before: &[Tensor<4>], after: &[Tensor<4>]) -> Vec<StageChange> {
        pollster::block_on(compare_maps(before, after)).unwrap()
    }

    #[test]
    fn changes_are_lengths_relative_to_the_maps_before() {
        let device = Device::flex();
        // Two pictures of one place, two channels: (3, 0) and (4, 1), then (3, 2) and (4, 1).
        let maps = |values: [f32; 4]| Tensor::<1>::from_floats(values, &device).reshape([2, 2, 1, 1]);
        let [stage] = &compared(&[maps([3.0, 0.0, 4.0, -1.0])], &[maps([3.0, 2.0, 4.0, -1.0])])[..] else {
            panic!("one stage")
        };
        assert!((stage.change.unwrap() - (4.0f32 / 26.0).sqrt()).abs() < 1e-6);
        assert_eq!(
            stage.channels[0],
            ChannelChange { energy_before: 3.5, energy_after: 3.5, change: Some(0.0), share: 0.0 }
        );
        let ChannelChange { energy_before, energy_after, change, share } = stage.channels[1];
        assert_eq!((energy_before, energy_after, change, share), (0.5, 1.5, Some(2.0), 1.0));
        assert_eq!(stage.most_changed(1), [1]);
        let dead = &compared(&[maps([0.0; 4])], &[maps([1.0; 4])])[0];
        assert_eq!((dead.change, dead.channels[0].change, dead.channels[0].share), (None, None, 0.5));
    }

    #[test]
    fn every_stage_of_a_network_is_compared_and_shares_add_up() {
        let model = network(1);
        let (before, after) = (model.stages(pictures()).maps, model.stages(pictures().mul_scalar(0.9)).maps);
        let stages = compared(&before, &after);
        assert_eq!(stages.iter().map(|stage| stage.channels.len()).collect::<Vec<_>>(), [16, 32, 64]);
        for stage in &stages {
            assert!((stage.channels.iter().map(|channel| channel.share).sum::<f32>() - 1.0).abs() < 1e-4);
            let most = stage.most_changed(8);
            assert!(most.is_sorted_by(|&a, &b| stage.channels[a].share >= stage.channels[b].share) && most.len() == 8);
        }
        assert!(compared(&before, &before).iter().all(|stage| stage.change == Some(0.0)));
        let mean =
            values(energy(before[1].clone())).iter().sum::<f32>() / values(energy(before[1].clone())).len() as f32;
        let by_channel = stages[1].channels.iter().map(|channel| channel.energy_before).sum::<f32>() / 32.0;
        assert!((mean - by_channel).abs() < 1e-5, "energy is the same by place and by channel");
    }
}
