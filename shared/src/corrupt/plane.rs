//! A colour channel as numbers, with the filters that several corruptions share.

/// Continuation of a plane beyond its edges. The reference has a different one from each library that it calls.
#[derive(Clone, Copy, Debug)]
pub(super) enum Border {
    /// `a a | a b c | c c`
    Nearest,
    /// `b a | a b c | c b`
    Reflect,
    /// `c b | a b c | b a`
    Mirror,
}

impl Border {
    /// Returns the position within `0..side` that stands for `position`.
    fn resolve(self, position: isize, side: usize) -> usize {
        let last = side as isize - 1;
        let resolved = match self {
            // The usual case first: the divisions below are slow.
            _ if (0..=last).contains(&position) => position,
            Self::Nearest => position.clamp(0, last),
            Self::Reflect => {
                let folded = position.rem_euclid(2 * last + 2);
                folded.min(2 * last + 1 - folded)
            }
            Self::Mirror => {
                let folded = position.rem_euclid((2 * last).max(1));
                folded.min(2 * last - folded)
            }
        };
        resolved as usize
    }
}

/// A square of values, `[side, side]`, rows from the top. Pictures and their channels are in `[0, 1]`.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    side: usize,
    values: Vec<f32>,
}

impl Plane {
    /// Makes a plane of `value(x, y)`, called row by row from the top.
    pub(super) fn from_fn(side: usize, mut value: impl FnMut(usize, usize) -> f32) -> Self {
        let mut values = Vec::with_capacity(side * side);
        for y in 0..side {
            for x in 0..side {
                values.push(value(x, y));
            }
        }
        Self { side, values }
    }

    pub(super) fn side(&self) -> usize {
        self.side
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    pub(super) fn get(&self, x: usize, y: usize) -> f32 {
        self.values[y * self.side + x]
    }

    pub(super) fn set(&mut self, x: usize, y: usize, value: f32) {
        self.values[y * self.side + x] = value;
    }

    /// Returns the value at any position, beyond the edges too.
    pub(super) fn at(&self, x: isize, y: isize, border: Border) -> f32 {
        self.get(border.resolve(x, self.side), border.resolve(y, self.side))
    }

    /// Interpolates the value between pixels bilinearly; whole numbers are pixel centres.
    pub(super) fn sample(&self, x: f32, y: f32, border: Border) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let (right_share, lower_share) = (x - left, y - top);
        let row = |y| {
            let left = left as isize;
            self.at(left, y, border) * (1.0 - right_share) + self.at(left + 1, y, border) * right_share
        };
        row(top as isize) * (1.0 - lower_share) + row(top as isize + 1) * lower_share
    }

    pub(super) fn map(&self, change: impl FnMut(f32) -> f32) -> Self {
        Self { side: self.side, values: self.values.iter().copied().map(change).collect() }
    }

    /// Joins the values of both planes, pixel by pixel.
    pub(super) fn zip(&self, other: &Self, mut join: impl FnMut(f32, f32) -> f32) -> Self {
        let pairs = self.values.iter().zip(&other.values);
        Self { side: self.side, values: pairs.map(|(&a, &b)| join(a, b)).collect() }
    }

    pub(super) fn mean(&self) -> f32 {
        let sum: f64 = self.values.iter().copied().map(f64::from).sum();
        (sum / self.values.len() as f64) as f32
    }

    pub(super) fn min(&self) -> f32 {
        self.values.iter().copied().fold(f32::INFINITY, f32::min)
    }

    pub(super) fn max(&self) -> f32 {
        self.values.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }

    /// Applies a Gaussian blur of `sigma` pixels, cut off `truncate` sigmas from its middle. A sigma near 0 changes nothing.
    pub(super) fn gaussian_blur(&self, sigma: f32, truncate: f32, border: Border) -> Self {
        let radius = (truncate * sigma + 0.5) as isize;
        if radius == 0 {
            return self.clone();
        }
        let weights: Vec<f32> = (-radius..=radius).map(|i| gaussian(i as f32, sigma)).collect();
        let total: f32 = weights.iter().sum();
        // Sources and weights of each position, computed once for all rows and columns.
        let taps_of = |position: usize| -> Vec<(usize, f32)> {
            let shifted = (-radius..=radius).map(|i| border.resolve(position as isize + i, self.side));
            shifted.zip(weights.iter().map(|weight| weight / total)).collect()
        };
        let taps: Vec<_> = (0..self.side).map(taps_of).collect();
        let blur_columns = |plane: &Self| {
            Self::from_fn(self.side, |x, y| taps[y].iter().map(|&(from, weight)| weight * plane.get(x, from)).sum())
        };
        let blur_rows = |plane: &Self| {
            Self::from_fn(self.side, |x, y| taps[x].iter().map(|&(from, weight)| weight * plane.get(from, y)).sum())
        };
        blur_rows(&blur_columns(self))
    }

    /// Enlarges the centre `factor` times (1 or more) with bilinear interpolation; the corner pixels of the part cut out stay
    /// corner pixels.
    pub(super) fn clipped_zoom(&self, factor: f32) -> Self {
        let cut = (self.side as f32 / factor).ceil();
        let enlarged = (cut * factor).round();
        let first = ((self.side as f32 - cut) / 2.0).floor();
        let trimmed = ((enlarged - self.side as f32) / 2.0).floor();
        let step = (cut - 1.0) / (enlarged - 1.0);
        let position = |i: usize| first + (i as f32 + trimmed) * step;
        Self::from_fn(self.side, |x, y| self.sample(position(x), position(y), Border::Nearest))
    }
}

/// Returns the unnormalised Gaussian at `distance`: 1 in its middle.
pub(super) fn gaussian(distance: f32, sigma: f32) -> f32 {
    let in_sigmas = f64::from(distance) / f64::from(sigma);
    // Rounded from 64 bits, since the last bit of such a function differs between platforms.
    (-0.5 * in_sigmas * in_sigmas).exp() as f32
}

/// Returns sine and cosine of an angle in degrees.
pub(super) fn sine_and_cosine(degrees: f32) -> [f32; 2] {
    let (sine, cosine) = f64::from(degrees).to_radians().sin_cos();
    [sine as f32, cosine as f32]
}
