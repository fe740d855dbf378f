//! Resizing of pictures inside a network.

use burn::prelude::*;

/// Resizes `[batch, channels, height, width]` to `side` x `side` bilinearly, as PyTorch's `interpolate` does with
/// `align_corners=False` and without antialiasing.
///
/// The two matrix products have gradients on every backend; burn's `interpolate` has none for this mode on GPUs.
pub(super) fn enlarge(images: Tensor<4>, side: usize) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    if (height, width) == (side, side) {
        return images;
    }
    let device = images.device();
    let matrix = |from: usize| Tensor::<2>::from_data(TensorData::new(weights(from, side), [side, from]), &device);
    let rows = matrix(height).reshape([1, 1, side, height]);
    let columns = matrix(width).transpose().reshape([1, 1, width, side]);
    rows.matmul(images.matmul(columns))
}

/// Returns the weights of the `from` old positions in each of the `to` new positions, `[to, from]`.
fn weights(from: usize, to: usize) -> Vec<f32> {
    let mut weights = vec![0.0; to * from];
    for place in 0..to {
        // Centre of the new position among the old positions, clamped to their range.
        let centre = ((place as f32 + 0.5) * from as f32 / to as f32 - 0.5).max(0.0);
        let low = (centre as usize).min(from - 1);
        let high = (low + 1).min(from - 1);
        let part = centre - low as f32;
        weights[place * from + low] += 1.0 - part;
        weights[place * from + high] += part;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_new_place_is_a_mean_of_old_ones() {
        for (from, to) in [(64, 224), (64, 128), (64, 65), (3, 7), (1, 4), (64, 32)] {
            let weights = weights(from, to);
            for row in weights.chunks_exact(from) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6 && row.iter().all(|&weight| weight >= 0.0));
            }
        }
    }

    #[test]
    fn twice_the_size_is_what_it_is_by_hand() {
        let device = Device::flex();
        let images = Tensor::<2>::from_floats([[0.0, 4.0], [8.0, 12.0]], &device).reshape([1, 1, 2, 2]);
        let enlarged = pollster::block_on(crate::device::read(enlarge(images, 4))).unwrap();
        let rows = [[0.0, 1.0, 3.0, 4.0], [2.0, 3.0, 5.0, 6.0], [6.0, 7.0, 9.0, 10.0], [8.0, 9.0, 11.0, 12.0]];
        assert_eq!(enlarged, rows.concat());
    }
}
