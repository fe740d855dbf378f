//! Styles that distinguish series: colour, and where colours fail, the hatch of bars, or the dash and marker of curves.

use std::f64::consts::TAU;

use super::canvas::{Canvas, Fill, INK, Point, Rgb, Stroke, WHITE};

/// Okabe and Ito's colours, <https://jfly.uni-koeln.de/color/>, the first ones unlike in lightness too. Grey
/// stands for their black, which is the ink's, and yellow is last, for it is pale on white.
const COLOURS: [Rgb; 8] = [
    [0x00, 0x72, 0xb2],
    [0xe6, 0x9f, 0x00],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0x56, 0xb4, 0xe9],
    [0xd5, 0x5e, 0x00],
    [0x99, 0x99, 0x99],
    [0xf0, 0xe4, 0x42],
];

const DASHES: [&[f64]; 4] = [&[], &[8.0, 4.0], &[2.5, 3.0], &[9.0, 3.0, 2.5, 3.0]];

/// Regular polygons: the number of corners, and the turn of the first from the right, in parts of the whole.
/// A disc, a square, a triangle, a diamond and a triangle on its tip.
const MARKERS: [(u32, f64); 5] = [(32, 0.0), (4, 0.125), (3, -0.25), (4, 0.0), (3, 0.25)];

/// Directions of hatching lines. Seven sets and eight colours give 56 series before a style comes again.
const HATCHES: [&[Hatch]; 7] = [
    &[],
    &[Hatch::Rising],
    &[Hatch::Falling],
    &[Hatch::Rising, Hatch::Falling],
    &[Hatch::Level],
    &[Hatch::Upright],
    &[Hatch::Level, Hatch::Upright],
];

#[derive(Clone, Copy, Debug)]
enum Hatch {
    Rising,
    Falling,
    Level,
    Upright,
}

/// Distance between hatching lines, along the axes.
const HATCH_STEP: f64 = 7.0;

/// The style of one series.
#[derive(Clone, Copy, Debug)]
pub struct SeriesStyle {
    index: usize,
}

impl SeriesStyle {
    /// Returns the style of the series at `index`.
    pub fn of(index: usize) -> Self {
        Self { index }
    }

    pub fn colour(self) -> Rgb {
        COLOURS[self.index % COLOURS.len()]
    }

    /// Returns the stroke of the series' curve.
    pub fn stroke(self) -> Stroke {
        Stroke { colour: self.colour(), width: 2.0, dash: DASHES[self.index % DASHES.len()] }
    }

    /// Draws a marker of the series' curve. The first five series have filled ones, the next five hollow ones, and so on.
    pub fn marker(self, canvas: &mut Canvas, centre: Point) {
        let (corners, turn) = MARKERS[self.index % MARKERS.len()];
        // All shapes have much the same area.
        let radius = match corners {
            3 => 6.2,
            4 => 5.4,
            _ => 4.4,
        };
        let corner = |i| {
            let angle = TAU * (turn + f64::from(i) / f64::from(corners));
            (centre.0 + radius * angle.cos(), centre.1 + radius * angle.sin())
        };
        let hollow = (self.index / MARKERS.len()) % 2 == 1;
        let (inside, edge) = if hollow { (WHITE, self.colour()) } else { (self.colour(), WHITE) };
        let stroke = Stroke::solid(edge, if hollow { 1.8 } else { 1.0 });
        canvas.polygon((0..corners).map(corner).collect(), Some(Fill { colour: inside, opacity: 1.0 }), Some(stroke));
    }

    /// Draws a bar of the series, by its left upper and right lower corners.
    pub fn bar(self, canvas: &mut Canvas, (left, top): Point, (right, bottom): Point) {
        let corners = vec![(left, top), (right, top), (right, bottom), (left, bottom)];
        canvas.polygon(corners.clone(), Some(Fill { colour: self.colour(), opacity: 1.0 }), None);
        let lines: Vec<Vec<Point>> = HATCHES[self.index % HATCHES.len()]
            .iter()
            .flat_map(|hatch| hatch.lines(right - left, bottom - top))
            .map(|line| line.map(|(u, v)| (left + u, bottom - v)).to_vec())
            .collect();
        if !lines.is_empty() {
            canvas.lines(lines, Stroke::solid(INK, 0.8));
        }
        canvas.polygon(corners, None, Some(Stroke::solid(INK, 0.8)));
    }
}

impl Hatch {
    /// Returns the hatching lines of a box, from its left lower corner, upwards.
    fn lines(self, width: f64, height: f64) -> Vec<[Point; 2]> {
        let steps = |from: f64, to: f64| {
            let first = (from / HATCH_STEP).floor() as i64 + 1;
            (first..).map(|k| k as f64 * HATCH_STEP).take_while(move |&k| k < to)
        };
        match self {
            Self::Level => steps(0.0, height).map(|v| [(0.0, v), (width, v)]).collect(),
            Self::Upright => steps(0.0, width).map(|u| [(u, 0.0), (u, height)]).collect(),
            // v = u + k
            Self::Rising => {
                steps(-width, height).map(|k| [(-k).max(0.0), (height - k).min(width)].map(|u| (u, u + k))).collect()
            }
            // v = k - u
            Self::Falling => {
                steps(0.0, width + height).map(|k| [(k - height).max(0.0), k.min(width)].map(|u| (u, k - u))).collect()
            }
        }
    }
}
