//! Progress of long work, as typed events: the work sends events to a [`Progress`] and prints nothing, and a [`View`] shows
//! them as bars, lines of text or lines of JSON.

mod event;
mod json;
mod stop;
mod terminal;

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::ValueEnum;

pub use event::{Collapse, Event, Round, Unit};
pub use stop::{Stop, on_ctrl_c};

use self::json::JsonLines;
use self::terminal::Terminal;

/// The values of `--progress`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressChoice {
    /// The dashboard of `bastion train` where there is one, else as bar
    #[default]
    Auto,
    /// Bars on a terminal, lines elsewhere
    Bar,
    /// A line of text now and then
    Lines,
    /// A line of JSON for each event
    Json,
    /// Warnings and errors alone
    None,
}

/// Shows events.
pub trait View: Send + Sync {
    /// Shows `event`. May be called from any thread.
    fn show(&self, event: &Event);
}

/// The sender of long work's events to a view. Clones share the view.
#[derive(Clone)]
pub struct Progress {
    choice: ProgressChoice,
    view: Arc<dyn View>,
}

impl Progress {
    /// Creates a sender whose events are shown on stderr in the form `choice`.
    pub fn new(choice: ProgressChoice) -> Self {
        let view: Arc<dyn View> = match choice {
            ProgressChoice::Auto | ProgressChoice::Bar => Arc::new(Terminal::with_bars()),
            ProgressChoice::Lines => Arc::new(Terminal::with_lines()),
            ProgressChoice::Json => Arc::new(JsonLines::default()),
            ProgressChoice::None => Arc::new(OnlyWarnings),
        };
        Self { choice, view }
    }

    /// Creates a sender whose events are not shown.
    pub fn silent() -> Self {
        Self { choice: ProgressChoice::None, view: Arc::new(Silent) }
    }

    /// Returns a sender to `view`, with the same choice.
    #[must_use]
    pub fn shown_by(&self, view: Arc<dyn View>) -> Self {
        Self { view, ..*self }
    }

    /// Returns the chosen form, to be passed on to other processes.
    pub fn choice(&self) -> ProgressChoice {
        self.choice
    }

    /// Sends `event` to the view.
    pub fn send(&self, event: &Event) {
        self.view.show(event);
    }

    /// Shows a line of text.
    pub fn note(&self, text: impl Into<String>) {
        self.send(&Event::Note { text: text.into() });
    }

    /// Shows a warning.
    pub fn warn(&self, text: impl Into<String>) {
        self.send(&Event::Warning { text: text.into() });
    }

    /// Starts a task of `total` units, if that is known.
    pub fn start(&self, title: &'static str, total: Option<u64>, unit: Unit) -> Task {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        self.send(&Event::Started { task: id, title, total, unit });
        Task {
            progress: self.clone(),
            id,
            began: Instant::now(),
            done: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            total: AtomicU64::new(total.unwrap_or(0)),
            sent_ms: AtomicU64::new(0),
        }
    }
}

/// Work in progress, which ends on drop.
pub struct Task {
    progress: Progress,
    id: u64,
    began: Instant,
    done: AtomicU64,
    /// Units of `done` that took no work.
    skipped: AtomicU64,
    /// Number of units of the whole work; 0 if unknown.
    total: AtomicU64,
    /// Time of the last event since the beginning, in milliseconds.
    sent_ms: AtomicU64,
}

impl Task {
    /// Adds `units` to the units done. The view gets ten events a second at most.
    pub fn advance(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
        self.show();
    }

    /// Sets the number of units done.
    pub fn set(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.show();
    }

    /// Adds `units` that take no work, done before or no longer needed: they say nothing of the pace.
    pub fn skip(&self, units: u64) {
        self.skipped.fetch_add(units, Ordering::Relaxed);
        self.advance(units);
    }

    /// Sets the number of units done; what is between it and the number before took no work.
    pub fn skip_to(&self, done: u64) {
        match done.checked_sub(self.done()) {
            Some(more) => self.skip(more),
            // The work begins anew.
            None => {
                self.skipped.fetch_min(done, Ordering::Relaxed);
                self.set(done);
            }
        }
    }

    /// Sets the number of units of the whole work; `None` if unknown.
    pub fn set_total(&self, total: Option<u64>) {
        self.total.store(total.unwrap_or(0), Ordering::Relaxed);
    }

    /// Returns the number of units done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Shows a line of text.
    pub fn note(&self, text: impl Into<String>) {
        self.progress.note(text);
    }

    /// Returns a reader of `inner` that advances by the bytes read.
    pub fn reader<R: Read>(&self, inner: R) -> impl Read {
        Counted { inner, task: self }
    }

    fn show(&self) {
        const PAUSE_MS: u64 = 100;
        let now = self.began.elapsed().as_millis() as u64;
        let sent = self.sent_ms.load(Ordering::Relaxed);
        // Of several threads, only one sends the event.
        // The first event is shown at once.
        let due = (sent == 0 || now >= sent + PAUSE_MS)
            && self.sent_ms.compare_exchange(sent, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if due {
            let total = Some(self.total.load(Ordering::Relaxed)).filter(|&total| total > 0);
            let skipped = self.skipped.load(Ordering::Relaxed);
            self.progress.send(&Event::Advanced { task: self.id, done: self.done(), skipped, total });
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.progress.send(&Event::Finished { task: self.id, done: self.done(), seconds });
    }
}

struct Counted<'a, R> {
    inner: R,
    task: &'a Task,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.task.advance(count as u64);
        Ok(count)
    }
}

struct Silent;

impl View for Silent {
    fn show(&self, _: &Event) {}
}

struct OnlyWarnings;

impl View for OnlyWarnings {
    fn show(&self, event: &Event) {
        if let (Event::Warning { .. } | Event::Collapse { .. } | Event::Failed { .. }, Some(text)) =
            (event, event.text())
        {
            write_line(&crate::output::lines(&text));
        }
    }
}

/// Writes a line to stderr, and ignores a closed stderr, which is no reason to end hours of work.
fn write_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A view that keeps all events.
#[cfg(test)]
#[derive(Default)]
pub struct Recorder(std::sync::Mutex<Vec<Event>>);

#[cfg(test)]
impl Recorder {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}

#[cfg(test)]
impl View for Recorder {
    fn show(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_tells_its_beginning_its_end_and_not_each_step() {
        let recorder = Arc::new(Recorder::default());
        let task = Progress::silent().shown_by(recorder.clone()).start("Crafting", Some(5000), Unit::Pictures);
        (0..5000).for_each(|_| task.advance(1));
        std::thread::sleep(std::time::Duration::from_millis(110));
        task.set(7);
        drop(task);
        let events = recorder.events();
        assert!(events.len() < 1000, "{} events", events.len());
        assert!(matches!(events[0], Event::Started { title: "Crafting", total: Some(5000), .. }), "{events:?}");
        let [.., Event::Advanced { done: 7, skipped: 0, total: Some(5000), .. }, Event::Finished { done: 7, .. }] =
            &events[..]
        else {
            panic!("{events:?}");
        };
    }

    #[test]
    fn what_took_no_work_is_told_apart() {
        let recorder = Arc::new(Recorder::default());
        let task = Progress::silent().shown_by(recorder.clone()).start("Evaluating", Some(100), Unit::Passes);
        task.skip(10);
        task.advance(5);
        task.skip_to(40);
        std::thread::sleep(std::time::Duration::from_millis(110));
        task.advance(1);
        let last = recorder.events().pop();
        assert!(matches!(last, Some(Event::Advanced { done: 41, skipped: 35, .. })), "{last:?}");
        // A server that begins anew.
        task.skip_to(0);
        std::thread::sleep(std::time::Duration::from_millis(110));
        task.advance(1);
        let last = recorder.events().pop();
        assert!(matches!(last, Some(Event::Advanced { done: 1, skipped: 0, .. })), "{last:?}");
    }

    #[test]
    fn what_is_read_is_counted() {
        let task = Progress::silent().start("Reading", None, Unit::Bytes);
        std::io::copy(&mut task.reader(&[0; 12345][..]), &mut std::io::sink()).unwrap();
        assert_eq!(task.done(), 12345);
    }
}
