//! The table: measurements down, networks across, and the protocols kept apart.

use super::measured::{EpsilonUnit, in_order, radius, what};
use super::{Network, round_up};
use protocol::text::{self, capitalised};
use terms::attack::Goal;
use terms::metrics::Proportion;
use terms::score::{ImageSet, Score};

/// All scores of some networks.
#[derive(Clone, PartialEq, Debug)]
pub struct Sheet {
    /// The networks' titles; rows have a cell for each.
    pub networks: Vec<String>,
    /// The measurements, each under its protocol; none is empty.
    pub groups: Vec<Group>,
    /// The share at which a bar is full, so that low scores can be told apart.
    pub bar_end: f64,
    /// Pictures that a score counts, unless it says otherwise.
    pub pictures: usize,
    /// The networks that have no scores.
    pub unevaluated: Vec<String>,
}

/// What was measured under one protocol.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// The protocol.
    pub protocol: Protocol,
    /// Its measurements, weakest first.
    pub rows: Vec<Row>,
}

/// How pictures were changed, and through whose gradients: scores of different protocols say different things.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Protocol {
    /// Not at all, or without a gradient.
    NoAttack,
    /// Through each network's own.
    WhiteBox,
    /// Through those of the network of this name.
    Transfer(String),
    /// By the weather and the like.
    Corruptions,
}

impl Protocol {
    pub(super) fn of(line: &Score) -> Self {
        match (&line.attack, &line.crafted_on) {
            (None, _) if matches!(line.set, ImageSet::Corrupted { .. }) => Self::Corruptions,
            (None, _) => Self::NoAttack,
            (Some(attack), _) if attack.kind.is_control() => Self::NoAttack,
            (Some(_), None) => Self::WhiteBox,
            (Some(_), Some(source)) => Self::Transfer(source.clone()),
        }
    }

    /// Returns the protocol as a heading.
    pub fn title(&self) -> String {
        match self {
            Self::NoAttack => "Without an attack".into(),
            Self::WhiteBox => "White-box attacks".into(),
            Self::Transfer(source) => format!("Attacks transferred from {source}"),
            Self::Corruptions => "Common corruptions".into(),
        }
    }

    /// Returns what the protocol means, in a sentence or two.
    pub(super) fn meaning(&self) -> String {
        match self {
            Self::NoAttack => {
                "The pictures as they are, augmented, or under random noise: as large a change as an attack \
                               makes, but aimed at nothing."
                    .into()
            }
            Self::WhiteBox => {
                "Each network is attacked through its own gradients. Only white-box may be called robust \
                               accuracy."
                    .into()
            }
            Self::Transfer(source) => format!(
                "The pictures were crafted once, through the gradients of the {source} network, and shown to all: this \
                 says how well an attack carries over, not how robust a network is."
            ),
            Self::Corruptions => {
                "Weather, blur, noise and compression, each at severities 1 to 5; nobody aims them.".into()
            }
        }
    }

    /// Returns the name in attributes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoAttack => "no-attack",
            Self::WhiteBox => "white-box",
            Self::Transfer(_) => "transfer",
            Self::Corruptions => "corruptions",
        }
    }
}

/// One measurement.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// What was measured, as the table says it.
    pub title: String,
    /// What each network scored; none if it was not measured.
    pub cells: Vec<Option<Cell>>,
    /// The first line that it is made of: what decides on its place.
    line: Score,
}

/// What a network scored.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cell {
    /// Right at the first guess.
    pub top1: Proportion,
    /// Its 95% interval.
    pub interval: [f64; 2],
    /// Right among the first five, where that says anything.
    pub top5: Option<Proportion>,
}

impl Cell {
    /// `27.1%`.
    pub fn top1_words(&self) -> String {
        tenths(self.top1.value())
    }

    /// `26.3–28.0%`.
    pub fn interval_words(&self) -> String {
        let [low, high] = self.interval;
        format!("{:.1}–{:.1}%", 100.0 * low, 100.0 * high)
    }

    /// `53.9%`.
    pub fn top5_words(&self) -> Option<String> {
        self.top5.map(|top5| tenths(top5.value()))
    }
}

impl Row {
    /// Tells whether the pictures were as they are.
    pub(super) fn is_clean(&self) -> bool {
        self.line.attack.is_none() && self.line.set == ImageSet::Validation
    }

    /// Tells whether an attack on pictures as they are fled the true class.
    pub(super) fn is_untargeted(&self) -> bool {
        self.line.set == ImageSet::Validation && self.line.goal == Goal::Untargeted
    }

    /// Returns the attack's radius in 255ths, if it is measured in those.
    pub(super) fn levels(&self) -> Option<f64> {
        let (epsilon, unit) = radius(self.line.attack.as_ref()?);
        // Written with seven digits: what was a whole number of 255ths is one again.
        (unit == EpsilonUnit::Levels).then(|| (epsilon * 1e3).round() / 1e3)
    }
}

impl Sheet {
    /// Puts the scores of all networks side by side.
    pub fn of(networks: &[Network<'_>]) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (column, network) in networks.iter().enumerate() {
            for line in &network.card.scores {
                let protocol = Protocol::of(line);
                let place = groups.iter().position(|group| group.protocol == protocol).unwrap_or_else(|| {
                    groups.push(Group { protocol, rows: Vec::new() });
                    groups.len() - 1
                });
                groups[place].enter(line, column, networks.len());
            }
        }
        groups.sort_by(|one, other| one.protocol.cmp(&other.protocol));
        for group in &mut groups {
            // Stable: what has no order of its own stays in that of the card.
            group.rows.sort_by(|one, other| in_order(&one.line, &other.line));
        }
        let cells = || groups.iter().flat_map(|group| &group.rows).flat_map(|row| row.cells.iter().flatten());
        let highest = cells().map(|cell| cell.interval[1]).fold(0.0, f64::max);
        Self {
            networks: networks.iter().map(|network| network.title.to_owned()).collect(),
            bar_end: round_up(highest),
            pictures: cells().map(|cell| cell.top1.of).max().unwrap_or(0),
            unevaluated: networks
                .iter()
                .filter(|network| network.card.scores.is_empty())
                .map(|network| network.title.to_owned())
                .collect(),
            groups,
        }
    }

    /// Returns what all the tables show.
    pub fn caption(&self) -> String {
        format!(
            "Share of {} validation pictures whose class came first, with Wilson’s 95% interval. A full bar is {:.0}%; the \
             whisker is the interval.",
            text::count(self.pictures),
            100.0 * self.bar_end
        )
    }

    /// Says of a measurement on fewer pictures than the rest that it is, if all of its scores are.
    pub fn fewer(&self, row: &Row) -> Option<String> {
        let mut counts = row.cells.iter().flatten().map(|cell| cell.top1.of);
        let first = counts.next()?;
        (first != self.pictures && counts.all(|count| count == first)).then(|| pictures(first))
    }

    /// Says the same of one score of a measurement of which [`Self::fewer`] says nothing.
    pub fn fewer_here(&self, row: &Row, cell: &Cell) -> Option<String> {
        (cell.top1.of != self.pictures && self.fewer(row).is_none()).then(|| pictures(cell.top1.of))
    }
}

fn pictures(count: usize) -> String {
    format!("of {} pictures", text::count(count))
}

impl Group {
    /// Returns what the group's scores mean.
    pub fn meaning(&self) -> String {
        let saved = self.rows.iter().any(|row| row.title.ends_with(", saved"));
        let rounded = if saved { " “Saved” ones had been kept as 8-bit pictures." } else { "" };
        let attacks = || self.rows.iter().filter_map(|row| row.line.attack.as_ref());
        let deviations = match attacks().any(|attack| radius(attack).1 == EpsilonUnit::Deviations) {
            true => " An epsilon in std is one of the pixels’ standard deviations, as in the paper.",
            false => "",
        };
        // What the names of attacks leave out.
        let steps = match attacks().any(|attack| attack.steps_total() > 1) {
            true => " The number behind an attack’s name is that of its steps.",
            false => "",
        };
        let restarts = match self.rows.iter().any(|row| row.line.attack.is_some() && row.line.restarts > 1) {
            true => " With restarts, each picture counts with the worst of so many random starts.",
            false => "",
        };
        // Of no other attack is the top-5 accuracy left out.
        let any_step = match self.rows.iter().any(|row| row.line.until_fooled) {
            true => " PGD counts a picture as fooled if any of its steps fools.",
            false => "",
        };
        format!("{}{steps}{any_step}{restarts}{rounded}{deviations}", self.protocol.meaning())
    }

    /// Puts a score into the row of its measurement, which may be the first of its kind.
    fn enter(&mut self, line: &Score, column: usize, columns: usize) {
        let top5 = (!line.until_fooled).then_some(line.top5);
        let cell = Cell { top1: line.top1, interval: line.top1_interval, top5 };
        let what_was_done = what(line);
        // Two scores of one network that are called the same differ in something that the name does not tell: two rows.
        let same = |row: &&mut Row| what(&row.line) == what_was_done && row.cells[column].is_none();
        match self.rows.iter_mut().find(same) {
            Some(row) => row.cells[column] = Some(cell),
            None => {
                let mut cells = vec![None; columns];
                cells[column] = Some(cell);
                self.rows.push(Row { title: row_title(line), cells, line: line.clone() });
            }
        }
    }
}

fn row_title(line: &Score) -> String {
    match &line.attack {
        Some(attack) if attack.kind.is_control() => capitalised(&what(line).replacen("noise", "random noise", 1)),
        _ => capitalised(&what(line).replacen("jpeg", "JPEG", 1)),
    }
}

/// `27.1%`.
pub(super) fn tenths(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}
