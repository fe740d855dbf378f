//! The command line: parse, do, and tell in one place how it ended.

use std::process::ExitCode;

use clap::Parser;
use trainer::cli::{Cli, Command};
use trainer::commands::{self, Failure};

fn main() -> ExitCode {
    trainer::child::follow_parent();
    let Cli { command, device } = Cli::parse();
    let result = match &command {
        Command::Data(args) => commands::data::run(args),
        Command::Train(args) => commands::train::run(args, device),
        Command::Weights(args) => commands::weights::run(args),
        Command::Craft(args) => commands::craft::run(args, device),
        Command::Evaluate(args) => commands::evaluate::run(args, device),
        Command::Check(args) => commands::check::run(args, device),
        Command::Reproduce(args) => commands::reproduce::run(args, device),
        Command::Compare(args) => commands::compare::run(args, device),
        Command::Export(args) => commands::export::run(args, device),
        Command::Classify(args) => commands::classify::run(args, device),
        Command::Attack(args) => commands::attack::run(args, device),
        Command::TryBatch(args) => commands::try_batch::run(args, device),
        Command::MeasureNetwork(args) => commands::measure_network::run(args, device),
    };
    match result.map_err(Failure::from) {
        Ok(()) | Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            trainer::child::tell_failure(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}
