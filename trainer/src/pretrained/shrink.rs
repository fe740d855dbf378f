//! Reduces a 7x7 kernel to a 3x3 one.
//!
//! Seven places lie beside each other as three bins of equal width, 7/3 each: the first bin holds the first two places and a
//! third of the third, the middle one two thirds of the third, the fourth, and two thirds of the fifth, and so on. With these
//! parts as `A` (3 x 7), a channel's kernel `W` becomes `A W A^T`. Each column of `A` adds up to 1, so the sum of the kernel
//! is kept, and with it the response to a picture of one colour, to which the statistics of the batch norm behind it belong.

use burn::tensor::{DType, TensorData};

pub(super) const FROM: usize = 7;
pub(super) const TO: usize = 3;

/// Part of each of the seven places in each of the three bins, in thirds.
const THIRDS: [[f64; FROM]; TO] =
    [[3.0, 3.0, 1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 2.0, 3.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0, 3.0, 3.0]];

/// Reduces kernels `[output, input, 7, 7]` of any float type to `[output, input, 3, 3]` in f32.
pub(super) fn shrink(kernels: TensorData) -> TensorData {
    let [output, input] = [kernels.shape()[0], kernels.shape()[1]];
    let kernels = kernels.convert_dtype(DType::F32);
    let values: Vec<f32> = kernels.iter().collect();
    let small = values.chunks_exact(FROM * FROM).flat_map(shrink_one).collect();
    TensorData::new::<f32, _>(small, [output, input, TO, TO])
}

fn shrink_one(kernel: &[f32]) -> [f32; TO * TO] {
    std::array::from_fn(|place| {
        let (rows, columns) = (THIRDS[place / TO], THIRDS[place % TO]);
        let weighed = kernel.iter().enumerate().map(|(k, &w)| rows[k / FROM] * columns[k % FROM] * f64::from(w));
        (weighed.sum::<f64>() / 9.0) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_kernel_weighs_is_kept() {
        let kernels: Vec<f32> = (0..2 * 3 * 49).map(|k| ((k * 37 % 101) as f32 - 50.0) / 50.0).collect();
        let small: Vec<f32> = shrink(TensorData::new(kernels.clone(), [2, 3, 7, 7])).iter().collect();
        for (large, small) in kernels.chunks(49).zip(small.chunks(9)) {
            let (before, after): (f32, f32) = (large.iter().sum(), small.iter().sum());
            assert!((before - after).abs() < 1e-4, "{before} became {after}");
        }
    }

    #[test]
    fn a_place_goes_to_the_bins_that_it_lies_in() {
        let only = |row: usize, column: usize| {
            let mut kernel = [0.0; 49];
            kernel[row * 7 + column] = 9.0;
            shrink_one(&kernel)
        };
        assert_eq!(only(0, 6), [0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(only(3, 3), [0.0, 0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 0.0]);
        // A third of the third row is in the first bin, two thirds are in the second; of the fifth column it is the other way.
        assert_eq!(only(2, 4), [0.0, 2.0, 1.0, 0.0, 4.0, 2.0, 0.0, 0.0, 0.0]);
        // Bins of one value: 7/3 of it each way.
        let flat = shrink_one(&[1.0; 49]);
        assert!(flat.iter().all(|value| (value - 49.0 / 9.0).abs() < 1e-6), "{flat:?}");
    }
}
