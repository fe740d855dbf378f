//! Connects the state, which has no part of a browser in it, with the browser.

use std::pin::Pin;
use std::rc::Rc;

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::File;

use super::decoder::Decoder;
use super::worker::WorkerHandle;
use super::{adapter, copying, files, memory, offline};
use crate::state::{Candidate, Effect, Event, PickId, PictureFile, Sample, State};
use protocol::text::sentence;
use protocol::{Adapter, BackendChoice, Request};
use terms::picture::Crop;

/// A picture file that is being read or fetched. Boxed, so that opening a file is compiled once.
type FileToCome = Pin<Box<dyn Future<Output = Result<PictureFile, String>>>>;

/// The page's state, and the means to change it. A handle: copies are the same store.
#[derive(Clone, Copy)]
pub(crate) struct Store {
    state: RwSignal<State>,
    engine: StoredValue<Option<WorkerHandle>, LocalStorage>,
    decoder: StoredValue<Rc<Decoder>, LocalStorage>,
}

impl Store {
    pub(crate) fn new(state: State) -> Self {
        Self {
            state: RwSignal::new(state),
            engine: StoredValue::new_local(None),
            decoder: StoredValue::new_local(Rc::default()),
        }
    }

    /// Reads a part of the state; what shows it changes only when that part does.
    pub(crate) fn read<T>(self, part: impl Fn(&State) -> T + Send + Sync + 'static) -> Memo<T>
    where
        T: PartialEq + Send + Sync + 'static,
    {
        self.memo(Box::new(part))
    }

    /// Returns a memo of a part of the state. It takes no closure type, so that memos, which are a large part of the program, are
    /// compiled once for each type of part: a closure in [`Self::read`] would have another type for each `part`.
    fn memo<T>(self, part: Box<dyn Fn(&State) -> T + Send + Sync>) -> Memo<T>
    where
        T: PartialEq + Send + Sync + 'static,
    {
        Memo::new(move |_| self.state.with(|state| part(state)))
    }

    /// Reads the state without following its changes.
    pub(crate) fn peek<T>(self, part: impl FnOnce(&State) -> T) -> T {
        self.state.with_untracked(part)
    }

    /// Gives an event to the state, and carries out the effects.
    pub(crate) fn dispatch(self, event: Event) {
        let effects = self.state.try_update(|state| state.update(event)).unwrap_or_default();
        for effect in effects {
            self.carry_out(effect);
        }
    }

    /// Starts the engine and looks what samples there are.
    pub(crate) fn begin(self) {
        self.dispatch(Event::Opened);
        spawn_local(async move {
            let (samples, trouble) = files::list_samples().await;
            self.dispatch(Event::SamplesListed(samples));
            if let Some(why) = trouble {
                self.dispatch(Event::Trouble(format!(
                    "The sample pictures cannot be shown: {why}. Pictures of your own can be opened."
                )));
            }
        });
    }

    /// Opens a file that the visitor chose, and says then what else there is to say of the choice.
    pub(crate) fn pick_file(self, file: File, note: Option<String>) {
        let title = file.name();
        let picture = async move {
            let bytes = files::read(&file).await.map_err(|why| format!("{title}: {why}"))?;
            Ok(PictureFile { bytes: bytes.into(), title, label: None, source: None, sample: None })
        };
        if let Some(pick) = self.state.try_update(State::begin_pick) {
            self.answer(pick, None, note, Box::pin(picture));
        }
    }

    /// Waits for a picture that the visitor asked for and opens it, unless another one is asked for meanwhile.
    pub(crate) fn pick(self, file: impl Future<Output = Result<PictureFile, String>> + 'static) {
        if let Some(pick) = self.state.try_update(State::begin_pick) {
            self.answer(pick, None, None, Box::pin(file));
        }
    }

    fn fetch_sample(self, index: usize, pick: PickId, crop: Option<Crop>) {
        let sample = self.peek(|state| state.samples.get(index).cloned());
        let file = async move {
            let sample = sample.ok_or("The gallery has no such picture.")?;
            let url = sample.url();
            let bytes =
                files::fetch(&url).await.map_err(|why| format!("{} could not be fetched: {why}.", sample.title))?;
            let Sample { title, label, source, .. } = sample;
            Ok(PictureFile { bytes: bytes.into(), title, label, source, sample: Some(index) })
        };
        self.answer(pick, crop, None, Box::pin(file));
    }

    /// Waits for a file, has it decoded and gives it to the state, unless another pick has replaced it; then says what else there
    /// is to say of it.
    fn answer(self, pick: PickId, crop: Option<Crop>, note: Option<String>, file: FileToCome) {
        let decoder = self.decoder.get_value();
        spawn_local(async move {
            let file = match file.await {
                Ok(file) => file,
                Err(message) => return self.dispatch(Event::PickFailed { pick, message }),
            };
            match decoder.open(&file.bytes, crop, self.awaited(pick)).await {
                Ok(decoded) => {
                    let candidate = Candidate::new(file, decoded, crop);
                    self.dispatch(Event::Picked { pick, candidate });
                    if let Some(note) = note {
                        self.dispatch(Event::Trouble(note));
                    }
                }
                Err(why) => self.fail_pick(pick, &file.title, why),
            }
        });
    }

    /// Has another square cut out of a picture, and gives it to the state.
    fn cut(self, pick: PickId, mut candidate: Candidate) {
        let decoder = self.decoder.get_value();
        spawn_local(async move {
            match decoder.cut(&candidate.file.bytes, candidate.crop, self.awaited(pick)).await {
                Ok(square) => {
                    candidate.square = square;
                    self.dispatch(Event::Picked { pick, candidate });
                }
                Err(why) => self.fail_pick(pick, &candidate.file.title, why),
            }
        });
    }

    /// Tells, whenever it is asked, whether the state waits for that pick.
    fn awaited(self, pick: PickId) -> impl Fn() -> bool {
        move || self.state.try_with_untracked(|state| state.awaits(pick)).unwrap_or(false)
    }

    /// Says why a picture cannot be shown, if anybody waits for it.
    fn fail_pick(self, pick: PickId, title: &str, why: Option<String>) {
        if let Some(why) = why {
            self.dispatch(Event::PickFailed { pick, message: format!("{title}: {why}") });
        }
    }

    fn carry_out(self, effect: Effect) {
        match effect {
            Effect::Post(request) => self.post(&request),
            Effect::StartWorker(generation) => self.start_worker(generation),
            Effect::LoadEngine { generation, uses_adapter } => self.load_engine(generation, uses_adapter),
            Effect::After { ms, event } => spawn_local(async move {
                TimeoutFuture::new(ms).await;
                self.dispatch(event);
            }),
            Effect::FetchSample { index, pick, crop } => self.fetch_sample(index, pick, crop),
            Effect::Cut { pick, candidate } => self.cut(pick, candidate),
            Effect::RememberMeasured(measured) => memory::remember_measured(&measured),
            Effect::RememberPair(pair) => memory::remember_pair(pair.as_ref()),
            Effect::Download { name, media_type, bytes } => {
                if let Err(why) = copying::download(&name, media_type, &bytes) {
                    self.dispatch(Event::Trouble(sentence(&format!("{name} could not be saved: {why}"))));
                }
            }
            Effect::KeepOffline(addresses) => offline::keep(addresses, self.peek(State::uses_adapter)),
        }
    }

    fn post(self, request: &Request) {
        let sent = self.engine.with_value(|engine| engine.as_ref().map(|engine| engine.post(request)));
        if let Some(Err(message)) = sent {
            let generation = self.peek(|state| state.engine.generation);
            self.dispatch(Event::WorkerBroke { generation, message });
        }
    }

    fn start_worker(self, generation: u32) {
        if let Some(before) = self.engine.try_update_value(Option::take).flatten() {
            before.end();
        }
        let on_cpu = self.peek(|state| state.effective_choice() == BackendChoice::Cpu);
        spawn_local(async move {
            let adapter = if on_cpu { Adapter::NotLookedFor } else { adapter::look().await };
            self.dispatch(Event::AdapterSeen { generation, adapter });
        });
    }

    fn load_engine(self, generation: u32, uses_adapter: bool) {
        match WorkerHandle::start_engine(uses_adapter, generation, move |event| self.dispatch(event)) {
            Ok(engine) => self.engine.set_value(Some(engine)),
            Err(message) => self.dispatch(Event::WorkerBroke { generation, message }),
        }
    }
}
