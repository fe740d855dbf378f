//! A square part of a picture: the part that is scaled to what the networks see.

use image::metadata::Orientation;

use super::ImageError;

/// A square, in pixels of the upright picture, from its top left corner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Crop {
    /// Pixels to the left of it.
    pub x: u32,
    /// Pixels above it.
    pub y: u32,
    /// Pixels a side, 1 or more.
    pub side: u32,
}

impl Crop {
    /// The largest square around the middle of a picture. An odd rest is cut off on the right or at the bottom.
    pub fn centre((width, height): (u32, u32)) -> Self {
        let side = width.min(height);
        Self { x: (width - side) / 2, y: (height - side) / 2, side }
    }

    /// This square, if it lies within an upright picture of that width and height.
    ///
    /// # Errors
    ///
    /// [`ImageError::CropOutside`] where a part of it does not, or where it is empty.
    pub(super) fn within(self, (width, height): (u32, u32)) -> Result<Self, ImageError> {
        let fits = |start: u32, length: u32| start.checked_add(self.side).is_some_and(|end| end <= length);
        if self.side == 0 || !fits(self.x, width) || !fits(self.y, height) {
            let Self { x, y, side } = self;
            return Err(ImageError::CropOutside { x, y, side, width, height });
        }
        Ok(self)
    }

    /// Where its top left pixel is in the file, whose rows and columns `orientation` turns upright. The square lies within the
    /// upright picture of that width and height.
    pub(super) fn stored(self, (width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
        use Orientation::{
            FlipHorizontal, FlipVertical, NoTransforms, Rotate90, Rotate90FlipH, Rotate180, Rotate270, Rotate270FlipH,
        };
        let (left, above) = (self.x, self.y);
        let (right, below) = (width - self.side - left, height - self.side - above);
        match orientation {
            NoTransforms => (left, above),
            FlipHorizontal => (right, above),
            Rotate180 => (right, below),
            FlipVertical => (left, below),
            Rotate90FlipH => (above, left),
            Rotate90 => (above, right),
            Rotate270FlipH => (below, right),
            Rotate270 => (below, left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_is_the_largest_square() {
        assert_eq!(Crop::centre((7, 4)), Crop { x: 1, y: 0, side: 4 });
        assert_eq!(Crop::centre((4, 8)), Crop { x: 0, y: 2, side: 4 });
        assert_eq!(Crop::centre((1, 1)), Crop { x: 0, y: 0, side: 1 });
    }

    #[test]
    fn only_what_lies_inside_is_taken() {
        let size = (10, 6);
        for crop in [Crop { x: 0, y: 0, side: 6 }, Crop { x: 4, y: 0, side: 6 }, Crop { x: 9, y: 5, side: 1 }] {
            assert_eq!(crop.within(size), Ok(crop));
        }
        for (x, y, side) in [(5, 0, 6), (0, 1, 6), (0, 0, 7), (10, 0, 1), (0, 0, 0), (u32::MAX, 0, 2), (0, 2, u32::MAX)]
        {
            let error = Crop { x, y, side }.within(size).unwrap_err();
            assert_eq!(error, ImageError::CropOutside { x, y, side, width: 10, height: 6 });
        }
        let said = Crop { x: 5, y: 0, side: 6 }.within(size).unwrap_err().to_string();
        assert!(said.contains("6 x 6 pixels from 5, 0") && said.contains("10 x 6"), "{said}");
    }
}
