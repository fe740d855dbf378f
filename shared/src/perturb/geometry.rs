//! Plane transforms as matrices.

use crate::image::SIDE;

/// A projective map from points of the result to points of the source picture.
///
/// Points are `(x, y)` in pixels of a 64x64 picture, its top left corner the origin, so that the middle of the first
/// pixel is `(0.5, 0.5)`. Signs and units of the constructors are those of torchvision's functional transforms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Projective {
    /// Rows of the matrix, in homogeneous coordinates.
    matrix: [[f64; 3]; 3],
}

impl Default for Projective {
    fn default() -> Self {
        Self::linear([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    }
}

const CENTER: f64 = SIDE as f64 / 2.0;

impl Projective {
    /// Makes torchvision's `affine`: turns by `degrees` clockwise, shears by `shear` degrees, zooms, then shifts by `translate`
    /// pixels to the right and down.
    pub fn affine(degrees: f64, translate: [f64; 2], scale: f64, shear: [f64; 2]) -> Self {
        let (turn, [shear_x, shear_y]) = (degrees.to_radians(), shear.map(f64::to_radians));
        // R(turn) * SHy(shear_y) * SHx(shear_x), whose determinant is 1.
        let a = (turn - shear_y).cos() / shear_y.cos();
        let b = -a * shear_x.tan() - turn.sin();
        let c = (turn - shear_y).sin() / shear_y.cos();
        let d = -c * shear_x.tan() + turn.cos();
        let inverse = [[d / scale, -b / scale], [-c / scale, a / scale]];
        Self::linear(inverse, translate)
    }

    /// Makes torchvision's `rotate`: turns by `degrees` counter-clockwise.
    pub fn rotation(degrees: f64) -> Self {
        Self::affine(-degrees, [0.0, 0.0], 1.0, [0.0, 0.0])
    }

    /// Makes torchvision's `perspective`: moves the picture's corners to `corners` (pixels, clockwise from the top left).
    pub fn perspective(corners: [[f64; 2]; 4]) -> Self {
        let last = SIDE as f64 - 1.0;
        let from = [[0.0, 0.0], [last, 0.0], [last, last], [0.0, last]];
        let mut equations = [[0.0; 9]; 8];
        for (i, ([x, y], [u, v])) in corners.into_iter().zip(from).enumerate() {
            equations[2 * i] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
            equations[2 * i + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
        }
        let [a, b, c, d, e, f, g, h] = solve(equations);
        Self { matrix: [[a, b, c], [d, e, f], [g, h, 1.0]] }
    }

    /// Makes the mirror image with left and right swapped.
    pub fn horizontal_flip() -> Self {
        Self::linear([[-1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    }

    /// Makes the mirror image with top and bottom swapped.
    pub fn vertical_flip() -> Self {
        Self::linear([[1.0, 0.0], [0.0, -1.0]], [0.0, 0.0])
    }

    /// Composes this transform with `next`, which is applied to the result of this one.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let product = |row: usize, column: usize| (0..3).map(|k| self.matrix[row][k] * next.matrix[k][column]).sum();
        Self { matrix: [0, 1, 2].map(|row| [0, 1, 2].map(|column| product(row, column))) }
    }

    /// Returns the rows of the matrix for pictures of `side` pixels.
    pub(super) fn scaled_to(self, side: usize) -> [f32; 9] {
        let scale = side as f64 / SIDE as f64;
        let [[a, b, c], [d, e, f], [g, h, i]] = self.matrix;
        [a, b, c * scale, d, e, f * scale, g / scale, h / scale, i].map(|value| value as f32)
    }

    /// Makes a linear map around the centre, after a shift by `[x, y]` pixels to the left and up.
    fn linear([[a, b], [c, d]]: [[f64; 2]; 2], [x, y]: [f64; 2]) -> Self {
        let (dx, dy) = (-CENTER - x, -CENTER - y);
        Self { matrix: [[a, b, a * dx + b * dy + CENTER], [c, d, c * dx + d * dy + CENTER], [0.0, 0.0, 1.0]] }
    }
}

/// Solves linear equations by Gaussian elimination with partial pivoting; the last column is the right-hand side.
fn solve(mut rows: [[f64; 9]; 8]) -> [f64; 8] {
    for column in 0..8 {
        let largest = |&a: &usize, &b: &usize| rows[a][column].abs().total_cmp(&rows[b][column].abs());
        let pivot = (column..8).max_by(largest).unwrap_or(column);
        rows.swap(column, pivot);
        let pivot_row = rows[column].map(|value| value / rows[column][column]);
        rows[column] = pivot_row;
        for (index, row) in rows.iter_mut().enumerate() {
            if index != column {
                let factor = row[column];
                row.iter_mut().zip(pivot_row).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
    }
    rows.map(|row| row[8])
}
