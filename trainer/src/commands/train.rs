//! `bastion train`: trains a network, from scratch or from another, and goes on where it was stopped.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use clap::Args;
use shared::bundle::{Bundle, Description, Precision, Recipe};
use shared::model::Classifier;

use crate::data::{self, Dataset, PixelStats};
use crate::device::{self, DeviceChoice};
use crate::error::{Stopped, UsageError};
use crate::run_dir::{Checkpoint, RunDir, RunRecord, write_atomically};
use crate::train::{Dashboard, Outcome, Position, Session, TrainConfig, find_checkpoint};
use crate::{models, progress};

#[derive(Debug, Args)]
#[command(after_help = "\
Ctrl-C saves and ends the run with exit code 130; a second one ends it at once. Either way --resume goes on.

Examples:
  bastion train --run runs/standard --recipe normal --epochs 10
  bastion train --run runs/hardened --recipe hardened --init runs/standard/final
  bastion train --resume runs/hardened")]
pub struct TrainArgs {
    /// Folder of the new run; it must not exist or be empty
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    run: Option<PathBuf>,
    /// Go on with a run that was stopped; its own settings hold, others are ignored
    #[arg(long, value_name = "DIR", conflicts_with_all = ["run", "init"])]
    resume: Option<PathBuf>,
    /// Start from the weights of a model (a folder with model.json) instead of random ones
    #[arg(long, value_name = "DIR")]
    init: Option<PathBuf>,
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200; with --resume, where it was]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Show plain bars instead of the dashboard, as is done anyway where the output is no terminal
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    config: TrainConfig,
}

/// A run that is ready to start or to go on.
struct Ready {
    run: RunDir,
    record: RunRecord,
    dataset: Dataset,
    checkpoint: Option<Checkpoint>,
    /// Before the first step; a checkpoint fills it later.
    network: Classifier,
}

/// Runs `bastion train`.
///
/// # Errors
/// When a setting is out of range, the data set or a checkpoint cannot be read, or the disk or the device fails; and
/// [`Stopped`] when the user ended it.
pub fn run(args: &TrainArgs, device: DeviceChoice) -> Result<()> {
    let engine = device::open(device)?;
    let device = engine.device;
    let Ready { run, record, dataset, checkpoint, network } = match &args.resume {
        Some(path) => resume(path, args, &device)?,
        None => start(args, &device)?,
    };
    let config = record.config.clone();
    let position = Arc::new(Position::at(checkpoint.map_or(0, |checkpoint| checkpoint.steps_done)));
    let dashboard = if args.plain { None } else { Dashboard::open().map(Arc::new) };
    stop_on_ctrl_c(position.clone(), dashboard.clone())?;
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
    match session.run(network)? {
        Outcome::Stopped { steps_done, steps_total } => Err(Stopped(format!(
            "Stopped; {steps_done} of {steps_total} steps are saved. Go on with: bastion train --resume {}",
            run.path().display()
        ))
        .into()),
        Outcome::Done(model) => {
            let description = Description {
                name: config.recipe.label().into(),
                architecture: config.architecture()?,
                classes,
                mean: record.pixels.mean,
                std: record.pixels.std,
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

/// Makes the run folder, once all that could be wrong with the settings was looked for.
fn start(args: &TrainArgs, device: &Device) -> Result<Ready> {
    let usage = |error: anyhow::Error| UsageError(format!("{error:#}"));
    args.config.validate().map_err(usage)?;
    let path = args.run.as_deref().unwrap_or(Path::new("runs/run"));
    RunDir::check_free(path)?;
    let data = std::path::absolute(data::dir_or_default(args.data.as_deref()))?;
    let parent = args.init.as_deref().map(models::card).transpose()?;
    let dataset = Dataset::load(&data)?;
    Session::check(&args.config, &dataset.train).map_err(usage)?;
    let record = RunRecord {
        command: command_line(),
        init: args.init.as_ref().map(std::path::absolute).transpose()?,
        data,
        data_sha256: dataset.sha256.clone(),
        // A network that is trained further goes on to see its pictures as it is used to.
        pixels: parent.as_ref().map_or(dataset.pixels, |card| PixelStats { mean: card.mean, std: card.std }),
        history: parent.map_or(vec![], |card| card.recipe.commands),
        config: args.config.resolved(),
    };
    let network = first_network(&record, &dataset, device)?;
    let run = RunDir::create(path, &record)?;
    Ok(Ready { run, record, dataset, checkpoint: None, network })
}

fn resume(path: &Path, args: &TrainArgs, device: &Device) -> Result<Ready> {
    let (run, mut record) = RunDir::open(path)?;
    if let Some(data) = &args.data {
        record.data = std::path::absolute(data)?;
    }
    let dataset = Dataset::load(&record.data)?;
    ensure!(
        dataset.sha256 == record.data_sha256,
        "{} is not the data set that the run was started with (SHA-256 {}, then {}); say with --data where that one is",
        record.data.display(),
        dataset.sha256,
        record.data_sha256
    );
    let blank = || blank_network(&record, &dataset, device);
    let checkpoint = find_checkpoint(&run, blank()?)?;
    let network = match checkpoint {
        Some(checkpoint) => {
            eprintln!("Going on after step {}", checkpoint.steps_done);
            // The checkpoint holds all weights: the network that the run started from may be gone.
            blank()?
        }
        None => {
            eprintln!("No checkpoint was saved yet: starting from the first step");
            first_network(&record, &dataset, device)?
        }
    };
    if args.data.is_some() {
        run.write_record(&record)?;
    }
    Ok(Ready { run, record, dataset, checkpoint, network })
}

/// The network of a run's first step.
fn first_network(record: &RunRecord, dataset: &Dataset, device: &Device) -> Result<Classifier> {
    let RunRecord { config, pixels, .. } = record;
    let architecture = config.architecture()?;
    let Some(dir) = &record.init else {
        let classes = dataset.classes.len();
        let network = architecture.init_seeded(classes, pixels.mean, pixels.std, config.seed, device);
        return network.map_err(|error| UsageError(error).into());
    };
    let bundle = models::load(dir, device)?;
    ensure!(
        bundle.card.architecture == architecture && bundle.card.classes == dataset.classes,
        "{} holds another network or other classes than this run: give the same --depth, --width and --strides",
        dir.display()
    );
    Ok(bundle.model)
}

/// A network of the run's kind, for a checkpoint to fill.
fn blank_network(record: &RunRecord, dataset: &Dataset, device: &Device) -> Result<Classifier> {
    let RunRecord { config, pixels, .. } = record;
    let network = config.architecture()?.init(dataset.classes.len(), pixels.mean, pixels.std, device);
    network.map_err(|error| UsageError(error).into())
}

fn stop_on_ctrl_c(position: Arc<Position>, dashboard: Option<Arc<Dashboard>>) -> Result<()> {
    let drawn = dashboard.clone();
    let first = move || {
        let text = "Saving and stopping; once more to stop at once";
        match &drawn {
            Some(dashboard) => dashboard.notify(text),
            None => eprintln!("{text}"),
        }
        position.request_stop();
    };
    let last = move || {
        if let Some(dashboard) = &dashboard {
            dashboard.restore();
        }
    };
    progress::on_ctrl_c(first, last)
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
