//! Attacks: begun, followed, stopped, begun again.

use super::*;

#[test]
fn an_attack_runs_to_its_end() {
    let mut page = Page::ready(Backend::Cpu);
    let id = posted_id(&page.0.update(Event::Attack));
    assert_eq!(page.0.columns[1].progress, Progress::Attacking);
    for slot in Slot::ALL {
        page.hear(Reply::Step { id, slot, step: step(1, 10) });
    }
    assert_eq!((page.0.columns[0].steps_done, page.0.columns[0].steps_total), (1, 10));
    page.hear(Reply::Finished { id });
    assert_eq!(page.0.columns[0].progress, Progress::Done);
    assert_eq!(page.0.work(), Work::Idle);
}

#[test]
fn late_answers_change_nothing() {
    let mut page = Page::ready(Backend::Cpu);
    let old = posted_id(&page.0.update(Event::Attack));
    let new = posted_id(&page.0.update(Event::Attack));
    assert!(new > old);
    let before = page.0.clone();
    page.hear(Reply::Step { id: old, slot: Slot::Left, step: step(3, 10) });
    page.hear(Reply::Finished { id: old });
    page.hear(Reply::Seen { id: old, pixels: Pixels(vec![0]) });
    page.hear(Reply::Refused { id: old, message: "no".into() });
    page.0.engine.pulse = before.engine.pulse;
    assert_eq!(page.0, before);

    let generation = page.0.engine.generation - 1;
    page.0.update(Event::Engine { generation, reply: Reply::Panicked("late".into()) });
    assert_eq!(page.0, before);
}

#[test]
fn cancelling_keeps_what_was_reached_and_only_that() {
    let mut page = Page::ready(Backend::Cpu);
    let id = posted_id(&page.0.update(Event::Attack));
    page.hear(Reply::Step { id, slot: Slot::Left, step: step(2, 10) });
    assert_eq!(posted(&page.0.update(Event::Cancel)), Some(&Request::Cancel));
    page.hear(Reply::Step { id, slot: Slot::Left, step: step(3, 10) });
    assert_eq!((page.0.columns[0].progress, page.0.columns[0].steps_done), (Progress::Stopped, 2));
    assert_eq!((page.0.columns[1].progress, page.0.columns[1].step()), (Progress::Clean, None));
    assert_eq!(page.0.update(Event::Cancel), []);
}

#[test]
fn a_setting_changed_while_an_attack_is_shown_attacks_again_at_a_bearable_rate() {
    let mut page = Page::ready(Backend::Cpu);
    assert_eq!(page.0.update(Event::Set(Change::Epsilon(8))), [], "no attack is shown yet");
    page.0.update(Event::Attack);
    let first = page.0.update(Event::Set(Change::Epsilon(9)));
    assert!(matches!(first[..], [Effect::After { event: Event::Settled, .. }]));
    assert_eq!(page.0.update(Event::Set(Change::Epsilon(10))), [], "already waiting");
    let effects = page.0.update(Event::Settled);
    assert!(matches!(posted(&effects), Some(Request::Attack { settings, .. }) if settings.epsilon_255 == 10));
    assert_eq!(page.0.update(Event::Set(Change::Epsilon(10))), [], "nothing changed");
}

#[test]
fn a_chosen_step_size_goes_with_its_unit() {
    let mut page = Page::ready(Backend::Cpu);
    let mut size_after = |change| {
        page.0.update(Event::Set(change));
        page.0.attack.settings.step_size_tenths
    };
    assert_eq!(size_after(Change::StepSize(Some(20))), Some(20));
    assert_eq!(size_after(Change::Kind(AttackKind::Pgd)), Some(20));
    assert_eq!(size_after(Change::Kind(AttackKind::PgdL2)), None, "2/255 is no length in L2");
}

#[test]
fn settings_stay_in_range() {
    let mut page = Page::ready(Backend::Cpu);
    for change in [Change::Epsilon(200), Change::Steps(0), Change::Target(Some(5))] {
        page.0.update(Event::Set(change));
    }
    assert_eq!(
        (page.0.attack.settings.epsilon_255, page.0.attack.settings.steps, page.0.attack.settings.target),
        (32, 1, None)
    );
    page.0.update(Event::Set(Change::Target(Some(1))));
    assert_eq!(page.0.attack.settings.target, Some(1));
}

#[test]
fn a_refused_attack_leaves_the_picture() {
    let mut page = Page::ready(Backend::Cpu);
    let id = posted_id(&page.0.update(Event::Attack));
    page.hear(Reply::Refused { id, message: "The computation failed.".into() });
    assert_eq!((page.0.columns[0].progress, page.0.work()), (Progress::Clean, Work::Idle));
    assert!(page.0.can_attack());
}

#[test]
fn an_attack_outlives_two_restarts() {
    let mut page = Page::ready(Backend::WebGpu);
    page.0.update(Event::Attack);
    page.hear(Reply::WebGpuFailed("it was lost.".into()));
    page.0.update(Event::Choose(BackendChoice::Cpu));
    let id = posted_id(&page.start(Backend::Cpu));
    assert!(matches!(posted(&page.answer(id)), Some(Request::Attack { .. })));
}

#[test]
fn an_attack_on_one_picture_does_not_pass_to_the_next() {
    let mut page = Page::ready(Backend::WebGpu);
    page.0.update(Event::Attack);
    page.hear(Reply::WebGpuFailed("it was lost.".into()));
    page.choose("dog");
    let id = posted_id(&page.start(Backend::Cpu));
    assert_eq!(posted(&page.answer(id)), None);
}

#[test]
fn an_attack_that_a_setting_began_says_so() {
    let mut page = Page::ready(Backend::Cpu);
    let id = posted_id(&page.0.update(Event::Attack));
    assert_eq!(page.0.again_words(), "", "a button began it");
    page.hear(Reply::Finished { id });
    assert!(page.0.hint().contains("attacked again at once"), "{}", page.0.hint());
    page.0.update(Event::Set(Change::Epsilon(9)));
    let id = posted_id(&page.0.update(Event::Settled));
    assert_eq!(page.0.again_words(), "A setting changed: attacking again.");
    assert!(page.0.hint().contains("Escape"), "{}", page.0.hint());
    page.hear(Reply::Finished { id });
    assert_eq!(page.0.again_words(), "Attacked again after a change: BIM, 10 steps, epsilon 9/255.");

    page.0.update(Event::Attack);
    assert_eq!(page.0.again_words(), "");
    page.0.update(Event::Set(Change::Epsilon(10)));
    page.0.update(Event::Settled);
    page.0.update(Event::Cancel);
    assert_eq!(page.0.again_words(), "", "it was stopped");
}

#[test]
fn an_attack_begun_again_is_forgotten_with_its_picture_and_with_its_engine() {
    let mut page = Page::ready(Backend::Cpu);
    let id = posted_id(&page.0.update(Event::Attack));
    page.hear(Reply::Finished { id });
    page.0.update(Event::Choose(BackendChoice::Cpu));
    page.0.update(Event::Set(Change::Epsilon(9)));
    assert_eq!(posted(&page.0.update(Event::Settled)), None, "there is no engine to attack with");
    assert_eq!(page.0.again_words(), "");

    let mut page = Page::ready(Backend::Cpu);
    page.0.update(Event::Attack);
    page.0.update(Event::Set(Change::Epsilon(9)));
    page.0.update(Event::Settled);
    page.open("dog");
    assert!(!page.0.attack.automatic);
}
