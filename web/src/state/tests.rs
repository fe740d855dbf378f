use std::sync::Arc;

use super::*;
use crate::protocol::{Catalogue, Guess, Pixels, Reply, Slot, Step, Verdict};

fn report(backend: Backend) -> BackendReport {
    BackendReport { backend, adapter: None, software: false, reason: "because".into() }
}

fn catalogue() -> Box<Catalogue> {
    let class = |wnid: &str, name: &str| ClassLabel { wnid: wnid.into(), name: name.into() };
    let info =
        || ModelInfo { architecture: "WRN-10-2".into(), weights_bytes: 1, recipe: "normal".into(), scores: Vec::new() };
    Box::new(Catalogue {
        classes: vec![class("n01443537", "goldfish, Carassius auratus"), class("n02123045", "tabby, tabby cat")],
        models: [info(), info()],
        resources: Vec::new(),
    })
}

fn candidate(title: &str) -> Candidate {
    Candidate {
        bytes: Arc::from([1, 2, 3]),
        title: title.into(),
        label: Some("n02123045".into()),
        source: None,
        sample: None,
        preview_url: Some(format!("blob:{title}")),
    }
}

fn picked(title: &str) -> Event {
    Event::Picked { candidate: candidate(title), automatic: false }
}

fn guesses(best: usize) -> Vec<Guess> {
    vec![Guess { class: best, share: 0.6 }, Guess { class: 1 - best, share: 0.4 }]
}

fn step(done: u32, total: u32) -> Box<Step> {
    Box::new(Step {
        done,
        total,
        attacked: Pixels(vec![9]),
        perturbation: Pixels(vec![8]),
        gain: 15.0,
        largest_change: 4,
        top: guesses(1),
        verdict: Verdict::Fooled,
        elapsed_ms: 10.0,
    })
}

/// A page with its engine, which says things through `hear`.
struct Page(State);

impl Page {
    fn new(choice: BackendChoice) -> Self {
        Self(State::new(choice))
    }

    fn hear(&mut self, reply: Reply) -> Vec<Effect> {
        let generation = self.0.generation;
        self.0.update(Event::Engine { generation, reply })
    }

    fn start(&mut self, backend: Backend) -> Vec<Effect> {
        self.hear(Reply::Loaded);
        self.hear(Reply::Backend(report(backend)));
        self.hear(Reply::Ready(catalogue()))
    }

    /// Opens a picture that both networks take for a goldfish; gives the request's id.
    fn open(&mut self, title: &str) -> RequestId {
        let id = posted_id(&self.0.update(picked(title)));
        self.answer(id);
        id
    }

    fn answer(&mut self, id: RequestId) -> Vec<Effect> {
        self.hear(Reply::Seen { id, pixels: Pixels(vec![5]), original_size: None });
        self.hear(Reply::Classified { id, slot: Slot::Standard, top: guesses(0), elapsed_ms: 1.0 });
        self.hear(Reply::Classified { id, slot: Slot::Hardened, top: guesses(0), elapsed_ms: 1.0 })
    }

    fn ready(backend: Backend) -> Self {
        let mut page = Self::new(BackendChoice::Auto);
        page.start(backend);
        page.open("cat");
        page
    }
}

fn posted(effects: &[Effect]) -> Option<&Request> {
    effects.iter().find_map(|effect| match effect {
        Effect::Post(request) => Some(request),
        _ => None,
    })
}

fn posted_id(effects: &[Effect]) -> RequestId {
    match posted(effects) {
        Some(Request::Open { id, .. } | Request::Attack { id, .. }) => *id,
        other => panic!("no request with an id, but {other:?}"),
    }
}

fn watch(effects: &[Effect]) -> Option<(u32, Event)> {
    effects.iter().find_map(|effect| match effect {
        Effect::After { ms, event: event @ Event::Silence { .. } } => Some((*ms, event.clone())),
        _ => None,
    })
}

#[test]
fn nothing_is_posted_before_the_worker_listens() {
    let mut page = Page::new(BackendChoice::Cpu);
    assert_eq!(posted(&page.0.update(picked("early"))), None);
    assert!(matches!(posted(&page.hear(Reply::Loaded)), Some(Request::Start { choice: BackendChoice::Cpu, .. })));
    page.hear(Reply::Backend(report(Backend::Cpu)));
    let effects = page.hear(Reply::Ready(catalogue()));
    assert!(matches!(posted(&effects), Some(Request::Open { bytes, .. }) if bytes == &[1, 2, 3]));
}

#[test]
fn a_picture_is_seen_then_classified() {
    let mut page = Page::new(BackendChoice::Auto);
    page.start(Backend::Cpu);
    let id = posted_id(&page.0.update(picked("cat")));
    assert_eq!(page.0.work(), Work::Opening);
    page.hear(Reply::Seen { id, pixels: Pixels(vec![5]), original_size: Some((640, 480)) });
    assert_eq!((page.0.work(), page.0.pictures_opened, page.0.label()), (Work::Classifying, 1, Some(1)));
    assert!(!page.0.can_attack());
    page.hear(Reply::Classified { id, slot: Slot::Standard, top: guesses(0), elapsed_ms: 1.0 });
    assert_eq!(page.0.columns[0].progress, Progress::Clean);
    assert_eq!(page.0.columns[1].progress, Progress::Classifying);
    page.hear(Reply::Classified { id, slot: Slot::Hardened, top: guesses(1), elapsed_ms: 1.0 });
    assert_eq!(page.0.work(), Work::Idle);
    assert!(page.0.can_attack());
}

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
    page.hear(Reply::Step { id: old, slot: Slot::Standard, step: step(3, 10) });
    page.hear(Reply::Finished { id: old });
    page.hear(Reply::Seen { id: old, pixels: Pixels(vec![0]), original_size: None });
    page.hear(Reply::BadPicture { id: old, message: "no".into() });
    page.0.pulse = before.pulse;
    assert_eq!(page.0, before);

    let generation = page.0.generation - 1;
    page.0.update(Event::Engine { generation, reply: Reply::Panicked("late".into()) });
    assert_eq!(page.0, before);
}

#[test]
fn cancelling_keeps_what_was_reached_and_only_that() {
    let mut page = Page::ready(Backend::Cpu);
    let id = posted_id(&page.0.update(Event::Attack));
    page.hear(Reply::Step { id, slot: Slot::Standard, step: step(2, 10) });
    assert_eq!(posted(&page.0.update(Event::Cancel)), Some(&Request::Cancel));
    page.hear(Reply::Step { id, slot: Slot::Standard, step: step(3, 10) });
    assert_eq!((page.0.columns[0].progress, page.0.columns[0].steps_done), (Progress::Stopped, 2));
    assert_eq!((page.0.columns[1].progress, &page.0.columns[1].step), (Progress::Clean, &None));
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
fn settings_stay_in_range() {
    let mut page = Page::ready(Backend::Cpu);
    for change in [Change::Epsilon(200), Change::Steps(0), Change::Target(Some(5))] {
        page.0.update(Event::Set(change));
    }
    assert_eq!((page.0.settings.epsilon_255, page.0.settings.steps, page.0.settings.target), (32, 1, None));
    page.0.update(Event::Set(Change::Target(Some(1))));
    assert_eq!(page.0.settings.target, Some(1));
}

#[test]
fn a_bad_file_leaves_the_picture_and_says_why() {
    let mut page = Page::ready(Backend::Cpu);
    let before = (page.0.picture.clone(), page.0.columns.clone());
    let id = posted_id(&page.0.update(picked("notes.jpg")));
    let effects = page.hear(Reply::BadPicture { id, message: "This is not a picture.".into() });
    assert_eq!(effects, [Effect::RevokeUrl("blob:notes.jpg".into())]);
    assert_eq!(page.0.alert.as_deref(), Some("notes.jpg: This is not a picture."));
    assert_eq!((page.0.picture.clone(), page.0.columns.clone()), before);
    assert!(page.0.can_attack());
    page.0.update(Event::Dismiss);
    assert_eq!(page.0.alert, None);
}

#[test]
fn a_new_picture_stops_the_attack_and_frees_the_old_preview() {
    let mut page = Page::ready(Backend::Cpu);
    page.0.update(Event::Attack);
    let id = posted_id(&page.0.update(picked("dog")));
    let effects = page.hear(Reply::Seen { id, pixels: Pixels(vec![6]), original_size: None });
    assert_eq!(effects, [Effect::RevokeUrl("blob:cat".into())]);
    assert_eq!(page.0.columns[0], Column { progress: Progress::Classifying, ..Column::default() });
}

#[test]
fn webgpu_is_given_up_for_the_cpu_and_the_work_goes_on() {
    let mut page = Page::ready(Backend::WebGpu);
    page.0.update(Event::Attack);
    let effects = page.hear(Reply::Logged { target: "cubecl_wgpu::x".into(), message: "shader\n rejected".into() });
    assert_eq!(effects, [Effect::StartWorker(2)]);
    assert_eq!(page.0.effective_choice(), BackendChoice::Cpu);
    assert!(page.0.backend_reason().contains("shader rejected"), "{}", page.0.backend_reason());
    let id = posted_id(&page.start(Backend::Cpu));
    let effects = page.answer(id);
    assert!(matches!(posted(&effects), Some(Request::Attack { .. })), "{effects:?}");
    assert_eq!(page.0.picture.as_ref().map(|shown| shown.candidate.title.as_str()), Some("cat"));
}

#[test]
fn a_failed_self_test_falls_back() {
    let mut page = Page::new(BackendChoice::WebGpu);
    page.hear(Reply::Loaded);
    page.hear(Reply::Backend(report(Backend::WebGpu)));
    page.hear(Reply::SelfTest(Slot::Standard));
    assert_eq!(page.hear(Reply::WebGpuFailed("the self-test failed.".into())), [Effect::StartWorker(2)]);
    assert!(matches!(posted(&page.hear(Reply::Loaded)), Some(Request::Start { choice: BackendChoice::Cpu, .. })));
    page.0.update(Event::Choose(BackendChoice::WebGpu));
    assert_eq!(page.0.effective_choice(), BackendChoice::WebGpu, "asking again tries again");
}

#[test]
fn a_silent_gpu_is_given_up_but_a_slow_cpu_is_not() {
    let mut page = Page::ready(Backend::WebGpu);
    let (_, silence) = watch(&page.0.update(Event::Attack)).expect("an attack on WebGPU is watched");
    let id = page.0.last_id;
    let effects = page.hear(Reply::Step { id, slot: Slot::Standard, step: step(1, 10) });
    assert_eq!(page.0.update(silence), [], "a step is a sign of life");
    let (_, silence) = watch(&effects).expect("and watched anew");
    assert_eq!(page.0.update(silence), [Effect::StartWorker(2)]);

    let mut page = Page::ready(Backend::Cpu);
    assert_eq!(watch(&page.0.update(Event::Attack)), None);
}

#[test]
fn an_idle_gpu_is_not_watched() {
    let mut page = Page::new(BackendChoice::Auto);
    assert!(watch(&page.hear(Reply::Loaded)).is_some(), "opening a device may hang");
    page.hear(Reply::Backend(report(Backend::WebGpu)));
    assert!(watch(&page.hear(Reply::SelfTest(Slot::Standard))).is_some());
    assert_eq!(watch(&page.hear(Reply::Ready(catalogue()))), None);
}

#[test]
fn a_crash_on_the_cpu_drops_the_picture_and_is_not_repeated_for_ever() {
    let mut page = Page::ready(Backend::Cpu);
    for generation in [2, 3] {
        let effects = page.hear(Reply::Panicked("index out of bounds".into()));
        assert!(effects.contains(&Effect::StartWorker(generation)), "{effects:?}");
        assert!(page.0.picture.is_none() && page.0.alert.is_some());
        assert_eq!(posted(&page.start(Backend::Cpu)), None);
    }
    assert_eq!(page.hear(Reply::Panicked("index out of bounds".into())), []);
    assert!(matches!(page.0.phase, Phase::Failed(_)));
}

#[test]
fn a_missing_worker_script_is_told() {
    let mut page = Page::new(BackendChoice::Auto);
    page.0.update(Event::WorkerBroke { generation: 1, message: "404".into() });
    assert!(matches!(&page.0.phase, Phase::Failed(why) if why.contains("404")));
}

#[test]
fn the_first_sample_is_shown_unless_the_visitor_was_quicker() {
    let sample = || {
        vec![Sample { file: "a.png".into(), label: None, title: "a".into(), source: None, folder: "samples/".into() }]
    };
    let mut page = Page::new(BackendChoice::Auto);
    assert_eq!(page.0.update(Event::SamplesListed(sample())), [Effect::FetchSample(0)]);
    page.0.update(picked("mine"));
    let late = Event::Picked { candidate: candidate("a"), automatic: true };
    assert_eq!(page.0.update(late), [Effect::RevokeUrl("blob:a".into())]);
    let effects = page.start(Backend::Cpu);
    assert!(page.0.opening.as_ref().is_some_and(|(_, candidate)| candidate.title == "mine"), "{effects:?}");
    let mut page = Page::new(BackendChoice::Auto);
    page.0.update(picked("mine"));
    assert_eq!(page.0.update(Event::SamplesListed(sample())), []);
}
