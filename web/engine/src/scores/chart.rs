//! Curves: accuracy against epsilon, one chart for each attack that was measured at several.

use super::Network;
use super::measured::{EpsilonUnit, family, in_order, radius};
use super::sheet::{Protocol, tenths};
use protocol::text::capitalised;
use terms::score::Score;

/// How the networks fare as one attack grows.
#[derive(Clone, PartialEq, Debug)]
pub struct Chart {
    /// The attack: `BIM-5, white-box`.
    pub title: String,
    /// What epsilon is measured in.
    pub unit: EpsilonUnit,
    /// A line for each network that was measured.
    pub lines: Vec<Line>,
}

/// How one network fares.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// The network's place among the networks.
    pub network: usize,
    /// Its title.
    pub name: String,
    /// What was measured, by growing epsilon.
    pub points: Vec<Point>,
}

/// One measurement.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    /// Radius of the attack.
    pub epsilon: f64,
    /// Share of the pictures whose class came first.
    pub top1: f64,
    /// Its 95% interval.
    pub interval: [f64; 2],
}

/// Returns the charts that the networks' scores are good for, in the order of the table.
pub fn charts(networks: &[Network<'_>]) -> Vec<Chart> {
    let lines = || networks.iter().flat_map(|network| &network.card.scores);
    let mut kinds: Vec<(Kind, &Score)> = Vec::new();
    for line in lines() {
        if let Some(kind) = Kind::of(line).filter(|kind| kinds.iter().all(|(known, _)| known != kind)) {
            kinds.push((kind, line));
        }
    }
    kinds.sort_by(|(one, first), (other, second)| {
        one.protocol.cmp(&other.protocol).then_with(|| in_order(first, second))
    });
    kinds.into_iter().filter_map(|(kind, _)| kind.chart(networks)).collect()
}

/// What the points of one chart have in common.
#[derive(PartialEq)]
struct Kind {
    protocol: Protocol,
    family: String,
    unit: EpsilonUnit,
}

impl Kind {
    fn of(line: &Score) -> Option<Self> {
        let attack = line.attack.as_ref()?;
        Some(Self { protocol: Protocol::of(line), family: family(line, attack), unit: radius(attack).1 })
    }

    /// None if there is nothing to see: no network was measured at two radii.
    fn chart(&self, networks: &[Network<'_>]) -> Option<Chart> {
        let of_network = |(place, network): (usize, &Network<'_>)| {
            let scores = &network.card.scores;
            let measured: Vec<&Score> = scores.iter().filter(|line| Self::of(line).as_ref() == Some(self)).collect();
            let mut points: Vec<Point> = measured.iter().filter_map(|line| point(line)).collect();
            points.sort_by(|one, other| one.epsilon.total_cmp(&other.epsilon));
            points.dedup_by(|one, other| one.epsilon == other.epsilon);
            let measured_at = points.len();
            // An attack of no radius changes nothing. Only if it was measured on as many pictures, which are then the same.
            let start = scores.iter().find(|line| {
                let first = measured.first();
                let same = |first: &&Score| first.set == line.set && first.top1.of == line.top1.of;
                line.attack.is_none() && first.is_some_and(same)
            });
            if let Some(start) = start.filter(|_| points.first().is_some_and(|first| first.epsilon > 0.0)) {
                points.insert(0, Point { epsilon: 0.0, top1: start.top1.value(), interval: start.top1_interval });
            }
            let line = Line { network: place, name: network.title.to_owned(), points };
            (measured_at > 0).then_some((measured_at, line))
        };
        let lines: Vec<(usize, Line)> = networks.iter().enumerate().filter_map(of_network).collect();
        let worth_it = lines.iter().any(|(measured_at, _)| *measured_at > 1);
        worth_it.then(|| Chart {
            title: self.title(),
            unit: self.unit,
            lines: lines.into_iter().map(|(_, line)| line).collect(),
        })
    }

    fn title(&self) -> String {
        let family = &self.family;
        match &self.protocol {
            Protocol::WhiteBox => format!("{}, white-box", capitalised(family)),
            Protocol::Transfer(source) => format!("{}, transferred from {source}", capitalised(family)),
            Protocol::NoAttack | Protocol::Corruptions => capitalised(&family.replacen("noise", "random noise", 1)),
        }
    }
}

fn point(line: &Score) -> Option<Point> {
    let (epsilon, _) = radius(line.attack.as_ref()?);
    // Written with seven digits: what was a whole number of 255ths is one again.
    let epsilon = if (epsilon - epsilon.round()).abs() < 1e-3 { epsilon.round() } else { epsilon };
    Some(Point { epsilon, top1: line.top1.value(), interval: line.top1_interval })
}

impl Chart {
    /// Returns what a chart's horizontal axis shows.
    pub fn axis(&self) -> &'static str {
        match self.unit {
            EpsilonUnit::Levels => "epsilon, in 255ths",
            EpsilonUnit::Deviations => "epsilon, in standard deviations",
            EpsilonUnit::L2 => "epsilon, in L2",
            EpsilonUnit::Pixels => "epsilon, in pixels",
        }
    }

    /// Returns all that the chart shows, in words.
    pub fn description(&self) -> String {
        let of_line = |line: &Line| {
            let at = |point: &Point| match point.epsilon {
                0.0 => format!("{} without attack", tenths(point.top1)),
                epsilon => format!("{} at {}", tenths(point.top1), self.unit.write(&number(epsilon))),
            };
            format!("{}: {}.", line.name, line.points.iter().map(at).collect::<Vec<_>>().join(", "))
        };
        self.lines.iter().map(of_line).collect::<Vec<_>>().join(" ")
    }

    /// Returns the highest end of an interval.
    pub fn highest(&self) -> f64 {
        let points = self.lines.iter().flat_map(|line| &line.points);
        points.map(|point| point.interval[1]).fold(0.0, f64::max)
    }
}

/// `8`, `0.2`, `0.051`: as many digits as it needs, three at most.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
