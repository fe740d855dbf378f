//! Work that is divided among devices, piece by piece: the same pieces, wherever they are computed.

use std::sync::mpsc::sync_channel;
use std::thread;

use anyhow::{Context, Result, anyhow};
use burn::prelude::*;

use crate::train::caught;

/// A device, and what lies on it.
pub struct Place<'a, T: ?Sized> {
    /// Name of the node; empty for this machine.
    pub name: &'a str,
    /// Device without autodiff.
    pub device: &'a Device,
    /// The networks on the device.
    pub on_it: &'a T,
}

/// Does `work` with each of `pieces`, one after another on each of `places`: the first on the first, and so on in turns. Calls
/// `take` with the results, in the order of the pieces.
///
/// # Errors
/// The first error in that order, with the name of the node; no piece is begun after an error.
pub fn in_turns<T: ?Sized + Sync, P: Sync, R: Send>(
    places: &[Place<'_, T>],
    pieces: &[P],
    work: impl Fn(&Place<'_, T>, &P) -> Result<R> + Sync,
    mut take: impl FnMut(R) -> Result<()>,
) -> Result<()> {
    if let [place] = places {
        return pieces.iter().try_for_each(|piece| take(work(place, piece)?));
    }
    thread::scope(|scope| {
        let start = |(number, place)| {
            let (sender, results) = sync_channel(1);
            let (pieces, work) = (pieces.iter().skip(number).step_by(places.len()), &work);
            scope.spawn(move || {
                for piece in pieces {
                    let done = named(place, || work(place, piece));
                    let failed = done.is_err();
                    // Nobody takes results any more once another node has failed.
                    if sender.send(done).is_err() || failed {
                        break;
                    }
                }
            });
            results
        };
        let results: Vec<_> = places.iter().enumerate().map(start).collect();
        (0..pieces.len()).try_for_each(|piece| {
            let done = results[piece % places.len()].recv();
            take(done.unwrap_or_else(|_| Err(anyhow!("{} ended early", places[piece % places.len()].name)))?)
        })
    })
}

/// Does `work` with each of `pieces` on a place of its own, all at once; calls `failed` at the first error, so that others can
/// end. There are at most as many pieces as places.
pub fn at_once<T: ?Sized + Sync, P: Sync, R: Send>(
    places: &[Place<'_, T>],
    pieces: &[P],
    work: impl Fn(&Place<'_, T>, &P) -> Result<R> + Sync,
    failed: impl Fn() + Sync,
) -> Vec<Result<R>> {
    if let ([place], [piece]) = (places, pieces) {
        return vec![work(place, piece)];
    }
    thread::scope(|scope| {
        let start = |(place, piece)| {
            let (work, failed) = (&work, &failed);
            scope.spawn(move || {
                let done = named(place, || work(place, piece));
                if done.is_err() {
                    failed();
                }
                done
            })
        };
        let threads: Vec<_> = places.iter().zip(pieces).map(start).collect();
        let end =
            |thread: thread::ScopedJoinHandle<'_, _>| thread.join().unwrap_or_else(|_| Err(anyhow!("a thread failed")));
        threads.into_iter().map(end).collect()
    })
}

/// Does `work`. An error, or a panic, gets the name of the node.
fn named<T: ?Sized, R>(place: &Place<'_, T>, work: impl FnOnce() -> Result<R>) -> Result<R> {
    caught(work).unwrap_or_else(|text| Err(anyhow!(text))).with_context(|| format!("node {}", place.name))
}
