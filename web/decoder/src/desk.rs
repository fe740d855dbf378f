//! Requests, answered one by one.

use std::cell::RefCell;
use std::sync::Arc;

use picture::{ImageError, Photo};
use protocol::{DecodeReply, DecodeRequest, Decoded, Pixels, Preview};
use terms::picture::Crop;

use super::browser;

/// Longest side of what people see of a picture, in pixels: more than the page gives it on any screen.
const PREVIEW_SIDE: u32 = 1024;

/// The photo that was opened last, and what is asked about it.
#[derive(Default)]
pub(crate) struct Desk(RefCell<Option<Photo>>);

impl Desk {
    /// Does what is asked, and returns the answer.
    pub(crate) async fn answer(&self, request: DecodeRequest) -> DecodeReply {
        let (id, outcome) = match request {
            DecodeRequest::Open { id, file, crop } => {
                (id, self.open(file, crop).await.map(|decoded| DecodeReply::Opened { id, decoded }))
            }
            DecodeRequest::Cut { id, crop } => match &*self.0.borrow() {
                Some(photo) => (id, square(photo, crop).map(|pixels| DecodeReply::Square { id, pixels })),
                None => {
                    let message = "There is no picture yet: choose one first.".into();
                    return DecodeReply::Bad { id, message };
                }
            },
        };
        outcome.unwrap_or_else(|error| DecodeReply::Bad { id, message: error.to_string() })
    }

    async fn open(&self, file: Arc<Vec<u8>>, crop: Option<Crop>) -> Result<Decoded, ImageError> {
        // The photo before is freed before this one takes as much memory.
        self.0.take();
        let photo = match Photo::decode(&file) {
            // What has no decoder here may have one in the browser.
            Err(ImageError::UnsupportedFormat { format }) => browser::decode(&file, format).await?,
            decoded => decoded?,
        };
        drop(file);
        let small = photo.preview(PREVIEW_SIDE);
        let preview = Preview { width: small.width, height: small.height, rgba: Arc::new(small.rgba8) };
        let square = square(&photo, crop)?;
        let size = photo.size();
        self.0.replace(Some(photo));
        Ok(Decoded { size, preview, square, memory_bytes: memory_bytes() })
    }
}

/// Cuts a square, which is brought into the picture: an address may name another one.
fn square(photo: &Photo, crop: Option<Crop>) -> Result<Pixels, ImageError> {
    let picture = photo.picture(crop.map(|crop| crop.within(photo.size())))?;
    Ok(Pixels(picture.to_rgba8()))
}

/// Returns the memory of this program, which grows and never shrinks.
#[cfg(target_arch = "wasm32")]
fn memory_bytes() -> u64 {
    const PAGE_BYTES: u64 = 65_536;
    core::arch::wasm32::memory_size::<0>() as u64 * PAGE_BYTES
}

/// Returns 0: natively memory is given back.
#[cfg(not(target_arch = "wasm32"))]
fn memory_bytes() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[allow(clippy::disallowed_methods, reason = "tests run where there are files")]
    fn case(name: &str) -> Arc<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/cases/pictures");
        Arc::new(std::fs::read(folder.join(name)).unwrap())
    }

    fn ask(desk: &Desk, request: DecodeRequest) -> DecodeReply {
        pollster::block_on(desk.answer(request))
    }

    fn open(desk: &Desk, name: &str, crop: Option<Crop>) -> Decoded {
        match ask(desk, DecodeRequest::Open { id: 7, file: case(name), crop }) {
            DecodeReply::Opened { id: 7, decoded } => decoded,
            other => panic!("{name} was not opened: {other:?}"),
        }
    }

    #[test]
    fn preview_and_squares_are_of_one_photo() {
        let desk = Desk::default();
        let whole = open(&desk, "orientation-6.webp", None);
        let (width, height) = whole.size;
        assert_eq!((whole.preview.width, whole.preview.height), (width, height), "it is small, and upright");
        assert_eq!(whole.preview.rgba.len() as u32, 4 * width * height);

        let crop = Crop { x: 1, y: 2, side: 64 };
        let DecodeReply::Square { id: 8, pixels } = ask(&desk, DecodeRequest::Cut { id: 8, crop: Some(crop) }) else {
            panic!("no square");
        };
        assert_eq!(pixels, open(&desk, "orientation-6.webp", Some(crop)).square);
        // Unscaled, the square is a part of the preview.
        let row = |rgba: &[u8], y: u32, x: u32, width: u32| rgba[(4 * (y * width + x)) as usize..][..256].to_vec();
        for y in [0, 63] {
            assert_eq!(row(&pixels.0, y, 0, 64), row(&whole.preview.rgba, 2 + y, 1, width), "row {y}");
        }
    }

    #[test]
    fn a_square_that_is_not_in_the_picture_is_brought_inside() {
        let desk = Desk::default();
        let (width, height) = open(&desk, "colour-profile.png", None).size;
        let outside = Crop { x: 9_999, y: 0, side: 9_999 };
        let inside = outside.within((width, height));
        let cut = |crop| ask(&desk, DecodeRequest::Cut { id: 9, crop: Some(crop) });
        assert_eq!(cut(outside), cut(inside));
        assert!(matches!(cut(outside), DecodeReply::Square { .. }));
    }

    #[test]
    fn a_bad_file_is_answered_in_words_and_leaves_no_photo() {
        let desk = Desk::default();
        open(&desk, "colour-profile.png", None);
        let bad = ask(&desk, DecodeRequest::Open { id: 2, file: case("really-cut.jpg"), crop: None });
        assert!(matches!(&bad, DecodeReply::Bad { id: 2, message } if message.contains("damaged")), "{bad:?}");
        let cut = ask(&desk, DecodeRequest::Cut { id: 3, crop: None });
        assert!(matches!(&cut, DecodeReply::Bad { id: 3, message } if message.contains("no picture")), "{cut:?}");
    }
}
