//! `model.json`, the card of a network, and the errors of reading a card.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::card_check;
use crate::detection::DetectorCard;
use crate::excerpt;
use crate::explanation::{CAM, MapCheck};
use crate::model::{Architecture, Cost};
use crate::score::Score;

/// A card that cannot be read, or a file that is not the one that a card describes; the text says what is wrong and what to do.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum CardError {
    /// A file that is not JSON, or not the JSON of a card.
    #[error("model.json cannot be read: {0}. Export the model again")]
    BadJson(String),
    /// A card with a value that no network and no measurement has.
    #[error("model.json is not believed: {0}. Measure or export the model again")]
    Impossible(String),
    /// A card of a newer Bastion.
    #[error(
        "model.json has format version {found}, newer than {known}, the newest known here: update Bastion (or reload \
         the page) and try again"
    )]
    NewerFormat {
        /// Version in the card.
        found: u32,
        /// Newest version that this build reads.
        known: u32,
    },
    /// Weights that were cut short, or belong to another model.
    #[error(
        "the weights have {found} bytes, but model.json says {expected}: the file is truncated or belongs to another \
         model; fetch it again"
    )]
    WrongSize {
        /// Size of the file, in bytes.
        found: u64,
        /// Size in the card, in bytes.
        expected: u64,
    },
    /// Weights that were changed.
    #[error(
        "the weights have sha256 {found}, but model.json says {expected}: the file is damaged or belongs to another \
         model; fetch it again"
    )]
    WrongHash {
        /// SHA-256 of the file.
        found: String,
        /// SHA-256 in the card.
        expected: String,
    },
}

/// Version of `model.json` that this build writes, the newest that it reads.
///
/// Version 2 has weights in parts and in 8 bits, and torchvision's networks.
pub const FORMAT_VERSION: u32 = 2;

/// `model.json`: architecture, files of weights, recipe and scores of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Version of this format.
    pub format_version: u32,
    /// Short name: `standard`, `hardened`.
    pub name: String,
    /// Architecture of the network.
    pub architecture: Architecture,
    /// Mean of the training pictures, RGB in `[0, 1]`.
    pub mean: [f32; 3],
    /// Standard deviation of the training pictures, RGB in `[0, 1]`.
    pub std: [f32; 3],
    /// Files of the weights.
    pub weights: Weights,
    /// Recipe of the training.
    pub recipe: Recipe,
    /// SHA-256 of the training data, as `bastion data import` prints it.
    pub data_sha256: String,
    /// Measured accuracies.
    pub scores: Vec<Score>,
    /// Checks of the evaluation behind these scores (`bastion check --save`); none if it was not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<Checks>,
    /// Detectors of attacked pictures (`bastion detector train`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detectors: Vec<DetectorCard>,
    /// Whether maps that explain answers can be believed (`bastion explain --check --save`); empty if that was not checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explanations: Vec<MapCheck>,
    /// Cost of a forward pass of one picture, for readers that cannot compute the cost from the architecture; written with the
    /// scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Logits and input gradient on the probe image.
    pub probe: Probe,
    /// Classes in the order of the logits.
    pub classes: Vec<Class>,
}

/// Results of `bastion check`, which checks the evaluation of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    /// Radius of the attacks in pixel units, where an item names no other.
    pub epsilon: f32,
    /// Number of validation images, spread over all classes.
    pub images: usize,
    /// Items in the order of the report.
    pub items: Vec<CheckItem>,
    /// Mean cross entropy of the first of the images at the random start of PGD and after each of its steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loss_curve: Vec<f32>,
}

/// A check of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckItem {
    /// Statement that must hold: `Square finds none that PGD missed`.
    pub name: String,
    /// Measured figure, or the reason why there is none.
    pub figure: String,
    /// Limit of the figure; empty if nothing was measured.
    pub limit: String,
    /// Whether the figure keeps to the limit; none if nothing was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
}

/// A class of the data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// WordNet id: `n01443537`.
    pub wnid: String,
    /// Names of the class: `goldfish, Carassius auratus`.
    pub name: String,
}

impl Class {
    /// Returns the first of the names.
    pub fn short_name(&self) -> &str {
        self.name.split(',').next().unwrap_or(&self.name).trim()
    }
}

/// File of the weights, which may be cut into parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// File name, beside `model.json`.
    pub file: String,
    /// Number format of the convolutions and the head.
    pub precision: Precision,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Files that `file` is cut into, in order; empty if `file` is whole. A file that is cut does not exist itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// A file that holds a part of the weights, or all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// File name, beside `model.json`.
    pub file: String,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// Size of the file in bytes.
    pub bytes: u64,
}

impl Part {
    /// Describes a file by its content.
    pub fn describe(file: String, content: &[u8]) -> Self {
        Self { file, sha256: sha256_hex(content), bytes: content.len() as u64 }
    }

    /// Compares size and hash of `content` with those of the file.
    ///
    /// # Errors
    ///
    /// [`CardError::WrongSize`] or [`CardError::WrongHash`] if `content` is not the file described.
    pub fn check(&self, content: &[u8]) -> Result<(), CardError> {
        check(content, self.bytes, &self.sha256)
    }
}

impl Weights {
    /// Describes a file by its content.
    pub fn describe(file: &str, precision: Precision, content: &[u8]) -> Self {
        let Part { file, sha256, bytes } = Part::describe(file.into(), content);
        Self { file, precision, sha256, bytes, parts: vec![] }
    }

    /// Compares size and hash of `content`, all parts joined, with those of the file.
    ///
    /// # Errors
    ///
    /// [`CardError::WrongSize`] or [`CardError::WrongHash`] if `content` is not the file described.
    pub fn check(&self, content: &[u8]) -> Result<(), CardError> {
        check(content, self.bytes, &self.sha256)
    }

    /// Describes `content`, the file described, as parts of at most `part_bytes` bytes if it is larger: `model.safetensors.0`
    /// and so on, which [`Self::files`] then returns.
    pub fn cut(&mut self, content: &[u8], part_bytes: usize) {
        self.parts.clear();
        if content.len() > part_bytes {
            let parts = content.chunks(part_bytes.max(1)).enumerate();
            self.parts = parts.map(|(number, part)| Part::describe(format!("{}.{number}", self.file), part)).collect();
        }
    }

    /// Returns the files on disk or on a server, in order; joined they are the weights.
    pub fn files(&self) -> Vec<Part> {
        match self.parts.is_empty() {
            true => vec![Part { file: self.file.clone(), sha256: self.sha256.clone(), bytes: self.bytes }],
            false => self.parts.clone(),
        }
    }

    /// Checks names and sizes of the files.
    ///
    /// # Errors
    ///
    /// [`CardError::BadJson`] if a file is not beside the card, or the parts are not as large as the whole.
    fn check_files(&self) -> Result<(), CardError> {
        let files = self.files();
        let elsewhere =
            |part: &&Part| part.file.is_empty() || part.file.contains(['/', '\\']) || part.file.starts_with('.');
        if let Some(part) = files.iter().find(elsewhere) {
            return Err(CardError::BadJson(format!("'{}' is not a file name", excerpt(&part.file))));
        }
        let bytes = files.iter().fold(0u64, |sum, part| sum.saturating_add(part.bytes));
        if bytes != self.bytes {
            let parts = files.len();
            return Err(CardError::BadJson(format!("{parts} parts have {bytes} bytes, the weights {}", self.bytes)));
        }
        Ok(())
    }
}

fn check(content: &[u8], expected_bytes: u64, expected_sha256: &str) -> Result<(), CardError> {
    let bytes = content.len() as u64;
    if bytes != expected_bytes {
        return Err(CardError::WrongSize { found: bytes, expected: expected_bytes });
    }
    let found = sha256_hex(content);
    if found != expected_sha256 {
        return Err(CardError::WrongHash { found, expected: expected_sha256.into() });
    }
    Ok(())
}

/// Number format of stored weights. Networks compute in f32 whatever the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Half precision for convolutions and the head; batch norm stays f32, whose small variances would underflow.
    F16,
    /// Full precision.
    F32,
    /// 8 bits with a step for each output channel for convolutions and the head; the rest stays f32.
    Q8,
}

impl Display for Precision {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::F16 => "f16",
            Self::F32 => "f32",
            Self::Q8 => "q8",
        })
    }
}

/// Logits and input gradient on a fixed made image (`shared::bundle::probe_image`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Logits, one for each class.
    pub logits: Vec<f32>,
    /// Gradient of the cross entropy to class 0 with respect to the pixels, summed over 8x8 squares: 3 channels of 8
    /// rows of 8 squares.
    pub input_gradient_sums: Vec<f32>,
}

/// Recipe of a training: enough to repeat the training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Name of the recipe: `normal`, `hardened`.
    pub name: String,
    /// Commands of the training, in order.
    pub commands: Vec<String>,
    /// Resolved configuration of the last command.
    pub config: serde_json::Value,
}

impl Card {
    /// Reads `model.json`.
    ///
    /// # Errors
    ///
    /// [`CardError::NewerFormat`], [`CardError::BadJson`] or [`CardError::Impossible`].
    pub fn from_json(json: &[u8]) -> Result<Self, CardError> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        let bad = |error: serde_json::Error| CardError::BadJson(excerpt(&error.to_string()));
        // The version first: a newer format may look like anything else.
        let Version { format_version } = serde_json::from_slice(json).map_err(bad)?;
        if format_version > FORMAT_VERSION {
            return Err(CardError::NewerFormat { found: format_version, known: FORMAT_VERSION });
        }
        let card: Self = serde_json::from_slice(json).map_err(bad)?;
        card.weights.check_files()?;
        card_check::check(&card)?;
        Ok(card)
    }

    /// Returns whether the evidence of the network's cells may be put into words: whether its maps were checked and passed.
    pub fn puts_evidence_into_words(&self) -> bool {
        self.explanations.iter().any(|check| check.method == CAM && check.allows_words())
    }

    /// Writes `model.json`, for people to read as well.
    pub fn to_json(&self) -> Vec<u8> {
        // A card is plain data with string keys: serialising it cannot fail.
        let mut json = serde_json::to_vec_pretty(self).expect("a card is plain data");
        json.push(b'\n');
        json
    }
}

/// Returns the SHA-256 of `content` in lower-case hexadecimal.
pub fn sha256_hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
/// Describes the pictures of a share of a batch, by the name that the trainer gives the share; none for a name that is not known.
pub fn share_in_words(name: &str) -> Option<&'static str> {
    Some(match name {
        "normal" => "as they are, but for random crops and mirrors",
        "augmented" => "disturbed by the paper’s seven perturbations, such as turning, skewing and other colours",
        "crafted-fgsm" => "attacked by FGSM beforehand, through a normal network",
        "crafted-bim" => "attacked by BIM beforehand, through a normal network",
        "fgsm" => "attacked by FGSM as the network learns",
        "bim" => "attacked by BIM as the network learns",
        "fgsm-rs" => "attacked as the network learns, by one step from a random start (Wong et al., 2020)",
        "n-fgsm" => "attacked as the network learns, by one step after strong noise (de Jorge et al., 2022)",
        "pgd" => "attacked as the network learns, by PGD (Madry et al., 2017)",
        _ => return None,
    })
}
