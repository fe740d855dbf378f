//! Between the state, which knows no browser, and the browser.

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::{File, Url};

use super::worker::WorkerHandle;
use super::{copying, files, memory, offline};
use crate::state::{Candidate, Effect, Event, PickId, State};
use protocol::Request;

/// The page's state, and the means to change it. A handle: copies are the same store.
#[derive(Clone, Copy)]
pub(crate) struct Store {
    state: RwSignal<State>,
    worker: StoredValue<Option<WorkerHandle>, LocalStorage>,
}

impl Store {
    pub(crate) fn new(state: State) -> Self {
        Self { state: RwSignal::new(state), worker: StoredValue::new_local(None) }
    }

    /// Reads a part of the state; what shows it changes only when that part does.
    pub(crate) fn read<T>(self, part: impl Fn(&State) -> T + Send + Sync + 'static) -> Memo<T>
    where
        T: PartialEq + Send + Sync + 'static,
    {
        // Boxed, so that a memo is compiled once for each type of part and not for each part: they are most of the program.
        let part: Box<dyn Fn(&State) -> T + Send + Sync> = Box::new(part);
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

    /// Starts the first worker and looks what samples there are.
    pub(crate) fn begin(self) {
        self.carry_out(Effect::StartWorker(self.peek(|state| state.engine.generation)));
        spawn_local(async move {
            self.dispatch(Event::SamplesListed(files::list_samples().await));
        });
    }

    /// Opens a file that the visitor chose.
    pub(crate) fn pick_file(self, file: File) {
        let title = file.name();
        self.pick(async move {
            let bytes = files::read(&file).await.map_err(|why| format!("{title}: {why}"))?;
            let preview_url = Url::create_object_url_with_blob(&file).ok();
            Ok(Candidate {
                bytes: bytes.into(),
                title,
                label: None,
                source: None,
                sample: None,
                preview_url,
                crop: None,
            })
        });
    }

    /// Waits for a picture that the visitor asked for and opens it, unless another one is asked for meanwhile.
    pub(crate) fn pick(self, picture: impl Future<Output = Result<Candidate, String>> + 'static) {
        if let Some(pick) = self.state.try_update(State::begin_pick) {
            self.answer(pick, picture);
        }
    }

    fn fetch_sample(self, index: usize, pick: PickId) {
        let sample = self.peek(|state| state.samples.get(index).cloned());
        self.answer(pick, async move {
            let sample = sample.ok_or("The gallery has no such picture.")?;
            let url = sample.url();
            let bytes =
                files::fetch(&url).await.map_err(|why| format!("{} could not be fetched: {why}.", sample.title))?;
            Ok(Candidate {
                bytes: bytes.into(),
                title: sample.title,
                label: sample.label,
                source: sample.source,
                sample: Some(index),
                preview_url: Some(url),
                crop: None,
            })
        });
    }

    /// Waits for a picture and gives it to the state, which drops one that another pick has replaced.
    fn answer(self, pick: PickId, picture: impl Future<Output = Result<Candidate, String>> + 'static) {
        spawn_local(async move {
            self.dispatch(match picture.await {
                Ok(candidate) => Event::Picked { pick, candidate },
                Err(message) => Event::PickFailed { pick, message },
            });
        });
    }

    fn carry_out(self, effect: Effect) {
        match effect {
            Effect::Post(request) => self.post(&request),
            Effect::StartWorker(generation) => self.start_worker(generation),
            Effect::After { ms, event } => spawn_local(async move {
                TimeoutFuture::new(ms).await;
                self.dispatch(event);
            }),
            Effect::FetchSample { index, pick } => self.fetch_sample(index, pick),
            Effect::RevokeUrl(url) => revoke(&url),
            Effect::RememberMeasured(measured) => memory::remember_measured(&measured),
            Effect::RememberPair(pair) => memory::remember_pair(pair.as_ref()),
            Effect::Download { name, media_type, bytes } => {
                if let Err(why) = copying::download(&name, media_type, &bytes) {
                    self.dispatch(Event::Trouble(format!("{name} could not be saved: {why}.")));
                }
            }
            Effect::KeepOffline(addresses) => offline::keep(addresses),
        }
    }

    fn post(self, request: &Request) {
        let sent = self.worker.with_value(|worker| worker.as_ref().map(|worker| worker.post(request)));
        if let Some(Err(message)) = sent {
            let generation = self.peek(|state| state.engine.generation);
            self.dispatch(Event::WorkerBroke { generation, message });
        }
    }

    fn start_worker(self, generation: u32) {
        let before = self.worker.try_update_value(Option::take).flatten();
        if let Some(worker) = before {
            worker.end();
            // It may be in the middle of delivering the message that ends it.
            spawn_local(async move { drop(worker) });
        }
        match WorkerHandle::start(generation, move |event| self.dispatch(event)) {
            Ok(worker) => self.worker.set_value(Some(worker)),
            Err(message) => self.dispatch(Event::WorkerBroke { generation, message }),
        }
    }
}

fn revoke(url: &str) {
    // A sample's own address is no object URL.
    if url.starts_with("blob:") {
        // An URL that is revoked already is just as well.
        let _ = Url::revoke_object_url(url);
    }
}
