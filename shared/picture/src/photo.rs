//! A decoded picture at full size, of which squares can be taken.

use image::{
    DynamicImage, GenericImageView as _, RgbImage, RgbaImage,
    imageops::{self, FilterType},
    metadata::Orientation,
};

use super::{Crop, ImageError, Picture, SIDE, crop, decode};

/// A picture at its own size, which a [`Picture`] is cut from. Decoding a photograph takes much longer than cutting, so keep
/// the photo to cut again.
pub struct Photo {
    /// Pixels as they are stored in the file, 8-bit RGB on white.
    stored: RgbImage,
    /// Transform that turns the stored pixels upright.
    orientation: Orientation,
}

impl Photo {
    /// Decodes a PNG, JPEG, WebP, GIF (its first frame) or BMP file, told apart by its content and not by its name:
    /// upright by its EXIF block, in sRGB by its colour profile, transparent parts on white.
    ///
    /// # Errors
    ///
    /// [`ImageError`], whose text is fit for a visitor of the page. Sizes are checked before any pixel is decoded.
    pub fn decode(bytes: &[u8]) -> Result<Self, ImageError> {
        let (stored, orientation) = decode::decode(bytes)?;
        Ok(Self { stored, orientation })
    }

    /// Makes a photo of upright pixels in sRGB that another decoder made, RGBA with straight alpha: `[height, width, 4]`; transparent
    /// parts are laid on white.
    ///
    /// # Errors
    ///
    /// [`ImageError::WrongLength`] if there are not `width * height * 4` values, [`ImageError::TooManyPixels`] if the picture is too
    /// large, [`ImageError::Damaged`] if it has no pixel; `format` names the file's format in the latter.
    pub fn from_rgba8(format: &'static str, width: u32, height: u32, rgba8: Vec<u8>) -> Result<Self, ImageError> {
        decode::check_size(format, width, height)?;
        let found = rgba8.len();
        let expected = width as usize * height as usize * 4;
        let image = RgbaImage::from_raw(width, height, rgba8).filter(|_| found == expected);
        let image = image.ok_or(ImageError::WrongLength { expected, found })?;
        Ok(Self { stored: decode::flatten_on_white(image.into()), orientation: Orientation::NoTransforms })
    }

    /// Returns the upright picture, scaled down (never up) until no side is longer than `longest` pixels: what people see of the
    /// picture that squares are cut from.
    pub fn preview(&self, longest: u32) -> Preview {
        let (width, height) = self.stored.dimensions();
        let factor = (f64::from(longest) / f64::from(width.max(height))).min(1.0);
        let scaled = |side: u32| ((f64::from(side) * factor).round() as u32).max(1);
        let small = match factor < 1.0 {
            true => imageops::resize(&self.stored, scaled(width), scaled(height), FilterType::Triangle),
            false => self.stored.clone(),
        };
        let mut upright = DynamicImage::ImageRgb8(small);
        upright.apply_orientation(self.orientation);
        Preview { width: upright.width(), height: upright.height(), rgba8: upright.into_rgba8().into_raw() }
    }

    /// Returns width and height, in pixels, of the upright picture.
    pub fn size(&self) -> (u32, u32) {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        let (width, height) = self.stored.dimensions();
        match self.orientation {
            Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH => (height, width),
            _ => (width, height),
        }
    }

    /// Cuts a square of the upright picture and scales it to 64x64 with an antialiased bilinear filter; without a crop, the
    /// full centre square, which is how Tiny ImageNet's pictures were made. A square of 64x64 comes through unchanged.
    ///
    /// # Errors
    ///
    /// [`ImageError::CropOutside`] if the square does not lie within the picture.
    pub fn picture(&self, crop: Option<Crop>) -> Result<Picture, ImageError> {
        let size = self.size();
        let crop = crop::inside(crop.unwrap_or_else(|| Crop::centre(size)), size)?;
        // Turning the small picture gives the same pixels as turning the large one, without a second copy of a photograph.
        let mut upright =
            DynamicImage::ImageRgb8(scale(&self.stored, crop::stored(crop, size, self.orientation), crop.side));
        upright.apply_orientation(self.orientation);
        Ok(Picture { rgb8: upright.into_rgb8().into_raw(), original_size: Some(size) })
    }
}

/// A photo as people see it: upright, in sRGB, on white.
pub struct Preview {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Rows from the top, RGBA, opaque: `[height, width, 4]`, as a canvas takes them.
    pub rgba8: Vec<u8>,
}

impl std::fmt::Debug for Photo {
    /// Leaves the pixels out.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Photo").field("size", &self.size()).finish_non_exhaustive()
    }
}

/// Scales a square with a triangle filter as wide as the reduction, which PIL calls bilinear and torchvision antialiased.
fn scale(image: &RgbImage, (x, y): (u32, u32), side: u32) -> RgbImage {
    const TO: u32 = SIDE as u32;
    let square = image.view(x, y, side, side);
    if side == TO { square.to_image() } else { imageops::resize(&*square, TO, TO, FilterType::Triangle) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a picture in which every pixel has another colour.
    fn numbered(width: u32, height: u32) -> RgbImage {
        let pixels = (0..width * height).flat_map(|i| [(i % 256) as u8, (i / 256) as u8, 7]).collect();
        RgbImage::from_raw(width, height, pixels).unwrap()
    }

    #[test]
    fn a_square_is_that_of_the_upright_picture() {
        for (width, height) in [(97, 66), (66, 97), (70, 70)] {
            let stored = numbered(width, height);
            for orientation in (1..=8).filter_map(Orientation::from_exif) {
                let mut upright = DynamicImage::ImageRgb8(stored.clone());
                upright.apply_orientation(orientation);
                let photo = Photo { stored: stored.clone(), orientation };
                assert_eq!(photo.size(), (upright.width(), upright.height()));
                let (right, bottom) = (upright.width() - 64, upright.height() - 64);
                for (x, y) in [(0, 0), (right, bottom), (1, 0), (0, 2), (right, 0), (0, bottom)] {
                    let picture = photo.picture(Some(Crop { x, y, side: 64 })).unwrap();
                    let expected = upright.crop_imm(x, y, 64, 64).into_rgb8();
                    assert!(
                        picture.as_rgb8() == expected.as_raw().as_slice(),
                        "{width} x {height}, {orientation:?}, from {x}, {y}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_centre_square_is_taken_where_nobody_asks_for_another() {
        let photo = Photo { stored: numbered(101, 80), orientation: Orientation::NoTransforms };
        let centre = Crop { x: 10, y: 0, side: 80 };
        assert_eq!(photo.picture(None), photo.picture(Some(centre)));
        assert_ne!(photo.picture(None), photo.picture(Some(Crop { x: 11, ..centre })));
        assert_eq!(photo.picture(None).unwrap().original_size(), Some((101, 80)));
    }

    #[test]
    fn what_lies_outside_a_square_has_no_part_in_it() {
        // Scaled down and up, with filters that would reach over the edge.
        for side in [3, 64, 90] {
            let stored = RgbImage::from_fn(200, 150, |x, y| {
                let inside = (50..50 + side).contains(&x) && (20..20 + side).contains(&y);
                image::Rgb(if inside { [0, 200, 0] } else { [255, 0, 0] })
            });
            let photo = Photo { stored, orientation: Orientation::NoTransforms };
            let picture = photo.picture(Some(Crop { x: 50, y: 20, side })).unwrap();
            assert!(picture.as_rgb8().chunks_exact(3).all(|rgb| rgb == [0, 200, 0]), "{side}");
        }
    }

    #[test]
    fn a_square_outside_is_refused() {
        let photo = Photo { stored: numbered(30, 20), orientation: Orientation::Rotate90 };
        assert!(photo.picture(Some(Crop { x: 0, y: 10, side: 20 })).is_ok());
        let error = photo.picture(Some(Crop { x: 10, y: 0, side: 20 })).unwrap_err();
        assert_eq!(error, ImageError::CropOutside { x: 10, y: 0, side: 20, width: 20, height: 30 });
    }
}
