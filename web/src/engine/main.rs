//! The engine: a Web Worker that owns the device and the two networks, and works on one request at a time. It works as long
//! as the page keeps it.
//!
//! It never decides to leave WebGPU half-way. It says that WebGPU failed, and the page ends this worker and starts a fresh
//! one on the CPU: after a lost device or a rejected shader, nothing in here can be trusted any more.
//!
//! It is a program of its own and no part of the library `web`, which the page's program is made of: some of burn's
//! dependencies register themselves at start, so that linking anything that names burn brings megabytes along.

mod attack;
mod cache;
mod catalogue;
mod clock;
mod complaint;
mod device;
mod download;
mod files;
mod inbox;
mod models;
mod parameters;
mod pixels;
mod report;
mod session;

use shared::device::Backend;
use wasm_bindgen_futures::spawn_local;

use catalogue::Described;
use inbox::Inbox;
use models::LoadError;
use report::post;
use session::Session;
use web::protocol::{BackendChoice, Reply, Request, Slot};

fn main() {
    report::install();
    let inbox = Inbox::listen();
    post(&Reply::Loaded);
    spawn_local(work(inbox));
}

async fn work(inbox: Inbox) {
    let (choice, base) = loop {
        if let Request::Start { choice, base } = inbox.next().await {
            break (choice, base);
        }
    };
    let Some(mut session) = open(choice, &base).await else {
        return;
    };
    loop {
        match inbox.next().await {
            Request::Open { id, bytes } => session.open(id, &bytes, &inbox).await,
            Request::Attack { id, settings } => session.attack(id, settings, &inbox).await,
            // An attack that could be cancelled has ended by itself by now.
            Request::Cancel | Request::Start { .. } => {}
        }
    }
}

/// Opens a device and loads both networks. Tells the page how it goes; none if it went wrong.
async fn open(choice: BackendChoice, base: &str) -> Option<Session> {
    let (engine, report) = match device::open(choice).await {
        Ok(opened) => opened,
        Err(error) => {
            post(&Reply::Failed(error.to_string()));
            return None;
        }
    };
    post(&Reply::Backend(report));
    let files = match models::fetch(base).await {
        Ok(files) => files,
        Err(reason) => {
            post(&Reply::Failed(reason));
            return None;
        }
    };
    let kept = files.iter().all(|files| files.kept);
    let parameters = files.each_ref().map(|files| parameters::learned(&files.weights));
    let mut bundles = Vec::with_capacity(Slot::ALL.len());
    for (slot, files) in Slot::ALL.into_iter().zip(files) {
        match models::load(slot, &files, &engine.device).await {
            Ok(bundle) => bundles.push(bundle),
            Err(error) => {
                post(&match error {
                    LoadError::Device(reason) if engine.backend == Backend::WebGpu => Reply::WebGpuFailed(reason),
                    LoadError::Device(reason) => Reply::Failed(complaint::fails_on_cpu(slot, &reason)),
                    LoadError::Bundle(reason) => Reply::Failed(reason),
                });
                return None;
            }
        }
    }
    let [standard, hardened] = <[_; 2]>::try_from(bundles).ok()?;
    let described = [
        Described { card: &standard.card, parameters: parameters[0] },
        Described { card: &hardened.card, parameters: parameters[1] },
    ];
    match catalogue::catalogue(described, kept) {
        Ok(catalogue) => post(&Reply::Ready(Box::new(catalogue))),
        Err(reason) => {
            post(&Reply::Failed(reason));
            return None;
        }
    }
    Some(Session::new(engine, [standard, hardened]))
}
