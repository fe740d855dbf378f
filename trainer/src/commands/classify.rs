//! `bastion classify`: prints the networks' predictions for pictures.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use shared::image::{MAX_FILE_BYTES, Picture};

use crate::device::{self, DeviceChoice};
use crate::files::read_up_to;
use crate::models::{self, Guess};
use crate::output;
use crate::progress::Progress;

/// Arguments of `bastion classify`.
#[derive(Debug, Args)]
#[command(after_help = "\
A picture may have any size; the networks see its centre square at 64x64 pixels.

Examples:
  bastion classify photo.jpg
  bastion classify *.png --model static/models/hardened --top 3
  bastion classify photo.jpg --json | jq '.images[0].models[0].top[0].name'")]
pub struct ClassifyArgs {
    /// Pictures: PNG, JPEG, WebP, GIF or BMP
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Folder of a model or of a run; may be given more than once [default: standard and hardened in static/models]
    #[arg(long = "model", value_name = "DIR")]
    models: Vec<PathBuf>,
    /// How many classes to show
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// The output of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    device: &'static str,
    images: Vec<ImageReport<'a>>,
}

#[derive(Serialize)]
struct ImageReport<'a> {
    path: &'a Path,
    models: Vec<ModelReport<'a>>,
}

#[derive(Serialize)]
struct ModelReport<'a> {
    model: &'a str,
    top: Vec<Guess>,
}

/// Runs `bastion classify`.
///
/// # Errors
/// When a picture or a model cannot be read, before anything is printed.
pub fn run(args: &ClassifyArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    let pictures = args.images.iter().map(|path| read_picture(path)).collect::<Result<Vec<_>>>()?;
    let engine = device::open(device, progress)?;
    let bundles = models::load_all(&args.models, &engine.device)?;

    let mut images: Vec<ImageReport<'_>> =
        args.images.iter().map(|path| ImageReport { path, models: Vec::with_capacity(bundles.len()) }).collect();
    for bundle in &bundles {
        let guesses = models::classify(bundle, &pictures, args.top.into(), &engine.device)?;
        for (image, top) in images.iter_mut().zip(guesses) {
            image.models.push(ModelReport { model: &bundle.card.name, top });
        }
    }

    let report = Report { device: engine.backend.label(), images };
    if args.json { output::json(&report) } else { output::text(table(&report).trim_end()) }
}

/// Reads and decodes a picture.
///
/// # Errors
/// When the file cannot be read or decoded; the error names the file.
pub fn read_picture(path: &Path) -> Result<Picture> {
    let bytes = read_up_to(MAX_FILE_BYTES, path)?;
    Picture::decode(&bytes).with_context(|| format!("cannot read {} as a picture", path.display()))
}

fn table(report: &Report<'_>) -> String {
    let mut text = String::new();
    for image in &report.images {
        text += &format!("{}\n", image.path.display());
        for model in &image.models {
            text += &format!("  {}\n", model.model);
            for guess in &model.top {
                text += &format!("  {}\n", guess_line(guess));
            }
        }
    }
    text
}

/// Formats a prediction: `   93.1%  goldfish`.
pub fn guess_line(guess: &Guess) -> String {
    let name = guess.name.split(',').next().unwrap_or_default();
    format!("{:6.1}%  {name}", 100.0 * guess.probability)
}
