//! `bastion train`: trains a network, from scratch, from another or from pretrained weights, and resumes a run that was
//! stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, ensure};
use burn::prelude::*;
use burn::tensor::FloatDType;
use clap::Args;

use crate::data;
use crate::device::{self, DeviceChoice};
use crate::error::{Stopped, UsageError};
use crate::memory::Memory;
use crate::models;
use crate::nodes::{self, Node, NodesFlag, Watch};
use crate::pretrained;
use crate::progress::{Progress, ProgressChoice, on_ctrl_c};
use crate::train::{
    ConfigFlags, Dashboard, Job, NewRun, OptimizerName, Outcome, Places, Position, RunDir, TrainConfig, resolve,
    survive,
};

/// Arguments of `bastion train`.
#[derive(Debug, Args)]
#[command(after_help = "\
Settings come from the recipe, then from --config, then from flags; the run folder keeps all of them in config.toml.
Ctrl-C saves and ends the run with exit code 130; a second one ends it at once. Either way --resume goes on.

Examples:
  bastion train --run runs/standard --recipe normal --epochs 10
  bastion train --run runs/hardened --recipe adversarial-n-fgsm --init runs/standard
  bastion train --run runs/paper --arch wide_resnet50_2 --pretrained wide_resnet50_2.pth --learning-rate 0.01
  bastion train --run runs/union --recipe hardened --crafted data/fgsm,data/bim
  bastion train --run runs/again --config runs/hardened/config.toml --seed 1
  bastion train --run runs/large --arch resnet50 --batch-size 32
  BASTION_TOKEN=... bastion train --run runs/borrowed --recipe hardened-live --nodes 127.0.0.1:7401
  bastion train --resume runs/hardened")]
pub struct TrainArgs {
    /// Folder of the new run; it must not exist or be empty
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    run: Option<PathBuf>,
    /// Go on with a run that was stopped, with its own settings
    #[arg(long, value_name = "DIR", conflicts_with_all = ["run", "init", "pretrained", "config_file", "crafted"])]
    resume: Option<PathBuf>,
    /// A TOML file with settings: the flags from --recipe on, without their dashes in front
    #[arg(long = "config", id = "config_file", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Start from the weights of a model or of a finished run instead of random ones
    #[arg(long, value_name = "DIR")]
    init: Option<PathBuf>,
    /// Start from weights of PyTorch for this --arch, such as torchvision's: a state dict as .pth, .pt or .safetensors. A head
    /// for other classes is drawn anew, and pictures are normalised by ImageNet's mean and standard deviation
    #[arg(long, value_name = "FILE", conflicts_with = "init")]
    pretrained: Option<PathBuf>,
    /// Sets made by `bastion craft`, for recipes that train on them, with commas between them
    #[arg(long, value_name = "DIR", value_delimiter = ',')]
    crafted: Vec<PathBuf>,
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200; with --resume, where it was]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Discrete GPUs that share the batches, by their numbers. Their gradients meet in any order: two such runs of one seed
    /// differ slightly [default: one device]
    #[arg(long, value_delimiter = ',', value_name = "N,...", conflicts_with = "nodes")]
    devices: Vec<usize>,
    #[command(flatten)]
    nodes: NodesFlag,
    /// Show plain bars instead of the dashboard, as is done anyway where the output is no terminal or with --progress
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    config: ConfigFlags,
}

/// Runs `bastion train`.
///
/// # Errors
/// When a setting is out of range, the data set or a checkpoint cannot be read, or the disk or the device fails; and
/// [`Stopped`] when the user ended it.
pub fn run(args: &TrainArgs, choice: DeviceChoice, progress: &Progress) -> Result<()> {
    let nodes = args.nodes.open(progress)?;
    shared::device::tune_convolutions();
    let devices = device::open_all(choice, &args.devices, progress)?;
    let places = if nodes.is_empty() { Places::here(devices) } else { Places::on(nodes, devices[0].clone()) };
    // Without --resume there is a --run: clap requires it.
    let path = args.resume.as_deref().or(args.run.as_deref()).unwrap_or(Path::new("runs/run"));
    let Some(job) = survive(path, || nodes::guard(&places.nodes, || job(args, path, &places, progress)))? else {
        return Ok(());
    };
    if job.steps_done() > 0 {
        progress.note(format!("Going on after step {}", job.steps_done()));
    } else if args.resume.is_some() {
        progress.note("No checkpoint was saved yet: starting from the first step");
    }
    let position = job.position();
    let plain = args.plain || progress.choice() != ProgressChoice::Auto;
    let dashboard = if plain { None } else { Dashboard::open().map(Arc::new) };
    let shown = dashboard.clone().map_or(progress.clone(), |dashboard| progress.shown_by(dashboard));
    stop_on_ctrl_c(position.clone(), dashboard.clone(), shown.clone())?;
    let _watch = watch(&places.nodes, path, dashboard.clone(), progress);
    let train = || job.train(&places, position, dashboard, &shown);
    let outcome = survive(path, || nodes::guard(&places.nodes, train));
    Memory::note(path, &places.own);
    match outcome? {
        Outcome::Stopped { steps_done, steps_total } => Err(Stopped(format!(
            "Stopped; {steps_done} of {steps_total} steps are saved. Go on with: bastion train --resume {}",
            path.display()
        ))
        .into()),
        Outcome::Done(_) => {
            progress.note(format!("Trained. The network is in {}", path.join("final").display()));
            Ok(())
        }
    }
}

/// Returns the run to start or resume; `None` if it is done already.
fn job(args: &TrainArgs, path: &Path, places: &Places, progress: &Progress) -> Result<Option<Job>> {
    let device = &places.devices[0];
    if args.resume.is_some() {
        let given: Vec<String> = args.config.given().map(|name| format!("--{name}")).collect();
        ensure!(
            given.is_empty(),
            UsageError(format!(
                "a run goes on with its own settings, so {} cannot be changed: start another with --config {} --run DIR",
                given.join(", "),
                path.join("config.toml").display()
            ))
        );
        let (run, _, config) = RunDir::open(path)?;
        if run.final_bundle().join("model.json").is_file() {
            progress.note(format!("Trained already. The network is in {}", run.final_bundle().display()));
            return Ok(None);
        }
        check_devices(&config, places)?;
        return Ok(Some(Job::resume(path, args.data.as_deref(), device, progress)?));
    }
    let mut config = resolve(args.config_file.as_deref(), &args.config)?;
    // The run may be resumed from another folder.
    config.teacher = config.teacher.map(std::path::absolute).transpose()?;
    check_devices(&config, places)?;
    let data = data::dir_or_default(args.data.as_deref());
    RunDir::check_free(path)?;
    // The files are checked first, since loading the data set takes a while.
    if let Some(file) = &args.pretrained {
        pretrained::check(file, &config.architecture()?)?;
        if config.optimizer == OptimizerName::Sgd && config.learning_rate() > 0.05 {
            progress.note(format!(
                "A learning rate of {} may undo what the weights know; 0.01 is usual (--learning-rate)",
                config.learning_rate()
            ));
        }
    }
    for dir in args.init.iter().chain(&config.teacher) {
        models::card(&models::dir_of(dir)?)?;
    }
    let new = NewRun {
        path,
        config,
        init: args.init.as_deref(),
        pretrained: args.pretrained.as_deref(),
        data: &data,
        crafted: &args.crafted,
        command: super::command_line(&["--data", "--nodes"]),
    };
    Ok(Some(Job::start(&new, device, progress)?))
}

/// Checks that the devices can do what `config` asks for: in another precision the run would fail inside of a kernel.
fn check_devices(config: &TrainConfig, places: &Places) -> Result<()> {
    ensure!(
        config.teacher.is_none() || places.nodes.len() < 2,
        UsageError("a teacher is on one device, and several nodes share each step: give one of --nodes".into())
    );
    let devices: Vec<&Device> = match &places.nodes[..] {
        [] => places.devices.iter().collect(),
        nodes => nodes.iter().map(|node| &node.device).collect(),
    };
    ensure!(
        !config.mixed_precision || devices.iter().all(|device| device.supports_dtype(FloatDType::BF16)),
        UsageError(
            "mixed precision needs bfloat16, which this device does not compute with: start without --mixed-precision, or go \
             on with a run on a device like the one it began on"
                .into()
        )
    );
    Ok(())
}

/// Watches the nodes of the run in the folder `run`.
fn watch(nodes: &[Node], run: &Path, dashboard: Option<Arc<Dashboard>>, progress: &Progress) -> Watch {
    let advice = format!(
        "\nWhat was saved is kept: bastion train --resume {} goes on, with --nodes of these or others, or without",
        run.display()
    );
    let last = move || {
        if let Some(dashboard) = &dashboard {
            dashboard.restore();
        }
    };
    Watch::start(nodes, progress, advice, last)
}

fn stop_on_ctrl_c(position: Arc<Position>, dashboard: Option<Arc<Dashboard>>, progress: Progress) -> Result<()> {
    let first = move || {
        progress.note("Saving and stopping; once more to stop at once");
        position.request_stop();
    };
    let last = move || {
        if let Some(dashboard) = &dashboard {
            dashboard.restore();
        }
    };
    on_ctrl_c(first, last)
}
