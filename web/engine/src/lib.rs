//! The engine: a Web Worker that owns the device and two networks, and works on one request at a time. It works as long
//! as the page keeps it.
//!
//! It never decides to leave WebGPU half-way. It says that WebGPU failed, and the page ends this worker and starts a fresh
//! one on the CPU: after a lost device or a rejected shader, nothing in here can be trusted any more.
//!
//! It is a crate of its own, which the page does not depend on: some of burn's dependencies register themselves at start, so
//! that linking anything that names burn brings megabytes along.

mod attack;
mod cache;
mod catalogue;
mod clock;
mod constructors;
mod device;
mod disturb;
mod download;
mod error;
mod evade;
mod files;
mod inbox;
mod index;
mod inside;
mod look;
mod measure;
mod messages;
mod models;
mod open;
mod paint;
mod prediction;
mod report;
mod save;
mod scores;
mod session;
mod sweep;

use wasm_bindgen_futures::spawn_local;

use inbox::Inbox;
use models::Models;
use protocol::{Adapter, BackendChoice, Measured, Reply, Request};
use report::post;
use session::Session;

/// Runs the engine in a worker; called once, by the program.
pub fn run() {
    constructors::run();
    report::install();
    let inbox = Inbox::listen();
    post(&Reply::Loaded);
    spawn_local(work(inbox));
}

async fn work(inbox: Inbox) {
    let (choice, base, measured, adapter) = loop {
        if let Request::Start { choice, base, measured, adapter } = inbox.next().await {
            break (choice, base, measured, adapter);
        }
    };
    let Some(mut session) = begin(choice, &base, measured, adapter).await else {
        return;
    };
    loop {
        match inbox.next().await {
            Request::Load { id, pair } => session.load(id, &pair, &inbox).await,
            Request::Open { id, pixels, disturbance } => session.open(id, &pixels, &disturbance, &inbox).await,
            Request::Disturb { id, disturbance } => session.disturb(id, &disturbance, &inbox).await,
            Request::Attack { id, settings } => session.attack(id, settings, &inbox).await,
            Request::Sweep { id, settings } => session.sweep(id, settings, &inbox).await,
            Request::Look { id, attacked, settings, evade: None } => session.look(id, attacked, settings, &inbox).await,
            Request::Look { id, settings, evade: Some(kind), .. } => session.evade(id, kind, settings, &inbox).await,
            Request::Save { id, slot, pixels } => session.save(id, slot, &pixels).await,
            // What could be cancelled has ended by itself by now.
            Request::Cancel | Request::Start { .. } => {}
        }
    }
}

/// Opens a device and lists the networks, and reports both to the page; none if no device can be opened.
async fn begin(choice: BackendChoice, base: &str, measured: Option<Measured>, adapter: Adapter) -> Option<Session> {
    let (engine, report) = match device::open(choice, adapter, measured).await {
        Ok(opened) => opened,
        Err(error) => {
            post(&Reply::Failed(error.to_string()));
            return None;
        }
    };
    post(&Reply::Backend(report));
    let models = Models::list(base).await;
    post(&Reply::Listed(models.listed().await));
    Some(Session::new(engine, models))
}
