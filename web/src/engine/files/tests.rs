use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::*;
use shared::bundle::{Precision, Probe, Recipe, Weights};

const FOLDER: &str = "http://page/models/standard/";
const CARD_ADDRESS: &str = "http://page/models/standard/model.json";
const WEIGHTS_ADDRESS: &str = "http://page/models/standard/model.safetensors";

/// The card of a network with these weights.
fn card(weights: &[u8]) -> Vec<u8> {
    let architecture = serde_json::json!({ "family": "wide-resnet", "depth": 10, "width": 1 });
    let card = Card {
        format_version: 1,
        name: "standard".into(),
        architecture: serde_json::from_value(architecture).unwrap(),
        mean: [0.5; 3],
        std: [0.25; 3],
        weights: Weights::describe("model.safetensors", Precision::F16, weights),
        recipe: Recipe::default(),
        data_sha256: String::new(),
        scores: Vec::new(),
        probe: Probe::default(),
        classes: Vec::new(),
    };
    card.to_json()
}

/// What a server says to an address.
enum Answer {
    File(Vec<u8>),
    Status(u16),
    BreaksOff,
}

/// A server with files at addresses; without any, no network.
#[derive(Default)]
struct FakeServer(BTreeMap<&'static str, Answer>);

impl FakeServer {
    fn with(weights: &[u8]) -> Self {
        Self::of(Answer::File(card(weights)), Answer::File(weights.to_vec()))
    }

    fn of(card: Answer, weights: Answer) -> Self {
        Self(BTreeMap::from([(CARD_ADDRESS, card), (WEIGHTS_ADDRESS, weights)]))
    }
}

impl Source for FakeServer {
    async fn get(&self, address: &str, _: Freshness, _: impl FnMut(u64)) -> Result<Vec<u8>, FetchError> {
        match self.0.get(address) {
            Some(Answer::File(bytes)) => Ok(bytes.clone()),
            Some(Answer::Status(status)) => Err(FetchError::Status { status: *status }),
            Some(Answer::BreaksOff) => Err(FetchError::BrokeOff("reset".into())),
            None => Err(FetchError::Unreachable("offline".into())),
        }
    }
}

#[derive(Default)]
struct FakeShelf {
    kept: RefCell<BTreeMap<String, Vec<u8>>>,
    full: Cell<bool>,
}

impl Shelf for FakeShelf {
    async fn get(&self, address: &str) -> Option<Vec<u8>> {
        self.kept.borrow().get(address).cloned()
    }

    async fn put(&self, address: &str, bytes: &[u8]) -> bool {
        if !self.full.get() {
            self.kept.borrow_mut().insert(address.to_owned(), bytes.to_vec());
        }
        !self.full.get()
    }

    async fn forget(&self, prefix: &str, except: Option<&str>) {
        self.kept.borrow_mut().retain(|address, _| !address.starts_with(prefix) || Some(address.as_str()) == except);
    }
}

fn fetch(server: &FakeServer, shelf: Option<&FakeShelf>) -> Result<Files, String> {
    let library = Library { slot: Slot::Standard, folder: FOLDER.into(), server, shelf };
    pollster::block_on(library.fetch(&|_| {}))
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
fn a_network_that_was_taken_away_is_not_loaded() {
    let shelf = shelf_with(b"old");
    let error = fetch(&FakeServer::of(Answer::Status(404), Answer::Status(404)), Some(&shelf)).unwrap_err();
    assert!(error.contains("models/standard/model.json") && error.contains("404"), "{error}");
}

#[test]
fn a_damaged_copy_is_fetched_again() {
    let shelf = shelf_with(b"old");
    for (address, bytes) in shelf.kept.borrow_mut().iter_mut() {
        if address.starts_with(WEIGHTS_ADDRESS) {
            *bytes = b"rot".to_vec();
        }
    }
    assert!(fetch(&FakeServer::default(), Some(&shelf)).is_err());
    assert_eq!(fetch(&FakeServer::with(b"old"), Some(&shelf)).unwrap().weights, b"old");
    assert_eq!(fetch(&FakeServer::default(), Some(&shelf)).unwrap().weights, b"old");
}
