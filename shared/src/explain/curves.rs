//! Deletion and insertion (Petsiuk et al., 2018, arXiv 1806.07421): how fast the probability of a class falls where the most
//! salient patches go first, and rises where they come first. They need controls: on pictures whose subject is in the middle, a
//! map that knows nothing but the middle does well.

use burn::prelude::*;
use burn::tensor::TensorData;
use burn::tensor::activation::softmax;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::Attribution;
use crate::device::{DeviceError, read};
use crate::metrics::top_k;
use crate::model::Classifier;
use crate::seed::{Purpose, derive};

/// Side of a patch, in pixels.
pub const PATCH: usize = 4;
/// Standard deviation of the blur that insertion begins with, in pixels.
const BLUR: f32 = 3.0;
/// Number of pictures that go through the network at once.
const BATCH: usize = 64;

/// Returns the patches of a picture of `side` x `side` pixels, numbered row by row, the one with the largest value first. A map of
/// fewer cells is interpolated, of more cells averaged.
pub fn order_by(map: &Attribution, side: usize) -> Vec<usize> {
    let grid = side / PATCH;
    top_k(&map.resized(grid, grid).values, grid * grid)
}

/// Returns the patches in a random order.
pub fn random_order(side: usize, seed: u64) -> Vec<usize> {
    let grid = side / PATCH;
    let mut order: Vec<usize> = (0..grid * grid).collect();
    order.shuffle(&mut StdRng::seed_from_u64(derive(seed, 0, Purpose::Explanation)));
    order
}

/// Returns a Gaussian around the middle of a picture, on the grid of patches: the control that knows nothing of the picture. Its
/// width makes no difference to the order of patches.
pub fn centred_gaussian(side: usize) -> Attribution {
    let grid = side / PATCH;
    let middle = (grid as f32 - 1.0) / 2.0;
    let square = |cell: usize| ((cell as f32 - middle) / grid as f32).powi(2);
    let values = (0..grid).flat_map(|y| (0..grid).map(move |x| (-8.0 * (square(y) + square(x))).exp())).collect();
    Attribution { height: grid, width: grid, values }
}

/// Returns pictures of one colour, RGB in `[0, 1]`, in the shape of `images`, `[batch, 3, height, width]`.
pub fn flat(images: &Tensor<4>, colour: [f32; 3]) -> Tensor<4> {
    Tensor::<1>::from_floats(colour, &images.device()).reshape([1, 3, 1, 1]).expand(images.dims())
}

/// Returns pictures, `[batch, 3, height, width]`, blurred by a Gaussian of 3 pixels. Near an edge the mean is over what is there.
pub fn blurred(images: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    let device = images.device();
    let weights = |side: usize| {
        let row = |at: usize| {
            let row: Vec<f32> =
                (0..side).map(|from| (-0.5 * ((at as f32 - from as f32) / BLUR).powi(2)).exp()).collect();
            let sum: f32 = row.iter().sum();
            row.into_iter().map(move |weight| weight / sum)
        };
        let values: Vec<f32> = (0..side).flat_map(row).collect();
        let weights = Tensor::<4>::from_data(TensorData::new(values, [1, 1, side, side]), &device);
        weights.expand([batch, channels, side, side])
    };
    weights(height).matmul(images).matmul(weights(width).swap_dims(2, 3))
}

/// Returns the probability of `class` while patches of the picture `from` are replaced by those of `to`, `per_step` at a time in
/// the order given: before the first step and after each.
///
/// # Shapes
///
/// - `from`, `to`: `[1, 3, side, side]` in `[0, 1]`
///
/// # Errors
///
/// [`DeviceError`] if the device fails.
pub async fn curve(
    model: &Classifier,
    from: Tensor<4>,
    to: Tensor<4>,
    order: &[usize],
    per_step: usize,
    class: usize,
) -> Result<Vec<f32>, DeviceError> {
    let [_, _, height, width] = from.dims();
    let columns = width / PATCH;
    let steps: Vec<usize> = (0..order.len()).step_by(per_step.max(1)).chain([order.len()]).collect();
    let mut probabilities = Vec::with_capacity(steps.len());
    for steps in steps.chunks(BATCH) {
        let mut shares = vec![0.0f32; steps.len() * height * width];
        for (share, &replaced) in shares.chunks_exact_mut(height * width).zip(steps) {
            for &patch in &order[..replaced] {
                let (top, left) = (patch / columns * PATCH, patch % columns * PATCH);
                for row in top..top + PATCH {
                    share[row * width + left..][..PATCH].fill(1.0);
                }
            }
        }
        let shape = [steps.len(), 1, height, width];
        let shares = Tensor::<4>::from_data(TensorData::new(shares, shape), &from.device());
        let mixed = from.clone().add(to.clone().sub(from.clone()).mul(shares));
        let answers = softmax(model.forward(mixed), 1);
        probabilities.extend(read(answers.narrow(1, class, 1)).await?);
    }
    Ok(probabilities)
}

/// Returns the area under a curve, as the mean height over its length: 0 to 1 for probabilities.
pub fn area(curve: &[f32]) -> f32 {
    let trapezoids = curve.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0);
    trapezoids.sum::<f32>() / (curve.len().saturating_sub(1).max(1)) as f32
}

/// Returns the areas under the curves of deletion, towards `colour` (RGB in `[0, 1]`, the mean of the training pictures), and of
/// insertion into the blurred picture. Of a good order the first is small and the second large.
///
/// # Shapes
///
/// - `image`: `[1, 3, side, side]` in `[0, 1]`
///
/// # Errors
///
/// [`DeviceError`] if the device fails.
pub async fn deletion_and_insertion(
    model: &Classifier,
    image: Tensor<4>,
    colour: [f32; 3],
    order: &[usize],
    per_step: usize,
    class: usize,
) -> Result<[f32; 2], DeviceError> {
    let gone = flat(&image, colour);
    let deletion = curve(model, image.clone(), gone, order, per_step, class).await?;
    let insertion = curve(model, blurred(image.clone()), image, order, per_step, class).await?;
    Ok([area(&deletion), area(&insertion)])
}

#[cfg(test)]
mod tests {
    use super::super::test_network::{classes, network, pictures, values};
    use super::super::{Method, energy};
    use super::*;

    fn wait<T>(future: impl Future<Output = Result<T, DeviceError>>) -> T {
        pollster::block_on(future).unwrap()
    }

    #[test]
    fn a_planted_patch_is_deleted_first_and_inserted_first() {
        let model = network(9);
        let grey = Tensor::<4>::full([1, 3, 32, 32], 0.5, &Device::flex());
        let planted =
            grey.clone().slice_assign([0..1, 0..3, 8..20, 12..24], Tensor::ones([1, 3, 12, 12], &Device::flex()));
        let probabilities = |image| values(softmax(model.forward(image), 1));
        let (with, without) = (probabilities(planted.clone()), probabilities(grey));
        let class = (0..5).max_by(|&a, &b| (with[a] - without[a]).total_cmp(&(with[b] - without[b]))).unwrap();
        // The map says where the area is: 9 patches of 64, which are what the class lives on.
        let inside = |y: usize, x: usize| f32::from((2..5).contains(&y) && (3..6).contains(&x));
        let known = (0..8).flat_map(|y| (0..8).map(move |x| inside(y, x))).collect();
        let known = Attribution { height: 8, width: 8, values: known };
        let scores = |order: &[usize]| wait(deletion_and_insertion(&model, planted.clone(), [0.5; 3], order, 1, class));
        let best = scores(&order_by(&known, 32));
        let mut reversed = order_by(&known, 32);
        reversed.reverse();
        for other in [random_order(32, 3), reversed] {
            let [deletion, insertion] = scores(&other);
            assert!(best[0] < deletion && best[1] > insertion, "{best:?} {deletion} {insertion}");
        }
        let falling = wait(curve(&model, planted.clone(), flat(&planted, [0.5; 3]), &order_by(&known, 32), 1, class));
        assert_eq!(falling.len(), 65);
        assert!((falling[0] - with[class]).abs() < 1e-5 && (falling[9] - without[class]).abs() < 1e-5, "{falling:?}");
        // After nine patches nothing is left to delete.
        assert!(falling[9..].iter().all(|p| (p - without[class]).abs() < 1e-5));
    }

    #[test]
    fn steps_of_several_patches_are_points_of_the_same_curve() {
        let (model, image) = (network(9), pictures().narrow(0, 0, 1));
        let map = pollster::block_on(Attribution::read(Method::Cam.map(&model, image.clone(), classes(&[3])).unwrap()));
        let order = order_by(&map.unwrap()[0], 32);
        let of = |per_step| wait(curve(&model, image.clone(), blurred(image.clone()), &order, per_step, 3));
        let (each, coarse) = (of(1), of(10));
        assert_eq!(coarse.len(), 8);
        assert!(coarse.iter().zip([0, 10, 20, 30, 40, 50, 60, 64]).all(|(p, at)| (p - each[at]).abs() < 1e-5));
        assert_eq!((area(&[1.0, 0.0]), area(&[1.0, 1.0, 0.0]), area(&[0.5])), (0.5, 0.75, 0.0));
    }

    #[test]
    fn controls_are_orders_of_all_patches() {
        let by_middle = order_by(&centred_gaussian(64), 64);
        let mut middle = by_middle[..4].to_vec();
        middle.sort_unstable();
        assert_eq!(middle, [7 * 16 + 7, 7 * 16 + 8, 8 * 16 + 7, 8 * 16 + 8]);
        assert!([0, 15, 240, 255].iter().all(|corner| by_middle[252..].contains(corner)));
        let maps = network(1).stages(pictures()).maps;
        let by_energy = pollster::block_on(Attribution::read(energy(maps[2].clone()))).unwrap();
        for order in [by_middle, random_order(64, 1), order_by(&by_energy[0], 64)] {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..256).collect::<Vec<_>>());
        }
        assert_ne!(random_order(64, 1), random_order(64, 2));
    }

    #[test]
    fn a_blur_keeps_what_is_flat_and_takes_what_is_fine() {
        let flat_one = flat(&pictures(), [0.2, 0.4, 0.6]);
        assert!(values(blurred(flat_one.clone()).sub(flat_one).abs().max())[0] < 1e-5);
        let mut stripes = vec![0.0f32; 3 * 32 * 32];
        stripes.iter_mut().step_by(2).for_each(|value| *value = 1.0);
        let stripes = Tensor::<4>::from_data(TensorData::new(stripes, [1, 3, 32, 32]), &Device::flex());
        let middle = blurred(stripes).slice([0..1, 0..3, 8..24, 8..24]).sub_scalar(0.5).abs().max();
        assert!(values(middle)[0] < 0.01);
    }
}
