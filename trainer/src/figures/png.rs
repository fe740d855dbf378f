//! A figure as PNG, with [`SCALE`] pixels a unit of length.

use anyhow::{Context, Result};
use image::RgbImage;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use tiny_skia::{Color, FillRule, LineJoin, Paint, Path, PathBuilder, Pixmap, StrokeDash, Transform};

use super::canvas::{Anchor, Canvas, Fill, INK, Point, Rgb, Shape, Stroke, Text, WIDTH};
use super::font;

/// Enough for paper and for dense screens.
pub const SCALE: f64 = 2.0;

/// The whole file.
///
/// # Errors
/// When there is no memory for it.
pub fn encode(canvas: &Canvas) -> Result<Vec<u8>> {
    let (width, height) = ((WIDTH * SCALE).ceil() as u32, (canvas.height * SCALE).ceil() as u32);
    let mut pixels = Pixmap::new(width, height).context("no memory for a figure")?;
    pixels.fill(Color::WHITE);
    for shape in &canvas.shapes {
        match shape {
            Shape::Path { lines, closed, fill, stroke } => {
                let Some(path) = path(lines, *closed) else { continue };
                draw_path(&mut pixels, &path, *fill, *stroke);
            }
            Shape::Text(text) => draw_text(&mut pixels, text),
        }
    }
    // Nothing shows through the white ground: the fourth byte of every pixel is 255.
    let rgb = pixels.data().chunks_exact(4).flat_map(|rgba| [rgba[0], rgba[1], rgba[2]]).collect();
    let picture = RgbImage::from_raw(width, height, rgb).context("a pixel has 3 bytes")?;
    let mut png = Vec::new();
    // Flat colours need no filter, and are then a fifth of the size.
    picture.write_with_encoder(PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::NoFilter))?;
    Ok(png)
}

/// `None` when there is nothing to draw.
fn path(lines: &[Vec<Point>], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for line in lines {
        let mut points = line.iter().map(|&(x, y)| (x as f32, y as f32));
        let Some((x, y)) = points.next() else { continue };
        path.move_to(x, y);
        points.for_each(|(x, y)| path.line_to(x, y));
        if closed {
            path.close();
        }
    }
    path.finish()
}

fn draw_path(pixels: &mut Pixmap, path: &Path, fill: Option<Fill>, stroke: Option<Stroke>) {
    let scale = Transform::from_scale(SCALE as f32, SCALE as f32);
    if let Some(fill) = fill {
        pixels.fill_path(path, &paint(fill.colour, fill.opacity), FillRule::Winding, scale, None);
    }
    if let Some(stroke) = stroke {
        let dash = stroke.dash.iter().map(|&length| length as f32).collect();
        let style = tiny_skia::Stroke {
            width: stroke.width as f32,
            line_join: LineJoin::Round,
            dash: StrokeDash::new(dash, 0.0),
            ..Default::default()
        };
        pixels.stroke_path(path, &paint(stroke.colour, 1.0), &style, scale, None);
    }
}

fn draw_text(pixels: &mut Pixmap, text: &Text) {
    let Some(outline) = font::outline(&text.content) else { return };
    let start = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -font::width(&text.content, 1.0) / 2.0,
        Anchor::End => -font::width(&text.content, 1.0),
    };
    let em = (SCALE * text.size) as f32;
    let place = Transform::from_translate((SCALE * text.at.0) as f32, (SCALE * text.at.1) as f32)
        .pre_rotate(text.angle as f32)
        .pre_scale(em, em)
        .pre_translate(start as f32, 0.0);
    pixels.fill_path(&outline, &paint(INK, 1.0), FillRule::Winding, place, None);
}

fn paint([r, g, b]: Rgb, opacity: f64) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Default::default() };
    paint.set_color_rgba8(r, g, b, (opacity * 255.0).round() as u8);
    paint
}
