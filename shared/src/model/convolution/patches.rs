//! Patches of pictures as columns of a matrix, and the products that convolutions are made of.

#[cfg(not(target_family = "wasm"))]
use rayon::prelude::*;

use super::*;

/// Columns of a product, at least where there are so many: a product with fewer takes as long to read the weights.
const COLUMNS: usize = 512;

/// A convolution's shapes.
#[derive(Clone, Debug)]
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
    /// Returns the shapes of a convolution in f32 with one group and no dilation; none for any other.
    pub(super) fn of(x: &FloatTensor<Flex>, weight: &FloatTensor<Flex>, options: &ConvOptions<2>) -> Option<Self> {
        let is_plain = options.groups == 1 && options.dilation == [1, 1];
        if !is_plain || x.dtype() != DType::F32 || weight.dtype() != DType::F32 {
            return None;
        }
        let [batch, channels, height, width] = x.shape().dims::<4>();
        let [outputs, _, rows, columns] = weight.shape().dims::<4>();
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

    /// Returns how many pictures share a product: as many as it takes to have enough columns, but no more than leaves each thread some.
    fn together(&self) -> usize {
        #[cfg(not(target_family = "wasm"))]
        let threads = rayon::current_num_threads();
        #[cfg(target_family = "wasm")]
        let threads = 1;
        COLUMNS.div_ceil(self.places()).min(self.batch.div_ceil(threads)).max(1)
    }

    /// Tells whether the input is its own matrix of patches.
    fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.before == [0, 0] && self.input == self.output
    }

    /// Returns the convolution of `x` with `weight`.
    pub(super) fn convolved(&self, x: &FloatTensor<Flex>, weight: &FloatTensor<Flex>) -> FloatTensor<Flex> {
        let (x, weight) = (x.to_contiguous(), self.flat(weight));
        let groups = self.groups(x.storage::<f32>(), self.input_len(), |_, pictures| {
            self.by_picture(product(&weight, &self.matrix(pictures)), self.outputs)
        });
        tensor(groups.concat(), [self.batch, self.outputs, self.output[0], self.output[1]])
    }

    /// Returns the gradient with respect to the input.
    pub(super) fn input_gradient(&self, weight: &FloatTensor<Flex>, grad: &FloatTensor<Flex>) -> FloatTensor<Flex> {
        let (turned, grad) = (Flex::float_transpose(self.flat(weight)), grad.to_contiguous());
        let groups = self.groups(grad.storage::<f32>(), self.outputs * self.places(), |_, grads| {
            self.added_up(product(&turned, &self.side_by_side(grads, self.outputs)))
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
            product(&self.side_by_side(grads, self.outputs), &turned)
        });
        let mut sums = vec![0.0; self.outputs * self.rows()];
        for group in groups {
            sums.iter_mut().zip(group).for_each(|(sum, value)| *sum += value);
        }
        tensor(sums, [self.outputs, self.channels, self.kernel[0], self.kernel[1]])
    }

    /// Applies `work` to the pictures of each product, in parallel where there are threads: to the number of the first one, and to the
    /// values of all, of which one picture has `of_one`.
    fn groups<T: Send>(
        &self,
        values: &[f32],
        of_one: usize,
        work: impl Fn(usize, &[f32]) -> T + Send + Sync,
    ) -> Vec<T> {
        let together = self.together();
        #[cfg(not(target_family = "wasm"))]
        let groups = values.par_chunks(of_one * together);
        #[cfg(target_family = "wasm")]
        let groups = values.chunks(of_one * together);
        groups.enumerate().map(|(number, values)| work(number * together, values)).collect()
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

/// Multiply-accumulates below which burn computes a product on one thread.
const OF_ONE_THREAD: usize = 192 * 192 * 192;

/// Returns the product of `[m, k]` and `[k, n]`, row by row. It is computed in parts by rows of the left one, each on a thread of its
/// own: two threads that share a product of this size, as burn has it, take longer than one.
fn product(left: &FloatTensor<Flex>, right: &FloatTensor<Flex>) -> Vec<f32> {
    let [m, k] = left.shape().dims::<2>();
    let [_, n] = right.shape().dims::<2>();
    // Parts of nearly the same size, in whole blocks of the product's kernels.
    let rows = m.div_ceil((m * k * n).div_ceil(OF_ONE_THREAD).max(1)).next_multiple_of(16).min(m);
    let part = |first: usize| {
        let part = left.narrow(0, first, rows.min(m - first));
        Flex::float_matmul(part, right.clone()).storage::<f32>().to_vec()
    };
    if rows == m {
        return part(0);
    }
    #[cfg(not(target_family = "wasm"))]
    let parts = (0..m.div_ceil(rows)).into_par_iter();
    #[cfg(target_family = "wasm")]
    let parts = 0..m.div_ceil(rows);
    parts.map(|number| part(number * rows)).collect::<Vec<_>>().concat()
}

/// Swaps the first two axes of `[first, second, length]`.
fn swapped(values: &[f32], first: usize, second: usize, length: usize) -> Vec<f32> {
    let pieces = (0..second).flat_map(|b| (0..first).map(move |a| (a * second + b) * length));
    pieces.flat_map(|start| &values[start..start + length]).copied().collect()
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FloatTensor<Flex> {
    FloatTensor::<Flex>::from_data(TensorData::new(values, shape))
}
