//! `bastion train`: trains a network, from scratch or from another, and goes on where it was stopped.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use clap::Args;
use shared::bundle::{Bundle, Description, Precision, Recipe};
use shared::model::Classifier;

use crate::commands::UsageError;
use crate::data::{self, Dataset};
use crate::device::{self, DeviceChoice};
use crate::models;
use crate::run_dir::{RunDir, RunRecord, write_atomically};
use crate::train::{Outcome, Position, Session, TrainConfig};

/// Mean of Tiny ImageNet's training pictures, RGB.
const MEAN: [f32; 3] = [0.4802, 0.4481, 0.3975];
/// Their standard deviation.
const STD: [f32; 3] = [0.2764, 0.2689, 0.2816];

#[derive(Debug, Args)]
#[command(after_help = "\
Ctrl-C saves and ends the run; a second one ends it at once. Either way --resume goes on.

Examples:
  bastion train --run runs/standard --recipe normal --epochs 10
  bastion train --run runs/hardened --recipe hardened --init runs/standard/final
  bastion train --resume runs/hardened")]
pub struct TrainArgs {
    /// Folder of the new run; it must not exist or be empty
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    run: Option<PathBuf>,
    /// Go on with a run that was stopped; its own settings hold, others are ignored
    #[arg(long, value_name = "DIR", conflicts_with_all = ["run", "init", "data"])]
    resume: Option<PathBuf>,
    /// Start from the weights of a model (a folder with model.json) instead of random ones
    #[arg(long, value_name = "DIR")]
    init: Option<PathBuf>,
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Show plain bars instead of the dashboard, as is done anyway where the output is no terminal
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    config: TrainConfig,
}

/// Runs `bastion train`.
///
/// # Errors
/// When a setting is out of range, the data set or a checkpoint cannot be read, or the disk or the device fails.
pub fn run(args: &TrainArgs, device: DeviceChoice) -> Result<()> {
    let engine = device::open(device)?;
    let device = engine.device;
    let (run, record, dataset) = match &args.resume {
        Some(path) => {
            let (run, record) = RunDir::open(path)?;
            let dataset = Dataset::load(&record.data)?;
            ensure!(
                dataset.sha256 == record.data_sha256,
                "{} is not the data set that the run was started with (SHA-256 {}, then {})",
                record.data.display(),
                dataset.sha256,
                record.data_sha256
            );
            (run, record, dataset)
        }
        None => start(args)?,
    };
    let checkpoint = run.latest_checkpoint()?;
    match checkpoint {
        Some(checkpoint) => eprintln!("Going on after step {}", checkpoint.steps_done),
        None if args.resume.is_some() => eprintln!("No checkpoint was saved yet: starting from the first step"),
        None => {}
    }
    let config = record.config.clone();
    let classifier = initial_model(&record, &dataset, &device)?;
    let position = Arc::new(Position::at(checkpoint.map_or(0, |checkpoint| checkpoint.steps_done)));
    stop_on_ctrl_c(position.clone())?;
    let dashboard = !args.plain && std::io::stdout().is_terminal();
    let (classes, data_sha256) = (dataset.classes.clone(), dataset.sha256.clone());
    let session = Session {
        config: config.clone(),
        run: run.clone(),
        dataset,
        device: device.clone(),
        position,
        checkpoint,
        dashboard,
    };
    match session.run(classifier)? {
        Outcome::Stopped { steps_done, steps_total } => {
            eprintln!(
                "Stopped; {steps_done} of {steps_total} steps are saved. Go on with: bastion train --resume {}",
                run.path().display()
            );
            Ok(())
        }
        Outcome::Done(model) => {
            let description = Description {
                name: config.recipe.label().into(),
                architecture: config.architecture()?,
                classes,
                mean: MEAN,
                std: STD,
                recipe: Recipe {
                    name: config.recipe.label().into(),
                    commands: [record.history.clone(), vec![record.command.clone()]].concat(),
                    config: serde_json::to_value(&config)?,
                },
                data_sha256,
                scores: vec![],
            };
            let (json, weights) = pollster::block_on(Bundle::export(&model, description, Precision::F32, &device))?;
            let dir = run.final_bundle();
            fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
            write_atomically(&dir.join("model.safetensors"), &weights)?;
            write_atomically(&dir.join("model.json"), &json)?;
            eprintln!("Trained. The network is in {}", dir.display());
            Ok(())
        }
    }
}

/// Checks the settings before anything slow or lasting is done, then makes the run folder.
fn start(args: &TrainArgs) -> Result<(RunDir, RunRecord, Dataset)> {
    let usage = |error: anyhow::Error| UsageError(format!("{error:#}"));
    args.config.validate().map_err(usage)?;
    let path = args.run.as_deref().unwrap_or(Path::new("runs/run"));
    let data = std::path::absolute(data::dir_or_default(args.data.as_deref()))?;
    let history = match &args.init {
        Some(dir) => models::card(dir)?.recipe.commands,
        None => vec![],
    };
    let dataset = Dataset::load(&data)?;
    let record = RunRecord {
        command: command_line(),
        history,
        init: args.init.as_ref().map(std::path::absolute).transpose()?,
        data,
        data_sha256: dataset.sha256.clone(),
        config: args.config.clone(),
    };
    Ok((RunDir::create(path, &record)?, record, dataset))
}

/// The network before the first step; a checkpoint fills it later.
fn initial_model(record: &RunRecord, dataset: &Dataset, device: &Device) -> Result<Classifier> {
    let architecture = record.config.architecture()?;
    let Some(dir) = &record.init else {
        let model = architecture.init_seeded(dataset.classes.len(), MEAN, STD, record.config.seed, device);
        return model.map_err(|error| UsageError(error).into());
    };
    let bundle = models::load(dir, device)?;
    ensure!(
        bundle.card.architecture == architecture && bundle.card.classes == dataset.classes,
        "{} holds another network or other classes than this run: give the same --depth, --width and --strides",
        dir.display()
    );
    Ok(bundle.model)
}

fn stop_on_ctrl_c(position: Arc<Position>) -> Result<()> {
    let mut asked_at: Option<Instant> = None;
    ctrlc::set_handler(move || match asked_at {
        // Wrappers such as `timeout` pass on a Ctrl-C that the terminal has sent already.
        Some(first) if first.elapsed() < Duration::from_secs(1) => {}
        Some(_) => std::process::exit(130),
        None => {
            asked_at = Some(Instant::now());
            eprintln!("Saving and stopping; once more to stop at once");
            position.request_stop();
        }
    })
    .context("cannot listen for Ctrl-C")
}

/// What was typed, for the record; the data set's place and the program's own are this machine's business.
fn command_line() -> String {
    let mut words = vec!["bastion".to_string()];
    let mut arguments = std::env::args().skip(1);
    while let Some(word) = arguments.next() {
        match word.as_str() {
            "--data" => drop(arguments.next()),
            word if word.starts_with("--data=") => {}
            word => words.push(word.to_string()),
        }
    }
    words.join(" ")
}
