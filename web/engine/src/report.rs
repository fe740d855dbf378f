//! Replies to the page, and reports of panics and logged errors.

use std::panic;

use log::{Level, LevelFilter, Log, Metadata, Record};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, console};

use protocol::Reply;
use protocol::wire::packed;

/// Sends a reply to the page.
pub(crate) fn post(reply: &Reply) {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let sent =
        packed(reply).and_then(|(message, handed_over)| scope.post_message_with_transfer(&message, &handed_over));
    if let Err(error) = sent {
        console::error_2(&"a reply could not be sent".into(), &error);
    }
}

/// Has panics and logged errors reported to the page: they happen where no `Result` reaches, a rejected shader in the log
/// alone.
pub(crate) fn install() {
    panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        post(&Reply::Panicked(info.to_string()));
    }));
    // It fails where a logger is installed already, which then does.
    if log::set_logger(&BRIDGE).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}

static BRIDGE: Bridge = Bridge;

struct Bridge;

impl Log for Bridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let message = record.args().to_string();
        let line = JsValue::from(format!("{}: {message}", record.target()));
        match record.level() {
            Level::Error => {
                console::error_1(&line);
                post(&Reply::Logged { target: record.target().to_owned(), message });
            }
            _ => console::warn_1(&line),
        }
    }

    fn flush(&self) {}
}
