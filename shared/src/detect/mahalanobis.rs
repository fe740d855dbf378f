use burn::module::Param;
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::TensorData;

use super::pooled;

/// Keeps the logarithm of a distance finite.
const TINY: f32 = 1e-6;
/// Share of the mean variance that is added to each variance, which keeps the covariance invertible.
const RIDGE: f64 = 1e-3;

/// Mahalanobis distances of a picture's pooled maps, stage by stage, to the nearest class (Lee et al., 2018, arXiv 1807.03888,
/// equation 2, with the smallest distance instead of the largest confidence), joined by a logistic regression on their logarithms.
#[derive(Module, Debug)]
pub struct Mahalanobis {
    stages: Vec<Whitened>,
    fc: Linear,
}

/// The classes of a stage after whitening: distances there are Euclidean.
#[derive(Module, Debug)]
struct Whitened {
    /// `W` without bias, with `W' W` the inverse of the covariance that all classes share.
    whitening: Linear,
    /// Inner products with `W m` of each class' mean `m`, without bias.
    means: Linear,
}

impl Whitened {
    fn zeros(channels: usize, classes: usize, device: &Device) -> Self {
        let zeros = |shape: [usize; 2]| without_bias(Tensor::zeros(shape, device));
        Self { whitening: zeros([channels, channels]), means: zeros([channels, classes]) }
    }

    /// Returns the squared distance to the nearest class: `[batch, channels]` to `[batch, 1]`.
    fn nearest(&self, features: Tensor<2>) -> Tensor<2> {
        let whitened = self.whitening.forward(features); // [B, c]
        let products = self.means.forward(whitened.clone()); // [B, classes]
        let lengths = self.means.weight.val().powi_scalar(2).sum_dim(0); // [1, classes]
        let to_classes = lengths.sub(products.mul_scalar(2.0)).min_dim(1);
        to_classes.add(whitened.powi_scalar(2).sum_dim(1))
    }
}

impl Mahalanobis {
    /// Builds the detector for stages of so many channels, to be filled with weights.
    pub fn new(channels: &[usize], classes: usize, device: &Device) -> Self {
        Self {
            stages: channels.iter().map(|&channels| Whitened::zeros(channels, classes, device)).collect(),
            fc: LinearConfig::new(channels.len(), 1).init(device),
        }
    }

    /// Fits means and covariance of one stage to the features of untouched training pictures, row by row, with their labels.
    ///
    /// # Errors
    ///
    /// A text, if a feature is not finite.
    ///
    /// # Panics
    ///
    /// If `features` has not as many values as `labels` times the channels of the stage.
    pub fn fit_stage(&mut self, stage: usize, features: &[f32], labels: &[usize]) -> Result<(), String> {
        let target = &self.stages[stage];
        let device = target.means.weight.val().device();
        let [channels, classes] = target.means.weight.dims();
        assert_eq!(features.len(), labels.len() * channels, "a row for each label");
        let means = class_means(features, labels, classes, channels);
        let inverse = inverse_of_root(covariance(features, labels, &means, channels), channels)
            .ok_or_else(|| format!("the maps of stage {stage} have values that are no numbers"))?;
        let mut whitened = vec![0.0f32; classes * channels];
        for (mean, out) in means.chunks(channels).zip(whitened.chunks_mut(channels)) {
            for (row, value) in inverse.chunks(channels).zip(out) {
                *value = row.iter().zip(mean).map(|(a, b)| a * b).sum::<f64>() as f32;
            }
        }
        let inverse: Vec<f32> = inverse.into_iter().map(|value| value as f32).collect();
        // A row of each matrix is an output; a layer's weight has a column for each.
        let layer = |values, shape: [usize; 2]| {
            without_bias(Tensor::from_data(TensorData::new(values, shape), &device).transpose())
        };
        self.stages[stage] =
            Whitened { whitening: layer(inverse, [channels, channels]), means: layer(whitened, [classes, channels]) };
        Ok(())
    }

    /// Returns the logarithm of the squared distance to the nearest class at each stage: `[batch, stages]`.
    pub fn log_distances(&self, maps: &[Tensor<4>]) -> Tensor<2> {
        let distances = self.stages.iter().zip(maps).map(|(stage, maps)| stage.nearest(pooled(maps.clone())));
        Tensor::cat(distances.collect(), 1).clamp_min(TINY).log()
    }

    /// Returns the same distances under another logistic regression.
    #[must_use]
    pub fn with_regression(self, fc: Linear) -> Self {
        Self { fc, ..self }
    }

    /// Returns the score: the log odds of the logistic regression, `[batch]`.
    pub fn score(&self, maps: &[Tensor<4>]) -> Tensor<1> {
        let [batch, ..] = maps[0].dims();
        self.fc.forward(self.log_distances(maps)).reshape([batch])
    }
}

/// Returns a layer with the weight `[inputs, outputs]`.
fn without_bias(weight: Tensor<2>) -> Linear {
    let ([inputs, outputs], device) = (weight.dims(), weight.device());
    let layer = LinearConfig::new(inputs, outputs).with_bias(false).init(&device);
    Linear { weight: Param::from_tensor(weight), ..layer }
}

/// Returns the mean of the rows of each class, row by row; of a class without rows that of another class, which
/// changes no smallest distance.
fn class_means(features: &[f32], labels: &[usize], classes: usize, channels: usize) -> Vec<f64> {
    let (mut sums, mut counts) = (vec![0.0; classes * channels], vec![0usize; classes]);
    for (row, &label) in features.chunks(channels).zip(labels) {
        counts[label] += 1;
        sums[label * channels..].iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    for (mean, count) in sums.chunks_mut(channels).zip(&counts) {
        mean.iter_mut().for_each(|value| *value /= (*count).max(1) as f64);
    }
    if let Some(present) = counts.iter().position(|count| *count > 0) {
        for absent in (0..classes).filter(|class| counts[*class] == 0) {
            sums.copy_within(present * channels..(present + 1) * channels, absent * channels);
        }
    }
    sums
}

/// Returns the covariance within classes, with the ridge, row by row.
fn covariance(features: &[f32], labels: &[usize], means: &[f64], channels: usize) -> Vec<f64> {
    let mut covariance = vec![0.0; channels * channels];
    let mut centred = vec![0.0; channels];
    for (row, &label) in features.chunks(channels).zip(labels) {
        let mean = &means[label * channels..][..channels];
        centred.iter_mut().zip(row.iter().zip(mean)).for_each(|(out, (value, mean))| *out = f64::from(*value) - mean);
        for (one, line) in centred.iter().zip(covariance.chunks_mut(channels)) {
            line.iter_mut().zip(&centred).for_each(|(sum, other)| *sum += one * other);
        }
    }
    let count = labels.len().max(1) as f64;
    covariance.iter_mut().for_each(|value| *value /= count);
    let trace: f64 = (0..channels).map(|i| covariance[i * channels + i]).sum();
    let ridge = (RIDGE * trace / channels as f64).max(f64::from(f32::MIN_POSITIVE));
    (0..channels).for_each(|i| covariance[i * channels + i] += ridge);
    covariance
}

/// Returns the inverse of the lower Cholesky factor of a symmetric positive definite matrix, row by row; none if the matrix is not.
fn inverse_of_root(mut matrix: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    for column in 0..n {
        for row in column..n {
            let (above, below) = matrix.split_at(row * n);
            let known = if row == column { &below[..column] } else { &above[column * n..][..column] };
            let sum: f64 = known.iter().zip(&below[..column]).map(|(a, b)| a * b).sum();
            let rest = matrix[row * n + column] - sum;
            matrix[row * n + column] = match row == column {
                true if rest > 0.0 => rest.sqrt(),
                true => return None,
                false => rest / matrix[column * n + column],
            };
        }
    }
    // By columns: the inverse of a lower triangular matrix is lower triangular.
    let mut inverse = vec![0.0; n * n];
    for column in 0..n {
        for row in column..n {
            let identity = if row == column { 1.0 } else { 0.0 };
            let sum: f64 = (column..row).map(|k| matrix[row * n + k] * inverse[k * n + column]).sum();
            inverse[row * n + column] = (identity - sum) / matrix[row * n + row];
        }
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitening_is_the_inverse_of_the_root() {
        let matrix = vec![4.0, 2.0, 1.0, 2.0, 3.0, 0.5, 1.0, 0.5, 2.0];
        let w = inverse_of_root(matrix.clone(), 3).unwrap();
        // W M W' is the identity.
        let product = |a: &[f64], b: &[f64], transposed: bool| -> Vec<f64> {
            let at = |i: usize, j: usize| if transposed { b[j * 3 + i] } else { b[i * 3 + j] };
            (0..9).map(|p| (0..3).map(|k| a[p / 3 * 3 + k] * at(k, p % 3)).sum()).collect()
        };
        let identity = product(&product(&w, &matrix, false), &w, true);
        for (place, value) in identity.into_iter().enumerate() {
            let expected = if place % 4 == 0 { 1.0 } else { 0.0 };
            assert!((value - expected).abs() < 1e-12, "{place}: {value}");
        }
        assert!(inverse_of_root(vec![1.0, 2.0, 2.0, 1.0], 2).is_none());
    }

    #[test]
    fn distances_are_measured_in_deviations_from_the_nearest_class() {
        let device = Device::flex();
        let mut detector = Mahalanobis::new(&[2], 2, &device);
        // Two classes, 10 apart along the first axis; deviations 1 and 3 along the axes.
        let rows = [[-1.0, -3.0], [-1.0, 3.0], [1.0, -3.0], [1.0, 3.0]];
        let features: Vec<f32> = rows.iter().chain(&rows.map(|[x, y]| [x + 10.0, y])).flatten().copied().collect();
        detector.fit_stage(0, &features, &[0, 0, 0, 0, 1, 1, 1, 1]).unwrap();
        let maps = |x: f32, y: f32| Tensor::<4>::from_data(TensorData::new(vec![x, y], [1, 2, 1, 1]), &device);
        for ([x, y], expected) in [([2.0, 0.0], 4.0f32), ([0.0, 6.0], 4.0), ([10.0, 9.0], 9.0), ([12.0, 3.0], 5.0)] {
            let distance = pollster::block_on(crate::device::read(detector.log_distances(&[maps(x, y)]))).unwrap();
            // The ridge is a thousandth of the mean variance, 5.
            assert!((distance[0].exp() - expected).abs() < 0.03 * expected, "{x}, {y}: {}", distance[0].exp());
        }
        // A class without pictures is near none.
        let mut detector = Mahalanobis::new(&[2], 3, &device);
        detector.fit_stage(0, &features, &[0, 0, 0, 0, 2, 2, 2, 2]).unwrap();
        let between = pollster::block_on(crate::device::read(detector.log_distances(&[maps(5.0, 0.0)]))).unwrap();
        assert!((between[0].exp() - 25.0).abs() < 1.0, "{}", between[0].exp());
        assert!(detector.fit_stage(0, &[f32::NAN, 0.0], &[0]).is_err());
    }
}
