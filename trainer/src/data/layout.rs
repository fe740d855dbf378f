//! Tiny ImageNet's layout: the role of each file in the folder or archive, and checks that the files agree.
//!
//! ```text
//! wnids.txt                          one class id (WordNet id) a line; the order is the label
//! words.txt                          wnid <tab> names
//! train/<wnid>/images/<wnid>_<k>.JPEG
//! train/<wnid>/<wnid>_boxes.txt      file <tab> box (only the file names are used)
//! val/images/val_<k>.JPEG
//! val/val_annotations.txt            file <tab> wnid <tab> box
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use shared::image::Picture;

use super::decode::decode;
use super::hash::hex;
use super::leftovers::is_leftover;
use super::{Class, text};

/// SHA-256 of the official `wnids.txt`, its ids joined by newlines, by which the real data set is recognised.
const OFFICIAL_WNIDS_SHA256: &str = "d9cb11f6be1439ac299ac5047acf001cda5f4dcc9cd17c7323b08389cd3ab7ea";
const OFFICIAL_TRAIN_PER_CLASS: usize = 500;
const OFFICIAL_VAL: usize = 10_000;

/// Most letters of a class's id, and of its names: more is refused in cards, too.
const LONGEST_ID: usize = 255;
const LONGEST_NAME: usize = 1000;

/// The role of a file in the layout.
#[derive(Debug, PartialEq, Eq, Clone)]
pub enum Role {
    Wnids,
    Words,
    ValAnnotations,
    TrainBoxes { wnid: String },
    TrainImage { wnid: String, file: String },
    ValImage { file: String },
}

/// Returns the role of the file `path` (with `/` between its parts, or `\` as programs on Windows write it), and the folders
/// before the layout's root, such as `tiny-imagenet-200`. `None` for files that the import does not read, the unlabelled `test`
/// images among them, and for leftovers of systems.
pub fn classify(path: &str) -> Option<(String, Role)> {
    let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.iter().any(|part| is_leftover(part)) {
        return None;
    }
    let (depth, role) = match parts.as_slice() {
        [.., "train", wnid, "images", file] => {
            let (wnid, file) = (wnid.to_string(), file.to_string());
            (4, Role::TrainImage { wnid, file })
        }
        [.., "val", "images", file] => (3, Role::ValImage { file: file.to_string() }),
        [.., "train", wnid, file] if file.strip_suffix("_boxes.txt") == Some(wnid) => {
            (3, Role::TrainBoxes { wnid: wnid.to_string() })
        }
        [.., "val", "val_annotations.txt"] => (2, Role::ValAnnotations),
        [.., "wnids.txt"] => (1, Role::Wnids),
        [.., "words.txt"] => (1, Role::Words),
        _ => return None,
    };
    Some((parts[..parts.len() - depth].join("/"), role))
}

/// The files of a data set, their pictures still encoded.
#[derive(Default)]
pub struct RawFiles {
    root: Option<String>,
    /// Size of the text files together.
    pub text_bytes: u64,
    wnids: Option<String>,
    words: Option<String>,
    val_annotations: Option<String>,
    train_boxes: BTreeMap<String, String>,
    train_images: BTreeMap<String, BTreeMap<String, RawPicture>>,
    val_images: BTreeMap<String, RawPicture>,
}

/// A picture's file: as it is while small, and decoded at once where large, so that no archive of large files fills the memory.
pub enum RawPicture {
    Encoded(Vec<u8>),
    Decoded(Result<Picture, String>),
}

impl RawPicture {
    /// Size up to which a file is kept as it is: about that of its pixels.
    const SMALL: usize = 16 << 10;

    pub fn new(bytes: Vec<u8>) -> Self {
        if bytes.len() <= Self::SMALL { Self::Encoded(bytes) } else { Self::Decoded(decode(&bytes)) }
    }

    /// Returns the picture, or why there is none.
    pub fn decode(&self) -> Result<Picture, String> {
        match self {
            Self::Encoded(bytes) => decode(bytes),
            Self::Decoded(result) => result.clone(),
        }
    }
}

impl RawFiles {
    /// Adds the file `path`, whose `root` and `role` come from [`classify`].
    ///
    /// # Errors
    /// When a file of that path was added before, a text is not UTF-8, or the file belongs to a second data set.
    pub fn add(&mut self, path: &str, root: String, role: Role, bytes: Vec<u8>) -> Result<()> {
        match &self.root {
            None => self.root = Some(root),
            Some(known) => ensure!(
                *known == root,
                "there are two data sets in it, under '{known}/' and '{root}/'; give the path of one of them"
            ),
        }
        let text = |bytes: Vec<u8>| text::decode(&bytes).with_context(|| format!("{path} is not a text file"));
        let taken = match role {
            Role::Wnids => self.wnids.replace(text(bytes)?).is_some(),
            Role::Words => self.words.replace(text(bytes)?).is_some(),
            Role::ValAnnotations => self.val_annotations.replace(text(bytes)?).is_some(),
            Role::TrainBoxes { wnid } => self.train_boxes.insert(wnid, text(bytes)?).is_some(),
            Role::TrainImage { wnid, file } => {
                self.train_images.entry(wnid).or_default().insert(file, RawPicture::new(bytes)).is_some()
            }
            Role::ValImage { file } => self.val_images.insert(file, RawPicture::new(bytes)).is_some(),
        };
        ensure!(!taken, "{path} is in it twice");
        Ok(())
    }

    /// Checks that lists and files agree, and sorts the pictures: training by class and number, validation by number.
    ///
    /// The official class list needs the official counts unless `partial`; any other set is accepted in any size, with a
    /// warning.
    ///
    /// # Errors
    /// Names the lists or files that are missing, doubled or too many.
    pub fn arrange(self, partial: bool) -> Result<Layout> {
        let wnids = self.wnids.context(
            "there is no wnids.txt in it; it must hold Tiny ImageNet's layout: wnids.txt, words.txt, \
             train/<wnid>/images/*.JPEG, val/images/*.JPEG and val/val_annotations.txt",
        )?;
        let wnids = parse_wnids(&wnids)?;
        let labels: HashMap<&str, u16> = wnids.iter().map(String::as_str).zip(0..).collect();
        let mut warnings = Vec::new();

        check_train(&wnids, &labels, &self.train_images, &self.train_boxes)?;
        let annotations = self.val_annotations.context("there is no val/val_annotations.txt in it")?;
        let val_labels = parse_annotations(&annotations, &labels)?;
        check_val(&val_labels, &self.val_images)?;

        let counts: Vec<usize> = wnids.iter().map(|wnid| self.train_images[wnid].len()).collect();
        let official = hex(Sha256::digest(wnids.join("\n"))) == OFFICIAL_WNIDS_SHA256;
        let short_by = shortfall(official, &wnids, &counts, self.val_images.len());
        let whole = short_by.is_none();
        if let Some(short_by) = short_by {
            ensure!(!official || partial, "{short_by}; give --partial to import it as it is");
            warnings.push(short_by);
        }

        let names = parse_words(self.words.as_deref().unwrap_or_default());
        let nameless = wnids.iter().filter(|wnid| !names.contains_key(wnid.as_str())).count();
        if nameless > 0 {
            warnings.push(format!("words.txt has no name for {nameless} of the classes: their id stands for it"));
        }
        let length = |text: &str| text.chars().count();
        let is_long = |wnid: &&String| {
            length(wnid) > LONGEST_ID || names.get(wnid.as_str()).is_some_and(|name| length(name) > LONGEST_NAME)
        };
        if let Some(wnid) = wnids.iter().find(is_long) {
            let start: String = wnid.chars().take(20).collect();
            bail!(
                "the class {start} has an id of more than {LONGEST_ID} letters, or a name of more than {LONGEST_NAME}"
            );
        }
        let classes = wnids
            .iter()
            .map(|wnid| Class {
                wnid: wnid.clone(),
                name: names.get(wnid.as_str()).unwrap_or(&wnid.as_str()).to_string(),
            })
            .collect();

        let mut train = Vec::with_capacity(counts.iter().sum());
        for (wnid, files) in self.train_images {
            let label = labels[wnid.as_str()];
            let path = |file: &str| format!("train/{wnid}/images/{file}");
            train.extend(files.into_iter().map(|(file, picture)| RawImage { path: path(&file), label, picture }));
        }
        let val = self.val_images.into_iter();
        let val = val.map(|(file, picture)| RawImage {
            label: val_labels[&file],
            path: format!("val/images/{file}"),
            picture,
        });
        let mut val: Vec<RawImage> = val.collect();
        train.sort_by_cached_key(|image| (image.label, number_in(&image.path), image.path.clone()));
        val.sort_by_cached_key(|image| (number_in(&image.path), image.path.clone()));
        Ok(Layout { classes, train, val, whole, warnings })
    }
}

/// A checked data set, its pictures still encoded.
pub struct Layout {
    pub classes: Vec<Class>,
    pub train: Vec<RawImage>,
    pub val: Vec<RawImage>,
    /// Whether the set is the whole official data set.
    pub whole: bool,
    pub warnings: Vec<String>,
}

/// A picture and its label.
pub struct RawImage {
    /// Path from the layout's root, for messages.
    pub path: String,
    pub label: u16,
    pub picture: RawPicture,
}

/// Returns a text on what is missing of the whole Tiny ImageNet; `None` if nothing is.
fn shortfall(official: bool, wnids: &[String], train_counts: &[usize], val_count: usize) -> Option<String> {
    let short = || wnids.iter().zip(train_counts).filter(|(_, count)| **count != OFFICIAL_TRAIN_PER_CLASS);
    if official && short().next().is_none() && val_count == OFFICIAL_VAL {
        return None;
    }
    let mut text = format!(
        "this is not the whole of Tiny ImageNet: {} classes, {} training and {val_count} validation pictures instead of \
         200, 100,000 and 10,000",
        wnids.len(),
        train_counts.iter().sum::<usize>()
    );
    if official && short().next().is_some() {
        let named = short().map(|(wnid, count)| format!("{count} of 500 training pictures of {wnid}"));
        text.push_str(&format!(" ({})", name_some(named)));
    }
    Some(text)
}

fn parse_wnids(text: &str) -> Result<Vec<String>> {
    let wnids: Vec<String> = lines(text).map(str::to_string).collect();
    ensure!(!wnids.is_empty(), "wnids.txt is empty");
    ensure!(wnids.len() <= usize::from(u16::MAX), "wnids.txt names {} classes; 65,535 is the limit", wnids.len());
    let mut seen = BTreeSet::new();
    let doubled = wnids.iter().find(|wnid| !seen.insert(wnid.as_str()));
    ensure!(doubled.is_none(), "wnids.txt names {} twice", doubled.map_or("", String::as_str));
    Ok(wnids)
}

fn parse_words(text: &str) -> HashMap<&str, &str> {
    lines(text).filter_map(|line| line.split_once('\t')).map(|(wnid, name)| (wnid, name.trim())).collect()
}

fn parse_annotations(text: &str, labels: &HashMap<&str, u16>) -> Result<HashMap<String, u16>> {
    let mut val_labels = HashMap::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("val/val_annotations.txt, line {}", index + 1);
        let mut fields = line.split('\t').map(str::trim);
        let (Some(file), Some(wnid)) = (fields.next(), fields.next()) else {
            bail!("{}: '{line}' is not 'file <tab> wnid ...'", place());
        };
        let Some(&label) = labels.get(wnid) else {
            bail!("{}: the class {wnid} of {file} is not in wnids.txt", place());
        };
        ensure!(val_labels.insert(file.to_string(), label).is_none(), "{}: {file} is named twice", place());
    }
    ensure!(!val_labels.is_empty(), "val/val_annotations.txt is empty");
    Ok(val_labels)
}

fn check_train(
    wnids: &[String],
    labels: &HashMap<&str, u16>,
    images: &BTreeMap<String, BTreeMap<String, RawPicture>>,
    boxes: &BTreeMap<String, String>,
) -> Result<()> {
    ensure_none(
        "these classes of wnids.txt have no training pictures",
        wnids.iter().filter(|wnid| !images.contains_key(*wnid)).map(|wnid| format!("train/{wnid}/images")),
    )?;
    ensure_none(
        "these classes have training pictures, but wnids.txt does not name them",
        images.keys().filter(|wnid| !labels.contains_key(wnid.as_str())).map(|wnid| format!("train/{wnid}")),
    )?;
    let mut missing = Vec::new();
    let mut unlisted = Vec::new();
    for (wnid, text) in boxes {
        let Some(files) = images.get(wnid) else { continue };
        let listed: BTreeSet<&str> = lines(text).filter_map(|line| line.split('\t').next()).collect();
        let path = |file: &str| format!("train/{wnid}/images/{file}");
        missing.extend(listed.iter().filter(|file| !files.contains_key(**file)).map(|file| path(file)));
        unlisted.extend(files.keys().filter(|file| !listed.contains(file.as_str())).map(|file| path(file)));
    }
    ensure_none("these training pictures, named in their class's boxes.txt, are missing", missing)?;
    ensure_none("these training pictures are not named in their class's boxes.txt", unlisted)
}

fn check_val(labels: &HashMap<String, u16>, images: &BTreeMap<String, RawPicture>) -> Result<()> {
    let mut missing: Vec<&String> = labels.keys().filter(|file| !images.contains_key(*file)).collect();
    missing.sort_unstable();
    let path = |file: &String| format!("val/images/{file}");
    ensure_none("these validation pictures, named in val_annotations.txt, are missing", missing.into_iter().map(path))?;
    let unlisted = images.keys().filter(|file| !labels.contains_key(*file));
    ensure_none("these validation pictures are not named in val_annotations.txt", unlisted.map(path))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// Returns the number at the end of a file's name, `17` of `val_17.JPEG`, or the largest number for names without one.
fn number_in(path: &str) -> u64 {
    let stem = path.rsplit('/').next().unwrap_or(path);
    let stem = stem.split('.').next().unwrap_or(stem);
    let digits = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    stem[stem.len() - digits..].parse().unwrap_or(u64::MAX)
}

/// Checks that `found` is empty.
///
/// # Errors
/// Names the first ten of `found`.
pub fn ensure_none(what: &str, found: impl IntoIterator<Item = String>) -> Result<()> {
    let names = name_some(found);
    ensure!(names.is_empty(), "{what}: {names}");
    Ok(())
}

/// Returns the first ten of `found` and the number of the others as a text, empty if there are none.
fn name_some(found: impl IntoIterator<Item = String>) -> String {
    let mut found = found.into_iter();
    let mut text = found.by_ref().take(10).collect::<Vec<_>>().join(", ");
    let more = found.count();
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_top_folder_is_stripped() {
        let image = Role::TrainImage { wnid: "n1".into(), file: "n1_0.JPEG".into() };
        for (path, root) in [
            ("train/n1/images/n1_0.JPEG", ""),
            ("./train/n1/images/n1_0.JPEG", ""),
            ("tiny-imagenet-200/train/n1/images/n1_0.JPEG", "tiny-imagenet-200"),
            ("./a/b/train/n1/images/n1_0.JPEG", "a/b"),
        ] {
            assert_eq!(classify(path), Some((root.into(), image.clone())), "{path}");
        }
        assert_eq!(classify("top/wnids.txt"), Some(("top".into(), Role::Wnids)));
        assert_eq!(classify("t/train/n1/n1_boxes.txt"), Some(("t".into(), Role::TrainBoxes { wnid: "n1".into() })));
    }

    #[test]
    fn what_is_not_read_has_no_role() {
        for path in ["t/test/images/test_0.JPEG", "__MACOSX/t/val/images/._val_0.JPEG", "t/README", "t/train/n1/", ""] {
            assert_eq!(classify(path), None, "{path}");
        }
    }

    #[test]
    fn backslashes_part_a_path_too() {
        for path in [r"t\val\images\val_0.JPEG", r"t\val/images/val_0.JPEG", r".\t\val\images\val_0.JPEG"] {
            assert_eq!(classify(path), Some(("t".into(), Role::ValImage { file: "val_0.JPEG".into() })), "{path}");
        }
    }

    #[test]
    fn numbers_order_the_pictures() {
        assert_eq!(number_in("val/images/val_17.JPEG"), 17);
        assert_eq!(number_in("train/n1/images/n1_4.JPEG"), 4);
        assert_eq!(number_in("picture.JPEG"), u64::MAX);
    }

    #[test]
    fn only_the_official_classes_and_counts_are_the_whole_set() {
        let wnids = vec!["n1".to_string(), "n2".to_string()];
        assert_eq!(shortfall(true, &wnids, &[500, 500], 10_000), None);
        assert!(shortfall(false, &wnids, &[500, 500], 10_000).is_some());
        assert!(shortfall(true, &wnids, &[500, 500], 9_999).is_some());
        let text = shortfall(true, &wnids, &[500, 499], 10_000).unwrap();
        assert!(text.ends_with("(499 of 500 training pictures of n2)"), "{text}");
    }

    #[test]
    fn ten_names_then_a_count() {
        let names = (0..12).map(|i| format!("f{i}"));
        assert_eq!(name_some(names), "f0, f1, f2, f3, f4, f5, f6, f7, f8, f9 and 2 more");
        assert!(ensure_none("bad", []).is_ok());
    }
}
