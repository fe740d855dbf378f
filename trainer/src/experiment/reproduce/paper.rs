//! Holds the paper's Table 1 and its conclusions from that table.

use super::plan::MODELS;

/// Quantity in a column of the tables, in the order of measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Normal,
    Augmented,
    /// Crafted once on the normal model, saved, shown to all: transfer.
    Fgsm,
    Bim,
    /// Through each model's own gradients.
    WhiteBoxFgsm,
    WhiteBoxBim,
    WhiteBoxPgd,
    /// As far away as the paper's attacks, and aimed at nothing.
    Noise,
}

impl Column {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Normal,
        Self::Augmented,
        Self::Fgsm,
        Self::Bim,
        Self::WhiteBoxFgsm,
        Self::WhiteBoxBim,
        Self::WhiteBoxPgd,
        Self::Noise,
    ];

    /// Returns the name for the head of a table.
    pub fn label(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Augmented => "augmented",
            Self::Fgsm => "FGSM",
            Self::Bim => "BIM",
            Self::WhiteBoxFgsm => "white-box FGSM",
            Self::WhiteBoxBim => "white-box BIM",
            Self::WhiteBoxPgd => "white-box PGD-20, 4/255",
            Self::Noise => "random noise",
        }
    }
}

/// Table 1, top-1: models as in [`MODELS`], validation sets normal, augmented, FGSM and BIM.
pub const TABLE_1: [[f64; 4]; 5] = [
    [0.6489, 0.4224, 0.1980, 0.1067],
    [0.6747, 0.5960, 0.2898, 0.2166],
    [0.4714, 0.3007, 0.4045, 0.4141],
    [0.4891, 0.3063, 0.4306, 0.4505],
    [0.6189, 0.5494, 0.4768, 0.5205],
];

/// Returns the published accuracy of a cell, if the paper has measured it.
pub fn published((model, column): Cell) -> Option<f64> {
    let row = MODELS.iter().position(|name| *name == model)?;
    TABLE_1[row].get(column as usize).copied()
}

/// A cell: a model on a validation set.
pub type Cell = (&'static str, Column);

/// A claim that the accuracy of the first cell is above that of the second.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The cell of the higher accuracy.
    pub above: Cell,
    /// The cell of the lower one.
    pub below: Cell,
}

/// A conclusion and what it rests on.
pub struct Conclusion {
    /// The question that it answers.
    pub question: &'static str,
    /// The claims that it follows from.
    pub claims: &'static [Claim],
}

const fn above(above: Cell, below: Cell) -> Claim {
    Claim { above, below }
}

/// The paper's conclusions, and after them what it did not measure.
pub const CONCLUSIONS: &[Conclusion] = &[
    Conclusion {
        question: "Does augmentation help?",
        claims: &[
            above(("augmented", Column::Augmented), ("normal", Column::Augmented)),
            above(("augmented", Column::Normal), ("normal", Column::Normal)),
        ],
    },
    Conclusion {
        question: "Do models trained on attacked pictures hold on attacked sets?",
        claims: &[
            above(("fgsm", Column::Fgsm), ("normal", Column::Fgsm)),
            above(("bim", Column::Bim), ("normal", Column::Bim)),
        ],
    },
    Conclusion {
        question: "Do they lose on normal pictures?",
        claims: &[
            above(("normal", Column::Normal), ("fgsm", Column::Normal)),
            above(("normal", Column::Normal), ("bim", Column::Normal)),
        ],
    },
    Conclusion {
        question: "Is the union of all four the best against attacks, at little loss on normal pictures?",
        claims: &[
            above(("hardened", Column::Fgsm), ("fgsm", Column::Fgsm)),
            above(("hardened", Column::Bim), ("bim", Column::Bim)),
            above(("hardened", Column::Normal), ("fgsm", Column::Normal)),
            above(("hardened", Column::Normal), ("bim", Column::Normal)),
            above(("normal", Column::Normal), ("hardened", Column::Normal)),
        ],
    },
    Conclusion {
        question: "Is BIM the stronger attack when pictures are crafted on the normal model (transfer)?",
        claims: &[
            above(("normal", Column::Fgsm), ("normal", Column::Bim)),
            above(("augmented", Column::Fgsm), ("augmented", Column::Bim)),
            above(("hardened", Column::Bim), ("hardened", Column::Fgsm)),
        ],
    },
    Conclusion {
        question: "And when each model is attacked through its own gradients (white-box)?",
        claims: &[
            above(("normal", Column::WhiteBoxFgsm), ("normal", Column::WhiteBoxBim)),
            above(("hardened", Column::WhiteBoxFgsm), ("hardened", Column::WhiteBoxBim)),
        ],
    },
    Conclusion {
        question: "Is what holds under transfer robust?",
        claims: &[
            above(("hardened", Column::Bim), ("hardened", Column::WhiteBoxBim)),
            above(("hardened", Column::WhiteBoxBim), ("normal", Column::WhiteBoxBim)),
            above(("hardened", Column::Noise), ("hardened", Column::WhiteBoxBim)),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_supports_every_claim_that_it_could_make() {
        for claim in CONCLUSIONS.iter().flat_map(|conclusion| conclusion.claims) {
            if let (Some(above), Some(below)) = (published(claim.above), published(claim.below)) {
                assert!(above > below, "{claim:?}");
            }
        }
        assert_eq!(published(("hardened", Column::Bim)), Some(0.5205));
        assert_eq!(published(("hardened", Column::WhiteBoxBim)), None);
        assert_eq!(published(("other", Column::Normal)), None);
    }
}
