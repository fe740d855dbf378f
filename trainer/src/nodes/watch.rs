//! Nodes that go away while a command computes: they are told by name, and nothing waits for them for ever.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Error, Result};

use super::probe::ask;
use super::{LIMIT, Node, NodeError};
use crate::error::{Stopped, UsageError};
use crate::progress::{Event, Progress};
use crate::train::caught;

/// Time between two questions to a node.
const EVERY: Duration = Duration::from_secs(5);
/// Questions in a row without an answer after which a node is given up.
const UNANSWERED: usize = 3;
/// Time in which a command may end by itself after that, by the error of a broken connection.
const GRACE: Duration = Duration::from_secs(5);

/// Does `work` on `nodes`. Where the work fails because a node has gone away, the error names that node; other errors stay, and
/// other panics go on.
///
/// # Errors
/// As for `work`, or [`NodeError`].
pub fn guard<T>(nodes: &[Node], work: impl FnOnce() -> Result<T>) -> Result<T> {
    if nodes.is_empty() {
        return work();
    }
    match caught(work) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(blamed(nodes, &format!("{error:#}"), &error).unwrap_or(error)),
        Err(text) => match gone(nodes, &text) {
            Some(error) => Err(error.into()),
            None => resume_unwind(Box::new(text)),
        },
    }
}

fn blamed(nodes: &[Node], text: &str, error: &Error) -> Option<Error> {
    if error.is::<Stopped>() || error.is::<UsageError>() {
        return None;
    }
    gone(nodes, text).map(Error::from)
}

/// Returns the error of the first node that does not answer any more.
fn gone(nodes: &[Node], text: &str) -> Option<NodeError> {
    let gone = |node: &Node| {
        let reason = ask(&node.name, LIMIT).err()?;
        Some(NodeError { node: node.name.clone(), text: format!("went away: it {reason} ({text})") })
    };
    nodes.iter().find_map(gone)
}

/// A thread that asks nodes again and again, while a command computes on them. A connection to a machine that has vanished, or
/// to a process that is stopped, may stay open for very long.
pub struct Watch {
    _running: Option<Sender<()>>,
}

impl Watch {
    /// Starts to ask `nodes`. Once one of them is silent, and the command has not ended by the error of the connection either,
    /// calls `last` and ends the program with exit code 1 and an error that names the node and ends with `advice`.
    pub fn start(nodes: &[Node], progress: &Progress, advice: String, last: impl Fn() + Send + 'static) -> Self {
        if nodes.is_empty() {
            return Self { _running: None };
        }
        let (running, ended) = channel::<()>();
        let (names, progress) = (nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>(), progress.clone());
        let pause = move |time: Duration| ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        thread::spawn(move || {
            let Some((node, reason)) = silent(&names, EVERY, UNANSWERED, |name| ask(name, LIMIT), &pause) else {
                return;
            };
            if !pause(GRACE) {
                return;
            }
            last();
            let error = NodeError { node, text: format!("went away: it {reason}") };
            let text = format!("error: {error}{advice}");
            crate::child::write_failure(&text);
            progress.send(&Event::Failed { text, exit_code: 1 });
            std::process::exit(1);
        });
        Self { _running: Some(running) }
    }
}

/// Asks all of `names` each time that `pause` was `true`, until one has not answered `unanswered` times in a row. Returns its
/// name and the reason; `None` once `pause` was `false`.
pub(super) fn silent(
    names: &[String],
    every: Duration,
    unanswered: usize,
    ask: impl Fn(&str) -> Result<(), String>,
    pause: &impl Fn(Duration) -> bool,
) -> Option<(String, String)> {
    let mut missed = vec![0; names.len()];
    while pause(every) {
        for (name, missed) in names.iter().zip(&mut missed) {
            match ask(name) {
                Ok(()) => *missed = 0,
                Err(reason) => {
                    *missed += 1;
                    if *missed == unanswered {
                        return Some((name.clone(), reason));
                    }
                }
            }
        }
    }
    None
}
