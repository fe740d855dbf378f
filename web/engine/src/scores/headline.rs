//! The point of all scores in two figures a network: what it knows, and what is left of that under attack.

use super::sheet::{Cell, Group, Protocol, Row, Sheet};

/// Two figures a network.
#[derive(Clone, PartialEq, Debug)]
pub struct Headline {
    /// The attack, the same for all networks: `BIM-5 at 4/255`; with the number of pictures where that is not the usual one.
    pub attack: String,
    /// The networks, in their order.
    pub networks: Vec<Figures>,
}

/// A network's two figures.
#[derive(Clone, PartialEq, Debug)]
pub struct Figures {
    /// What the page calls it.
    pub title: String,
    /// On pictures as they are.
    pub clean: Cell,
    /// Under the attack.
    pub attacked: Cell,
}

impl Headline {
    /// Returns what the second figure of each network is.
    pub fn meaning(&self) -> String {
        format!(
            "{} through each network’s own gradients (white-box): the strongest attack of this epsilon that is in the tables for \
             all of them.",
            self.attack
        )
    }
}

/// Fewest pictures of an attack's score, unless there are fewer in all.
const FEWEST: usize = 1_000;

/// Returns the clean score beside the strongest white-box attack of the smallest epsilon that all networks were measured with, on
/// the same number of pictures: AutoAttack, where there is a score of it. None if there is no such attack.
pub fn headline(sheet: &Sheet) -> Option<Headline> {
    let rows = |protocol: Protocol| {
        let group = sheet.groups.iter().find(move |group| group.protocol == protocol);
        group.into_iter().flat_map(|group: &Group| &group.rows)
    };
    let clean = rows(Protocol::NoAttack).find(|row| row.is_clean())?;
    let clean_cells = alike(clean, sheet.pictures)?;
    let mut candidates: Vec<(&Row, Vec<Cell>)> = rows(Protocol::WhiteBox)
        .filter(|row| row.is_untargeted())
        .filter_map(|row| Some((row, alike(row, sheet.pictures.min(FEWEST))?)))
        .collect();
    // AutoAttack's is the figure that networks are compared by.
    let is_autoattack = |row: &Row| row.title.starts_with("AutoAttack");
    if candidates.iter().any(|(row, _)| is_autoattack(row)) {
        candidates.retain(|(row, _)| is_autoattack(row));
    }
    let smallest = candidates.iter().filter_map(|(row, _)| row.levels()).min_by(f64::total_cmp)?;
    let left = |cells: &[Cell]| cells.iter().map(|cell| cell.top1.value()).sum::<f64>();
    let (row, cells) = candidates
        .iter()
        .filter(|(row, _)| row.levels() == Some(smallest))
        .min_by(|(_, one), (_, other)| left(one).total_cmp(&left(other)))?;
    let figures = sheet.networks.iter().zip(clean_cells).zip(cells);
    Some(Headline {
        attack: match cells.first() {
            Some(cell) if cell.top1.of != sheet.pictures => format!("{}, {}", row.title, pictures(cell.top1.of)),
            _ => row.title.clone(),
        },
        networks: figures
            .map(|((title, clean), attacked)| Figures { title: title.clone(), clean, attacked: *attacked })
            .collect(),
    })
}

/// Returns the scores of all networks, if each has one and all count the same number of pictures, at least `fewest`.
fn alike(row: &Row, fewest: usize) -> Option<Vec<Cell>> {
    let cells: Vec<Cell> = row.cells.iter().copied().collect::<Option<_>>()?;
    let of = cells.first()?.top1.of;
    (of >= fewest && cells.iter().all(|cell| cell.top1.of == of)).then_some(cells)
}

fn pictures(count: usize) -> String {
    format!("on {} pictures", protocol::text::count(count))
}
