//! Draws the PNG icons of the installed page into `static/icons`, in the design of `icon.svg`:
//! `cargo run -p xtask --example draw_icons`.
//!
//! Systems cut a maskable icon to any shape, so the colour reaches its edges and the fort fills the inner four fifths.

#![allow(clippy::expect_used, reason = "a generator that cannot go on should stop and say where")]

use std::path::Path;

use tiny_skia::{FillRule, LineJoin, Paint, PathBuilder, Pixmap, PremultipliedColorU8, Rect, Stroke, Transform};

/// Side of the drawing in `icon.svg`.
const SIDE: f32 = 48.0;
/// Radius of the corners of the square in `icon.svg`.
const CORNER: f32 = 11.0;
/// Corners of the wall: four bastions and the curtains between them.
const WALL: [(f32, f32); 8] =
    [(24.0, 13.5), (38.5, 9.5), (34.5, 24.0), (38.5, 38.5), (24.0, 34.5), (9.5, 38.5), (13.5, 24.0), (9.5, 9.5)];
/// Scale of a maskable icon's fort, about the centre.
const MASKABLE: f32 = 0.8;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../static/icons");
    for (name, pixels, maskable) in
        [("icon-192", 192, false), ("icon-512", 512, false), ("icon-maskable-512", 512, true)]
    {
        let file = folder.join(format!("{name}.png"));
        let rgba: Vec<u8> = draw(pixels, maskable).pixels().iter().flat_map(|pixel| straight(*pixel)).collect();
        image::save_buffer(&file, &rgba, pixels.into(), pixels.into(), image::ColorType::Rgba8)
            .expect("the folder of the icons can be written");
        println!("{}", file.display());
    }
}

/// Returns a pixel in PNG's form: straight alpha instead of premultiplied.
fn straight(pixel: PremultipliedColorU8) -> [u8; 4] {
    let color = pixel.demultiply();
    [color.red(), color.green(), color.blue(), color.alpha()]
}

/// Draws an icon of `pixels` by `pixels`.
fn draw(pixels: u16, maskable: bool) -> Pixmap {
    let mut canvas = Pixmap::new(pixels.into(), pixels.into()).expect("a size above zero");
    let scale = f32::from(pixels) / SIDE;
    let whole = Transform::from_scale(scale, scale);
    let mut blue = Paint::default();
    blue.set_color_rgba8(0x35, 0x47, 0xc9, 255);
    let mut white = Paint::default();
    white.set_color_rgba8(255, 255, 255, 255);

    let ground = rounded(0.0, 0.0, SIDE, if maskable { 0.0 } else { CORNER });
    canvas.fill_path(&ground, &blue, FillRule::Winding, whole, None);

    let inner = if maskable { MASKABLE } else { 1.0 };
    let margin = SIDE * (1.0 - inner) / 2.0;
    let fort = whole.pre_translate(margin, margin).pre_scale(inner, inner);
    let mut wall = PathBuilder::new();
    wall.move_to(WALL[0].0, WALL[0].1);
    WALL[1..].iter().for_each(|(x, y)| wall.line_to(*x, *y));
    wall.close();
    let wall = wall.finish().expect("a wall of eight corners");
    let stroke = Stroke { width: 3.0, line_join: LineJoin::Round, ..Stroke::default() };
    canvas.stroke_path(&wall, &white, &stroke, fort, None);
    canvas.fill_path(&rounded(20.0, 20.0, 8.0, 1.5), &white, FillRule::Winding, fort, None);
    canvas
}

/// Returns a square with round corners, its upper left corner at (`x`, `y`).
fn rounded(x: f32, y: f32, side: f32, radius: f32) -> tiny_skia::Path {
    let square = Rect::from_xywh(x, y, side, side).expect("a square of some size");
    if radius == 0.0 {
        return PathBuilder::from_rect(square);
    }
    // Distance from a corner to the handles of a cubic that approximates a quarter of a circle.
    let handle = radius * (1.0 - 0.552_284_8);
    let (left, top, right, bottom) = (square.left(), square.top(), square.right(), square.bottom());
    let mut path = PathBuilder::new();
    path.move_to(left + radius, top);
    path.line_to(right - radius, top);
    path.cubic_to(right - handle, top, right, top + handle, right, top + radius);
    path.line_to(right, bottom - radius);
    path.cubic_to(right, bottom - handle, right - handle, bottom, right - radius, bottom);
    path.line_to(left + radius, bottom);
    path.cubic_to(left + handle, bottom, left, bottom - handle, left, bottom - radius);
    path.line_to(left, top + radius);
    path.cubic_to(left, top + handle, left + handle, top, left + radius, top);
    path.close();
    path.finish().expect("a path that is closed")
}
