//! Patches of pictures as columns of a matrix, and the products that convolutions are made of.

use burn::backend::ops::FloatTensorOps as _;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata as _};
use burn::prelude::*;
use burn::tensor::DType;
use burn::tensor::ops::ConvOptions;
#[cfg(not(target_family = "wasm"))]
use rayon::prelude::*;

/// Columns of a product, at least where there are so many: a product with fewer takes as long to read the weights.
const COLUMNS: usize = 256;

/// Multiply-accumulates from which on burn-flex 0.22 spreads a product over threads (its `PARALLEL_THRESHOLD`).
const OF_ONE_THREAD: usize = 192 * 192 * 192;

/// A convolution's shapes.
pub(super) struct Patches {
    batch: usize,
    channels: usize,
    /// Height and width of the input.
    input: [usize; 2],
    outputs: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Zeros above and on the left.
    before: [usize; 2],
    /// Height and width of the output.
    output: [usize; 2],
}

impl Patches {
    /// Returns the shapes of a convolution in f32 with one group and no dilation; none for any other, and where there is nothing to
    /// compute.
    pub(super) fn of(x: &FloatTensor<Flex>, weight: &FloatTensor<Flex>, options: &ConvOptions<2>) -> Option<Self> {
        let is_plain = options.groups == 1 && options.dilation == [1, 1];
        if !is_plain || x.dtype() != DType::F32 || weight.dtype() != DType::F32 {
            return None;
        }
        let [batch, channels, height, width] = x.shape().dims::<4>();
        let [outputs, of_weight, rows, columns] = weight.shape().dims::<4>();
        if of_weight != channels || [batch, channels, outputs, rows, columns].contains(&0) {
            return None;
        }
        let (kernel, stride, [vertical, horizontal]) = ([rows, columns], options.stride, options.padding);
        let side = |side: usize, (before, behind): (usize, usize), axis: usize| {
            Some((side + before + behind).checked_sub(kernel[axis])? / stride[axis] + 1)
        };
        let output = [side(height, vertical, 0)?, side(width, horizontal, 1)?];
        let before = [vertical.0, horizontal.0];
        Some(Self { batch, channels, input: [height, width], outputs, kernel, stride, before, output })
    }

    /// Rows of the matrix: values of a patch.
    fn rows(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1]
    }

    /// Columns of one picture: places of the output.
    fn places(&self) -> usize {
        self.output[0] * self.output[1]
    }

    fn input_len(&self) -> usize {
        self.channels * self.input[0] * self.input[1]
    }

    /// Returns how many pictures share a product. It does not depend on the number of threads, so that sums over pictures do not.
    fn together(&self) -> usize {
        COLUMNS.div_ceil(self.places()).min(self.batch)
    }

    /// Tells whether the input is its own matrix of patches.
    fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.before == [0, 0] && self.input == self.output
    }

    /// Returns the convolution of `x` with `weight`.
    pub(super) fn convolved(&self, x: &FloatTensor<Flex>, weight: &FloatTensor<Flex>) -> FloatTensor<Flex> {
        let (x, weight) = (x.to_contiguous(), self.flat(weight));
        let groups = self.groups(x.storage::<f32>(), self.input_len(), |_, pictures| {
            self.by_picture(self.product(&weight, &self.matrix(pictures)), self.outputs)
        });
        tensor(groups.concat(), [self.batch, self.outputs, self.output[0], self.output[1]])
    }

    /// Returns the gradient with respect to the input.
    pub(super) fn input_gradient(&self, weight: &FloatTensor<Flex>, grad: &FloatTensor<Flex>) -> FloatTensor<Flex> {
        let (turned, grad) = (Flex::float_transpose(self.flat(weight)), grad.to_contiguous());
        let groups = self.groups(grad.storage::<f32>(), self.outputs * self.places(), |_, grads| {
            self.added_up(self.product(&turned, &self.side_by_side(grads, self.outputs)))
        });
        tensor(groups.concat(), [self.batch, self.channels, self.input[0], self.input[1]])
    }

    /// Returns the gradient with respect to the weights.
    pub(super) fn weight_gradient(&self, x: &FloatTensor<Flex>, grad: &FloatTensor<Flex>) -> FloatTensor<Flex> {
        let (x, grad) = (x.to_contiguous(), grad.to_contiguous());
        let (x, grad) = (x.storage::<f32>(), grad.storage::<f32>());
        let (of_input, of_output) = (self.input_len(), self.outputs * self.places());
        let groups = self.groups(x, of_input, |first, pictures| {
            let grads = &grad[first * of_output..][..pictures.len() / of_input * of_output];
            let turned = Flex::float_transpose(self.matrix(pictures));
            self.product(&self.side_by_side(grads, self.outputs), &turned)
        });
        let mut sums = vec![0.0; self.outputs * self.rows()];
        for group in groups {
            sums.iter_mut().zip(group).for_each(|(sum, value)| *sum += value);
        }
        tensor(sums, [self.outputs, self.channels, self.kernel[0], self.kernel[1]])
    }

    /// Applies `work` to the pictures of each product: to the number of the first one, and to the values of all, of which one picture
    /// has `of_one`.
    fn groups<T: Send>(
        &self,
        values: &[f32],
        of_one: usize,
        work: impl Fn(usize, &[f32]) -> T + Send + Sync,
    ) -> Vec<T> {
        let together = self.together();
        each(self.batch, together, |first| {
            work(first, &values[first * of_one..(first + together).min(self.batch) * of_one])
        })
    }

    /// Returns the product of `[m, k]` and `[k, n]`, row by row. Where it is the only one, and large, each thread computes some rows of
    /// it: two threads that share a product of this size, as burn has it, take longer than one.
    fn product(&self, left: &FloatTensor<Flex>, right: &FloatTensor<Flex>) -> Vec<f32> {
        let ([m, k], [_, n]) = (left.shape().dims::<2>(), right.shape().dims::<2>());
        let parts = m.saturating_mul(k).saturating_mul(n).div_ceil(OF_ONE_THREAD).min(m);
        let splits = self.batch <= self.together() && !cfg!(target_family = "wasm");
        let rows = if splits { m.div_ceil(parts) } else { m };
        let part = |first: usize| {
            let part = left.narrow(0, first, rows.min(m - first));
            Flex::float_matmul(part, right.clone()).storage::<f32>().to_vec()
        };
        each(m, rows, part).concat()
    }

    /// Returns the weights as a matrix, `[out, rows]`.
    fn flat(&self, weight: &FloatTensor<Flex>) -> FloatTensor<Flex> {
        Flex::float_reshape(weight.to_contiguous(), Shape::new([self.outputs, self.rows()]))
    }

    /// Returns the patches of some pictures, `[rows, pictures * places]`.
    fn matrix(&self, pictures: &[f32]) -> FloatTensor<Flex> {
        let (rows, places) = (self.rows(), self.places());
        let count = pictures.len() / self.input_len();
        let columns = count * places;
        if self.is_pointwise() {
            return self.side_by_side(pictures, self.channels);
        }
        let mut values = vec![0.0; rows * columns];
        for (row, values) in values.chunks_exact_mut(columns).enumerate() {
            for (picture, values) in pictures.chunks_exact(self.input_len()).zip(values.chunks_exact_mut(places)) {
                self.each_line(row, |to, from, step| {
                    let values = &mut values[to];
                    let from = &picture[from..];
                    match step {
                        1 => values.copy_from_slice(&from[..values.len()]),
                        _ => values.iter_mut().zip(from.iter().step_by(step)).for_each(|(to, from)| *to = *from),
                    }
                });
            }
        }
        tensor(values, [rows, columns])
    }

    /// Adds up the values of patches, `[rows, pictures * places]`, where they came from: the reverse of [`Self::matrix`]. Returns
    /// `[pictures, in, height, width]`.
    fn added_up(&self, patches: Vec<f32>) -> Vec<f32> {
        let places = self.places();
        let columns = patches.len() / self.rows();
        if self.is_pointwise() {
            return self.by_picture(patches, self.channels);
        }
        let mut sums = vec![0.0; columns / places * self.input_len()];
        for (row, values) in patches.chunks_exact(columns).enumerate() {
            for (sums, values) in sums.chunks_exact_mut(self.input_len()).zip(values.chunks_exact(places)) {
                self.each_line(row, |from, to, step| {
                    let sums = sums[to..].iter_mut().step_by(step);
                    sums.zip(&values[from]).for_each(|(sum, value)| *sum += value);
                });
            }
        }
        sums
    }

    /// Calls `line` for each line of one picture in one row of the matrix: with the places of the line that are not of the zeros around
    /// the picture, where in the picture the first of them is, and how many values apart in the picture the places are.
    fn each_line(&self, row: usize, mut line: impl FnMut(std::ops::Range<usize>, usize, usize)) {
        let [height, width] = self.input;
        let [rows, columns] = self.kernel;
        let (channel, down, right) = (row / (rows * columns), row / columns % rows, row % columns);
        let [vertical, horizontal] = self.stride;
        let [above, left] = self.before;
        // The first and the last place whose column is in the picture.
        let first = left.saturating_sub(right).div_ceil(horizontal);
        let Some(last) = (width + left).checked_sub(right + 1) else { return };
        let end = (last / horizontal + 1).min(self.output[1]);
        if first >= end {
            return;
        }
        for y in 0..self.output[0] {
            let Some(from) = (y * vertical + down).checked_sub(above).filter(|from| *from < height) else { continue };
            let place = y * self.output[1];
            let start = (channel * height + from) * width + first * horizontal + right - left;
            line(place + first..place + end, start, horizontal);
        }
    }

    /// Turns `[pictures, channels, places]` into `[channels, pictures * places]`.
    fn side_by_side(&self, values: &[f32], channels: usize) -> FloatTensor<Flex> {
        let places = self.places();
        let count = values.len() / (channels * places);
        let swapped = if count == 1 { values.to_vec() } else { swapped(values, count, channels, places) };
        tensor(swapped, [channels, count * places])
    }

    /// Turns `[channels, pictures * places]` into `[pictures, channels, places]`.
    fn by_picture(&self, values: Vec<f32>, channels: usize) -> Vec<f32> {
        let places = self.places();
        let count = values.len() / (channels * places);
        if count == 1 { values } else { swapped(&values, channels, count, places) }
    }
}

/// Applies `work` to the first number of each `step` numbers below `end`; in parallel, where there are threads.
fn each<T: Send>(end: usize, step: usize, work: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    let firsts = (0..end).step_by(step);
    #[cfg(not(target_family = "wasm"))]
    let firsts = firsts.collect::<Vec<_>>().into_par_iter();
    firsts.map(work).collect()
}

/// Swaps the first two axes of `[first, second, length]`.
fn swapped(values: &[f32], first: usize, second: usize, length: usize) -> Vec<f32> {
    let pieces = (0..second).flat_map(|b| (0..first).map(move |a| (a * second + b) * length));
    pieces.flat_map(|start| &values[start..start + length]).copied().collect()
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FloatTensor<Flex> {
    FloatTensor::<Flex>::from_data(TensorData::new(values, shape))
}
