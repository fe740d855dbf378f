//! The square part of a picture that is scaled to the networks' input.

use image::metadata::Orientation;
use terms::picture::Crop;

use super::ImageError;

/// Checks that `crop` lies within an upright picture of that width and height, and returns it.
///
/// # Errors
///
/// [`ImageError::CropOutside`] if a part of the crop lies outside, or if the crop is empty.
pub(super) fn inside(crop: Crop, (width, height): (u32, u32)) -> Result<Crop, ImageError> {
    let Crop { x, y, side } = crop;
    if crop.is_within((width, height)) { Ok(crop) } else { Err(ImageError::CropOutside { x, y, side, width, height }) }
}

/// Returns column and row of the top left pixel of `crop` in the file, which `orientation` turns upright. The square lies
/// within the upright picture of that width and height.
pub(super) fn stored(crop: Crop, (width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    use Orientation::{
        FlipHorizontal, FlipVertical, NoTransforms, Rotate90, Rotate90FlipH, Rotate180, Rotate270, Rotate270FlipH,
    };
    let (left, above) = (crop.x, crop.y);
    let (right, below) = (width - crop.side - left, height - crop.side - above);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_outside_is_named_with_the_picture() {
        let said = inside(Crop { x: 5, y: 0, side: 6 }, (10, 6)).unwrap_err().to_string();
        assert!(said.contains("6 x 6 pixels from 5, 0") && said.contains("10 x 6"), "{said}");
        assert_eq!(inside(Crop { x: 4, y: 0, side: 6 }, (10, 6)), Ok(Crop { x: 4, y: 0, side: 6 }));
    }
}
