//! The built page in a real Chromium, over the server that `cargo xtask demo` uses: `cargo xtask test` runs these.
//!
//! All are ignored otherwise, and say why, because they need a built page, Chromium and chromedriver.

mod bad_input;
mod cpu;
mod layout;
mod page;
mod pictures;
mod server;
mod session;
mod visit;
mod webgpu;
