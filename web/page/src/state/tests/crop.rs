//! Which square of the picture the networks see.

use super::*;
use terms::picture::Crop;

const SIZE: (u32, u32) = (600, 400);
const LEFT: Crop = Crop { x: 0, y: 0, side: 400 };
const SMALL: Crop = Crop { x: 500, y: 10, side: 100 };

/// A page that shows a picture of that size.
fn showing((width, height): (u32, u32)) -> Page {
    let mut page = Page::new(BackendChoice::Auto);
    page.start(Backend::Cpu);
    let id = posted_id(&page.choose("cat"));
    page.look(id, Some((width, height)));
    page
}

impl Page {
    /// The engine decodes a picture of that size and answers to it.
    fn look(&mut self, id: RequestId, original_size: Option<(u32, u32)>) -> Vec<Effect> {
        let effects = self.hear(Reply::Seen { id, pixels: Pixels(vec![5]), original_size });
        for slot in Slot::ALL {
            self.hear(Reply::Classified { id, slot, top: guesses(0), elapsed_ms: 100.0 });
        }
        effects
    }

    /// The hand moves the square and rests.
    fn crop(&mut self, crop: Option<Crop>) -> Vec<Effect> {
        let waiting = self.0.update(Event::Crop(crop));
        assert!(matches!(waiting[..], [Effect::After { event: Event::CropSettled, .. }]), "{waiting:?}");
        self.0.update(Event::CropSettled)
    }
}

/// The square of a file that is sent for it.
fn opened(effects: &[Effect]) -> Option<Crop> {
    match posted(effects) {
        Some(Request::Open { crop, file, .. }) => {
            assert_eq!(**file, [1, 2, 3], "another picture");
            *crop
        }
        other => panic!("nothing was opened, but {other:?}"),
    }
}

/// The square of the file that the engine holds.
fn asked(effects: &[Effect]) -> Option<Crop> {
    match posted(effects) {
        Some(Request::Crop { crop, .. }) => *crop,
        other => panic!("no square was asked for, but {other:?}"),
    }
}

#[test]
fn the_same_picture_is_opened_with_another_square() {
    let mut page = showing(SIZE);
    assert_eq!(page.0.crop(), Some((Crop { x: 100, y: 0, side: 400 }, SIZE)));
    let effects = page.crop(Some(LEFT));
    assert_eq!(asked(&effects), Some(LEFT));
    assert_eq!((page.0.crop(), page.0.seen_crop().unwrap().0.x), (Some((LEFT, SIZE)), 100), "it is not seen yet");
    let freed = page.look(posted_id(&effects), Some(SIZE));
    assert_eq!(freed, [], "its preview is still shown");
    assert_eq!((page.0.seen_crop(), page.title()), (Some((LEFT, SIZE)), Some("cat")));
    // And the middle again, by name or by hand.
    for middle in [None, Some(Crop::centre(SIZE))] {
        let effects = page.crop(middle);
        assert_eq!(asked(&effects), None);
        page.look(posted_id(&effects), Some(SIZE));
        let effects = page.crop(Some(LEFT));
        page.look(posted_id(&effects), Some(SIZE));
    }
}

#[test]
fn a_moving_hand_asks_at_a_bearable_rate_and_for_what_it_came_to() {
    let mut page = showing(SIZE);
    page.0.update(Event::Crop(Some(LEFT)));
    assert_eq!(page.0.update(Event::Crop(Some(Crop { x: 3, ..LEFT }))), [], "already waiting");
    assert_eq!(page.0.crop().map(|(crop, _)| crop.x), Some(3), "the square follows the hand at once");
    let first = page.0.update(Event::CropSettled);
    assert_eq!(asked(&first), Some(Crop { x: 3, ..LEFT }));

    // The engine is slow: what it decodes is shown before it is asked for more.
    for x in [4, 5, 6] {
        assert_eq!(posted(&page.crop(Some(Crop { x, ..LEFT }))), None, "the engine is still decoding");
    }
    let next = page.look(posted_id(&first), Some(SIZE));
    assert_eq!(page.0.seen_crop().map(|(crop, _)| crop.x), Some(3));
    assert_eq!(asked(&next), Some(Crop { x: 6, ..LEFT }), "the last one only");
    page.look(posted_id(&next), Some(SIZE));
    assert_eq!((page.0.work(), page.0.can_attack()), (Work::Idle, true));
    assert_eq!(posted(&page.crop(Some(Crop { x: 6, ..LEFT }))), None, "that one is shown");
}

#[test]
fn settings_stay_and_the_attack_that_is_shown_is_begun_again() {
    let mut page = showing(SIZE);
    page.0.update(Event::Set(Change::Epsilon(9)));
    let attack = posted_id(&page.0.update(Event::Attack));
    page.hear(Reply::Finished { id: attack });
    let settings = page.0.attack.settings;
    let id = posted_id(&page.crop(Some(LEFT)));
    page.hear(Reply::Seen { id, pixels: Pixels(vec![5]), original_size: Some(SIZE) });
    assert!(page.0.columns.iter().all(|column| column.step().is_none()), "that was another picture");
    page.hear(Reply::Classified { id, slot: Slot::Left, top: guesses(0), elapsed_ms: 100.0 });
    let again = page.hear(Reply::Classified { id, slot: Slot::Right, top: guesses(0), elapsed_ms: 100.0 });
    assert!(matches!(posted(&again), Some(Request::Attack { settings: asked, .. }) if *asked == settings), "{again:?}");
}

#[test]
fn without_an_attack_none_is_begun() {
    let mut page = showing(SIZE);
    let id = posted_id(&page.crop(Some(LEFT)));
    page.look(id, Some(SIZE));
    assert_eq!((page.0.work(), page.0.attack.begun), (Work::Idle, 0));
}

#[test]
fn a_detail_has_no_label() {
    let mut page = showing(SIZE);
    assert_eq!(page.0.label(), Some(1));
    for (crop, label) in [(LEFT, Some(1)), (Crop { side: 200, ..LEFT }, Some(1)), (SMALL, None), (LEFT, Some(1))] {
        let id = posted_id(&page.crop(Some(crop)));
        page.look(id, Some(SIZE));
        assert_eq!(page.0.label(), label, "{crop:?}");
    }
}

#[test]
fn a_square_outside_is_brought_inside() {
    let mut page = showing(SIZE);
    let effects = page.crop(Some(Crop { x: 590, y: 390, side: 5000 }));
    assert_eq!(asked(&effects), Some(Crop { x: 200, ..LEFT }));
}

#[test]
fn a_picture_that_is_seen_as_it_is_has_nothing_to_choose() {
    for size in [Some((64, 64)), Some((32, 32)), None] {
        let mut page = Page::new(BackendChoice::Auto);
        page.start(Backend::Cpu);
        let id = posted_id(&page.choose("cat"));
        page.look(id, size);
        assert_eq!((page.0.crop(), page.0.seen_crop()), (None, None), "{size:?}");
        assert_eq!(page.0.update(Event::Crop(Some(LEFT))), []);
    }
    assert_eq!(Page::new(BackendChoice::Auto).0.update(Event::Crop(None)), [], "there is no picture");
    assert!(showing((65, 65)).0.crop().is_some() && showing((30, 20)).0.crop().is_some());
}

#[test]
fn another_picture_begins_in_the_middle() {
    let mut page = showing(SIZE);
    let id = posted_id(&page.crop(Some(LEFT)));
    page.look(id, Some(SIZE));
    let id = posted_id(&page.choose("dog"));
    assert_eq!(page.0.update(Event::Crop(Some(SMALL))), [], "the hand is late");
    page.look(id, Some((300, 200)));
    assert_eq!(page.0.crop(), Some((Crop::centre((300, 200)), (300, 200))));

    // The hand rests only after the other picture was chosen, or has come.
    page.0.update(Event::Crop(Some(SMALL)));
    let id = posted_id(&page.choose("cow"));
    assert_eq!(posted(&page.0.update(Event::CropSettled)), None);
    page.look(id, Some(SIZE));
    assert_eq!((page.0.crop(), page.0.work()), (Some((Crop::centre(SIZE), SIZE)), Work::Idle));
}

#[test]
fn a_bad_file_does_not_lose_the_square() {
    let mut page = showing(SIZE);
    page.0.update(Event::Crop(Some(LEFT)));
    let bad = posted_id(&page.choose("notes.jpg"));
    page.0.update(Event::CropSettled);
    let effects = page.hear(Reply::BadPicture { id: bad, message: "This is not a picture.".into() });
    assert_eq!(opened(&effects), Some(LEFT), "the engine has let go of the file");
}

#[test]
fn a_fresh_engine_is_given_the_square_as_well() {
    let mut page = showing(SIZE);
    let id = posted_id(&page.crop(Some(LEFT)));
    page.look(id, Some(SIZE));
    page.0.update(Event::Choose(BackendChoice::Cpu));
    // Moved while there is no engine; the preview that is shown stays.
    for x in [7, 8] {
        assert_eq!(page.crop(Some(Crop { x, ..LEFT })), []);
    }
    assert_eq!(page.0.crop().map(|(crop, _)| crop.x), Some(8));
    assert_eq!(opened(&page.start(Backend::Cpu)), Some(Crop { x: 8, ..LEFT }));
}

#[test]
fn a_file_is_sent_once_to_an_engine() {
    let mut page = Page::new(BackendChoice::Auto);
    page.hear(Reply::Loaded);
    page.hear(Reply::Backend(report(Backend::Cpu)));
    page.hear(Reply::Listed(["standard", "hardened", "third"].map(|folder| offered(folder, 1)).into()));
    page.loaded(catalogue());
    let effects = page.choose("cat");
    assert_eq!(opened(&effects), None);
    page.look(posted_id(&effects), Some(SIZE));
    // Other networks look at the file that is there.
    page.0.update(Event::ChooseNetwork { slot: Slot::Left, folder: "third".into() });
    let effects = page.loaded(catalogue());
    assert_eq!(asked(&effects), None);
    // A request that the engine has dropped for other networks, of a file that it does not hold yet.
    page.look(posted_id(&effects), Some(SIZE));
    page.choose("dog");
    page.0.update(Event::ChooseNetwork { slot: Slot::Left, folder: "standard".into() });
    assert_eq!(opened(&page.loaded(catalogue())), None);
}

#[test]
fn an_address_names_a_square_of_a_sample() {
    for (asked_for, seen) in [(LEFT, Some(LEFT)), (Crop { x: 9_999, ..LEFT }, Some(Crop { x: 200, ..LEFT }))] {
        let link = Link { sample: Some("lemon.png".into()), crop: Some(asked_for), ..Link::default() };
        let mut page = Page(State::new(BackendChoice::Cpu).following(link));
        page.start(Backend::Cpu);
        let (index, pick) = fetched(&page.0.update(samples())).expect("a sample is fetched");
        let sample = Candidate { sample: Some(index), ..candidate("lemon") };
        let effects = page.0.update(Event::Picked { pick, candidate: sample });
        assert_eq!((index, opened(&effects)), (1, Some(asked_for)));
        page.look(posted_id(&effects), Some(SIZE));
        assert_eq!(
            (
                page.0.seen_crop().map(|(crop, _)| crop),
                page.0.link_with(page.0.attack.settings, page.0.picture.disturbance).crop
            ),
            (seen, seen)
        );
    }
    let mut page = showing(SIZE);
    let id = posted_id(&page.crop(Some(LEFT)));
    page.look(id, Some(SIZE));
    assert_eq!(
        page.0.link_with(page.0.attack.settings, page.0.picture.disturbance).crop,
        None,
        "a picture of the visitor's own is in no link"
    );
}
