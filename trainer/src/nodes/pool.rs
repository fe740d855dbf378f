//! One thread a node. Threads stay, since a device keeps memory for each thread that has used it.

use std::sync::mpsc::{Sender, channel};
use std::thread;

use burn::prelude::*;

use super::{Node, NodeError};
use crate::train::caught;

type Job = Box<dyn FnOnce(&Device) + Send>;

/// The threads of some nodes.
pub struct Pool {
    threads: Vec<(String, Sender<Job>)>,
}

impl Pool {
    /// Starts a thread for each of `nodes`.
    pub fn new(nodes: &[Node]) -> Self {
        let start = |node: &Node| {
            let (sender, jobs) = channel::<Job>();
            let device = node.device.clone();
            thread::spawn(move || jobs.into_iter().for_each(|job| job(&device)));
            (node.name.clone(), sender)
        };
        Self { threads: nodes.iter().map(start).collect() }
    }

    /// Returns the number of nodes.
    pub fn nodes(&self) -> usize {
        self.threads.len()
    }

    /// Does each of `jobs` on a node of its own, the first on the first, all at once. There are at most as many as nodes.
    /// Returns the results in the order of the jobs.
    ///
    /// # Errors
    /// The first error, or panic, of a job in that order.
    pub fn each<T, J>(&self, jobs: Vec<J>) -> Result<Vec<T>, NodeError>
    where
        T: Send + 'static,
        J: FnOnce(&Device) -> anyhow::Result<T> + Send + 'static,
    {
        let begin = |((node, thread), job): (&(String, Sender<Job>), J)| {
            let (sender, result) = channel();
            let job = move |device: &Device| {
                let done = caught(|| job(device)).and_then(|done| done.map_err(|error| format!("{error:#}")));
                // Where another node has failed, no one waits.
                let _ = sender.send(done);
            };
            let ended = thread.send(Box::new(job)).is_err();
            (node.clone(), result, ended)
        };
        let begun: Vec<_> = self.threads.iter().zip(jobs).map(begin).collect();
        let finish = |(node, result, ended): (String, std::sync::mpsc::Receiver<Result<T, String>>, bool)| {
            let done = if ended { None } else { result.recv().ok() };
            let done = done.unwrap_or_else(|| Err("its thread has ended".into()));
            done.map_err(|text| NodeError { node, text: format!("failed: {text}") })
        };
        begun.into_iter().map(finish).collect()
    }
}
