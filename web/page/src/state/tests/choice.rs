//! Which two networks stand side by side: chosen, asked for, loaded, refused, remembered.

use super::*;
use protocol::{OTHER_CLASSES, Pair, Training};

const LARGE: u64 = 70_100_000;

fn pair(left: &str, right: &str) -> Pair {
    [left.into(), right.into()]
}

/// Three small networks, a large one, and one that cannot be used.
fn networks() -> Vec<Listed> {
    let broken = Listed { folder: "broken".into(), offer: Err("The broken network is broken.".into()) };
    let small = ["standard", "hardened", "third"].map(|folder| offered(folder, 1_000_000));
    small.into_iter().chain([offered("wide", LARGE), broken]).collect()
}

fn with(folder: &str, change: impl Fn(&mut Offer)) -> Vec<Listed> {
    let mut networks = networks();
    let found = networks.iter_mut().find(|network| network.folder == folder).unwrap();
    change(found.offer.as_mut().unwrap());
    networks
}

/// A page whose engine has listed these, after a visit on which this pair was wanted; and what it does about it.
fn listing(networks: Vec<Listed>, remembered: Option<Pair>) -> (Page, Vec<Effect>) {
    let mut page = Page(State::new(BackendChoice::Cpu).remembering(remembered));
    page.hear(Reply::Loaded);
    page.hear(Reply::Backend(report(Backend::Cpu)));
    let effects = page.hear(Reply::Listed(networks));
    (page, effects)
}

/// A page that shows the first two, and a picture.
fn ready() -> Page {
    let (mut page, _) = listing(networks(), None);
    page.loaded(catalogue());
    page.open("cat");
    page
}

fn asked_to_load(effects: &[Effect]) -> Option<&Pair> {
    match posted(effects) {
        Some(Request::Load { pair, .. }) => Some(pair),
        _ => None,
    }
}

fn remembered(effects: &[Effect]) -> Option<&Option<Pair>> {
    effects.iter().find_map(|effect| match effect {
        Effect::RememberPair(pair) => Some(pair),
        _ => None,
    })
}

impl Page {
    fn choose_network(&mut self, slot: Slot, folder: &str) -> Vec<Effect> {
        self.0.update(Event::ChooseNetwork { slot, folder: folder.into() })
    }

    fn wanted(&self) -> Pair {
        Slot::ALL.map(|slot| self.0.wanted(slot).unwrap().to_owned())
    }

    fn shown(&self) -> Pair {
        Slot::ALL.map(|slot| self.0.shown(slot).unwrap().to_owned())
    }

    fn pending(&self) -> [&'static str; 2] {
        Slot::ALL.map(|slot| self.0.pending(slot).map_or("", |pending| pending.name()))
    }

    fn not_loaded(&mut self, slot: Slot) -> Vec<Effect> {
        let id = self.0.engine.last_id;
        self.hear(Reply::NotLoaded { id, slot, message: "It broke off.".into() })
    }
}

#[test]
fn the_first_two_stand_side_by_side_at_first() {
    let (page, effects) = listing(networks(), None);
    assert_eq!(asked_to_load(&effects), Some(&pair("standard", "hardened")));
    assert_eq!((page.pending(), page.0.is_starting()), (["", ""], true));
    assert!(page.0.can_choose() && page.0.are_small());
    let (page, _) = listing(networks()[..2].to_vec(), None);
    assert!(!page.0.can_choose(), "there is nothing else");
}

#[test]
fn before_the_list_is_here_the_page_reads_as_with_the_usual_two() {
    let page = Page::new(BackendChoice::Auto);
    assert_eq!(Slot::ALL.map(|slot| page.0.title(slot)), ["Standard", "Hardened"]);
    assert_eq!(Slot::ALL.map(|slot| page.0.training(slot)), [Training::Ordinary, Training::Attacked]);
    assert!(page.0.is_starting());
}

#[test]
fn what_was_wanted_before_is_wanted_again_as_far_as_it_is_there() {
    let wanted = |left, right| listing(networks(), Some(pair(left, right))).0.wanted();
    assert_eq!(wanted("third", "standard"), pair("third", "standard"));
    assert_eq!(wanted("gone", "third"), pair("standard", "third"));
    assert_eq!(wanted("standard", "broken"), pair("standard", "hardened"));
    assert_eq!(wanted("hardened", "hardened"), pair("hardened", "standard"));
    assert_eq!(wanted("gone", "broken"), pair("standard", "hardened"));
    let others = with("hardened", |offer| offer.class_set = 1);
    assert_eq!(listing(others, None).0.wanted(), pair("standard", "third"), "they can be compared");
}

#[test]
fn a_broken_one_does_not_take_the_page_down() {
    let broken = networks().pop().unwrap();
    let (_, effects) = listing(vec![broken.clone(), offered("standard", 1), offered("third", 1)], None);
    assert_eq!(asked_to_load(&effects), Some(&pair("standard", "third")));
    let (page, effects) = listing(vec![broken], None);
    assert_eq!(effects, []);
    assert_eq!(page.0.engine.phase, Phase::Failed("The broken network is broken.".into()));
    let (page, _) = listing(Vec::new(), None);
    assert!(matches!(&page.0.engine.phase, Phase::Failed(why) if why.contains("lists no network")));
}

/// A catalogue of one network, without that of a place.
fn without(slot: Slot) -> Box<Catalogue> {
    let mut catalogue = catalogue();
    catalogue.models[slot.index()] = Err("It is gone.".into());
    catalogue
}

#[test]
fn one_network_works_alone() {
    let broken = networks().pop().unwrap();
    for (list, places, alone) in [
        (vec![offered("standard", 1), broken.clone()], pair("standard", "broken"), Slot::Left),
        (vec![broken, offered("standard", 1)], pair("broken", "standard"), Slot::Right),
        (vec![offered("standard", 1)], pair("standard", ""), Slot::Left),
    ] {
        let other = alone.other();
        let (mut page, effects) = listing(list, None);
        assert_eq!(asked_to_load(&effects), Some(&places));
        page.loaded(without(other));
        assert_eq!(page.0.engine.phase, Phase::Ready);
        assert_eq!(page.0.missing(other), Some("It is gone."));
        assert_eq!(page.0.pending(other), Some(Pending::Failed("It is gone.".into())));
        assert_eq!(page.0.pending(alone), None);

        let id = posted_id(&page.choose("cat"));
        page.see(id);
        page.hear(Reply::Classified { id, slot: alone, top: guesses(0), elapsed_ms: 100.0 });
        assert!(page.0.can_attack(), "nothing is waited for");
        let id = posted_id(&page.0.update(Event::Attack));
        page.hear(Reply::Step { id, slot: alone, step: step(1, 1) });
        page.hear(Reply::Finished { id });
        let progress = |slot: Slot| page.0.columns[slot.index()].progress;
        assert_eq!((progress(alone), progress(other)), (Progress::Done, Progress::Empty));
        assert!(page.0.verdict(alone).is_some() && page.0.verdict(other).is_none());
        // A card that could not be had is asked for again by a fresh engine.
        assert!(page.0.update(Event::GoOn).contains(&Effect::StartWorker(2)));
    }
}

#[test]
fn a_network_alone_gets_company_by_another_try_or_another_choice() {
    let alone = || {
        let (mut page, _) = listing(networks(), None);
        page.0.attack.settings.crafted_on = Some(Slot::Right);
        page.loaded(without(Slot::Right));
        assert_eq!(page.0.attack.settings.crafted_on, None, "there are no gradients of it");
        assert_eq!(page.pending(), ["", "failed"]);
        page
    };
    let mut page = alone();
    assert_eq!(asked_to_load(&page.0.update(Event::GoOn)), Some(&pair("standard", "hardened")));
    assert_eq!(page.pending(), ["", "loading"]);
    page.loaded(without(Slot::Right));
    assert_eq!(page.pending(), ["", "failed"]);
    page.0.update(Event::GoOn);
    page.loaded(catalogue());
    assert_eq!((page.pending(), page.0.missing(Slot::Right)), (["", ""], None));

    let mut page = alone();
    assert_eq!(asked_to_load(&page.choose_network(Slot::Right, "third")), Some(&pair("standard", "third")));
    page.loaded(catalogue());
    assert_eq!((page.pending(), page.shown()), (["", ""], pair("standard", "third")));

    // A pair that was good is better than one network.
    let mut page = ready();
    page.choose_network(Slot::Right, "third");
    assert_eq!(asked_to_load(&page.loaded(without(Slot::Right))), Some(&pair("standard", "hardened")));
}

#[test]
fn a_small_network_is_loaded_at_once_and_ends_the_attack() {
    let mut page = ready();
    page.0.update(Event::Attack);
    let effects = page.choose_network(Slot::Right, "third");
    assert_eq!(asked_to_load(&effects), Some(&pair("standard", "third")));
    assert_eq!((page.0.work(), page.0.can_attack(), page.pending()), (Work::Idle, false, ["", "loading"]));
    assert_eq!(page.0.columns[1], Column::default(), "what is shown there is another network's");
    assert_eq!((page.shown(), page.0.is_starting()), (pair("standard", "hardened"), false));
    let effects = page.loaded(catalogue());
    assert_eq!(remembered(&effects), Some(&Some(pair("standard", "third"))));
    assert_eq!((page.shown(), page.0.title(Slot::Right)), (pair("standard", "third"), "The third".into()));
    let effects = page.answer(posted_id(&effects));
    assert_eq!(posted(&effects), None, "the attack is not begun again");
    assert!(page.0.can_attack() && page.pending() == ["", ""]);

    let effects = page.choose_network(Slot::Right, "hardened");
    assert!(asked_to_load(&effects).is_some());
    assert_eq!(remembered(&page.loaded(catalogue())), Some(&None), "the usual pair");
}

#[test]
fn no_network_stands_beside_itself_and_none_that_is_broken_is_chosen() {
    let mut page = ready();
    for folder in ["hardened", "broken", "gone"] {
        assert_eq!(page.choose_network(Slot::Left, folder), [], "{folder}");
        assert_eq!(page.wanted(), pair("standard", "hardened"));
    }
}

#[test]
fn a_large_network_is_not_downloaded_before_the_visitor_says_so() {
    let mut page = ready();
    page.0.update(Event::Attack);
    assert_eq!(page.choose_network(Slot::Left, "wide"), []);
    assert_eq!((page.pending(), page.0.work()), (["asking", ""], Work::Attacking));
    assert_eq!(page.shown(), pair("standard", "hardened"), "which can be attacked meanwhile");
    let effects = page.0.update(Event::GoOn);
    assert_eq!(asked_to_load(&effects), Some(&pair("wide", "hardened")));
    assert_eq!((page.pending(), page.0.work()), (["loading", ""], Work::Idle));
    page.loaded(catalogue());
    assert!(!page.0.are_small() && page.pending() == ["", ""]);

    let mut page = ready();
    page.choose_network(Slot::Left, "wide");
    assert_eq!(page.0.update(Event::Stay), []);
    assert_eq!((page.wanted(), page.pending()), (pair("standard", "hardened"), ["", ""]));
}

#[test]
fn what_is_kept_in_full_is_loaded_at_once_and_of_what_is_kept_in_part_the_rest_is_asked_for() {
    let (mut page, _) = listing(with("wide", |offer| offer.kept_bytes = LARGE), Some(pair("wide", "standard")));
    assert_eq!(page.pending(), ["loading", ""]);
    page.loaded(catalogue());
    let (mut page, effects) = listing(networks(), Some(pair("wide", "standard")));
    assert_eq!((effects, page.pending(), page.0.engine.phase.clone()), (vec![], ["asking", ""], Phase::Asking));
    page.hear(Reply::Kept { folder: "wide".into(), bytes: 45_000_000 });
    assert!(matches!(page.0.pending(Slot::Left), Some(Pending::Asking(offer)) if offer.kept_bytes == 45_000_000));
    assert_eq!(asked_to_load(&page.choose_network(Slot::Left, "third")), Some(&pair("third", "standard")));
}

#[test]
fn a_download_can_be_cancelled() {
    let mut page = ready();
    page.choose_network(Slot::Left, "wide");
    page.0.update(Event::GoOn);
    let late = page.0.engine.last_id;
    let effects = page.0.update(Event::Stay);
    assert_eq!(asked_to_load(&effects), Some(&pair("standard", "hardened")), "which ends the download");
    assert_eq!(page.hear(Reply::Ready { id: late, catalogue: catalogue() }), [], "nobody waits for it any more");
    let effects = page.loaded(catalogue());
    page.answer(posted_id(&effects));
    assert!(page.0.can_attack() && page.shown() == pair("standard", "hardened"));
    page.choose_network(Slot::Left, "wide");
    assert_eq!(page.pending(), ["asking", ""], "it is asked for again");

    let (mut page, _) = listing(networks(), Some(pair("wide", "standard")));
    page.0.update(Event::GoOn);
    assert_eq!(page.0.update(Event::Stay), [Effect::Post(Request::Cancel)]);
    assert_eq!((page.pending(), page.0.engine.phase.clone()), (["asking", ""], Phase::Asking));
}

#[test]
fn a_download_that_failed_can_be_tried_again() {
    let mut page = ready();
    page.choose_network(Slot::Left, "wide");
    page.0.update(Event::GoOn);
    let effects = page.not_loaded(Slot::Left);
    assert_eq!(asked_to_load(&effects), Some(&pair("standard", "hardened")), "part of which may be gone");
    page.loaded(catalogue());
    assert_eq!((page.pending(), page.0.engine.phase.clone()), (["failed", ""], Phase::Ready));
    assert_eq!(page.0.pending(Slot::Left), Some(Pending::Failed("It broke off.".into())));
    assert_eq!(asked_to_load(&page.0.update(Event::GoOn)), Some(&pair("wide", "hardened")));
    page.not_loaded(Slot::Left);
    page.loaded(catalogue());
    assert_eq!(page.0.update(Event::Stay), []);
    assert_eq!((page.pending(), page.wanted()), (["", ""], pair("standard", "hardened")));
}

#[test]
fn a_page_that_has_no_networks_at_all_fails_and_tries_again() {
    let (mut page, _) = listing(networks(), None);
    assert_eq!(page.not_loaded(Slot::Right), []);
    assert_eq!(page.0.engine.phase, Phase::Failed("It broke off.".into()));
    assert!(page.0.lacks_networks() && page.pending() == ["", ""]);
    assert_eq!(asked_to_load(&page.0.update(Event::GoOn)), Some(&pair("standard", "hardened")));
    page.not_loaded(Slot::Right);
    assert_eq!(asked_to_load(&page.choose_network(Slot::Right, "third")), Some(&pair("standard", "third")));
    page.hear(Reply::Failed("It is over.".into()));
    assert!(!page.0.lacks_networks());
    assert!(page.0.update(Event::GoOn).contains(&Effect::StartWorker(2)));
}

#[test]
fn networks_that_know_other_classes_are_not_compared_but_can_be_chosen_one_by_one() {
    let mut networks = with("third", |offer| offer.class_set = 2);
    networks.push(offered("fourth", 1));
    networks.last_mut().unwrap().offer.as_mut().unwrap().class_set = 2;
    let (mut page, _) = listing(networks.clone(), None);
    page.loaded(catalogue());
    assert_eq!(page.choose_network(Slot::Left, "third"), []);
    assert_eq!(page.pending(), ["unfit", ""]);
    assert_eq!(page.0.pending(Slot::Left), Some(Pending::Unfit(OTHER_CLASSES.into())));
    assert_eq!(asked_to_load(&page.choose_network(Slot::Right, "fourth")), Some(&pair("third", "fourth")));
    page.0.attack.settings.target = Some(1);
    let other = Class { wnid: "n1".into(), name: "beacon".into() };
    page.loaded(Box::new(Catalogue { classes: vec![other.clone(), other], ..*catalogue() }));
    assert_eq!(page.0.attack.settings.target, None, "it was another class");

    networks.truncate(1);
    networks.push(offered("fourth", 1));
    networks[1].offer.as_mut().unwrap().class_set = 1;
    let (page, effects) = listing(networks, None);
    assert_eq!((effects, page.0.engine.phase), (vec![], Phase::Failed(OTHER_CLASSES.into())));
}

#[test]
fn another_backend_loads_the_pair_again_and_the_attack_goes_on() {
    let mut page = ready();
    page.choose_network(Slot::Left, "wide");
    page.0.update(Event::GoOn);
    let effects = page.loaded(catalogue());
    page.answer(posted_id(&effects));
    page.0.update(Event::Attack);
    page.0.update(Event::Choose(BackendChoice::WebGpu));
    assert!(page.0.is_starting() && page.shown() == pair("wide", "hardened"));
    page.hear(Reply::Loaded);
    page.hear(Reply::Backend(report(Backend::WebGpu)));
    let effects = page.hear(Reply::Listed(networks()));
    assert_eq!(asked_to_load(&effects), Some(&pair("wide", "hardened")), "it was agreed to");
    let effects = page.loaded(catalogue());
    let effects = page.answer(posted_id(&effects));
    assert!(matches!(posted(&effects), Some(Request::Attack { .. })), "{effects:?}");
}

#[test]
fn a_crash_over_a_new_network_brings_the_old_ones_back() {
    let mut page = ready();
    page.choose_network(Slot::Right, "third");
    page.hear(Reply::Panicked("out of memory".into()));
    page.hear(Reply::Loaded);
    page.hear(Reply::Backend(report(Backend::Cpu)));
    let effects = page.hear(Reply::Listed(networks()));
    assert_eq!(asked_to_load(&effects), Some(&pair("standard", "hardened")));
    page.loaded(catalogue());
    assert_eq!(page.pending(), ["", "failed"]);
}

#[test]
fn webgpu_is_not_given_up_over_a_new_network() {
    let failures: [fn(&mut Page) -> Vec<Effect>; 3] = [
        |page| page.hear(Reply::WebGpuFailed("it is out of memory.".into())),
        |page| page.hear(Reply::Panicked("out of memory".into())),
        |page| page.hear(Reply::Logged { target: "wgpu_core".into(), message: "out of memory".into() }),
    ];
    for fail in failures {
        let mut page = Page(State::new(BackendChoice::Auto));
        page.hear(Reply::Loaded);
        page.hear(Reply::Backend(report(Backend::WebGpu)));
        page.hear(Reply::Listed(networks()));
        page.loaded(catalogue());
        page.open("cat");
        page.choose_network(Slot::Right, "wide");
        page.0.update(Event::GoOn);
        assert!(restarts(&fail(&mut page)));
        assert_eq!((page.0.engine.fallback.clone(), page.0.effective_choice()), (None, BackendChoice::Auto));
        page.hear(Reply::Loaded);
        page.hear(Reply::Backend(report(Backend::WebGpu)));
        let effects = page.hear(Reply::Listed(networks()));
        assert_eq!(asked_to_load(&effects), Some(&pair("standard", "hardened")));
        let effects = page.loaded(catalogue());
        assert!(matches!(posted(&effects), Some(Request::Open { .. })), "the picture is there still: {effects:?}");
        assert_eq!(page.pending(), ["", "failed"]);
        let Some(Pending::Failed(why)) = page.0.pending(Slot::Right) else { panic!("not told") };
        assert!(why.contains("WebGPU") && why.contains("out of memory"), "{why}");

        page.0.update(Event::GoOn);
        fail(&mut page);
        page.hear(Reply::Loaded);
        page.hear(Reply::Backend(report(Backend::WebGpu)));
        page.hear(Reply::Listed(networks()));
        fail(&mut page);
        assert_eq!(page.0.effective_choice(), BackendChoice::Cpu, "the first ones fail as well");
    }
}

#[test]
fn the_network_that_is_tested_is_the_one_that_failed() {
    let mut page = ready();
    page.choose_network(Slot::Left, "third");
    page.choose_network(Slot::Right, "wide");
    page.0.update(Event::GoOn);
    let id = page.0.engine.last_id;
    page.hear(Reply::SelfTest { id, slot: Slot::Right });
    page.hear(Reply::Panicked("out of memory".into()));
    page.hear(Reply::Loaded);
    page.hear(Reply::Backend(report(Backend::Cpu)));
    page.hear(Reply::Listed(networks()));
    page.loaded(catalogue());
    assert_eq!(page.pending(), ["", "failed"]);
}
