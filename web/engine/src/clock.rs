//! The worker's clock, and its breath between two steps.

use gloo_timers::future::TimeoutFuture;
use wasm_bindgen::JsCast;
use web_sys::WorkerGlobalScope;

/// Returns the milliseconds since the worker began.
pub(crate) fn now_ms() -> f64 {
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    scope.performance().map_or(0.0, |performance| performance.now())
}

/// Lets the worker's event loop turn once, so that a waiting message is delivered.
pub(crate) async fn yield_now() {
    TimeoutFuture::new(0).await;
}
