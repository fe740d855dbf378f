//! Which picture is shown: what the visitor chose, what cannot be read, what comes late.

use super::*;

#[test]
fn a_picture_is_seen_then_classified() {
    let mut page = Page::new(BackendChoice::Auto);
    page.start(Backend::Cpu);
    let id = posted_id(&page.choose("cat"));
    assert_eq!(page.0.work(), Work::Opening);
    page.see(id);
    assert_eq!((page.0.work(), page.0.picture.count, page.0.label()), (Work::Classifying, 1, Some(1)));
    assert!(!page.0.can_attack());
    page.hear(Reply::Classified { id, slot: Slot::Left, top: guesses(0), elapsed_ms: 1.0 });
    assert_eq!(page.0.columns[0].progress, Progress::Clean);
    assert_eq!(page.0.columns[1].progress, Progress::Classifying);
    page.hear(Reply::Classified { id, slot: Slot::Right, top: guesses(1), elapsed_ms: 1.0 });
    assert_eq!(page.0.work(), Work::Idle);
    assert!(page.0.can_attack());
}

#[test]
fn a_bad_file_costs_nothing_but_words() {
    let mut page = Page::ready(Backend::Cpu);
    page.0.update(Event::Attack);
    let before = page.0.clone();
    let pick = page.0.begin_pick();
    assert!(page.0.picture_pending() && page.0.awaits(pick));
    let message = "notes.jpg: The file is damaged: its decoder failed.";
    assert_eq!(page.0.update(Event::PickFailed { pick, message: message.into() }), []);
    assert_eq!(page.0.alert.as_deref(), Some(message));
    page.0.update(Event::Dismiss);
    page.0.picture.last_pick = before.picture.last_pick;
    assert_eq!(page.0, before, "picture, attack and engine go on");
}

#[test]
fn a_new_picture_stops_the_attack() {
    let mut page = Page::ready(Backend::Cpu);
    page.0.update(Event::Attack);
    let id = posted_id(&page.choose("dog"));
    assert_eq!(posted(&page.hear(Reply::Seen { id, pixels: Pixels(vec![6]) })), None);
    assert_eq!(page.0.columns[0], Column { progress: Progress::Classifying, ..Column::default() });
}

#[test]
fn the_first_sample_is_shown_for_want_of_a_choice() {
    let mut page = Page::new(BackendChoice::Auto);
    let (index, pick) = fetched(&page.0.update(samples())).expect("a sample is fetched");
    assert_eq!(index, 0);
    assert_eq!(fetched(&page.start(Backend::Cpu)), None, "it is on its way already");
    let effects = page.0.update(Event::Picked { pick, candidate: candidate("alp") });
    page.answer(posted_id(&effects));
    assert_eq!(page.title(), Some("alp"));
}

#[test]
fn the_visitors_choice_is_never_lost_to_the_first_sample() {
    // Chosen while the sample is on its way, whichever comes first.
    for sample_first in [true, false] {
        let mut page = Page::new(BackendChoice::Auto);
        page.start(Backend::Cpu);
        let (_, automatic) = fetched(&page.0.update(samples())).expect("a sample is fetched");
        let mine = page.0.begin_pick();
        let sample = Event::Picked { pick: automatic, candidate: candidate("alp") };
        let choice = Event::Picked { pick: mine, candidate: candidate("mine") };
        let opened = if sample_first {
            assert_eq!(page.0.update(sample), []);
            page.0.update(choice)
        } else {
            let opened = page.0.update(choice);
            assert_eq!(page.0.update(sample), []);
            opened
        };
        page.answer(posted_id(&opened));
        assert_eq!(page.title(), Some("mine"), "the sample came first: {sample_first}");
    }

    // Chosen before the list came, or before the engine was ready.
    let mut page = Page::new(BackendChoice::Auto);
    let mine = page.0.begin_pick();
    assert_eq!(page.0.update(samples()), []);
    assert_eq!(fetched(&page.start(Backend::Cpu)), None);
    assert!(page.0.picture_pending());
    page.0.update(Event::Picked { pick: mine, candidate: candidate("mine") });
    assert_eq!(page.0.work(), Work::Opening);
}

#[test]
fn of_two_choices_the_later_one_is_shown() {
    let mut page = Page::ready(Backend::Cpu);
    page.0.update(samples());
    let (_, slow) = fetched(&page.0.update(Event::SampleChosen(1))).expect("a sample is fetched");
    let quick = page.0.begin_pick();
    let opened = page.0.update(Event::Picked { pick: quick, candidate: candidate("quick") });
    let late = page.0.update(Event::Picked { pick: slow, candidate: candidate("slow") });
    assert_eq!((late, page.0.awaits(slow)), (Vec::new(), false));
    page.answer(posted_id(&opened));
    assert_eq!(page.title(), Some("quick"));
    page.0.update(Event::PickFailed { pick: slow, message: "404".into() });
    assert_eq!(page.0.alert, None, "nobody waits for it any more");
}

#[test]
fn an_alert_stays_until_the_visitor_acts() {
    let mut page = Page::ready(Backend::Cpu);
    page.0.update(samples());
    page.hear(Reply::Panicked("index out of bounds".into()));
    let (_, pick) = fetched(&page.start(Backend::Cpu)).expect("there is no picture any more");
    page.0.update(Event::Picked { pick, candidate: candidate("alp") });
    assert!(page.0.alert.as_ref().is_some_and(|alert| alert.contains("crashed")), "{:?}", page.0.alert);
    page.choose("mine");
    assert_eq!(page.0.alert, None);
}

#[test]
fn a_picture_that_cannot_be_classified_is_taken_away() {
    let mut page = Page::new(BackendChoice::Cpu);
    page.start(Backend::Cpu);
    let id = posted_id(&page.choose("cat"));
    page.see(id);
    assert_eq!(page.hear(Reply::Refused { id, message: "The computation failed.".into() }), []);
    assert_eq!((page.title(), page.0.columns.clone(), page.0.can_attack()), (None, Default::default(), false));
    assert_eq!(page.0.alert.as_deref(), Some("The computation failed."));
}

#[test]
fn a_picture_that_the_engine_cannot_take_brings_the_one_before_back() {
    // The one before is answered to, or the engine has turned away from it half-way.
    for answered in [true, false] {
        let mut page = Page::new(BackendChoice::Cpu);
        page.start(Backend::Cpu);
        let cat = posted_id(&page.choose("cat"));
        if answered {
            page.answer(cat)
        } else {
            page.see(cat)
        };
        let id = posted_id(&page.choose("dog"));
        let effects = page.hear(Reply::Refused { id, message: "The computation failed.".into() });
        assert_eq!(page.0.alert.as_deref(), Some("dog: The computation failed."));
        assert!(!page.0.can_attack(), "the cat is looked at again first");
        page.answer(posted_id(&effects));
        assert_eq!(page.0.columns.each_ref().map(|column| column.progress), [Progress::Clean; 2]);
        assert!(page.0.can_attack() && page.title() == Some("cat"));
    }
}

#[test]
fn a_picture_that_can_no_longer_be_taken_is_not_tried_for_ever() {
    let mut page = Page::ready(Backend::WebGpu);
    page.0.update(Event::Choose(BackendChoice::Cpu));
    let id = posted_id(&page.start(Backend::Cpu));
    let effects = page.hear(Reply::Refused { id, message: "The computation failed.".into() });
    assert_eq!((posted(&effects), page.title(), page.0.work()), (None, None, Work::Idle));
}
