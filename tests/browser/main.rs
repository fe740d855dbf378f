//! The built page in a real Chromium, over the server of `cargo xtask demo`: `cargo xtask test` runs these tests.
//!
//! `cargo test` ignores these tests, with the reason, because they need a built page, Chromium and chromedriver.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop and say where")]

mod a11y;
mod bad_input;
mod choice;
mod cpu;
mod crop;
mod decoding;
mod delivery;
mod faulty;
mod inside;
mod kept;
mod lab;
mod layout;
mod load;
mod long_tasks;
mod measure;
mod native;
mod page;
mod photographs;
mod pictures;
mod scores;
mod server;
mod session;
mod sources;
mod survives;
mod verdicts;
mod visit;
mod webgpu;
