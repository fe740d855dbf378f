//! Formats that the browser reads and no decoder here does: AVIF, HEIC where the system has it, others elsewhere.

use js_sys::{Array, Uint8Array};
use picture::{ImageError, MAX_PIXELS, Photo};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, CanvasRenderingContext2d, ImageBitmap, OffscreenCanvas};

/// Most pixels that are drawn at a time: some phones have no larger canvases.
const BAND_PIXELS: u32 = 4_000_000;

/// Decodes a picture with the browser's decoder: upright, the first frame, in sRGB, on white. `format` is its format's name.
///
/// # Errors
///
/// [`ImageError::UnsupportedFormat`] if the browser does not read it either, [`ImageError::TooManyPixels`].
pub(crate) async fn decode(file: &[u8], format: &'static str) -> Result<Photo, ImageError> {
    let unsupported = |_: JsValue| ImageError::UnsupportedFormat { format };
    let bitmap = bitmap(file).await.map_err(unsupported)?;
    let (width, height) = (bitmap.width(), bitmap.height());
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooManyPixels { width, height });
    }
    let pixels = pixels(&bitmap);
    bitmap.close();
    Photo::from_rgba8(format, width, height, pixels.map_err(unsupported)?)
}

/// Has the browser decode a file, whose orientation it obeys.
async fn bitmap(file: &[u8]) -> Result<ImageBitmap, JsValue> {
    let blob = Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(file)))?;
    let decoding = super::scope().create_image_bitmap_with_blob(&blob)?;
    JsFuture::from(decoding).await?.dyn_into()
}

/// Returns the pixels as RGBA, opaque, in sRGB, from the top.
fn pixels(bitmap: &ImageBitmap) -> Result<Vec<u8>, JsValue> {
    let (width, height) = (bitmap.width(), bitmap.height());
    let rows = (BAND_PIXELS / width.max(1)).clamp(1, height.max(1));
    let canvas = OffscreenCanvas::new(width, rows)?;
    // One type for the contexts of both kinds of canvases, which draw alike.
    let context = canvas.get_context("2d")?.ok_or("no canvas")?.unchecked_into::<CanvasRenderingContext2d>();
    context.set_fill_style_str("white");
    let mut rgba = Vec::with_capacity(4 * width as usize * height as usize);
    for top in (0..height).step_by(rows as usize) {
        context.fill_rect(0.0, 0.0, width.into(), rows.into());
        context.draw_image_with_image_bitmap(bitmap, 0.0, -f64::from(top))?;
        let band = context.get_image_data(0.0, 0.0, width.into(), rows.min(height - top).into())?;
        rgba.extend_from_slice(&band.data());
    }
    Ok(rgba)
}
