//! The engine's worker, seen from the page.

use js_sys::Array;
use leptos::prelude::document;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::state::Event;
use protocol::Request;
use protocol::js::describe;
use protocol::wire::{packed, unpacked};

/// Returns the addresses of the script that loads the engine and of the two files that it loads, relative to the page; none if
/// the page names no such files.
///
/// `cargo xtask` writes the names with a hash of each file's content into the page: a copy of another build, in any cache on
/// the way, has another address.
pub(crate) fn program() -> Option<[String; 3]> {
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
        let [loader, ..] = program().ok_or("the page names no engine; `cargo xtask demo` builds a page that does")?;
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
            let message = message.unwrap_or_else(|| format!("{loader} did not load"));
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
