//! Resampling of a batch, each picture through its own map.

use burn::prelude::*;
use burn::tensor::TensorData;
use burn::tensor::ops::{GridSampleOptions, InterpolateMode};

use super::Projective;

/// Smallest depth, as a part of that of an untilted plane, at which a point of the plane is sampled.
const NEAREST_TO_HORIZON: f32 = 1e-6;

/// A coordinate of grid sampling at which there is no picture.
const OUTSIDE: f32 = 4.0;

/// Resamples `images` `[batch, channels, side, side]` through `maps`, one for each image: bilinear, black outside the picture.
pub(super) fn warp(images: Tensor<4>, maps: &[Projective]) -> Tensor<4> {
    if maps.iter().all(|map| *map == Projective::default()) {
        return images;
    }
    let ([batch, _, side, _], device) = (images.dims(), images.device());
    let matrices: Vec<f32> = maps.iter().flat_map(|map| map.scaled_to(side)).collect();
    let matrices = Tensor::<3>::from_data(TensorData::new(matrices, [batch, 3, 3]), &device);
    // [batch, 3, side * side]: homogeneous source coordinates of the middle of each pixel.
    let source = matrices.matmul(pixel_centers(side, &device).repeat_dim(0, batch));
    let depth = source.clone().narrow(1, 2, 1);
    // At the horizon of a tilted plane and behind it there is nothing to see, though the division gives coordinates there.
    // A plane that is tilted into a line has no depth at all, not even a number.
    let behind = depth.clone().greater_elem(NEAREST_TO_HORIZON).bool_not().repeat_dim(1, 2);
    // From pixels to the coordinates of grid sampling: -1 and 1 are the outer edges of the picture.
    let grid = source.narrow(1, 0, 2).div(depth).mul_scalar(2.0 / side as f32).sub_scalar(1.0);
    let grid = grid.mask_fill(behind, OUTSIDE).clamp(-OUTSIDE, OUTSIDE);
    let grid = grid.swap_dims(1, 2).reshape([batch, side, side, 2]);
    // The defaults: zeros outside, edges aligned with the pixels' edges.
    images.grid_sample_2d(grid, GridSampleOptions::new(InterpolateMode::Bilinear))
}

/// Returns the centres of the pixels as x, y and 1, row by row: `[1, 3, side * side]`.
fn pixel_centers(side: usize, device: &Device) -> Tensor<3> {
    let middle = |index: usize| index as f32 + 0.5;
    let pixels = || 0..side * side;
    let x = pixels().map(|pixel| middle(pixel % side));
    let y = pixels().map(|pixel| middle(pixel / side));
    let values: Vec<f32> = x.chain(y).chain(pixels().map(|_| 1.0)).collect();
    Tensor::from_data(TensorData::new(values, [1, 3, side * side]), device)
}
