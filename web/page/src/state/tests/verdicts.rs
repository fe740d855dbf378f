//! What an attack came to, and how the page says it.

use super::*;

#[test]
fn fooled_is_who_was_right_before() {
    let right = 1;
    let known = |clean, now| Verdict::judge(clean, now, Some(right), None);
    assert_eq!(known(1, 1), Verdict::Held);
    assert_eq!(known(1, 2), Verdict::Fooled);
    assert_eq!(known(0, 0), Verdict::WrongAlready { changed: false });
    assert_eq!(known(0, 2), Verdict::WrongAlready { changed: true });
    assert_eq!(known(0, 1), Verdict::WrongAlready { changed: true }, "an attack that helps fools nobody");
}

#[test]
fn where_the_truth_is_not_known_no_more_is_said_than_whether_the_answer_changed() {
    let unknown = |clean, now, target| Verdict::judge(clean, now, None, target);
    assert_eq!(unknown(1, 1, None), Verdict::Kept);
    assert_eq!(unknown(1, 2, None), Verdict::Changed);
    assert_eq!(unknown(1, 2, Some(3)), Verdict::Changed);
    assert_eq!(unknown(1, 3, Some(3)), Verdict::Led);
    assert_eq!(unknown(3, 3, Some(3)), Verdict::Pointless);
    assert_eq!(Verdict::judge(1, 3, Some(1), Some(3)), Verdict::Fooled);
    assert_eq!(
        Verdict::judge(1, 2, Some(1), Some(3)),
        Verdict::Fooled,
        "right before, wrong now, whatever was aimed at"
    );
}

#[test]
fn what_depends_on_the_steps_to_come_is_no_last_word() {
    for verdict in [Verdict::Held, Verdict::Fooled, Verdict::Kept, Verdict::Changed, Verdict::Led] {
        assert!(verdict.chip(Moment::SoFar).ends_with("so far"), "{verdict:?}");
        assert!(verdict.chip(Moment::Earlier).ends_with("at this step"), "{verdict:?}");
        let last = verdict.chip(Moment::End);
        assert!(!last.ends_with("so far") && !last.ends_with("step"), "{verdict:?}");
    }
    let already = Verdict::WrongAlready { changed: true };
    assert!([Moment::SoFar, Moment::Earlier].iter().all(|moment| already.chip(*moment) == already.chip(Moment::End)));
}

#[test]
fn the_class_aimed_at_has_its_probability_told_wherever_it_stands() {
    let mut page = Page::ready(Backend::Cpu);
    page.open("cat");
    page.0.update(Event::Set(Change::Target(Some(0))));
    let id = posted_id(&page.0.update(Event::Attack));
    assert_eq!(page.0.target_words(Slot::Left), None);
    for slot in Slot::ALL {
        page.hear(Reply::Step { id, slot, step: Box::new(Step { target_share: Some(0.003), ..*step(1, 10) }) });
    }
    assert_eq!(page.0.target_words(Slot::Left).as_deref(), Some("goldfish, 0.3%"));
    // Of the attack that is shown, whatever is chosen for the next one.
    page.0.update(Event::Cancel);
    page.0.update(Event::Set(Change::Target(None)));
    assert_eq!(page.0.target_words(Slot::Right).as_deref(), Some("goldfish, 0.3%"));
}

/// A page with a picture of class 1 (a tabby), if that is known: both networks said `clean` and now say `now`.
fn attacked(clean: usize, now: usize, known: bool) -> Page {
    let mut page = Page::new(BackendChoice::Auto);
    page.start(Backend::Cpu);
    let mut cat = candidate("cat");
    cat.file.label = known.then(|| "n02123045".into());
    let id = posted_id(&page.pick(cat));
    page.see(id);
    for slot in Slot::ALL {
        page.hear(Reply::Classified { id, slot, top: guesses(clean), elapsed_ms: 1.0 });
    }
    let id = posted_id(&page.0.update(Event::Attack));
    for slot in Slot::ALL {
        page.hear(Reply::Step { id, slot, step: Box::new(Step { top: guesses(now), ..*step(1, 10) }) });
        page.hear(Reply::Noise { id, slot, best: guesses(clean)[0] });
    }
    page
}

#[test]
fn verdicts_in_words() {
    let words = |clean, now, known| attacked(clean, now, known).0.verdict_words(Slot::Right).unwrap();
    assert_eq!(words(1, 1, true), "Still tabby, which is right.");
    assert_eq!(words(1, 0, true), "It said tabby, which is right, and now says goldfish.");
    assert_eq!(words(0, 0, true), "It took this tabby for goldfish before any attack, and still does.");
    assert_eq!(
        words(0, 1, true),
        "It took this tabby for goldfish before any attack, and now says tabby, which is right."
    );
    assert_eq!(words(0, 0, false), "Still goldfish.");
    assert_eq!(words(0, 1, false), "It said goldfish, and now says tabby.");
}

/// A network too sure for 32-bit numbers.
#[test]
fn without_a_gradient_to_follow_no_network_is_said_to_hold() {
    for known in [true, false] {
        let mut page = attacked(1, 1, known);
        let id = posted_id(&page.0.update(Event::Attack));
        for slot in Slot::ALL {
            let step = Step { top: guesses(1), no_gradient: true, ..*step(10, 10) };
            page.hear(Reply::Step { id, slot, step: Box::new(step) });
            page.hear(Reply::Noise { id, slot, best: guesses(1)[0] });
        }
        page.hear(Reply::Finished { id });
        assert_eq!(page.0.verdict(Slot::Left), Some(Verdict::NoGradient));
        assert_eq!(page.0.chip(Slot::Right), "no gradient");
        assert!(page.0.verdict_words(Slot::Left).unwrap().contains("nothing to follow"));
    }
}

#[test]
fn noise_is_judged_like_an_attack() {
    assert_eq!(attacked(1, 0, true).0.noise_verdict(Slot::Left), Some(Verdict::Held));
    assert_eq!(attacked(0, 1, true).0.noise_verdict(Slot::Left), Some(Verdict::WrongAlready { changed: false }));
    assert_eq!(attacked(0, 1, false).0.noise_verdict(Slot::Left), Some(Verdict::Kept));
}

#[test]
fn a_verdict_is_of_the_attack_that_is_shown_whatever_is_set_since() {
    let mut page = attacked(0, 1, false);
    page.0.update(Event::Cancel);
    assert_eq!(page.0.verdict(Slot::Left), Some(Verdict::Changed));
    page.0.update(Event::Set(Change::Target(Some(1))));
    assert_eq!(page.0.verdict(Slot::Left), Some(Verdict::Changed), "it was not led there");
    let id = posted_id(&page.0.update(Event::Attack));
    assert_eq!(page.0.verdict(Slot::Left), None, "not attacked yet");
    page.hear(Reply::Step { id, slot: Slot::Left, step: step(1, 10) });
    assert_eq!(page.0.verdict(Slot::Left), Some(Verdict::Led));
    assert_eq!(page.0.verdict_words(Slot::Left).as_deref(), Some("It said goldfish, and now says tabby, the target."));
}
