//! The decoder: a Web Worker that reads the picture files that the page is given.
//!
//! What people see of a picture, the square that they choose and what the networks are given are all cut from the pixels that
//! are decoded here, once. A file that breaks a decoder ends this worker and nothing else: the page starts another one for the
//! next file.

mod browser;
mod desk;

use std::panic;
use std::rc::Rc;

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, console};

use desk::Desk;
use protocol::DecodeReply;
use protocol::wire::{packed, unpacked};

fn main() {
    panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        post(&DecodeReply::Panicked(info.to_string()));
    }));
    let desk = Rc::new(Desk::default());
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        let desk = Rc::clone(&desk);
        spawn_local(async move {
            post(&match unpacked(event.data()) {
                Ok(request) => desk.answer(request).await,
                Err(error) => DecodeReply::Panicked(format!("page and decoder are of different versions: {error}")),
            });
        });
    });
    scope().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    // It is called as long as the worker lives.
    on_message.forget();
    post(&DecodeReply::Loaded);
}

/// Returns the worker's global object.
fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Sends a reply to the page.
fn post(reply: &DecodeReply) {
    let sent =
        packed(reply).and_then(|(message, handed_over)| scope().post_message_with_transfer(&message, &handed_over));
    if let Err(error) = sent {
        console::error_2(&"a reply could not be sent".into(), &error);
    }
}
