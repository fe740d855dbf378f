//! Drawings of what is inside of a network: evidence over a picture, and feature maps side by side.

use base64::prelude::*;
use shared::image::{ImageError, Picture, encode_png};
use terms::picture::SIDE;
use terms::sentence::EvidenceFacts;

/// Side of a map in a drawing, in pixels.
const TILE: usize = 32;
/// Pixels between maps.
const GAP: usize = 2;
/// Colour between maps.
const BETWEEN: [u8; 3] = [128; 3];
/// Share of the picture that the strongest evidence covers.
const STRONGEST: f32 = 0.75;
/// Colour of evidence for.
const FOR: [f32; 3] = [214.0, 40.0, 40.0];
/// Colour of evidence against.
const AGAINST: [f32; 3] = [40.0, 90.0, 214.0];

/// A picture of any size.
pub(crate) struct Drawing {
    /// Pixels a row.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
    /// Rows from the top, RGB: `[height, width, 3]`.
    pub(crate) rgb: Vec<u8>,
}

impl Drawing {
    /// Returns the drawing as the address of a PNG file that holds its own content, `data:image/png;base64,...`.
    ///
    /// # Errors
    ///
    /// [`ImageError`] if the drawing cannot be encoded.
    pub(crate) fn to_data_url(&self) -> Result<String, ImageError> {
        let png = encode_png(&self.rgb, self.width, self.height)?;
        Ok(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png)))
    }
}

/// Draws the evidence of each cell over a picture; `largest` is the absolute value of the strongest, of all drawings that stand side by
/// side.
pub(crate) fn evidence_over(picture: &Picture, evidence: &EvidenceFacts, largest: f32) -> Drawing {
    let EvidenceFacts { rows, columns, cells, .. } = evidence;
    let mut rgb = Vec::with_capacity(SIDE * SIDE * 3);
    for (place, pixel) in picture.as_rgb8().as_chunks::<3>().0.iter().enumerate() {
        let cell = cells[place / SIDE * rows / SIDE * columns + place % SIDE * columns / SIDE];
        let strength = if largest > 0.0 { STRONGEST * cell.abs() / largest } else { 0.0 };
        let colour = if cell >= 0.0 { FOR } else { AGAINST };
        // In grey, so that the two colours are those of the evidence.
        let grey = 0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2]);
        rgb.extend(colour.map(|value| (grey + strength * (value - grey)).round() as u8));
    }
    Drawing { width: SIDE as u32, height: SIDE as u32, rgb }
}

/// Draws channels side by side: before, after, and the change. Maps are `[channels, height, width]`. A channel is bright where its value
/// is large, on one scale before and after; the change is so on one scale for all channels.
pub(crate) fn montage(before: &[f32], after: &[f32], channels: &[usize], [height, width]: [usize; 2]) -> Drawing {
    let size = height * width;
    let map = |maps: &[f32], channel: usize| maps[channel * size..(channel + 1) * size].to_vec();
    let change = |channel: usize| -> Vec<f32> {
        map(before, channel).iter().zip(map(after, channel)).map(|(a, b)| (b - a).abs()).collect()
    };
    let largest = channels.iter().flat_map(|&channel| change(channel)).fold(0.0f32, f32::max);
    let side = |count: usize| count * TILE + count.saturating_sub(1) * GAP;
    let (wide, high) = (side(channels.len()), side(3));
    let mut rgb = BETWEEN.repeat(wide * high);
    for (column, &channel) in channels.iter().enumerate() {
        let (was, now) = (map(before, channel), map(after, channel));
        let both = || was.iter().chain(&now).copied();
        let (low, top) = (both().fold(f32::INFINITY, f32::min), both().fold(f32::NEG_INFINITY, f32::max));
        for (row, (values, low, top)) in
            [(&was, low, top), (&now, low, top), (&change(channel), 0.0, largest)].into_iter().enumerate()
        {
            for pixel in 0..TILE * TILE {
                let (y, x) = (pixel / TILE, pixel % TILE);
                let value = values[y * height / TILE * width + x * width / TILE];
                let part = if top > low { (value - low) / (top - low) } else { 0.0 };
                let at = ((row * (TILE + GAP) + y) * wide + column * (TILE + GAP) + x) * 3;
                rgb[at..at + 3].fill((255.0 * part).round() as u8);
            }
        }
    }
    Drawing { width: wide as u32, height: high as u32, rgb }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixel(drawing: &Drawing, x: usize, y: usize) -> [u8; 3] {
        let at = (y * drawing.width as usize + x) * 3;
        drawing.rgb[at..at + 3].try_into().unwrap()
    }

    #[test]
    fn evidence_for_is_red_against_is_blue_and_none_is_grey() {
        let picture = Picture::from_rgb8(vec![100; SIDE * SIDE * 3]).unwrap();
        let cells = vec![1.0, -0.5, 0.0, 0.0];
        let facts = EvidenceFacts { class: "a".into(), against: "b".into(), rows: 2, columns: 2, cells, bias: 0.0 };
        let drawing = evidence_over(&picture, &facts, 1.0);
        assert_eq!((drawing.width, drawing.height), (64, 64));
        let [red, _, blue] = pixel(&drawing, 3, 3);
        assert!(red > 150 && blue < 90, "{red} {blue}");
        let [red, _, blue] = pixel(&drawing, 60, 3);
        assert!(blue > 130 && red < 90, "{red} {blue}");
        assert_eq!(pixel(&drawing, 3, 60), [100; 3]);
    }

    #[test]
    fn maps_stand_side_by_side_on_one_scale() {
        // Two channels of two places: the second one is chosen, and loses its first value.
        let drawing = montage(&[9.0, 9.0, 4.0, 2.0], &[9.0, 9.0, 0.0, 2.0], &[1], [1, 2]);
        assert_eq!((drawing.width, drawing.height), (32, 32 * 3 + 4));
        let greys = [1, 35, 69].map(|y| [pixel(&drawing, 1, y)[0], pixel(&drawing, 30, y)[0]]);
        assert_eq!(greys, [[255, 128], [0, 128], [255, 0]]);
        assert_eq!(pixel(&drawing, 1, 33), BETWEEN);
    }
}
