use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::*;
use shared::bundle::{Precision, Probe, Recipe, Weights};

const FOLDER: &str = "http://page/models/standard/";
const CARD_ADDRESS: &str = "http://page/models/standard/model.json";
const WEIGHTS_ADDRESS: &str = "http://page/models/standard/model.safetensors";

/// The card of a network with these weights.
fn card(weights: &[u8]) -> Vec<u8> {
    card_of(Weights::describe("model.safetensors", Precision::F16, weights))
}

/// The same in parts of at most four bytes.
fn card_in_parts(weights: &[u8]) -> Vec<u8> {
    let mut described = Weights::describe("model.safetensors", Precision::Q8, weights);
    described.cut(weights, 4);
    card_of(described)
}

fn card_of(weights: Weights) -> Vec<u8> {
    let architecture = serde_json::json!({ "family": "wide-resnet", "depth": 10, "width": 1 });
    let card = Card {
        format_version: 2,
        name: "standard".into(),
        architecture: serde_json::from_value(architecture).unwrap(),
        mean: [0.5; 3],
        std: [0.25; 3],
        weights,
        recipe: Recipe::default(),
        data_sha256: String::new(),
        scores: Vec::new(),
        checks: None,
        detectors: vec![],
        explanations: vec![],
        cost: None,
        probe: Probe::default(),
        classes: Vec::new(),
    };
    card.to_json()
}

/// What a server says to an address.
#[derive(Clone)]
pub(crate) enum Answer {
    File(Vec<u8>),
    Status(u16),
    BreaksOff,
    Silence,
    WebPage,
}

/// A server with files at addresses; without any, no network.
#[derive(Default)]
pub(crate) struct FakeServer {
    files: BTreeMap<String, Answer>,
    /// The addresses that were asked for.
    asked: RefCell<Vec<String>>,
    /// How it was asked.
    how: RefCell<Vec<Freshness>>,
}

impl FakeServer {
    fn with(weights: &[u8]) -> Self {
        Self::of(Answer::File(card(weights)), Answer::File(weights.to_vec()))
    }

    fn of(card: Answer, weights: Answer) -> Self {
        Self::at([(CARD_ADDRESS, card), (WEIGHTS_ADDRESS, weights)])
    }

    pub(crate) fn at<A: Into<String>>(files: impl IntoIterator<Item = (A, Answer)>) -> Self {
        let files = files.into_iter().map(|(address, answer)| (address.into(), answer)).collect();
        Self { files, ..Self::default() }
    }

    /// With weights in parts of four bytes.
    fn with_parts(weights: &[u8]) -> Self {
        let parts = weights.chunks(4).enumerate();
        let parts = parts.map(|(number, part)| (part_address(number), Answer::File(part.to_vec())));
        Self::at(parts.chain([(CARD_ADDRESS.to_owned(), Answer::File(card_in_parts(weights)))]))
    }

    /// The same with another answer for one part.
    fn but(mut self, part: usize, answer: Answer) -> Self {
        self.files.insert(part_address(part), answer);
        self
    }

    /// The parts that were asked for.
    fn parts_asked(&self) -> Vec<usize> {
        let asked = self.asked.borrow();
        asked.iter().filter_map(|address| address.strip_prefix(WEIGHTS_ADDRESS)?.get(1..)?.parse().ok()).collect()
    }
}

fn part_address(part: usize) -> String {
    format!("{WEIGHTS_ADDRESS}.{part}")
}

impl Source for FakeServer {
    async fn get(
        &self,
        address: &str,
        freshness: Freshness,
        bytes: &mut Vec<u8>,
        mut progress: impl FnMut(u64),
    ) -> Result<(), DownloadError> {
        self.asked.borrow_mut().push(address.to_owned());
        self.how.borrow_mut().push(freshness);
        match self.files.get(address) {
            Some(Answer::File(file)) => {
                bytes.extend(file);
                progress(file.len() as u64);
                Ok(())
            }
            Some(Answer::Status(status)) => Err(DownloadError::Status(*status)),
            Some(Answer::Silence) => Err(DownloadError::Silent(15)),
            Some(Answer::WebPage) => Err(DownloadError::WebPage),
            Some(Answer::BreaksOff) => Err(DownloadError::BrokeOff("reset".into())),
            None => Err(DownloadError::Unreachable("offline".into())),
        }
    }
}

#[derive(Default)]
pub(crate) struct FakeShelf {
    kept: RefCell<BTreeMap<String, Vec<u8>>>,
    full: Cell<bool>,
}

impl FakeShelf {
    /// Damages what is kept under addresses that begin so.
    fn spoil(&self, prefix: &str) {
        let mut kept = self.kept.borrow_mut();
        kept.iter_mut()
            .filter(|(address, _)| address.starts_with(prefix))
            .for_each(|(_, bytes)| *bytes = b"rot".into());
    }
}

impl Shelf for FakeShelf {
    async fn has(&self, address: &str) -> bool {
        self.kept.borrow().contains_key(address)
    }

    async fn get(&self, address: &str, bytes: &mut Vec<u8>) -> bool {
        self.kept.borrow().get(address).map(|kept| bytes.extend(kept)).is_some()
    }

    async fn put(&self, address: &str, bytes: &[u8]) -> bool {
        if !self.full.get() {
            self.kept.borrow_mut().insert(address.to_owned(), bytes.to_vec());
        }
        !self.full.get()
    }

    async fn forget(&self, prefix: &str, wanted: impl Fn(&str) -> bool) {
        self.kept.borrow_mut().retain(|address, _| !address.starts_with(prefix) || wanted(address));
    }
}

fn library<'a>(server: &'a FakeServer, shelf: Option<&'a FakeShelf>) -> Library<'a, FakeServer, FakeShelf> {
    Library { network: "standard", folder: FOLDER.into(), server, shelf }
}

fn fetch(server: &FakeServer, shelf: Option<&FakeShelf>) -> Result<Files, String> {
    fetch_and_tell(server, shelf, &|_| {})
}

fn fetch_and_tell(server: &FakeServer, shelf: Option<&FakeShelf>, tell: &dyn Fn(Download)) -> Result<Files, String> {
    let library = library(server, shelf);
    pollster::block_on(async { library.fetch(Slot::Left, &library.card().await?, tell).await })
}

/// How many bytes of the server's weights are kept.
fn kept_bytes(server: &FakeServer, shelf: &FakeShelf) -> u64 {
    let library = library(server, Some(shelf));
    pollster::block_on(async { library.kept_bytes(&library.card().await.unwrap().card).await })
}

/// A shelf after a visit to a server with these weights.
fn shelf_with(weights: &[u8]) -> FakeShelf {
    let shelf = FakeShelf::default();
    assert!(fetch(&FakeServer::with(weights), Some(&shelf)).unwrap().kept);
    shelf
}

#[test]
fn the_next_visit_needs_no_network() {
    let shelf = shelf_with(b"old");
    let files = fetch(&FakeServer::default(), Some(&shelf)).unwrap();
    assert_eq!(files, Files { card_json: card(b"old"), weights: b"old".to_vec(), kept: true });
}

#[test]
fn weights_that_are_kept_are_not_fetched() {
    let shelf = shelf_with(b"old");
    let server = FakeServer::of(Answer::File(card(b"old")), Answer::Status(404));
    assert_eq!(fetch(&server, Some(&shelf)).unwrap().weights, b"old");
}

#[test]
fn a_new_network_takes_the_place_of_the_kept_one() {
    let shelf = shelf_with(b"old");
    let files = fetch(&FakeServer::with(b"new"), Some(&shelf)).unwrap();
    assert_eq!((files.weights.as_slice(), files.kept), (b"new".as_slice(), true));
    assert_eq!(shelf.kept.borrow().len(), 2, "the old weights are forgotten: {:?}", shelf.kept.borrow().keys());
    assert_eq!(fetch(&FakeServer::default(), Some(&shelf)).unwrap().weights, b"new");
}

#[test]
fn nothing_is_said_to_be_kept_where_there_is_no_room() {
    let shelf = shelf_with(b"old");
    shelf.full.set(true);
    let files = fetch(&FakeServer::with(b"new"), Some(&shelf)).unwrap();
    assert_eq!((files.weights.as_slice(), files.kept), (b"new".as_slice(), false));
    let offline = fetch(&FakeServer::default(), Some(&shelf)).unwrap();
    assert_eq!(offline.weights, b"old", "what was kept is there still");
    assert!(!fetch(&FakeServer::with(b"new"), None).unwrap().kept);
}

#[test]
fn what_passes_does_not_keep_the_visitor_from_the_kept_network() {
    let shelf = shelf_with(b"old");
    let page_of_a_hotel = || Answer::File(b"<!doctype html>".to_vec());
    let troubles = [
        FakeServer::of(Answer::Status(503), Answer::Status(503)),
        FakeServer::of(page_of_a_hotel(), page_of_a_hotel()),
        FakeServer::of(Answer::BreaksOff, Answer::BreaksOff),
        FakeServer::of(Answer::Silence, Answer::Silence),
        FakeServer::of(Answer::WebPage, Answer::WebPage),
        FakeServer::of(Answer::File(card(b"new")), Answer::Silence),
        FakeServer::of(Answer::File(card(b"new")), Answer::BreaksOff),
        FakeServer::of(Answer::File(card(b"new")), Answer::File(b"damaged".to_vec())),
    ];
    for (trouble, server) in troubles.iter().enumerate() {
        let files = fetch(server, Some(&shelf)).unwrap();
        assert_eq!(files.card_json, card(b"old"), "trouble {trouble}");
        assert_eq!((files.weights.as_slice(), files.kept), (b"old".as_slice(), true), "trouble {trouble}");
        assert!(fetch(server, None).is_err(), "trouble {trouble}");
    }
}

#[test]
fn a_silent_server_gets_less_time_where_a_copy_is_kept() {
    let asked = |shelf: &FakeShelf| {
        let server = FakeServer::of(Answer::Silence, Answer::Silence);
        let outcome = fetch(&server, Some(shelf));
        (server.how.borrow()[0], outcome.err())
    };
    assert_eq!(asked(&shelf_with(b"old")), (Freshness::Revalidate { kept: true }, None));
    let (how, error) = asked(&FakeShelf::default());
    assert_eq!(how, Freshness::Revalidate { kept: false });
    let error = error.unwrap();
    assert!(error.contains("sent nothing for 15 seconds") && error.contains("try again"), "{error}");
}

#[test]
fn a_web_page_in_place_of_a_card_is_told_as_one() {
    let error = fetch(&FakeServer::of(Answer::WebPage, Answer::WebPage), None).unwrap_err();
    assert!(error.contains("models/standard/model.json") && error.contains("a web page in its place"), "{error}");
}

#[test]
fn a_network_that_was_taken_away_is_not_loaded() {
    let shelf = shelf_with(b"old");
    let error = fetch(&FakeServer::of(Answer::Status(404), Answer::Status(404)), Some(&shelf)).unwrap_err();
    assert!(error.contains("models/standard/model.json") && error.contains("404"), "{error}");
}

#[test]
fn a_damaged_copy_is_fetched_again() {
    let shelf = shelf_with(b"old");
    shelf.spoil(WEIGHTS_ADDRESS);
    assert!(fetch(&FakeServer::default(), Some(&shelf)).is_err());
    assert_eq!(fetch(&FakeServer::with(b"old"), Some(&shelf)).unwrap().weights, b"old");
    assert_eq!(fetch(&FakeServer::default(), Some(&shelf)).unwrap().weights, b"old");
}

#[test]
fn parts_are_put_together_and_kept_apart() {
    let (server, shelf) = (FakeServer::with_parts(b"weights in parts"), FakeShelf::default());
    assert_eq!(kept_bytes(&server, &shelf), 0);
    let told = RefCell::new(Vec::new());
    let files = fetch_and_tell(&server, Some(&shelf), &|download| told.borrow_mut().push(download.received)).unwrap();
    assert_eq!((files.weights.as_slice(), files.kept), (b"weights in parts".as_slice(), true));
    assert_eq!(server.parts_asked(), [0, 1, 2, 3]);
    assert_eq!(kept_bytes(&server, &shelf), 16);
    let told = told.take();
    assert!(told.is_sorted() && [0, 4, 8, 12, 16].iter().all(|bytes| told.contains(bytes)), "{told:?}");
    assert_eq!(fetch(&FakeServer::default(), Some(&shelf)).unwrap(), files, "without a network");
}

#[test]
fn an_interrupted_download_goes_on_at_the_part_that_is_missing() {
    let shelf = FakeShelf::default();
    let breaks = FakeServer::with_parts(b"weights in parts").but(2, Answer::BreaksOff);
    let error = fetch(&breaks, Some(&shelf)).unwrap_err();
    assert!(error.contains("model.safetensors.2") && error.contains("broke off"), "{error}");
    assert_eq!(kept_bytes(&breaks, &shelf), 8);
    assert!(fetch(&FakeServer::default(), Some(&shelf)).is_err(), "half a network is none");

    let server = FakeServer::with_parts(b"weights in parts");
    let cached = Cell::new(true);
    let files = fetch_and_tell(&server, Some(&shelf), &|download| cached.set(download.cached)).unwrap();
    assert_eq!((files.weights.as_slice(), files.kept), (b"weights in parts".as_slice(), true));
    assert_eq!(server.parts_asked(), [2, 3]);
    assert!(!cached.get(), "some of it was downloaded");
}

#[test]
fn a_damaged_part_is_fetched_again_and_then_refused() {
    let shelf = FakeShelf::default();
    let server = FakeServer::with_parts(b"weights in parts").but(1, Answer::File(b"hts?".to_vec()));
    let error = fetch(&server, Some(&shelf)).unwrap_err();
    assert!(error.contains("sha256"), "{error}");
    assert_eq!(server.parts_asked(), [0, 1, 1]);
    assert_eq!(kept_bytes(&server, &shelf), 4, "what is damaged is not kept");
    let missing = FakeServer::with_parts(b"weights in parts").but(1, Answer::Status(404));
    let error = fetch(&missing, Some(&shelf)).unwrap_err();
    assert!(error.contains("models/standard/model.safetensors.1") && error.contains("404"), "{error}");

    let sound = FakeServer::with_parts(b"weights in parts");
    fetch(&sound, Some(&shelf)).unwrap();
    shelf.spoil(&part_address(3));
    let server = FakeServer::with_parts(b"weights in parts");
    assert!(fetch(&server, Some(&shelf)).unwrap().weights == b"weights in parts");
    assert_eq!(server.parts_asked(), [3], "a copy that was damaged here");
}

#[test]
fn parts_of_an_older_network_are_forgotten_once_the_new_one_is_here() {
    let shelf = FakeShelf::default();
    fetch(&FakeServer::with_parts(b"the former ones!"), Some(&shelf)).unwrap();
    let breaks = FakeServer::with_parts(b"new weights").but(1, Answer::BreaksOff);
    assert_eq!(fetch(&breaks, Some(&shelf)).unwrap().weights, b"the former ones!", "the new one is not here yet");
    assert_eq!(fetch(&FakeServer::with_parts(b"new weights"), Some(&shelf)).unwrap().weights, b"new weights");
    assert_eq!(shelf.kept.borrow().len(), 4, "three parts and a card: {:?}", shelf.kept.borrow().keys());
}

#[test]
fn weights_that_no_memory_holds_are_refused() {
    let mut weights = Weights::describe("model.safetensors", Precision::F32, b"");
    weights.bytes = u64::MAX / 2;
    let server = FakeServer::of(Answer::File(card_of(weights)), Answer::Status(404));
    let error = fetch(&server, None).unwrap_err();
    assert!(error.contains("memory"), "{error}");
}
