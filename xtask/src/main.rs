//! `cargo xtask`: installs, builds, serves and checks everything, so that the README needs two commands.
//!
//! `main` only parses and dispatches; each command is a module that runs a list of [`steps`].

mod bench;
mod bench_page;
mod browser;
mod checks;
mod demo;
mod dist;
mod full;
mod gpu;
mod npm;
mod page;
mod process;
mod reliability;
mod scores;
mod server;
mod shots;
mod steps;
#[cfg(test)]
mod test_cards;
mod tools;
mod walls;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Set-up, demo, tests and benchmarks of Bastion")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the page needs, build it, serve it on this machine and open the browser
    Demo {
        /// Port to serve on; the next free one is taken if it is in use
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Only print the address, open no browser
        #[arg(long)]
        no_open: bool,
    },
    /// Build the page into a folder for any static host: small, compressed, with its headers, and without pictures that may
    /// not be passed on
    Dist {
        /// Folder for the page, new or empty [default: target/deploy, which is emptied first]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Leave the programs as large as they are and compress lightly: for a look, or for browser tests
        #[arg(long)]
        quick: bool,
    },
    /// Format, lints, documentation, native tests, and the page in a real Chromium
    Test {
        /// Leave out the browser tests (and the build of the page that they need)
        #[arg(long)]
        skip_browser: bool,
        /// Also compare training and attacking on the GPU with the CPU (a software Vulkan driver is enough)
        #[arg(long)]
        gpu: bool,
        /// Also train on servers of this machine (`bastion serve`), for which burn is compiled once more; and load the paper's
        /// network in full, with weights that torchvision saved, and compare its logits. It installs PyTorch into target/full,
        /// some gigabytes, unless BASTION_PYTHON names a Python that has it and torchvision
        #[arg(long)]
        full: bool,
    },
    /// Measure what an input gradient and a training step cost, in forward passes
    Bench {
        /// Measure something else instead
        #[command(subcommand)]
        what: Option<Benchmark>,
    },
    /// Serve a folder that is already built
    Serve {
        /// Folder to serve
        #[arg(default_value = "dist")]
        dir: PathBuf,
        /// Port to serve on; the next free one is taken if it is in use
        #[arg(long, default_value_t = 8080)]
        port: u16,
    },
    /// Write the shipped models' scores into the README
    Scores,
    /// Photograph the page after an attack, wide and narrow, light and dark
    Shots {
        /// Folder for the PNG files
        #[arg(default_value = "target/shots")]
        out: PathBuf,
        /// Picture to attack instead of a sample
        #[arg(long)]
        picture: Option<PathBuf>,
        /// Compute on the browser's software WebGPU instead of the CPU path; it takes minutes
        #[arg(long)]
        webgpu: bool,
    },
}

#[derive(Subcommand)]
enum Benchmark {
    /// The page as visitors get it: bytes over the wire and their budgets, times, the longest task while an attack runs
    Page,
    /// Pictures a second on a device: forward, input gradient, training step, PGD training step
    Device {
        /// flex, wgpu, vulkan, libtorch or libtorch-cuda
        #[arg(default_value = "wgpu")]
        name: bench::DeviceName,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo { port, no_open } => demo::run(port, no_open),
        Command::Dist { out, quick } => dist::run(out, quick),
        Command::Test { skip_browser, gpu, full } => checks::run(skip_browser, gpu, full),
        Command::Bench { what: None } => bench::run(),
        Command::Bench { what: Some(Benchmark::Page) } => bench_page::run(),
        Command::Bench { what: Some(Benchmark::Device { name }) } => bench::device(name),
        Command::Serve { dir, port } => server::serve(&dir, port),
        Command::Scores => scores::run(false),
        Command::Shots { out, picture, webgpu } => shots::run(&out, picture.as_deref(), webgpu),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
