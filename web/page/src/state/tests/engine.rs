//! The engine: started, given up, restarted, failed.

use protocol::{Adapter, Measured};

use super::*;

#[test]
fn nothing_is_posted_before_the_worker_listens() {
    let mut page = Page::new(BackendChoice::Cpu);
    assert_eq!(posted(&page.choose("early")), None);
    assert!(matches!(posted(&page.hear(Reply::Loaded)), Some(Request::Start { choice: BackendChoice::Cpu, .. })));
    page.hear(Reply::Backend(report(Backend::Cpu)));
    assert!(matches!(posted(&page.list()), Some(Request::Load { .. })));
    let effects = page.loaded(catalogue());
    assert!(matches!(posted(&effects), Some(Request::Open { pixels, .. }) if *pixels == Pixels(vec![4])));
}

#[test]
fn webgpu_is_given_up_for_the_cpu_and_the_work_goes_on() {
    let mut page = Page::ready(Backend::WebGpu);
    page.0.update(Event::Attack);
    let effects = page.hear(Reply::Logged { target: "cubecl_wgpu::x".into(), message: "shader\n rejected".into() });
    assert!(restarts(&effects));
    assert_eq!(page.0.effective_choice(), BackendChoice::Cpu);
    assert!(page.0.backend_reason().contains("shader rejected"), "{}", page.0.backend_reason());
    let id = posted_id(&page.start(Backend::Cpu));
    let effects = page.answer(id);
    assert!(matches!(posted(&effects), Some(Request::Attack { .. })), "{effects:?}");
    assert_eq!(page.title(), Some("cat"));
}

#[test]
fn a_failed_self_test_falls_back() {
    let mut page = Page::new(BackendChoice::WebGpu);
    page.hear(Reply::Loaded);
    page.hear(Reply::Backend(report(Backend::WebGpu)));
    page.list();
    page.self_test();
    assert!(restarts(&page.hear(Reply::WebGpuFailed("the self-test failed.".into()))));
    assert!(matches!(posted(&page.hear(Reply::Loaded)), Some(Request::Start { choice: BackendChoice::Cpu, .. })));
    page.0.update(Event::Choose(BackendChoice::WebGpu));
    assert_eq!(page.0.effective_choice(), BackendChoice::WebGpu, "asking again tries again");
}

#[test]
fn a_silent_engine_is_given_up_but_a_slow_one_is_not() {
    let mut page = Page::ready(Backend::WebGpu);
    let (_, silence) = watch(&page.0.update(Event::Attack)).expect("an attack on WebGPU is watched");
    let id = page.0.engine.last_id;
    let effects = page.hear(Reply::Step { id, slot: Slot::Left, step: step(1, 10) });
    assert_eq!(page.0.update(silence), [], "a step is a sign of life");
    let (_, silence) = watch(&effects).expect("and watched anew");
    assert!(restarts(&page.0.update(silence)));

    let mut page = Page::ready(Backend::Cpu);
    let (_, silence) = watch(&page.0.update(Event::Attack)).expect("an attack on the CPU as well");
    assert!(page.0.update(silence).contains(&Effect::StartWorker(2)));
    let why = page.0.alert.clone().unwrap();
    assert!(why.contains("started again") && why.contains("seconds"), "{why}");
    let id = posted_id(&page.start(Backend::Cpu));
    assert!(matches!(posted(&page.answer(id)), Some(Request::Attack { .. })), "it goes on");
}

#[test]
fn a_machine_that_sleeps_or_a_page_that_is_put_aside_is_no_silence() {
    let mut page = Page::ready(Backend::Cpu);
    let mut effects = page.0.update(Event::Attack);
    let mut parts = 0;
    while !effects.contains(&Effect::StartWorker(2)) {
        let part = effects.iter().find_map(|effect| match effect {
            Effect::After { ms, event: event @ Event::Silence { .. } } => Some((*ms, event.clone())),
            _ => None,
        });
        let (ms, event) = part.expect("it is watched further");
        assert!(ms <= 10_000, "one timer runs out at once when the machine wakes, and counts {ms} ms");
        parts += 1;
        effects = page.0.update(event);
    }
    assert!(parts >= 5, "{parts} parts");
}

#[test]
fn a_worker_that_ended_is_replaced_and_keeps_the_picture() {
    let ended = |page: &mut Page| {
        let generation = page.0.engine.generation;
        page.0.update(Event::WorkerEnded { generation })
    };
    let mut page = Page::ready(Backend::Cpu);
    page.0.update(Event::Attack);
    for generation in [2, 3] {
        assert!(ended(&mut page).contains(&Effect::StartWorker(generation)));
        assert!(page.0.alert.as_ref().is_some_and(|why| why.contains("ended without a word")));
        let id = posted_id(&page.start(Backend::Cpu));
        assert!(matches!(posted(&page.answer(id)), Some(Request::Attack { .. })));
        assert_eq!(page.title(), Some("cat"));
    }
    assert_eq!(page.0.update(Event::WorkerEnded { generation: 2 }), [], "an earlier one");
    assert_eq!(ended(&mut page), [], "not for ever");
    assert!(matches!(page.0.engine.phase, Phase::Failed(_)));
    assert!(page.0.update(Event::GoOn).contains(&Effect::StartWorker(4)), "unless the visitor wants it");
    let mut page = Page::ready(Backend::Cpu);
    assert!(ended(&mut page).contains(&Effect::StartWorker(2)), "an idle one");
}

#[test]
fn a_loader_that_does_not_come_is_told_and_a_slow_download_is_not() {
    let mut page = Page::new(BackendChoice::Auto);
    let effects = page.0.update(Event::Opened);
    assert!(effects.contains(&Effect::StartWorker(1)));
    let (before, silence) = watch(&effects).expect("the script may not come");
    let effects = page.0.update(Event::EngineComes { generation: 1, received: 0.0, total: 0.0, sent: 0.0 });
    let (after, _) = watch(&effects).expect("the program may not compile");
    assert!(before <= 20_000 && after > 60_000, "{before}, {after}");
    assert_eq!(page.0.update(silence), []);

    let mut page = Page::new(BackendChoice::Cpu);
    let (_, silence) = watch(&page.0.update(Event::Opened)).unwrap();
    page.0.update(silence);
    assert!(matches!(&page.0.engine.phase, Phase::Failed(why) if why.contains("seconds")));
    page.hear(Reply::Loaded);
    assert_eq!(page.0.engine.phase, Phase::OpeningDevice, "it came after all");
}

#[test]
fn an_idle_engine_is_not_watched() {
    let mut page = Page::new(BackendChoice::Auto);
    assert!(watch(&page.hear(Reply::Loaded)).is_some(), "opening a device may hang");
    page.hear(Reply::Backend(report(Backend::WebGpu)));
    assert_eq!(watch(&page.list()), None, "a download may take its time");
    assert!(watch(&page.self_test()).is_some());
    assert_eq!(watch(&page.loaded(catalogue())), None);
}

#[test]
fn a_crash_on_the_cpu_drops_the_picture_and_is_not_repeated_for_ever() {
    let mut page = Page::ready(Backend::Cpu);
    for generation in [2, 3] {
        let effects = page.hear(Reply::Panicked("index out of bounds".into()));
        assert!(effects.contains(&Effect::StartWorker(generation)), "{effects:?}");
        assert!(page.0.picture.shown.is_none() && page.0.alert.is_some());
        assert_eq!(posted(&page.start(Backend::Cpu)), None);
    }
    assert_eq!(page.hear(Reply::Panicked("index out of bounds".into())), []);
    assert!(matches!(page.0.engine.phase, Phase::Failed(_)));
    assert_eq!(page.0.work(), Work::Idle);
}

#[test]
fn a_missing_worker_script_is_told() {
    let mut page = Page::new(BackendChoice::Cpu);
    page.0.update(Event::WorkerBroke { generation: 1, message: "404".into() });
    assert!(matches!(&page.0.engine.phase, Phase::Failed(why) if why.contains("404")));
}

#[test]
fn an_engine_that_fails_for_good_leaves_nothing_under_way() {
    let mut page = Page::ready(Backend::Cpu);
    let id = posted_id(&page.0.update(Event::Attack));
    page.hear(Reply::Step { id, slot: Slot::Left, step: step(1, 10) });
    page.hear(Reply::Failed("It is over.".into()));
    assert_eq!(page.0.columns.each_ref().map(|column| column.progress), [Progress::Stopped, Progress::Clean]);
    assert_eq!((page.0.work(), page.0.can_attack()), (Work::Idle, false));

    let mut page = Page::ready(Backend::Cpu);
    let dog = posted_id(&page.choose("dog"));
    page.see(dog);
    page.hear(Reply::Failed("It is over.".into()));
    assert_eq!(page.0.columns.each_ref().map(|column| column.progress), [Progress::Empty; 2]);
}

#[test]
fn webgpu_on_demand_may_take_longer_to_open() {
    let limit = |choice| watch(&Page::new(choice).hear(Reply::Loaded)).map(|(ms, _)| ms);
    assert!(limit(BackendChoice::WebGpu) > limit(BackendChoice::Auto));
    assert!(limit(BackendChoice::Cpu).is_some());
}

#[test]
fn a_visit_is_kept_once_page_and_networks_are() {
    let mut page = Page::new(BackendChoice::Auto);
    page.list();
    page.loaded(Box::new(Catalogue { kept: false, ..*catalogue() }));
    page.0.update(Event::PageKept);
    assert!(!page.0.kept_offline(), "the networks are not kept");
    page.0.update(Event::Choose(BackendChoice::Cpu));
    page.start(Backend::Cpu);
    assert!(page.0.kept_offline());
    page.0.update(Event::PageForgotten);
    assert!(!page.0.kept_offline(), "the visitor had it removed");
    page.0.update(Event::Choose(BackendChoice::Auto));
    let effects = page.start(Backend::Cpu);
    assert!(
        !effects.iter().any(|effect| matches!(effect, Effect::KeepOffline(_))),
        "it is not kept again: {effects:?}"
    );
    let mut page = Page::new(BackendChoice::Auto);
    page.load();
    assert!(!page.0.kept_offline(), "the page is not kept");
}

#[test]
fn the_programs_download_is_told_in_the_bytes_that_are_sent() {
    let mut page = Page::new(BackendChoice::Cpu);
    let generation = page.0.engine.generation;
    let comes = |received, total, sent| Event::EngineComes { generation, received, total, sent };
    assert_eq!(page.0.engine.program, None);
    page.0.update(comes(2_500.0, 10_000.0, 400.0));
    assert_eq!(page.0.engine.program, Some(Coming { received: 100, total: 400 }), "packed");
    page.0.update(comes(2_500.0, 10_000.0, 0.0));
    assert_eq!(
        page.0.engine.program,
        Some(Coming { received: 2_500, total: 10_000 }),
        "its packed length is not known"
    );
    page.0.update(comes(2_500.0, 0.0, 400.0));
    assert_eq!(page.0.engine.program, None, "its length is not known");
    page.0.update(comes(10_000.0, 10_000.0, 400.0));
    assert!(page.0.engine.program.unwrap().is_here());
    page.0.update(Event::EngineComes { generation: generation.wrapping_sub(1), received: 1.0, total: 2.0, sent: 2.0 });
    assert!(page.0.engine.program.unwrap().is_here(), "an earlier worker's is not listened to");
}

#[test]
fn the_engine_that_is_loaded_fits_the_adapter_and_the_choice() {
    let found = |software| Adapter::Found { name: Some("Made-up".into()), software };
    let loaded = |choice, adapter: Adapter| {
        let mut page = State::new(choice);
        page.update(Event::Opened);
        let effects = page.update(Event::AdapterSeen { generation: page.engine.generation, adapter: adapter.clone() });
        let Some(Effect::LoadEngine { uses_adapter, .. }) = effects.first() else { panic!("{effects:?}") };
        let uses_adapter = *uses_adapter;
        let reply = Event::Engine { generation: page.engine.generation, reply: Reply::Loaded };
        let start = page.update(reply);
        let told = start.iter().find_map(|effect| match effect {
            Effect::Post(Request::Start { adapter, .. }) => Some(adapter.clone()),
            _ => None,
        });
        assert_eq!(told, Some(adapter), "the engine is told what was found");
        uses_adapter
    };
    use BackendChoice::{Auto, Cpu, WebGpu};
    assert!(loaded(Auto, found(false)) && loaded(WebGpu, found(true)));
    assert!(!loaded(Auto, found(true)) && !loaded(Auto, Adapter::NoWebGpu) && !loaded(WebGpu, Adapter::Missing));
    assert!(!loaded(Cpu, Adapter::NotLookedFor));
}

#[test]
fn an_adapter_that_an_earlier_worker_waited_for_starts_nothing() {
    let mut page = State::new(BackendChoice::Auto);
    page.update(Event::Opened);
    let generation = page.engine.generation;
    page.update(Event::Choose(BackendChoice::Cpu));
    assert_ne!(page.engine.generation, generation);
    assert!(page.update(Event::AdapterSeen { generation, adapter: Adapter::Missing }).is_empty());
}

#[test]
fn an_adapter_that_was_slower_than_the_cpu_is_not_loaded_for() {
    let name = || Some("Made-up".to_owned());
    let measured = Measured { adapter: name(), webgpu_ms: 90.0, cpu_ms: 40.0 };
    let mut page = State::new(BackendChoice::Auto).served_from(String::new(), Some(measured));
    page.update(Event::Opened);
    let adapter = Adapter::Found { name: name(), software: false };
    let effects = page.update(Event::AdapterSeen { generation: 1, adapter });
    assert!(matches!(effects[..], [Effect::LoadEngine { uses_adapter: false, .. }, ..]), "{effects:?}");
}

#[test]
fn an_engine_for_webgpu_that_does_not_load_leaves_the_one_for_the_cpu() {
    let mut page = State::new(BackendChoice::Auto);
    page.update(Event::Opened);
    let adapter = || Adapter::Found { name: None, software: false };
    page.update(Event::AdapterSeen { generation: 1, adapter: adapter() });
    let effects = page.update(Event::WorkerBroke { generation: 1, message: "no connection".into() });
    assert!(effects.contains(&Effect::StartWorker(2)), "{effects:?}");
    assert!(
        page.backend_reason().contains("its program could not be loaded (no connection)"),
        "{}",
        page.backend_reason()
    );
    let effects = page.update(Event::AdapterSeen { generation: 2, adapter: Adapter::NotLookedFor });
    assert!(matches!(effects[..], [Effect::LoadEngine { uses_adapter: false, .. }, ..]), "{effects:?}");
    // Where that one does not load either, there is none.
    page.update(Event::WorkerBroke { generation: 2, message: "no connection".into() });
    assert!(matches!(page.engine.phase, Phase::Failed(_)));
}

#[test]
fn a_crash_before_the_device_is_open_is_not_webgpus_where_there_is_no_adapter() {
    let mut page = State::new(BackendChoice::Auto);
    page.update(Event::Opened);
    page.update(Event::AdapterSeen { generation: 1, adapter: Adapter::Missing });
    page.update(Event::Engine { generation: 1, reply: Reply::Loaded });
    page.update(Event::Engine { generation: 1, reply: Reply::Panicked("out of luck".into()) });
    assert_eq!((page.engine.fallback.clone(), page.engine.cpu_restarts), (None, 1));
}
