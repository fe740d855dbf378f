//! The engine's worker, seen from the page.

use js_sys::Array;
use leptos::prelude::document;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::state::Event;
use protocol::js::describe;
use protocol::wire::{packed, unpacked};
use protocol::{BUILD, Request};

/// The script that loads the engine, and the two files that it loads: those that Trunk makes of the program `engine`.
const PROGRAM: [&str; 3] = ["engine_loader.js", "engine.js", "engine_bg.wasm"];

/// Returns the addresses of the engine's program, relative to the page. Trunk gives a worker's files no hash; either `cargo
/// xtask dist` has done that and says so in the page, or they are asked for under the build's name: a copy of another
/// build, in any cache on the way, has another address.
pub(crate) fn program() -> [String; 3] {
    named_in_page().unwrap_or_else(|| PROGRAM.map(|file| format!("{file}?v={BUILD}")))
}

/// Returns the names that `cargo xtask dist` gave to the three files.
fn named_in_page() -> Option<[String; 3]> {
    let meta = document().query_selector("meta[name='bastion-engine']").ok()??;
    let names: Vec<String> = meta.get_attribute("content")?.split_whitespace().map(str::to_owned).collect();
    names.try_into().ok()
}

/// Returns what `engine_loader.js` says of the program's download, if this message is of it and not of the engine.
fn loader_counts(message: &JsValue) -> Option<[f64; 3]> {
    let counts = message.dyn_ref::<Array>()?;
    Some([0, 1, 2].map(|place| counts.get(place).as_f64().unwrap_or_default()))
}

/// A running worker. Ends with [`WorkerHandle::end`].
pub(crate) struct WorkerHandle {
    worker: Worker,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _on_error: Closure<dyn Fn(web_sys::Event)>,
}

impl WorkerHandle {
    /// Starts a worker and calls `on_event` with what becomes of it, under this number.
    ///
    /// # Errors
    /// Says why the browser did not start it.
    pub(crate) fn start(generation: u32, on_event: impl Fn(Event) + Clone + 'static) -> Result<Self, String> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let [loader, ..] = program();
        let worker = Worker::new_with_options(&loader, &options).map_err(|error| describe(&error))?;

        let on_failure = on_event.clone();
        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some([received, total, sent]) = loader_counts(&event.data()) {
                return on_event(Event::EngineComes { generation, received, total, sent });
            }
            let event = match unpacked(event.data()) {
                Ok(reply) => Event::Engine { generation, reply },
                Err(error) => Event::WorkerBroke {
                    generation,
                    message: format!("page and engine are of different versions: {error}"),
                },
            };
            on_event(event);
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));

        let on_error = Closure::<dyn Fn(web_sys::Event)>::new(move |event: web_sys::Event| {
            // A script that cannot be fetched gives an event without a message.
            let message = event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message).filter(|message| !message.is_empty());
            let message = message.unwrap_or_else(|| format!("{} did not load", PROGRAM[0]));
            on_failure(Event::WorkerBroke { generation, message });
        });
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));

        Ok(Self { worker, _on_message: on_message, _on_error: on_error })
    }

    /// Sends a request; what is sent before the worker has posted `Reply::Loaded` is lost.
    pub(crate) fn post(&self, request: &Request) -> Result<(), String> {
        packed(request)
            .and_then(|(message, handed_over)| self.worker.post_message_with_transfer(&message, &handed_over))
            .map_err(|error| describe(&error))
    }

    /// Stops it at once, whatever it does.
    pub(crate) fn end(&self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}
