mod attacks;
mod choice;
mod crop;
mod engine;
mod lab;
mod pictures;
mod verdicts;

use std::sync::Arc;

use super::*;
use protocol::{
    Adapter, BackendReport, Catalogue, Disturbance, Guess, Offer, Pixels, Preview, Reply, Request, Settings, Slot,
    Step, Training,
};
use terms::attack::AttackKind;
use terms::corruption::Corruption;

fn report(backend: Backend) -> BackendReport {
    BackendReport { backend, adapter: None, software: false, reason: "because".into(), measured: None }
}

fn catalogue() -> Box<Catalogue> {
    let class = |wnid: &str, name: &str| Class { wnid: wnid.into(), name: name.into() };
    let model =
        || LoadedModel { title: "Standard".into(), architecture: "WRN-10-2".into(), weights_sha256: String::new() };
    Box::new(Catalogue {
        classes: vec![class("n01443537", "goldfish, Carassius auratus"), class("n02123045", "tabby, tabby cat")],
        models: [Ok(model()), Ok(model())],
        scores: "<p>none</p>".into(),
        resources: Vec::new(),
        kept: true,
    })
}

/// Settings of which none is as usual.
pub(super) fn unusual_settings() -> Settings {
    Settings {
        kind: AttackKind::Pgd,
        epsilon_255: 9,
        epsilon_l2_hundredths: 75,
        pixels: 3,
        steps: 33,
        step_size_tenths: Some(25),
        target: Some(1),
        stop_at_success: true,
        crafted_on: Some(Slot::Right),
        seed: 7,
    }
}

/// A disturbance of which no part is as usual.
pub(super) fn unusual_disturbance() -> Disturbance {
    Disturbance {
        shift_right: -3,
        shift_down: 4,
        zoom_percent: 120,
        shear_degrees: -7,
        flip_horizontal: true,
        flip_vertical: true,
        rotation_degrees: -150,
        perspective_percent: -20,
        grayscale: true,
        brightness_percent: 80,
        contrast_percent: 150,
        saturation_percent: 0,
        hue_degrees: -90,
        corruption: Some(Corruption::JpegCompression),
        severity: 5,
    }
}

/// A network with weights of so many bytes, of which none is kept.
fn offered(folder: &str, weights_bytes: u64) -> Listed {
    let offer = Offer {
        title: format!("The {folder}"),
        architecture: "WRN-10-2".into(),
        precision: "f16".into(),
        weights_bytes,
        kept_bytes: 0,
        clean: None,
        training: Training::Ordinary,
        class_set: 0,
    };
    Listed { folder: folder.into(), offer: Ok(offer) }
}

fn candidate(title: &str) -> Candidate {
    let file = PictureFile {
        bytes: Arc::new(vec![1, 2, 3]),
        title: title.into(),
        label: Some("n02123045".into()),
        source: None,
        sample: None,
    };
    Candidate { file, size: (64, 64), preview: Preview::default(), crop: None, square: Pixels(vec![4]) }
}

/// The same as a sample of the gallery.
fn sample(index: usize, title: &str) -> Candidate {
    let chosen = candidate(title);
    Candidate { file: PictureFile { sample: Some(index), ..chosen.file }, ..chosen }
}

fn samples() -> Event {
    let sample = |title: &str| Sample {
        file: format!("{title}.png"),
        label: None,
        title: title.into(),
        source: None,
        folder: "samples/".into(),
    };
    Event::SamplesListed(vec![sample("alp"), sample("lemon")])
}

fn guesses(best: usize) -> Vec<Guess> {
    vec![Guess { class: best, share: 0.6 }, Guess { class: 1 - best, share: 0.4 }]
}

fn step(done: u32, total: u32) -> Box<Step> {
    Box::new(Step {
        done,
        total,
        attacked: Pixels(vec![9]),
        largest_change: 4,
        l2: 0.5,
        loss: 1.0,
        top: guesses(1),
        own_share: 0.4,
        target_share: None,
        no_gradient: false,
        elapsed_ms: 10.0,
    })
}

/// A page with its engine, which says things through `hear`.
struct Page(State);

impl Page {
    /// A page in a browser that has an adapter.
    fn new(choice: BackendChoice) -> Self {
        let mut page = State::new(choice);
        if choice != BackendChoice::Cpu {
            page.engine.adapter = Adapter::Found { name: None, software: false };
        }
        Self(page)
    }

    fn hear(&mut self, reply: Reply) -> Vec<Effect> {
        let generation = self.0.engine.generation;
        self.0.update(Event::Engine { generation, reply })
    }

    fn start(&mut self, backend: Backend) -> Vec<Effect> {
        self.hear(Reply::Loaded);
        self.hear(Reply::Backend(report(backend)));
        self.load()
    }

    /// The engine lists the usual two networks, and is told to load them.
    fn list(&mut self) -> Vec<Effect> {
        self.hear(Reply::Listed(vec![offered("standard", 1), offered("hardened", 1)]))
    }

    /// It does.
    fn load(&mut self) -> Vec<Effect> {
        self.list();
        self.loaded(catalogue())
    }

    fn loaded(&mut self, catalogue: Box<Catalogue>) -> Vec<Effect> {
        let id = self.0.engine.last_id;
        self.hear(Reply::Ready { id, catalogue })
    }

    fn self_test(&mut self) -> Vec<Effect> {
        let id = self.0.engine.last_id;
        self.hear(Reply::SelfTest { id, slot: Slot::Left })
    }

    /// The visitor chooses a file, which is decoded at once.
    fn choose(&mut self, title: &str) -> Vec<Effect> {
        self.pick(candidate(title))
    }

    fn pick(&mut self, candidate: Candidate) -> Vec<Effect> {
        let pick = self.0.begin_pick();
        self.0.update(Event::Picked { pick, candidate })
    }

    /// Opens a picture that both networks take for a goldfish; gives the request's id.
    fn open(&mut self, title: &str) -> RequestId {
        let id = posted_id(&self.choose(title));
        self.answer(id);
        id
    }

    fn see(&mut self, id: RequestId) -> Vec<Effect> {
        self.hear(Reply::Seen { id, pixels: Pixels(vec![5]) })
    }

    fn answer(&mut self, id: RequestId) -> Vec<Effect> {
        self.see(id);
        self.hear(Reply::Classified { id, slot: Slot::Left, top: guesses(0), elapsed_ms: 100.0 });
        self.hear(Reply::Classified { id, slot: Slot::Right, top: guesses(0), elapsed_ms: 100.0 })
    }

    fn title(&self) -> Option<&str> {
        self.0.picture.shown.as_ref().map(|shown| shown.candidate.file.title.as_str())
    }

    fn ready(backend: Backend) -> Self {
        let mut page = Self::new(BackendChoice::Auto);
        page.start(backend);
        page.open("cat");
        page
    }
}

/// Index and pick of the sample that is to be fetched.
fn fetched(effects: &[Effect]) -> Option<(usize, PickId)> {
    effects.iter().find_map(|effect| match effect {
        Effect::FetchSample { index, pick, .. } => Some((*index, *pick)),
        _ => None,
    })
}

fn posted(effects: &[Effect]) -> Option<&Request> {
    effects.iter().find_map(|effect| match effect {
        Effect::Post(request) => Some(request),
        _ => None,
    })
}

fn posted_id(effects: &[Effect]) -> RequestId {
    match posted(effects) {
        Some(
            Request::Open { id, .. }
            | Request::Attack { id, .. }
            | Request::Sweep { id, .. }
            | Request::Disturb { id, .. }
            | Request::Look { id, .. }
            | Request::Save { id, .. },
        ) => *id,
        other => panic!("no request with an id, but {other:?}"),
    }
}

fn restarts(effects: &[Effect]) -> bool {
    effects.contains(&Effect::StartWorker(2))
}

/// Time of a watch in all, and the event at its end.
fn watch(effects: &[Effect]) -> Option<(u32, Event)> {
    effects.iter().find_map(|effect| match effect {
        Effect::After { ms, event: Event::Silence { generation, pulse, left_ms } } => {
            Some((ms + left_ms, Event::Silence { generation: *generation, pulse: *pulse, left_ms: 0 }))
        }
        _ => None,
    })
}
