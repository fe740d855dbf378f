//! Steps looked at, epsilons in a row, disturbances, and what is kept.

use super::*;
use protocol::{Disturbance, Insight, Point};
use terms::detection::DetectorKind;

fn attacked(page: &mut Page, steps: u32) -> RequestId {
    let id = posted_id(&page.0.update(Event::Attack));
    for done in 0..=steps {
        for slot in Slot::ALL {
            let mut step = step(done, steps);
            step.attacked = Pixels(vec![done as u8]);
            page.hear(Reply::Step { id, slot, step });
        }
    }
    page.hear(Reply::Finished { id });
    id
}

fn shown(page: &Page) -> [Option<u32>; 2] {
    page.0.columns.each_ref().map(|column| column.step().map(|step| step.done))
}

#[test]
fn the_scrubber_shows_an_earlier_step_and_is_no_last_word() {
    let mut page = Page::ready(Backend::Cpu);
    attacked(&mut page, 5);
    assert_eq!((page.0.last_step(), page.0.step_shown(), shown(&page)), (5, 5, [Some(5); 2]));
    page.0.update(Event::Scrub(Some(2)));
    assert_eq!((page.0.step_shown(), shown(&page)), (2, [Some(2); 2]));
    assert!(page.0.columns[0].is_interim());
    page.0.update(Event::Scrub(Some(5)));
    assert!(!page.0.columns[0].is_interim());
    page.0.update(Event::Scrub(Some(1)));
    let id = posted_id(&page.0.update(Event::Attack));
    page.hear(Reply::Step { id, slot: Slot::Left, step: step(0, 5) });
    assert_eq!(shown(&page), [Some(0), None], "a new attack is shown as it goes");
}

#[test]
fn a_network_that_fell_early_stays_as_it_fell() {
    let mut page = Page::ready(Backend::Cpu);
    let id = posted_id(&page.0.update(Event::Attack));
    for done in 0..=4 {
        page.hear(Reply::Step { id, slot: Slot::Right, step: step(done, 4) });
    }
    page.hear(Reply::Step { id, slot: Slot::Left, step: step(0, 4) });
    page.hear(Reply::Step { id, slot: Slot::Left, step: step(1, 1) });
    page.hear(Reply::Finished { id });
    page.0.update(Event::Scrub(Some(3)));
    assert_eq!(shown(&page), [Some(1), Some(3)]);
    assert!(!page.0.columns[0].is_interim() && page.0.columns[1].is_interim());
}

fn point(units: u16) -> Point {
    Point { units, loss: 1.0, own_share: 0.5, best: guesses(0)[0], fooled: false }
}

#[test]
fn curves_grow_point_by_point_and_go_with_their_picture() {
    let mut page = Page::ready(Backend::Cpu);
    let id = posted_id(&page.0.update(Event::Sweep));
    assert_eq!((page.0.work(), page.0.can_sweep(), page.0.can_attack()), (Work::Sweeping, false, true));
    for units in [0, 1] {
        page.hear(Reply::Point { id, slot: Slot::Left, point: point(units) });
    }
    page.hear(Reply::Smallest { id, slot: Slot::Left, units: Some(1) });
    page.hear(Reply::Finished { id });
    assert_eq!((page.0.work(), page.0.sweep.curves[0].points.len()), (Work::Idle, 2));
    assert_eq!(page.0.sweep.curves[0].smallest, Some(Some(1)));
    assert!(page.0.curves_are_current());
    page.0.update(Event::Set(Change::Epsilon(9)));
    assert!(page.0.curves_are_current(), "they are of all epsilons");
    for change in [Change::Kind(AttackKind::PgdL2), Change::Epsilon(75), Change::Kind(AttackKind::Bim), Change::Seed(9)]
    {
        page.0.update(Event::Set(change));
    }
    assert!(page.0.curves_are_current(), "neither a radius in L2 nor a seed means anything to BIM");
    page.0.update(Event::Set(Change::Steps(3)));
    assert!(!page.0.curves_are_current());
    page.open("dog");
    assert_eq!(page.0.sweep.curves, <[Curve; 2]>::default());
}

#[test]
fn a_row_of_attacks_is_stopped_by_escape_by_an_attack_and_by_another_picture() {
    let stopped = |stop: fn(&mut Page) -> Vec<Effect>| {
        let mut page = Page::ready(Backend::Cpu);
        let id = posted_id(&page.0.update(Event::Sweep));
        stop(&mut page);
        page.hear(Reply::Point { id, slot: Slot::Left, point: point(0) });
        page.0.work() != Work::Sweeping && page.0.sweep.curves[0].points.is_empty()
    };
    assert!(stopped(|page| page.0.update(Event::Cancel)));
    assert!(stopped(|page| page.0.update(Event::Attack)));
    assert!(stopped(|page| page.choose("dog")));
}

fn insight(words: &str) -> Insight {
    Insight { html: format!("<p>{words}</p>"), json: format!("{{ \"words\": \"{words}\" }}") }
}

#[test]
fn what_is_inside_goes_with_the_pictures_that_were_looked_at() {
    let mut page = Page::ready(Backend::Cpu);
    attacked(&mut page, 3);
    let effects = page.0.update(Event::Look(None));
    let id = posted_id(&effects);
    let [Effect::Post(Request::Look { attacked: [Some(_), Some(_)], .. }), ..] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((page.0.work(), page.0.can_look()), (Work::Looking, false));
    assert!(page.0.hint().contains("Escape"));
    for slot in Slot::ALL {
        page.hear(Reply::Looked { id, slot, insight: insight("so") });
    }
    page.hear(Reply::Finished { id });
    let found = |page: &Page| page.0.columns.iter().filter(|column| column.insight.is_some()).count();
    assert_eq!((page.0.work(), found(&page)), (Work::Idle, 2));
    // Of another step, another attack or another picture nothing was computed.
    page.0.update(Event::Scrub(Some(0)));
    assert_eq!(found(&page), 0);
    let id = posted_id(&page.0.update(Event::Look(None)));
    page.hear(Reply::Looked { id, slot: Slot::Left, insight: insight("so") });
    page.0.update(Event::Cancel);
    page.hear(Reply::Looked { id, slot: Slot::Right, insight: insight("late") });
    assert_eq!((page.0.work(), found(&page)), (Work::Idle, 1));
    page.open("dog");
    assert_eq!(found(&page), 0);
    let effects = page.0.update(Event::Look(Some(DetectorKind::Maps)));
    assert!(matches!(effects[..], [Effect::Post(Request::Look { evade: Some(DetectorKind::Maps), .. }), ..]));
    page.hear(Reply::Finished { id: posted_id(&effects) });
    // What the engine refuses is told, and ends the wait.
    let id = posted_id(&page.0.update(Event::Look(None)));
    page.hear(Reply::Refused { id, message: "No detector came.".into() });
    assert_eq!((page.0.work(), page.0.alert.as_deref()), (Work::Idle, Some("No detector came.")));
}

fn mirrored() -> Disturbance {
    Disturbance { flip_horizontal: true, ..Disturbance::default() }
}

#[test]
fn a_disturbed_picture_is_looked_at_again_and_attacked_again() {
    let mut page = Page::ready(Backend::Cpu);
    let first = page.0.update(Event::Disturb(mirrored()));
    assert!(matches!(first[..], [Effect::After { event: Event::DisturbanceSettled, .. }]));
    assert_eq!(page.0.update(Event::Disturb(mirrored())), [], "already waiting");
    let id = posted_id(&page.0.update(Event::DisturbanceSettled));
    assert_eq!(page.0.work(), Work::Classifying);
    page.hear(Reply::Disturbed { id, pixels: Pixels(vec![7]) });
    assert_eq!(page.0.picture.shown.as_ref().unwrap().pixels, Pixels(vec![7]));
    for slot in Slot::ALL {
        page.hear(Reply::Classified { id, slot, top: guesses(0), elapsed_ms: 100.0 });
    }
    assert_eq!(page.0.work(), Work::Idle, "no attack was shown");

    attacked(&mut page, 1);
    page.0.update(Event::Disturb(Disturbance::default()));
    let id = posted_id(&page.0.update(Event::DisturbanceSettled));
    page.hear(Reply::Classified { id, slot: Slot::Left, top: guesses(0), elapsed_ms: 100.0 });
    let effects = page.hear(Reply::Classified { id, slot: Slot::Right, top: guesses(0), elapsed_ms: 100.0 });
    assert!(matches!(posted(&effects), Some(Request::Attack { .. })));
}

#[test]
fn the_next_picture_is_disturbed_alike_and_late_wishes_are_met() {
    let mut page = Page::ready(Backend::Cpu);
    page.0.update(Event::Disturb(mirrored()));
    page.0.update(Event::DisturbanceSettled);
    let effects = page.choose("dog");
    assert!(matches!(posted(&effects), Some(Request::Open { disturbance, .. }) if *disturbance == mirrored()));
    // While it is opened, the visitor wants it otherwise.
    page.0.update(Event::Disturb(Disturbance::default()));
    assert_eq!(posted(&page.0.update(Event::DisturbanceSettled)), None);
    let id = posted_id(&effects);
    let effects = page.answer(id);
    assert!(matches!(posted(&effects), Some(Request::Disturb { disturbance, .. }) if disturbance.is_none()));
}

#[test]
fn a_bad_file_does_not_lose_the_disturbance() {
    let mut page = Page::ready(Backend::Cpu);
    page.0.update(Event::Disturb(mirrored()));
    let pick = page.0.begin_pick();
    let effects = page.0.update(Event::DisturbanceSettled);
    assert!(matches!(posted(&effects), Some(Request::Disturb { disturbance, .. }) if *disturbance == mirrored()));
    page.0.update(Event::PickFailed { pick, message: "notes.jpg: This is not a picture.".into() });
    assert_eq!((page.0.work(), page.0.picture.disturbance), (Work::Classifying, mirrored()));
}

#[test]
fn a_disturbance_that_fails_keeps_the_picture() {
    let mut page = Page::ready(Backend::Cpu);
    page.0.update(Event::Disturb(mirrored()));
    let id = posted_id(&page.0.update(Event::DisturbanceSettled));
    let effects = page.hear(Reply::Refused { id, message: "The computation failed.".into() });
    let id = posted_id(&effects);
    assert!(matches!(posted(&effects), Some(Request::Disturb { disturbance, .. }) if disturbance.is_none()));
    assert_eq!((page.title(), page.0.alert.as_deref()), (Some("cat"), Some("The computation failed.")));
    page.hear(Reply::Disturbed { id, pixels: Pixels(vec![5]) });
    page.answer(id);
    assert!(page.0.can_attack() && page.0.picture.disturbance.is_none());

    // A link that asks for it opens the picture all the same.
    let mut page = Page::new(BackendChoice::Cpu);
    page.start(Backend::Cpu);
    page.0.picture.disturbance = mirrored();
    let id = posted_id(&page.choose("dog"));
    let effects = page.hear(Reply::Refused { id, message: "The computation failed.".into() });
    assert!(matches!(posted(&effects), Some(Request::Open { disturbance, .. }) if disturbance.is_none()));
    page.answer(posted_id(&effects));
    assert_eq!(page.title(), Some("dog"));
}

#[test]
fn a_quick_engine_follows_the_slider_before_any_attack() {
    let mut page = Page::new(BackendChoice::Auto);
    page.start(Backend::WebGpu);
    let id = posted_id(&page.choose("cat"));
    page.see(id);
    for slot in Slot::ALL {
        page.hear(Reply::Classified { id, slot, top: guesses(0), elapsed_ms: 4.0 });
    }
    let effects = page.0.update(Event::Set(Change::Epsilon(8)));
    assert!(matches!(effects[..], [Effect::After { event: Event::Settled, .. }]));
    let id = posted_id(&page.0.update(Event::Settled));
    page.hear(Reply::Step { id, slot: Slot::Left, step: step(1, 10) });
    page.0.update(Event::Cancel);
    assert_eq!(page.0.update(Event::Set(Change::Epsilon(9))), [], "it was stopped");
}

#[test]
fn a_picture_is_saved_once_it_is_shown_and_the_file_is_judged() {
    let mut page = Page::ready(Backend::Cpu);
    assert!(!page.0.can_save(Slot::Left) && page.0.update(Event::SavePicture(Slot::Left)).is_empty());
    attacked(&mut page, 2);
    let effects = page.0.update(Event::SavePicture(Slot::Left));
    assert!(matches!(posted(&effects), Some(Request::Save { pixels, .. }) if *pixels == Pixels(vec![2])));
    let id = posted_id(&effects);
    let effects = page.hear(Reply::Saved { id, slot: Slot::Left, png: vec![1, 2, 3], top: guesses(1) });
    assert!(matches!(&effects[..], [Effect::Download { name, bytes, .. }]
        if name == "bastion-cat-bim-standard.png" && bytes.len() == 3));
    let words = page.0.saved_words(Slot::Left).unwrap();
    assert!(words.contains("tabby") && words.contains("outlives"), "{words}");
    page.0.update(Event::Scrub(Some(0)));
    assert_eq!(page.0.saved_words(Slot::Left), None, "another picture is shown");
}

#[test]
fn a_file_that_comes_late_is_of_the_picture_it_was_asked_for() {
    let mut page = Page::ready(Backend::Cpu);
    attacked(&mut page, 2);
    let id = posted_id(&page.0.update(Event::SavePicture(Slot::Left)));
    page.open("dog");
    attacked(&mut page, 1);
    let effects = page.hear(Reply::Saved { id, slot: Slot::Left, png: vec![1], top: guesses(1) });
    assert!(matches!(&effects[..], [Effect::Download { name, .. }] if name == "bastion-cat-bim-standard.png"));
    assert_eq!(page.0.saved_words(Slot::Left), None, "the dog has not been saved");
}

#[test]
fn the_report_has_every_step_and_no_picture() {
    let read =
        |page: &Page| -> serde_json::Value { serde_json::from_str(&page.0.report().unwrap().to_string()).unwrap() };
    let mut page = Page::new(BackendChoice::Auto);
    assert_eq!(page.0.report(), None);
    page.start(Backend::Cpu);
    page.open("cat");
    assert!(read(&page)["attack"].is_null());
    attacked(&mut page, 2);
    let report = read(&page);
    assert_eq!(report["networks"][1]["steps"].as_array().unwrap().len(), 3);
    assert_eq!(report["networks"][0]["clean"][0]["class"]["wnid"], "n01443537");
    assert_eq!(report["picture"]["label"]["wnid"], "n02123045");
    assert!(!report.to_string().contains("attacked\":["), "no pixels");
    // It tells of what is shown, and not of what is set for the next time.
    page.0.update(Event::Cancel);
    page.0.update(Event::Set(Change::Epsilon(7)));
    page.0.update(Event::Disturb(mirrored()));
    let later = read(&page);
    assert_eq!((&later["attack"], &later["picture"]), (&report["attack"], &report["picture"]));
    let effects = page.0.update(Event::SaveReport);
    assert!(matches!(&effects[..], [Effect::Download { name, .. }] if name == "bastion-cat-bim.json"));
}

/// The report is written by hand, field by field; serde knows their names.
#[test]
fn the_report_has_whatever_can_be_set_under_its_own_name() {
    let settings = unusual_settings();
    // One of the flips alone, so that they cannot be mistaken; corruptions have other names in print than in messages.
    let disturbance = Disturbance { flip_vertical: false, corruption: None, ..unusual_disturbance() };
    let mut page = Page::ready(Backend::Cpu);
    page.open("cat");
    attacked(&mut page, 1);
    (page.0.attack.latest, page.0.picture.disturbed_with) = (settings, disturbance);
    page.0.sweep.settings = settings;
    page.0.sweep.curves[0].points = vec![point(4)];
    page.0.sweep.curves[0].smallest = Some(Some(3));
    let report: serde_json::Value = serde_json::from_str(&page.0.report().unwrap().to_string()).unwrap();
    assert_eq!(report["attack"]["settings"], serde_json::to_value(settings).unwrap());
    // The two parts of the shift stand in one list.
    let mut expected = serde_json::to_value(disturbance).unwrap();
    let mut part = |name: &str| expected.as_object_mut().unwrap().remove(name).unwrap();
    let shift = [part("shift_right"), part("shift_down")];
    expected["shift"] = shift.to_vec().into();
    assert_eq!(report["picture"]["disturbance"], expected);
    let network = &report["networks"][0];
    assert_eq!(
        (&network["curve_settings"], &network["smallest_epsilon_255"]),
        (&report["attack"]["settings"], &3.into())
    );
    assert_eq!((network["curve"].as_array().unwrap().len(), &network["curve"][0]["epsilon_255"]), (1, &4.into()));
    assert_eq!(report["backend"]["backend"], "cpu");
    page.0.picture.disturbed_with = unusual_disturbance();
    let report: serde_json::Value = serde_json::from_str(&page.0.report().unwrap().to_string()).unwrap();
    assert_eq!(report["picture"]["disturbance"]["corruption"], "jpeg_compression");
}

#[test]
fn a_link_brings_sample_settings_target_and_attack() {
    let mut page = Page::new(BackendChoice::Auto);
    let settings = Settings { epsilon_255: 9, ..Settings::default() };
    page.0 = page.0.following(Link {
        sample: Some("lemon.png".into()),
        crop: None,
        settings,
        target: Some("n02123045".into()),
        disturbance: mirrored(),
        pair: None,
        attack: true,
    });
    page.start(Backend::Cpu);
    let (index, pick) = fetched(&page.0.update(samples())).unwrap();
    assert_eq!((index, page.0.attack.settings.target), (1, Some(1)));
    let effects = page.0.update(Event::Picked { pick, candidate: sample(1, "lemon") });
    assert!(matches!(posted(&effects), Some(Request::Open { disturbance, .. }) if *disturbance == mirrored()));
    let effects = page.answer(posted_id(&effects));
    assert!(matches!(posted(&effects), Some(Request::Attack { settings, .. })
        if settings.epsilon_255 == 9 && settings.target == Some(1)));
    assert_eq!(page.0.link_query(), "sample=lemon.png&eps=9&target=n02123045&disturb=mirror.1&go=1");
    assert!(!page.0.link_lacks_picture());
}
