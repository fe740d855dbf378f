//! The page's workers, seen from the page.

use js_sys::Array;
use leptos::prelude::document;
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
    /// Classifies and attacks.
    Engine,
    /// Reads picture files.
    Decoder,
}

impl Program {
    /// All there are.
    pub(crate) const ALL: [Self; 2] = [Self::Engine, Self::Decoder];

    /// Returns the name in the page's HTML, and in words.
    fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
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

/// A running worker. Ends with [`WorkerHandle::end`].
pub(crate) struct WorkerHandle {
    worker: Worker,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _on_error: Closure<dyn Fn(web_sys::Event)>,
}

impl WorkerHandle {
    /// Starts a worker; calls `on_message` with what it posts, and `on_error` with words if it did not load or broke.
    ///
    /// # Errors
    /// Says why the browser did not start it.
    pub(crate) fn start(
        program: Program,
        on_message: impl Fn(JsValue) + 'static,
        on_error: impl Fn(String) + 'static,
    ) -> Result<Self, String> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let missing = || format!("the page names no {}; `cargo xtask demo` builds a page that does", program.name());
        let [loader, ..] = program.files().ok_or_else(missing)?;
        let worker = Worker::new_with_options(&loader, &options).map_err(|error| describe(&error))?;

        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| on_message(event.data()));
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));

        let on_error = Closure::<dyn Fn(web_sys::Event)>::new(move |event: web_sys::Event| {
            // A script that cannot be fetched gives an event without a message.
            let message = event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message).filter(|message| !message.is_empty());
            on_error(message.unwrap_or_else(|| format!("{loader} did not load")));
        });
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));

        Ok(Self { worker, _on_message: on_message, _on_error: on_error })
    }

    /// Starts the engine and calls `on_event` with what becomes of it, under this number.
    ///
    /// # Errors
    /// Says why the browser did not start it.
    pub(crate) fn start_engine(generation: u32, on_event: impl Fn(Event) + Clone + 'static) -> Result<Self, String> {
        let on_failure = on_event.clone();
        let on_message = move |data: JsValue| {
            if let Some([received, total, sent]) = loader_counts(&data) {
                return on_event(Event::EngineComes { generation, received, total, sent });
            }
            on_event(match unpacked(data) {
                Ok(reply) => Event::Engine { generation, reply },
                Err(error) => Event::WorkerBroke {
                    generation,
                    message: format!("page and engine are of different versions: {error}"),
                },
            });
        };
        let on_error = move |message| on_failure(Event::WorkerBroke { generation, message });
        Self::start(Program::Engine, on_message, on_error)
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
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
        // It may be in the middle of delivering the message that ends it.
        spawn_local(async move { drop(self) });
    }
}

/// Returns what `engine_loader.js` says of the program's download, if this message is of it and not of the engine.
fn loader_counts(message: &JsValue) -> Option<[f64; 3]> {
    let counts = message.dyn_ref::<Array>()?;
    Some([0, 1, 2].map(|place| counts.get(place).as_f64().unwrap_or_default()))
}
