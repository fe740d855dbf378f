//! Which square of the picture the networks see.

use super::*;
use terms::picture::Crop;

const SIZE: (u32, u32) = (600, 400);
const LEFT: Crop = Crop { x: 0, y: 0, side: 400 };
const SMALL: Crop = Crop { x: 500, y: 10, side: 100 };

/// A page that shows a picture of that size.
fn showing(size: (u32, u32)) -> Page {
    let mut page = Page::new(BackendChoice::Auto);
    page.start(Backend::Cpu);
    page.show("cat", size);
    page
}

fn sized(title: &str, size: (u32, u32)) -> Candidate {
    Candidate { size, ..candidate(title) }
}

impl Page {
    /// The visitor chooses a picture of that size, and the engine answers to it.
    fn show(&mut self, title: &str, size: (u32, u32)) {
        let id = posted_id(&self.pick(sized(title, size)));
        self.answer(id);
    }

    /// The hand moves the square and rests.
    fn crop(&mut self, crop: Option<Crop>) -> Vec<Effect> {
        let waiting = self.0.update(Event::Crop(crop));
        assert!(matches!(waiting[..], [Effect::After { event: Event::CropSettled, .. }]), "{waiting:?}");
        self.0.update(Event::CropSettled)
    }

    /// The decoder cuts the square that it is asked for; gives the request to the engine.
    fn cut(&mut self, effects: &[Effect]) -> RequestId {
        let (pick, candidate) = cut(effects);
        let square = Pixels(vec![candidate.crop.map_or(0, |crop| crop.x as u8)]);
        let opened =
            self.0.update(Event::Picked { pick, candidate: Candidate { square: square.clone(), ..candidate } });
        assert!(matches!(posted(&opened), Some(Request::Open { pixels, .. }) if *pixels == square), "{opened:?}");
        posted_id(&opened)
    }
}

/// The square that the decoder is asked for, and its pick.
fn cut(effects: &[Effect]) -> (PickId, Candidate) {
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::Cut { pick, candidate } => Some((*pick, candidate.clone())),
        _ => None,
    });
    let (pick, candidate) = asked.unwrap_or_else(|| panic!("no square was asked for, but {effects:?}"));
    assert_eq!(candidate.file.title, "cat", "another picture");
    (pick, candidate)
}

/// The square that is asked for.
fn asked(effects: &[Effect]) -> Option<Crop> {
    cut(effects).1.crop
}

#[test]
fn another_square_of_the_same_picture_is_cut_and_opened() {
    let mut page = showing(SIZE);
    assert_eq!(page.0.crop(), Some((Crop { x: 100, y: 0, side: 400 }, SIZE)));
    let effects = page.crop(Some(LEFT));
    assert_eq!(asked(&effects), Some(LEFT));
    let seen = |page: &Page| page.0.seen_crop().map(|(crop, _)| crop.x);
    let wanted = |page: &Page| page.0.crop().map(|(crop, _)| crop);
    assert_eq!((wanted(&page), seen(&page), page.0.crop_rests()), (Some(LEFT), Some(100), false), "not cut yet");
    let id = page.cut(&effects);
    assert_eq!((wanted(&page), seen(&page), page.0.crop_rests()), (Some(LEFT), Some(100), false), "not seen yet");
    page.answer(id);
    assert_eq!((page.0.seen_crop(), page.title(), page.0.crop_rests()), (Some((LEFT, SIZE)), Some("cat"), true));
    // And the middle again, by name or by hand.
    for middle in [None, Some(Crop::centre(SIZE))] {
        let effects = page.crop(middle);
        assert_eq!(asked(&effects), None);
        let id = page.cut(&effects);
        page.answer(id);
        let effects = page.crop(Some(LEFT));
        let id = page.cut(&effects);
        page.answer(id);
    }
}

#[test]
fn a_moving_hand_asks_at_a_bearable_rate_and_for_what_it_came_to() {
    let mut page = showing(SIZE);
    let to = |x| Some(Crop { x, ..LEFT });
    page.0.update(Event::Crop(to(0)));
    assert_eq!(page.0.update(Event::Crop(to(3))), [], "already waiting");
    assert_eq!(page.0.crop().map(|(crop, _)| crop.x), Some(3), "the square follows the hand at once");
    let first = page.0.update(Event::CropSettled);
    assert_eq!(asked(&first), to(3));

    // Decoder and engine are slow: what is under way is seen before more is asked for.
    for x in [4, 5] {
        assert_eq!(page.crop(to(x)), [], "it is being cut");
        assert_eq!(page.0.crop().map(|(crop, _)| crop.x), Some(x));
    }
    let id = page.cut(&first);
    assert_eq!(page.crop(to(6)), [], "the engine takes it");
    assert_eq!(page.0.crop().map(|(crop, _)| crop.x), Some(6), "the square does not jump back");
    let next = page.see(id);
    assert_eq!(page.0.seen_crop().map(|(crop, _)| crop.x), Some(3));
    assert_eq!(asked(&next), to(6), "the last one only");
    let id = page.cut(&next);
    page.answer(id);
    assert_eq!((page.0.work(), page.0.can_attack()), (Work::Idle, true));
    assert_eq!(page.crop(to(6)), [], "that one is shown");
    assert!(page.0.crop_rests());
}

#[test]
fn settings_stay_and_the_attack_that_is_shown_is_begun_again() {
    let mut page = showing(SIZE);
    page.0.update(Event::Set(Change::Epsilon(9)));
    let attack = posted_id(&page.0.update(Event::Attack));
    page.hear(Reply::Finished { id: attack });
    let settings = page.0.attack.settings;
    let effects = page.crop(Some(LEFT));
    let id = page.cut(&effects);
    page.see(id);
    assert!(page.0.columns.iter().all(|column| column.step().is_none()), "that was another picture");
    page.hear(Reply::Classified { id, slot: Slot::Left, top: guesses(0), elapsed_ms: 100.0 });
    let again = page.hear(Reply::Classified { id, slot: Slot::Right, top: guesses(0), elapsed_ms: 100.0 });
    assert!(matches!(posted(&again), Some(Request::Attack { settings: asked, .. }) if *asked == settings), "{again:?}");
}

#[test]
fn without_an_attack_none_is_begun() {
    let mut page = showing(SIZE);
    let effects = page.crop(Some(LEFT));
    let id = page.cut(&effects);
    page.answer(id);
    assert_eq!((page.0.work(), page.0.attack.begun), (Work::Idle, 0));
}

#[test]
fn a_detail_has_no_label() {
    let mut page = showing(SIZE);
    assert_eq!(page.0.label(), Some(1));
    for (crop, label) in [(LEFT, Some(1)), (Crop { side: 200, ..LEFT }, Some(1)), (SMALL, None), (LEFT, Some(1))] {
        let effects = page.crop(Some(crop));
        let id = page.cut(&effects);
        page.answer(id);
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
    for size in [(64, 64), (32, 32)] {
        let mut page = showing(size);
        assert_eq!((page.0.crop(), page.0.seen_crop()), (None, None), "{size:?}");
        assert_eq!(page.0.update(Event::Crop(Some(LEFT))), []);
    }
    assert_eq!(Page::new(BackendChoice::Auto).0.update(Event::Crop(None)), [], "there is no picture");
    assert!(showing((65, 65)).0.crop().is_some() && showing((30, 20)).0.crop().is_some());
}

#[test]
fn another_picture_begins_in_the_middle() {
    let mut page = showing(SIZE);
    let effects = page.crop(Some(LEFT));
    let id = page.cut(&effects);
    page.answer(id);
    let id = posted_id(&page.pick(sized("dog", (300, 200))));
    assert_eq!(page.0.update(Event::Crop(Some(SMALL))), [], "the hand is late");
    page.answer(id);
    assert_eq!(page.0.crop(), Some((Crop::centre((300, 200)), (300, 200))));

    // The hand rests only after the other picture was chosen, or has come.
    page.0.update(Event::Crop(Some(SMALL)));
    let id = posted_id(&page.pick(sized("cow", SIZE)));
    assert_eq!(page.0.update(Event::CropSettled), []);
    page.answer(id);
    assert_eq!((page.0.crop(), page.0.work()), (Some((Crop::centre(SIZE), SIZE)), Work::Idle));
}

#[test]
fn a_square_that_comes_after_another_picture_is_dropped() {
    let mut page = showing(SIZE);
    let (late, candidate) = cut(&page.crop(Some(LEFT)));
    page.show("dog", SIZE);
    assert!(!page.0.awaits(late));
    assert_eq!(page.0.update(Event::Picked { pick: late, candidate }), []);
    page.0.update(Event::PickFailed { pick: late, message: "no".into() });
    assert_eq!((page.title(), page.0.crop_rests(), page.0.alert.as_deref()), (Some("dog"), true, None));
}

#[test]
fn a_square_of_a_picture_that_crashed_the_engine_is_dropped() {
    let mut page = showing(SIZE);
    let (late, candidate) = cut(&page.crop(Some(LEFT)));
    page.hear(Reply::Panicked("index out of bounds".into()));
    assert_eq!(page.0.update(Event::Picked { pick: late, candidate }), []);
    assert_eq!(posted(&page.start(Backend::Cpu)), None);
    assert_eq!((page.title(), page.0.picture_pending()), (None, false));
}

#[test]
fn a_square_that_cannot_be_cut_leaves_the_one_that_is_seen() {
    let mut page = showing(SIZE);
    let (pick, _) = cut(&page.crop(Some(LEFT)));
    page.0.update(Event::PickFailed { pick, message: "cat: its decoder failed.".into() });
    assert_eq!((page.0.alert.as_deref(), page.0.crop()), (Some("cat: its decoder failed."), page.0.seen_crop()));
    assert!(page.0.crop_rests() && page.0.can_attack());
    assert_eq!(asked(&page.crop(Some(LEFT))), Some(LEFT), "it can be tried again");
}

#[test]
fn a_square_is_seen_while_another_picture_is_fetched_and_a_bad_one_does_not_lose_it() {
    let mut page = showing(SIZE);
    let link = page.0.begin_pick();
    let effects = page.crop(Some(LEFT));
    let id = page.cut(&effects);
    page.answer(id);
    assert_eq!(page.0.seen_crop(), Some((LEFT, SIZE)));
    page.0.update(Event::PickFailed { pick: link, message: "notes.jpg: This is not a picture.".into() });
    assert_eq!((page.0.seen_crop(), page.0.picture_pending()), (Some((LEFT, SIZE)), false));
}

#[test]
fn a_square_that_the_engine_cannot_take_brings_the_one_before_back() {
    let mut page = showing(SIZE);
    let effects = page.crop(Some(LEFT));
    let id = page.cut(&effects);
    let effects = page.hear(Reply::Refused { id, message: "The computation failed.".into() });
    page.answer(posted_id(&effects));
    assert_eq!((page.0.seen_crop(), page.0.crop()), (page.0.crop(), Some((Crop::centre(SIZE), SIZE))));
    assert!(page.0.can_attack());
}

#[test]
fn a_fresh_engine_is_given_the_square_as_well() {
    let mut page = showing(SIZE);
    let effects = page.crop(Some(LEFT));
    let id = page.cut(&effects);
    page.answer(id);
    page.0.update(Event::Choose(BackendChoice::Cpu));
    // Moved while there is no engine.
    for x in [7, 8] {
        let (pick, candidate) = cut(&page.crop(Some(Crop { x, ..LEFT })));
        let square = Pixels(vec![x as u8]);
        assert_eq!(page.0.update(Event::Picked { pick, candidate: Candidate { square, ..candidate } }), []);
    }
    assert_eq!(page.0.crop().map(|(crop, _)| crop.x), Some(8));
    let effects = page.start(Backend::Cpu);
    assert!(
        matches!(posted(&effects), Some(Request::Open { pixels, .. }) if *pixels == Pixels(vec![8])),
        "{effects:?}"
    );
    page.answer(posted_id(&effects));
    assert_eq!((page.0.seen_crop().map(|(crop, _)| crop.x), page.0.crop_rests()), (Some(8), true));
}

#[test]
fn an_address_names_a_square_of_a_sample() {
    for (asked_for, seen) in [(LEFT, Some(LEFT)), (Crop { x: 9_999, ..LEFT }, Some(Crop { x: 200, ..LEFT }))] {
        let link = Link { sample: Some("lemon.png".into()), crop: Some(asked_for), ..Link::default() };
        let mut page = Page(State::new(BackendChoice::Cpu).following(link));
        page.start(Backend::Cpu);
        let effects = page.0.update(samples());
        let [Effect::FetchSample { index: 1, pick, crop }] = effects[..] else { panic!("{effects:?}") };
        assert_eq!(crop, Some(asked_for), "one decoding is enough");
        let decoded =
            protocol::Decoded { size: SIZE, preview: Preview::default(), square: Pixels(vec![4]), memory_bytes: 0 };
        let lemon = Candidate::new(sample(1, "lemon").file, decoded, crop);
        let id = posted_id(&page.0.update(Event::Picked { pick, candidate: lemon }));
        page.answer(id);
        let link = page.0.link_with(page.0.attack.settings, page.0.picture.disturbance);
        assert_eq!((page.0.seen_crop().map(|(crop, _)| crop), link.crop), (seen, seen));
        // A sample that the visitor chooses is seen whole.
        let effects = page.0.update(Event::SampleChosen(1));
        assert!(matches!(effects[..], [Effect::FetchSample { index: 1, crop: None, .. }]), "{effects:?}");
    }
    let mut page = showing(SIZE);
    let effects = page.crop(Some(LEFT));
    let id = page.cut(&effects);
    page.answer(id);
    let link = page.0.link_with(page.0.attack.settings, page.0.picture.disturbance);
    assert_eq!(link.crop, None, "a picture of the visitor's own is in no link");
}
