//! The page's workers, seen from the page.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Array, Function, Reflect};
use leptos::prelude::{document, window};
use leptos::task::spawn_local;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::state::Event;
use protocol::js::describe;
use protocol::wire::{Message, packed, unpacked};

/// Programs that run in workers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Program {
    /// Classifies and attacks on the CPU.
    CpuEngine,
    /// Classifies and attacks over WebGPU, or on the CPU.
    GpuEngine,
    /// Reads picture files.
    Decoder,
}

impl Program {
    /// Returns the name in the page's HTML.
    fn name(self) -> &'static str {
        match self {
            Self::CpuEngine => "cpu-engine",
            Self::GpuEngine => "gpu-engine",
            Self::Decoder => "decoder",
        }
    }

    /// Returns the addresses of the script that loads the program and of the two files that it loads, relative to the page; none
    /// if the page names no such files.
    ///
    /// `cargo xtask` writes the names with a hash of each file's content into the page: a copy of another build, in any cache on
    /// the way, has another address.
    pub(crate) fn files(self) -> Option<[String; 3]> {
        let meta = document().query_selector(&format!("meta[name='bastion-{}']", self.name())).ok()??;
        let names: Vec<String> = meta.get_attribute("content")?.split_whitespace().map(str::to_owned).collect();
        names.try_into().ok()
    }
}

/// What becomes of a worker.
pub(crate) enum WorkerEvent {
    /// Its program is on the way: unpacked bytes so far, unpacked bytes in all, packed length; zero if unknown.
    Comes([f64; 3]),
    /// Its program posted this message.
    Message(JsValue),
    /// It did not load, or broke: how, in words.
    Broke(String),
    /// It is gone, and not because the page ended it.
    Ended,
}

/// Calls `on_end` once a worker of this name has ended, however it did: it holds a lock of that name as long as it lives (see
/// `worker_loader.js`), and has it when its first message comes.
///
/// # Errors
/// If the browser has no locks, as on a page that is neither `https` nor local.
fn watch_end(name: &str, on_end: impl FnOnce() + 'static) -> Result<(), JsValue> {
    let locks = Reflect::get(&window().navigator(), &"locks".into())?;
    let request: Function = Reflect::get(&locks, &"request".into())?.dyn_into()?;
    request.call2(&locks, &name.into(), &Closure::once_into_js(on_end))?;
    Ok(())
}

/// A running worker. Ends with [`WorkerHandle::end`].
pub(crate) struct WorkerHandle {
    worker: Worker,
    /// Whether the page ended it.
    ended: Rc<Cell<bool>>,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _on_error: Closure<dyn Fn(web_sys::Event)>,
}

impl WorkerHandle {
    /// Starts a worker, and calls `on_event` with what becomes of it until the page ends it.
    ///
    /// # Errors
    /// Says why the browser did not start it.
    pub(crate) fn start(program: Program, on_event: impl Fn(WorkerEvent) + Clone + 'static) -> Result<Self, String> {
        let missing = || format!("the page names no {}; `cargo xtask demo` builds a page that does", program.name());
        let [loader, ..] = program.files().ok_or_else(missing)?;
        // No other worker of this site is called the same.
        let name = format!("bastion-{}-{}", program.name(), js_sys::Math::random());
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(&name);
        let worker = Worker::new_with_options(&loader, &options).map_err(|error| describe(&error))?;
        let ended = Rc::new(Cell::new(false));

        let (on_received, watched, silenced) = (on_event.clone(), Cell::new(false), Rc::clone(&ended));
        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            if !watched.replace(true) {
                let (on_end, silenced) = (on_received.clone(), Rc::clone(&silenced));
                // Without locks, a worker that is gone is given up once it is silent for too long.
                let _ = watch_end(&name, move || {
                    if !silenced.get() {
                        on_end(WorkerEvent::Ended);
                    }
                });
            }
            let data = event.data();
            on_received(match loader_counts(&data) {
                Some(counts) => WorkerEvent::Comes(counts),
                None => WorkerEvent::Message(data),
            });
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));

        let on_error = Closure::<dyn Fn(web_sys::Event)>::new(move |event: web_sys::Event| {
            // A script that cannot be fetched gives an event without a message.
            let message = event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message).filter(|message| !message.is_empty());
            let message = message.map(|message| message.replace("Uncaught Error: ", ""));
            on_event(WorkerEvent::Broke(message.unwrap_or_else(|| format!("{loader} did not load"))));
        });
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));

        Ok(Self { worker, ended, _on_message: on_message, _on_error: on_error })
    }

    /// Starts the engine that can open the adapter, or the one that does without, and calls `on_event` with what becomes of it, under this number.
    ///
    /// # Errors
    /// Says why the browser did not start it.
    pub(crate) fn start_engine(
        uses_adapter: bool,
        generation: u32,
        on_event: impl Fn(Event) + Clone + 'static,
    ) -> Result<Self, String> {
        let program = if uses_adapter { Program::GpuEngine } else { Program::CpuEngine };
        Self::start(program, move |event| {
            on_event(match event {
                WorkerEvent::Comes([received, total, sent]) => Event::EngineComes { generation, received, total, sent },
                WorkerEvent::Message(data) => match unpacked(data) {
                    Ok(reply) => Event::Engine { generation, reply },
                    Err(error) => Event::WorkerBroke {
                        generation,
                        message: format!("page and engine are of different versions: {error}"),
                    },
                },
                WorkerEvent::Broke(message) => Event::WorkerBroke { generation, message },
                WorkerEvent::Ended => Event::WorkerEnded { generation },
            });
        })
    }

    /// Sends a message; what is sent before the worker has said that it is loaded is lost.
    ///
    /// # Errors
    /// Says why the browser did not send it.
    pub(crate) fn post(&self, message: &impl Message) -> Result<(), String> {
        packed(message)
            .and_then(|(message, handed_over)| self.worker.post_message_with_transfer(&message, &handed_over))
            .map_err(|error| describe(&error))
    }

    /// Stops it at once, whatever it does.
    pub(crate) fn end(self) {
        self.ended.set(true);
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
        // It may be in the middle of delivering the message that ends it.
        spawn_local(async move { drop(self) });
    }
}

/// Returns the loader's counts of the program's download, if this message is the loader's: three numbers. The program's are bytes.
fn loader_counts(message: &JsValue) -> Option<[f64; 3]> {
    let counts = message.dyn_ref::<Array>()?;
    let [received, total, sent] = [0, 1, 2].map(|place| counts.get(place).as_f64());
    Some([received?, total?, sent?])
}
