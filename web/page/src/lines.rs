//! A small chart of lines, laid out for an SVG picture: what is measured of this picture, not of a set of them.

/// Size of the picture.
pub const SIZE: [f64; 2] = [340.0, 168.0];
const LEFT: f64 = 40.0;
const RIGHT: f64 = 328.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 130.0;

/// What a chart is to show.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Lines {
    /// Left and right end of the horizontal axis.
    pub x_range: [f64; 2],
    /// Upper end of the vertical axis, which begins at 0.
    pub y_end: f64,
    /// Whether the vertical axis counts in percent.
    pub percent: bool,
    /// Each line's points, `[x, y]`, by `x`.
    pub lines: Vec<Vec<[f64; 2]>>,
}

/// A chart, laid out.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Layout {
    /// Left, top, right and bottom edge of what is plotted.
    pub frame: [f64; 4],
    /// Place and label of each mark on the horizontal axis.
    pub x_ticks: Vec<(f64, String)>,
    /// The same on the vertical one.
    pub y_ticks: Vec<(f64, String)>,
    /// Each line's path.
    pub paths: Vec<String>,
    /// Each line's points.
    pub dots: Vec<Vec<[f64; 2]>>,
}

impl Lines {
    /// Lays it out.
    pub fn layout(&self) -> Layout {
        let place = |point: &[f64; 2]| [self.x(point[0]), self.y(point[1])];
        let dots: Vec<Vec<[f64; 2]>> = self.lines.iter().map(|line| line.iter().map(place).collect()).collect();
        Layout {
            frame: [LEFT, TOP, RIGHT, BOTTOM],
            x_ticks: ticks(self.x_range[0], self.x_range[1], 8).map(|x| (self.x(x), format!("{x:.0}"))).collect(),
            y_ticks: self.y_ticks(),
            paths: dots.iter().map(|dots| path(dots)).collect(),
            dots,
        }
    }

    /// Returns where `x` is, from the left.
    pub fn x(&self, x: f64) -> f64 {
        let [start, end] = self.x_range;
        let part = if end > start { (x - start) / (end - start) } else { 0.0 };
        LEFT + (RIGHT - LEFT) * part.clamp(0.0, 1.0)
    }

    fn y(&self, y: f64) -> f64 {
        let part = if self.y_end > 0.0 { y / self.y_end } else { 0.0 };
        BOTTOM - (BOTTOM - TOP) * part.clamp(0.0, 1.0)
    }

    fn y_ticks(&self) -> Vec<(f64, String)> {
        let label = |y: f64| match self.percent {
            true => format!("{:.0}%", 100.0 * y),
            false if y.fract() == 0.0 => format!("{y:.0}"),
            false => format!("{y:.1}"),
        };
        [0.0, 0.5, 1.0].map(|part| part * self.y_end).map(|y| (self.y(y), label(y))).into()
    }
}

/// Whole numbers from `start` to `end`, `most` intervals at the most, at steps that people count in.
fn ticks(start: f64, end: f64, most: u32) -> impl Iterator<Item = f64> {
    let reach = (end - start).max(0.0);
    let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0, 20.0, 25.0, 50.0];
    let step = steps.into_iter().find(|step| reach / step <= f64::from(most)).unwrap_or(100.0);
    (0..).map(move |i| start + step * f64::from(i)).take_while(move |x| *x <= end)
}

fn path(dots: &[[f64; 2]]) -> String {
    let part = |(place, [x, y]): (usize, &[f64; 2])| format!("{}{x:.1} {y:.1}", if place == 0 { 'M' } else { 'L' });
    dots.iter().enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_axes_are_the_ends_of_the_frame() {
        let lines = Lines {
            x_range: [0.0, 32.0],
            y_end: 1.0,
            percent: true,
            lines: vec![vec![[0.0, 0.0], [32.0, 1.0]], vec![]],
        };
        let layout = lines.layout();
        assert_eq!(layout.dots[0], [[LEFT, BOTTOM], [RIGHT, TOP]]);
        assert_eq!(layout.paths, ["M40.0 130.0L328.0 12.0", ""]);
        assert_eq!(layout.y_ticks.iter().map(|tick| tick.1.as_str()).collect::<Vec<_>>(), ["0%", "50%", "100%"]);
        assert_eq!(layout.x_ticks.len(), 9);
    }

    #[test]
    fn what_is_off_the_chart_stays_at_its_edge_and_an_empty_axis_divides_by_nothing() {
        let lines = Lines { x_range: [0.0, 0.0], y_end: 0.0, percent: false, lines: vec![vec![[5.0, 5.0]]] };
        assert_eq!(lines.layout().dots[0], [[LEFT, BOTTOM]]);
        let lines = Lines { x_range: [0.0, 1.0], y_end: 1.0, ..lines };
        assert_eq!(lines.layout().dots[0], [[RIGHT, TOP]]);
    }

    #[test]
    fn a_label_says_where_its_line_is() {
        let labels = |y_end: f64| {
            let lines = Lines { x_range: [0.0, 1.0], y_end, percent: false, lines: vec![] };
            lines.layout().y_ticks.into_iter().map(|tick| tick.1).collect::<Vec<_>>()
        };
        assert_eq!(labels(5.0), ["0", "2.5", "5"]);
        assert_eq!(labels(4.0), ["0", "2", "4"]);
    }

    #[test]
    fn ticks_are_few_and_whole() {
        assert_eq!(ticks(0.0, 1.0, 8).collect::<Vec<_>>(), [0.0, 1.0]);
        assert_eq!(ticks(0.0, 32.0, 8).count(), 9);
        assert_eq!(ticks(0.0, 100.0, 8).collect::<Vec<_>>(), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
    }
}
