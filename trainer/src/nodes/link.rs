//! The line to a node, measured.

use std::fmt::{self, Display};
use std::time::{Duration, Instant};

use anyhow::Result;
use burn::prelude::*;
use indicatif::DecimalBytes;

use crate::models::read;

/// Values sent and fetched to measure the line: 2 MB.
const VALUES: usize = 500_000;

/// What the line to a node bears, its device's share included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Time from a question to its answer.
    pub round_trip: Duration,
    /// Bytes a second to the node.
    pub up: f64,
    /// Bytes a second from the node.
    pub down: f64,
}

impl Link {
    /// Measures the line to the node of `device`.
    ///
    /// # Errors
    /// When the node fails.
    pub fn measure(device: &Device) -> Result<Self> {
        let one = Tensor::<1>::zeros([1], device);
        // The first question also opens the session, and compiles.
        read(one.clone() + 1.0)?;
        let mut round_trip = Duration::MAX;
        for _ in 0..4 {
            let start = Instant::now();
            read(one.clone())?;
            round_trip = round_trip.min(start.elapsed());
        }
        let rate = |since: Instant| {
            let seconds = since.elapsed().saturating_sub(round_trip).as_secs_f64();
            (VALUES * size_of::<f32>()) as f64 / seconds.max(1e-6)
        };
        let start = Instant::now();
        let sent = Tensor::<1>::from_data(TensorData::new(vec![0.5f32; VALUES], [VALUES]), device);
        read(sent.clone().narrow(0, 0, 1))?;
        let up = rate(start);
        let start = Instant::now();
        read(sent)?;
        Ok(Self { round_trip, up, down: rate(start) })
    }
}

impl Display for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (up, down) = (DecimalBytes(self.up as u64), DecimalBytes(self.down as u64));
        let round_trip = 1e3 * self.round_trip.as_secs_f64();
        write!(formatter, "answers in {round_trip:.1} ms, takes {up}/s and gives {down}/s")
    }
}
