//! The decoder: a worker of its own, started at the first picture, of which a crash costs nothing but the file that it crashed
//! on.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use futures_channel::oneshot;
use gloo_timers::callback::Timeout;
use wasm_bindgen::JsValue;

use super::worker::{Program, WorkerEvent, WorkerHandle};
use protocol::wire::unpacked;
use protocol::{DecodeReply, DecodeRequest, Decoded, Pixels, RequestId};
use terms::picture::Crop;

/// How long the decoder may be silent, while it loads and while it reads a picture.
const PATIENCE_MS: u32 = 60_000;

/// Memory that a decoder may keep from one picture to the next: a worker's memory grows and is never given back.
const MOST_KEPT_BYTES: u64 = 256 << 20;

/// What a picture is decoded for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    /// To be shown; the next one that is to be shown takes its place.
    Picture,
    /// For another square of the picture that is shown.
    Square,
}

/// Why a request came to nothing.
#[derive(Clone, PartialEq, Debug)]
enum Trouble {
    /// The file is bad; how, in a sentence.
    Bad(String),
    /// The decoder did not load.
    Unloaded,
    /// It broke.
    Broke,
    /// It was silent for too long.
    Slow,
    /// Nobody waits for the answer any more.
    Replaced,
}

impl Trouble {
    /// Returns what is said to the visitor; none where nobody waits.
    fn words(self) -> Option<String> {
        let seconds = PATIENCE_MS / 1000;
        Some(match self {
            Self::Bad(words) => words,
            Self::Unloaded => {
                "The program that reads pictures did not load. Check the connection and choose the picture again."
                    .into()
            }
            Self::Broke => {
                "The file is damaged: its decoder failed. Download or export the picture again, or choose another one."
                    .into()
            }
            Self::Slow => format!(
                "Reading it took longer than {seconds} seconds and was given up. Save the picture smaller, as a JPEG for \
                 example."
            ),
            Self::Replaced => return None,
        })
    }
}

/// The worker while it runs.
struct Running {
    worker: WorkerHandle,
    /// Whether it receives requests.
    loaded: bool,
    /// The file whose photo it holds.
    held: Option<Arc<Vec<u8>>>,
    memory_bytes: u64,
    /// What it works on, or is to once it is loaded.
    job: Option<Job>,
}

/// A request under way.
struct Job {
    purpose: Purpose,
    request: DecodeRequest,
    answer: oneshot::Sender<Result<DecodeReply, Trouble>>,
    /// Ends the worker once it is silent for too long.
    patience: Timeout,
}

/// The decoder as the page uses it, one request at a time.
#[derive(Default)]
pub(crate) struct Decoder {
    running: RefCell<Option<Running>>,
    /// Who waits for their turn.
    queue: RefCell<Vec<oneshot::Sender<()>>>,
    last_id: Cell<RequestId>,
}

impl Decoder {
    /// Decodes a file that is to be shown, for as long as it is `awaited`.
    ///
    /// # Errors
    ///
    /// Says what is wrong and what to do; none if it is not awaited any more.
    pub(crate) async fn open(
        self: &Rc<Self>,
        file: &Arc<Vec<u8>>,
        crop: Option<Crop>,
        awaited: impl Fn() -> bool,
    ) -> Result<Decoded, Option<String>> {
        self.turn(Purpose::Picture, awaited).await.map_err(Trouble::words)?;
        self.decode(Purpose::Picture, file, crop).await.map_err(Trouble::words)
    }

    /// Cuts another square out of a picture, for as long as it is `awaited`; decodes the file again if the decoder holds no photo
    /// of it.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub(crate) async fn cut(
        self: &Rc<Self>,
        file: &Arc<Vec<u8>>,
        crop: Option<Crop>,
        awaited: impl Fn() -> bool,
    ) -> Result<Pixels, Option<String>> {
        self.turn(Purpose::Square, awaited).await.map_err(Trouble::words)?;
        if !self.holds(file) {
            let decoded = self.decode(Purpose::Square, file, crop).await;
            return decoded.map(|decoded| decoded.square).map_err(Trouble::words);
        }
        let id = self.next_id();
        match self.ask(Purpose::Square, DecodeRequest::Cut { id, crop }).await {
            Ok(DecodeReply::Square { pixels, .. }) => Ok(pixels),
            other => Err(unexpected(other).words()),
        }
    }

    async fn decode(
        self: &Rc<Self>,
        purpose: Purpose,
        file: &Arc<Vec<u8>>,
        crop: Option<Crop>,
    ) -> Result<Decoded, Trouble> {
        let is_large = |running: &Option<Running>| running.as_ref().is_some_and(|it| it.memory_bytes > MOST_KEPT_BYTES);
        if is_large(&self.running.borrow()) {
            self.end(Trouble::Replaced);
        }
        let id = self.next_id();
        match self.ask(purpose, DecodeRequest::Open { id, file: Arc::clone(file), crop }).await {
            Ok(DecodeReply::Opened { decoded, .. }) => {
                if let Some(running) = &mut *self.running.borrow_mut() {
                    running.held = Some(Arc::clone(file));
                    running.memory_bytes = decoded.memory_bytes;
                }
                Ok(decoded)
            }
            other => Err(unexpected(other)),
        }
    }

    /// Waits until the decoder is free. What is to be shown does not wait for what was to be shown before: a decoder at work on
    /// that is ended.
    async fn turn(&self, purpose: Purpose, awaited: impl Fn() -> bool) -> Result<(), Trouble> {
        loop {
            if !awaited() {
                return Err(Trouble::Replaced);
            }
            match (purpose, self.works_for()) {
                (_, None) => return Ok(()),
                (Purpose::Picture, Some(Purpose::Picture)) => self.displace(),
                _ => {
                    let (sender, receiver) = oneshot::channel();
                    self.queue.borrow_mut().push(sender);
                    // An error means that whoever kept the queue is gone, and the page with it.
                    receiver.await.map_err(|_| Trouble::Replaced)?;
                }
            }
        }
    }

    /// Has nobody wait for what is worked on. A worker that still loads goes on with that.
    fn displace(&self) {
        let loads = self.running.borrow().as_ref().is_some_and(|running| !running.loaded);
        if loads { self.finish(Err(Trouble::Replaced)) } else { self.end(Trouble::Replaced) }
    }

    fn works_for(&self) -> Option<Purpose> {
        self.running.borrow().as_ref()?.job.as_ref().map(|job| job.purpose)
    }

    fn holds(&self, file: &Arc<Vec<u8>>) -> bool {
        let held = |running: &Running| running.held.as_ref().is_some_and(|held| Arc::ptr_eq(held, file));
        self.running.borrow().as_ref().is_some_and(held)
    }

    fn next_id(&self) -> RequestId {
        self.last_id.set(self.last_id.get() + 1);
        self.last_id.get()
    }

    /// Sends a request to the worker, which is started if there is none, and waits for the answer, at most as long as the worker
    /// may be silent.
    async fn ask(self: &Rc<Self>, purpose: Purpose, request: DecodeRequest) -> Result<DecodeReply, Trouble> {
        let (answer, receiver) = oneshot::channel();
        if self.running.borrow().is_none() {
            let running = self.start().map_err(|_| Trouble::Unloaded)?;
            self.running.replace(Some(running));
        }
        if let Some(running) = &mut *self.running.borrow_mut() {
            running.job = Some(Job { purpose, request, answer, patience: self.patience() });
        }
        self.send();
        receiver.await.unwrap_or(Err(Trouble::Replaced))
    }

    /// Begins to wait for a sign of the worker.
    fn patience(self: &Rc<Self>) -> Timeout {
        let decoder = Rc::downgrade(self);
        Timeout::new(PATIENCE_MS, move || {
            if let Some(decoder) = decoder.upgrade() {
                decoder.end(Trouble::Slow);
            }
        })
    }

    /// Waits as long again: the worker's program is on the way.
    fn wait_on(self: &Rc<Self>) {
        if let Some(Running { job: Some(job), .. }) = &mut *self.running.borrow_mut() {
            job.patience = self.patience();
        }
    }

    fn start(self: &Rc<Self>) -> Result<Running, String> {
        let decoder = Rc::downgrade(self);
        let worker = WorkerHandle::start(Program::Decoder, move |event| {
            let Some(decoder) = decoder.upgrade() else { return };
            match event {
                WorkerEvent::Comes(_) => decoder.wait_on(),
                WorkerEvent::Message(data) => decoder.take(data),
                WorkerEvent::Broke(message) => {
                    leptos::logging::error!("the decoder broke: {message}");
                    decoder.end(Trouble::Broke);
                }
                WorkerEvent::Ended => decoder.end(Trouble::Broke),
            }
        })?;
        Ok(Running { worker, loaded: false, held: None, memory_bytes: 0, job: None })
    }

    /// Sends what is to be worked on, once the worker receives it.
    fn send(&self) {
        let posted = match &*self.running.borrow() {
            Some(Running { worker, loaded: true, job: Some(job), .. }) => worker.post(&job.request),
            _ => Ok(()),
        };
        if posted.is_err() {
            self.end(Trouble::Broke);
        }
    }

    /// Takes what the worker posts.
    fn take(&self, data: JsValue) {
        match unpacked(data) {
            Ok(DecodeReply::Loaded) => {
                if let Some(running) = &mut *self.running.borrow_mut() {
                    running.loaded = true;
                }
                self.send();
            }
            Ok(DecodeReply::Panicked(message)) => {
                leptos::logging::error!("the decoder panicked: {message}");
                self.end(Trouble::Broke);
            }
            Ok(reply) => self.finish(Ok(reply)),
            Err(error) => {
                leptos::logging::error!("page and decoder are of different versions: {error}");
                self.end(Trouble::Broke);
            }
        }
    }

    /// Answers whoever waits, and lets the next ones go on.
    fn finish(&self, outcome: Result<DecodeReply, Trouble>) {
        let job = self.running.borrow_mut().as_mut().and_then(|running| running.job.take());
        if let Some(Job { answer, patience, .. }) = job {
            patience.cancel();
            // Nobody waits for it once the page is gone.
            let _ = answer.send(outcome);
        }
        for waiting in self.queue.take() {
            let _ = waiting.send(());
        }
    }

    /// Ends the worker, whatever it does, and answers whoever waits for it; the next request starts another one.
    fn end(&self, trouble: Trouble) {
        let trouble = match &*self.running.borrow() {
            Some(Running { loaded: false, .. }) if trouble != Trouble::Replaced => Trouble::Unloaded,
            _ => trouble,
        };
        self.finish(Err(trouble));
        if let Some(running) = self.running.take() {
            running.worker.end();
        }
    }
}

/// Returns the trouble in an answer that is not the one that was asked for.
fn unexpected(answer: Result<DecodeReply, Trouble>) -> Trouble {
    match answer {
        Err(trouble) => trouble,
        Ok(DecodeReply::Bad { message, .. }) => Trouble::Bad(message),
        Ok(_) => Trouble::Broke,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_says_what_to_do() {
        for trouble in [Trouble::Unloaded, Trouble::Broke, Trouble::Slow] {
            let words = trouble.words().unwrap();
            assert!(["Check", "Download", "Save"].iter().any(|advice| words.contains(advice)), "{words}");
        }
        assert_eq!(Trouble::Replaced.words(), None);
    }
}
