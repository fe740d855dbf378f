//! What reads bytes of strangers, one function each: pictures, `model.json`, weights, links, data sets, PyTorch's files.
//!
//! Each function takes any bytes, and panics if a promise is broken: reading ends in a value or in an error for people, never in
//! a panic, and a value is one that the rest of the program can use. `fuzz/` gives the functions to libFuzzer (`cargo fuzz`);
//! [`mutate`] changes the files of `corpus/` at random for a short run in `cargo test`.

pub mod mutate;

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use burn::prelude::Device;
use page::state::Link;
use picture::{Photo, SIDE};
use shared::bundle::{Card, Precision, load_weights, save_weights};
use shared::model::{Architecture, BuildNetwork as _, WideResNetConfig};
use trainer::data::{ImportOptions, import};
use trainer::pretrained::{self, WeightsFile};
use trainer::progress::{Progress, Stop};

/// A function of any bytes; returns whether they were accepted.
pub type Target = fn(&[u8]) -> bool;

/// All targets, with the names of their folders in `corpus/`.
pub const TARGETS: [(&str, Target); 6] =
    [("picture", picture), ("card", card), ("weights", weights), ("link", link), ("archive", archive), ("pth", pth)];

/// Decodes a picture file, and uses the picture as the page does.
pub fn picture(bytes: &[u8]) -> bool {
    let photo = match Photo::decode(bytes) {
        Ok(photo) => photo,
        Err(error) => return refused(&error),
    };
    let (width, height) = photo.size();
    assert!(width > 0 && height > 0);
    let preview = photo.preview(64);
    assert_eq!(preview.rgba8.len(), (preview.width * preview.height * 4) as usize);
    assert_eq!(photo.picture(None).unwrap().as_rgb8().len(), SIDE * SIDE * 3);
    true
}

/// Reads a `model.json`, and writes it again.
pub fn card(bytes: &[u8]) -> bool {
    let card = match Card::from_json(bytes) {
        Ok(card) => card,
        Err(error) => return refused(&error),
    };
    // The last digit of a number may differ: the reader of JSON rounds it the short way.
    Card::from_json(&card.to_json()).unwrap();
    true
}

/// Loads weights into a small network.
pub fn weights(bytes: &[u8]) -> bool {
    match load_weights(&mut small_network(), bytes) {
        Ok(()) => true,
        Err(error) => refused(&error),
    }
}

/// Reads an address's query, writes it and reads it again.
pub fn link(bytes: &[u8]) -> bool {
    let query = String::from_utf8_lossy(bytes);
    let parts: Vec<_> = query.split('&').filter_map(|part| part.split_once('=')).collect();
    let read = Link::read(|name| parts.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()));
    let written = read.write();
    let again = Link::read(|name| written.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()));
    assert_eq!(again, read, "{query}");
    read != Link::default()
}

/// Imports a data set from an archive.
pub fn archive(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("set"), folder.path().join("out"));
    fs::write(&file, bytes).unwrap();
    let options = ImportOptions { partial: true, ..ImportOptions::default() };
    let imported = import(&file, &out, options, &Progress::silent(), &Stop::default());
    // What was refused leaves nothing.
    assert_eq!(imported.is_ok(), out.exists());
    assert_only(folder.path(), &["set", "out"]);
    match imported {
        Ok(_) => true,
        Err(error) => refused(&format!("{error:#}")),
    }
}

/// Looks into a file of PyTorch's, as `bastion weights inspect` does.
pub fn pth(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    fs::write(&path, bytes).unwrap();
    match WeightsFile::open(&path) {
        Ok(file) => {
            readable(&pretrained::hint(&file));
            pretrained::fitting(&file);
            true
        }
        Err(error) => refused(&format!("{error:#}")),
    }
}

/// Returns the weights of a small network, which [`weights`] accepts.
pub fn good_weights() -> Vec<u8> {
    save_weights(&small_network(), Precision::F16).unwrap()
}

fn small_network() -> shared::model::Classifier {
    static NETWORK: OnceLock<shared::model::Classifier> = OnceLock::new();
    let build = || {
        let architecture = Architecture::WideResNet(WideResNetConfig::new(10, 1));
        architecture.init_seeded(3, [0.5; 3], [0.2; 3], 1, &Device::flex()).unwrap()
    };
    NETWORK.get_or_init(build).clone()
}

/// Checks an error's words.
fn refused(error: &impl Display) -> bool {
    readable(&error.to_string());
    false
}

/// Checks that somebody can read the words: some, and not a file's whole content. (The command line escapes control characters
/// where it prints.)
fn readable(words: &str) {
    let letters = words.chars().count();
    assert!((1..5_000).contains(&letters), "{letters} letters: {words:.200}");
}

fn assert_only(folder: &Path, names: &[&str]) {
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(names.iter().any(|known| name == *known), "{name:?} is left");
    }
}
