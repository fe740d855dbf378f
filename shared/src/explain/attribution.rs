use burn::prelude::*;
use serde::Serialize;

use crate::device::{DeviceError, read};

/// A number for each cell of a grid over a picture: larger where more speaks for a class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attribution {
    /// Rows of the grid.
    pub height: usize,
    /// Columns of the grid.
    pub width: usize,
    /// Values row by row from the top, `[height, width]`.
    pub values: Vec<f32>,
}

impl Attribution {
    /// Reads the maps of a batch, `[batch, height, width]`.
    ///
    /// # Errors
    ///
    /// [`DeviceError`] if the device was lost or could not compute the values.
    pub async fn read(maps: Tensor<3>) -> Result<Vec<Self>, DeviceError> {
        let [_, height, width] = maps.dims();
        let values = read(maps).await?;
        Ok(values.chunks_exact(height * width).map(|map| Self { height, width, values: map.to_vec() }).collect())
    }

    /// Returns the map on a grid of `height` x `width` cells: the mean of the cells that come together where the map's sides are
    /// multiples of them, else interpolated bilinearly between the centres of cells.
    #[must_use]
    pub fn resized(&self, height: usize, width: usize) -> Self {
        let whole = self.height.is_multiple_of(height) && self.width.is_multiple_of(width);
        let mut values = Vec::with_capacity(height * width);
        for y in 0..height {
            for x in 0..width {
                values.push(if whole {
                    self.mean_of(y, x, self.height / height, self.width / width)
                } else {
                    let centre =
                        |cell: usize, from: usize, to: usize| (cell as f32 + 0.5) * from as f32 / to as f32 - 0.5;
                    self.between(centre(y, self.height, height), centre(x, self.width, width))
                });
            }
        }
        Self { height, width, values }
    }

    /// Returns the mean of block `y`, `x` of `rows` x `columns` cells.
    fn mean_of(&self, y: usize, x: usize, rows: usize, columns: usize) -> f32 {
        let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (y * rows + row, x * columns + column)));
        let sum: f32 = cells.map(|(row, column)| self.values[row * self.width + column]).sum();
        sum / (rows * columns) as f32
    }

    /// Interpolates between the four nearest cells; beyond the edges the values of the edge go on.
    fn between(&self, y: f32, x: f32) -> f32 {
        let at = |row: f32, column: f32| {
            let row = row.clamp(0.0, (self.height - 1) as f32) as usize;
            let column = column.clamp(0.0, (self.width - 1) as f32) as usize;
            self.values[row * self.width + column]
        };
        let (top, left) = (y.floor(), x.floor());
        let (down, right) = (y - top, x - left);
        let in_row = |row| at(row, left) * (1.0 - right) + at(row, left + 1.0) * right;
        in_row(top) * (1.0 - down) + in_row(top + 1.0) * down
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_joined_or_interpolated_and_their_mean_stays() {
        let map = Attribution { height: 2, width: 4, values: vec![0.0, 2.0, 4.0, 6.0, 2.0, 4.0, 6.0, 8.0] };
        assert_eq!(map.resized(1, 2).values, [2.0, 6.0]);
        assert_eq!(map.resized(2, 4), map);
        let larger = map.resized(4, 8);
        assert_eq!(larger.values[..4], [0.0, 0.5, 1.5, 2.5]);
        assert_eq!(larger.values[8..10], [0.5, 1.0], "a quarter of the way to the second row");
        let mean = |map: &Attribution| map.values.iter().sum::<f32>() / map.values.len() as f32;
        assert!((mean(&larger) - mean(&map)).abs() < 1e-6);
    }

    #[test]
    fn a_batch_is_read_map_by_map() {
        let maps = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0], &Device::flex()).reshape([2, 1, 2]);
        let read = pollster::block_on(Attribution::read(maps)).unwrap();
        assert_eq!(read[1], Attribution { height: 1, width: 2, values: vec![3.0, 4.0] });
    }
}
