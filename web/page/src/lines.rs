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

impl Lines {
    /// Draws the chart, as the content of an SVG element of [`SIZE`].
    ///
    /// `axis` is the word below the horizontal axis, `mark` a place of that axis with a vertical line.
    pub fn svg(&self, axis: &str, mark: Option<f64>) -> String {
        let y_ticks = self.y_ticks().map(|(y, label)| {
            let text = text(LEFT - 6.0, y + 4.0, "end", &label);
            format!(r#"<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1}" y2="{y:.1}"/>{text}"#)
        });
        let x_ticks = ticks(self.x_range[0], self.x_range[1], 8).map(|value| {
            let (x, text) = (self.x(value), text(self.x(value), BOTTOM + 16.0, "middle", &format!("{value:.0}")));
            format!(r#"<line class="axis" x1="{x:.1}" x2="{x:.1}" y1="{BOTTOM}" y2="{}"/>{text}"#, BOTTOM + 4.0)
        });
        let mark = mark.map(|at| self.x(at));
        let mark = mark.map(|x| format!(r#"<line class="here" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{BOTTOM}"/>"#));
        let place = |point: &[f64; 2]| [self.x(point[0]), self.y(point[1])];
        let lines = self.lines.iter().enumerate().map(|(look, points)| {
            let points: Vec<_> = points.iter().map(place).collect();
            line(look, &points, &points)
        });
        let name = text((LEFT + RIGHT) / 2.0, SIZE[1] - 4.0, "middle", axis);
        y_ticks.into_iter().chain(x_ticks).chain([name]).chain(mark).chain(lines).collect()
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

    fn y_ticks(&self) -> [(f64, String); 3] {
        let label = |y: f64| match self.percent {
            true => format!("{:.0}%", 100.0 * y),
            false if y.fract() == 0.0 => format!("{y:.0}"),
            false => format!("{y:.1}"),
        };
        [0.0, 0.5, 1.0].map(|part| part * self.y_end).map(|y| (self.y(y), label(y)))
    }
}

/// Whole numbers from `start` to `end`, `most` intervals at the most, at steps that people count in.
fn ticks(start: f64, end: f64, most: u32) -> impl Iterator<Item = f64> {
    let reach = (end - start).max(0.0);
    let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0, 20.0, 25.0, 50.0];
    let step = steps.into_iter().find(|step| reach / step <= f64::from(most)).unwrap_or(100.0);
    (0..).map(move |i| start + step * f64::from(i)).take_while(move |x| *x <= end)
}

/// Draws a line through `points` with marks at `marked`: SVG. `look` chooses the marks, and the style sheet's class.
pub fn line(look: usize, points: &[[f64; 2]], marked: &[[f64; 2]]) -> String {
    /// Half the width of a mark.
    const HALF: f64 = 2.6;
    let part = |(place, [x, y]): (usize, &[f64; 2])| format!("{}{x:.1} {y:.1}", if place == 0 { 'M' } else { 'L' });
    let path: String = points.iter().enumerate().map(part).collect();
    let mark = |[x, y]: &[f64; 2]| match look {
        0 => format!(r#"<circle class="mark" cx="{x:.1}" cy="{y:.1}" r="{HALF}"/>"#),
        _ => {
            let (left, top, side) = (x - HALF, y - HALF, 2.0 * HALF);
            format!(r#"<rect class="mark" x="{left:.1}" y="{top:.1}" width="{side}" height="{side}"/>"#)
        }
    };
    let marks: String = marked.iter().map(mark).collect();
    format!(r#"<g class="line look-{look}"><path class="curve" d="{path}"/>{marks}</g>"#)
}

fn text(x: f64, y: f64, anchor: &str, words: &str) -> String {
    format!(r#"<text class="tick" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#)
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
        let svg = lines.svg("step", None);
        assert!(svg.contains(r#"d="M40.0 130.0L328.0 12.0""#), "{svg}");
        assert!(svg.contains(r#"<circle class="mark" cx="328.0" cy="12.0" r="2.6"/>"#), "{svg}");
        assert!(svg.contains(r#"look-1"><path class="curve" d=""/></g>"#), "a line without points: {svg}");
        assert!(["0%", "50%", "100%", "step"].iter().all(|label| svg.contains(&format!(">{label}</text>"))), "{svg}");
        assert_eq!(svg.matches("class=\"axis\"").count(), 9);
        assert!(!svg.contains("here") && lines.svg("", Some(16.0)).contains(r#"<line class="here" x1="184.0""#));
    }

    #[test]
    fn what_is_off_the_chart_stays_at_its_edge_and_an_empty_axis_divides_by_nothing() {
        let lines = Lines { x_range: [0.0, 0.0], y_end: 0.0, percent: false, lines: vec![vec![[5.0, 5.0]]] };
        assert!(lines.svg("", None).contains(r#"d="M40.0 130.0""#));
        let lines = Lines { x_range: [0.0, 1.0], y_end: 1.0, ..lines };
        assert!(lines.svg("", None).contains(r#"d="M328.0 12.0""#));
    }

    #[test]
    fn a_label_says_where_its_line_is() {
        let labels = |y_end: f64| {
            let lines = Lines { x_range: [0.0, 1.0], y_end, percent: false, lines: vec![] };
            lines.y_ticks().map(|tick| tick.1)
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
