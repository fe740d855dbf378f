//! The `bastion` program: parses the command line, runs the command and reports its failure.

use std::process::ExitCode;

use clap::Parser;
use trainer::cli::{Cli, Command};
use trainer::commands::{self, Failure};
use trainer::progress::{Event, Progress};

fn main() -> ExitCode {
    trainer::child::follow_parent();
    let Cli { command, device, progress } = Cli::parse();
    let progress = &Progress::new(progress);
    let result = match &command {
        Command::Data(args) => commands::data::run(args, progress),
        Command::Train(args) => commands::train::run(args, device, progress),
        Command::Weights(args) => commands::weights::run(args),
        Command::Craft(args) => commands::craft::run(args, device, progress),
        Command::Evaluate(args) => commands::evaluate::run(args, device, progress),
        Command::Detector(args) => commands::detector::run(args, device, progress),
        Command::Check(args) => commands::check::run(args, device, progress),
        Command::Merge(args) => commands::merge::run(args, progress),
        Command::Reproduce(args) => commands::reproduce::run(args, device, progress),
        Command::Compare(args) => commands::compare::run(args, device, progress),
        Command::Serve(args) => commands::serve::run(args, device, progress),
        Command::Export(args) => commands::export::run(args, device, progress),
        Command::Classify(args) => commands::classify::run(args, device, progress),
        Command::Attack(args) => commands::attack::run(args, device, progress),
        Command::Explain(args) => commands::explain::run(args, device, progress),
        Command::MeasureNetwork(args) => commands::measure_network::run(args, device, progress),
    };
    match result.map_err(Failure::from) {
        Ok(()) | Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(failure) => {
            let (text, exit_code) = (failure.to_string(), failure.exit_code());
            trainer::child::write_failure(&text);
            progress.send(&Event::Failed { text, exit_code });
            ExitCode::from(exit_code)
        }
    }
}
