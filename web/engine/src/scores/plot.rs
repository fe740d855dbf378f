//! Where everything of a chart is drawn: in pixels of a picture that the page scales.

use super::chart::{Chart, Line, Point, number};
use super::round_up;

/// Size of the picture. As wide as a telephone's screen, so that its type is about as large as the page's.
const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 210.0;
/// Edges of what is plotted: room for the percentages, the lines' names, and the axis below.
const LEFT: f64 = 38.0;
const RIGHT: f64 = 262.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 168.0;
/// Closest that two names may be, one below the other.
const NAME_GAP: f64 = 15.0;
/// Closest that two numbers may be, side by side.
const NUMBER_GAP: f64 = 20.0;

/// A chart, laid out.
#[derive(Clone, PartialEq, Debug)]
pub struct Plot {
    /// Width and height of the picture.
    pub size: [f64; 2],
    /// Left, top, right and bottom edge of what is plotted.
    pub frame: [f64; 4],
    /// Marks on the horizontal axis.
    pub x_ticks: Vec<Tick>,
    /// Marks on the vertical one.
    pub y_ticks: Vec<Tick>,
    /// The lines.
    pub lines: Vec<Drawn>,
}

/// A mark on an axis.
#[derive(Clone, PartialEq, Debug)]
pub struct Tick {
    /// Where.
    pub at: f64,
    /// What it says; empty where there is no room.
    pub label: String,
}

/// A line, laid out.
#[derive(Clone, PartialEq, Debug)]
pub struct Drawn {
    /// The network's place among the networks.
    pub network: usize,
    /// Its title.
    pub name: String,
    /// Where that stands.
    pub name_at: [f64; 2],
    /// The line as an SVG path.
    pub path: String,
    /// Its points.
    pub dots: Vec<Dot>,
}

/// A point of a line.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Dot {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
    /// Upper and lower end of its interval, from the top.
    pub whisker: [f64; 2],
}

impl Plot {
    /// Lays out a chart whose vertical axis holds `highest`, which all charts of a page have in common.
    pub fn of(chart: &Chart, highest: f64) -> Self {
        let y_end = round_up(highest);
        let y = |share: f64| BOTTOM - (BOTTOM - TOP) * share / y_end;
        let points = || chart.lines.iter().flat_map(|line| &line.points);
        let widest = points().map(|point| point.epsilon).fold(0.0, f64::max);
        let x_end = if widest > 0.0 { widest } else { 1.0 };
        let x = |epsilon: f64| LEFT + (RIGHT - LEFT) * epsilon / x_end;

        let mut lines: Vec<Drawn> = chart.lines.iter().map(|line| draw(line, x, y)).collect();
        spread_names(&mut lines);
        Self {
            size: [WIDTH, HEIGHT],
            frame: [LEFT, TOP, RIGHT, BOTTOM],
            x_ticks: x_ticks(points().map(|point| point.epsilon), x),
            y_ticks: y_ticks(y_end, y),
            lines,
        }
    }
}

fn draw(line: &Line, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> Drawn {
    let dot = |point: &Point| {
        let [low, high] = point.interval;
        Dot { x: x(point.epsilon), y: y(point.top1), whisker: [y(high), y(low)] }
    };
    let dots: Vec<Dot> = line.points.iter().map(dot).collect();
    let step = |(place, dot): (usize, &Dot)| format!("{}{:.1} {:.1}", if place == 0 { "M" } else { "L" }, dot.x, dot.y);
    let last = dots.last().map_or([LEFT, BOTTOM], |dot| [dot.x, dot.y]);
    Drawn {
        network: line.network,
        name: line.name.clone(),
        name_at: [last[0] + 9.0, last[1]],
        path: dots.iter().enumerate().map(step).collect(),
        dots,
    }
}

/// Moves names apart that would cover each other, no further than needed.
fn spread_names(lines: &mut [Drawn]) {
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by(|&one, &other| lines[one].name_at[1].total_cmp(&lines[other].name_at[1]));
    let mut free_from = f64::NEG_INFINITY;
    for &place in &order {
        let at = &mut lines[place].name_at[1];
        *at = at.max(free_from);
        free_from = *at + NAME_GAP;
    }
    // Pushed out at the bottom: the other way round.
    let mut free_to = BOTTOM;
    for &place in order.iter().rev() {
        let at = &mut lines[place].name_at[1];
        *at = at.min(free_to);
        free_to = *at - NAME_GAP;
    }
}

/// Returns a mark at each radius that was measured.
fn x_ticks(epsilons: impl Iterator<Item = f64>, x: impl Fn(f64) -> f64) -> Vec<Tick> {
    let mut epsilons: Vec<f64> = epsilons.collect();
    epsilons.sort_by(f64::total_cmp);
    epsilons.dedup();
    let mut free_from = f64::NEG_INFINITY;
    let tick = |epsilon: f64| {
        let at = x(epsilon);
        let label = if at < free_from { String::new() } else { number(epsilon) };
        if !label.is_empty() {
            free_from = at + NUMBER_GAP;
        }
        Tick { at, label }
    };
    epsilons.into_iter().map(tick).collect()
}

/// Marks at round percentages, four to six of them.
fn y_ticks(end: f64, y: impl Fn(f64) -> f64) -> Vec<Tick> {
    let step = match end {
        end if end < 0.15 => 2,
        end if end < 0.25 => 5,
        end if end < 0.55 => 10,
        _ => 20,
    };
    let percents = (0..=100).step_by(step).take_while(|&percent| f64::from(percent) <= 100.0 * end + 1e-6);
    percents.map(|percent| Tick { at: y(f64::from(percent) / 100.0), label: format!("{percent}%") }).collect()
}
