//! The shapes a chart is made of. Lengths are in units of which a figure is [`WIDTH`] wide; y grows downwards.

use super::font;

/// Width of every figure.
pub const WIDTH: f64 = 900.0;

/// Colour of text and axes.
pub const INK: Rgb = [0x22; 3];
pub const GRID: Rgb = [0xdd; 3];
pub const WHITE: Rgb = [0xff; 3];

pub type Point = (f64, f64);
pub type Rgb = [u8; 3];

#[derive(Clone, Copy, Debug)]
pub struct Fill {
    pub colour: Rgb,
    /// Opacity in [0, 1].
    pub opacity: f64,
}

#[derive(Clone, Copy, Debug)]
pub struct Stroke {
    pub colour: Rgb,
    pub width: f64,
    /// Lengths of dashes and gaps in turn; none for a solid line.
    pub dash: &'static [f64],
}

impl Stroke {
    pub fn solid(colour: Rgb, width: f64) -> Self {
        Self { colour, width, dash: &[] }
    }
}

/// The part of a text that is placed at its point.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Clone, Debug)]
pub struct Text {
    pub content: String,
    /// Point on the baseline.
    pub at: Point,
    pub anchor: Anchor,
    /// Height of an em.
    pub size: f64,
    /// Degrees, clockwise around `at`.
    pub angle: f64,
}

#[derive(Clone, Debug)]
pub enum Shape {
    /// Polylines, or polygons when they are closed.
    Path {
        lines: Vec<Vec<Point>>,
        closed: bool,
        fill: Option<Fill>,
        stroke: Option<Stroke>,
    },
    Text(Text),
}

/// A figure: shapes on white, the later over the earlier.
#[derive(Debug)]
pub struct Canvas {
    /// Description of the figure for screen readers.
    pub title: String,
    pub height: f64,
    pub shapes: Vec<Shape>,
}

impl Canvas {
    pub fn line(&mut self, points: Vec<Point>, stroke: Stroke) {
        self.lines(vec![points], stroke);
    }

    pub fn lines(&mut self, lines: Vec<Vec<Point>>, stroke: Stroke) {
        self.shapes.push(Shape::Path { lines, closed: false, fill: None, stroke: Some(stroke) });
    }

    pub fn polygon(&mut self, corners: Vec<Point>, fill: Option<Fill>, stroke: Option<Stroke>) {
        self.shapes.push(Shape::Path { lines: vec![corners], closed: true, fill, stroke });
    }

    /// Adds level text; see [`Text`].
    pub fn text(&mut self, content: impl Into<String>, at: Point, anchor: Anchor, size: f64) {
        self.turned_text(content, at, anchor, size, 0.0);
    }

    /// Adds text at an angle (degrees, clockwise); see [`Text`].
    pub fn turned_text(&mut self, content: impl Into<String>, at: Point, anchor: Anchor, size: f64, angle: f64) {
        let content = font::one_line(&content.into());
        if !content.is_empty() {
            self.shapes.push(Shape::Text(Text { content, at, anchor, size, angle }));
        }
    }
}
