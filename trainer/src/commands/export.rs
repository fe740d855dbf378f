//! `bastion export`: writes a trained network as a bundle for the page, or validation pictures as the page's samples.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use serde::Serialize;
use shared::bundle::{Bundle, Card, Description, Precision};
use shared::image::Picture;

use crate::data::{self, Dataset};
use crate::device::{self, DeviceChoice};
use crate::error::UsageError;
use crate::evaluate::spread;
use crate::files::write_atomically;
use crate::models::Listing;
use crate::progress::Progress;
use crate::{models, output};

/// Arguments of `bastion export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bastion export runs/standard --out static/models/standard
  bastion export runs/hardened/final --out static/models/hardened --name hardened
  bastion export runs/large --out static/models/large --precision q8
  bastion export --samples 12")]
pub struct ExportArgs {
    /// A run folder whose training is done, or the folder of a model
    #[arg(value_name = "RUN", required_unless_present = "samples", requires = "out")]
    run: Option<PathBuf>,
    /// Folder to write model.json and the weights to; beside the page's networks, it is added to their list
    #[arg(long, value_name = "DIR", requires = "run")]
    out: Option<PathBuf>,
    /// Name of the model [default: that of the folder it is written to]
    #[arg(long, requires = "run", value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
    /// Number format of the weights
    #[arg(long, value_enum, default_value = "f16")]
    precision: PrecisionArg,
    /// Cut weights larger than so many megabytes into files of that size, as static hosts cap theirs
    #[arg(long, value_name = "MB", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=2000))]
    part_mb: u32,
    /// Put so many validation pictures into the page's own samples; git ignores them, for their licence
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    samples: Option<u32>,
    /// The imported data set the samples are from [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR", requires = "samples")]
    data: Option<PathBuf>,
    /// The page's folder of local samples
    #[arg(long, value_name = "DIR", default_value = "static/samples/local", requires = "samples")]
    samples_out: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PrecisionArg {
    /// Half precision: half the size, logits within a thousandth
    F16,
    /// Full precision
    F32,
    /// 8 bits and a step for each output channel: a quarter of the size, for large networks
    Q8,
}

/// An entry of the page's `index.json`.
#[derive(Serialize)]
struct Sample {
    file: String,
    title: String,
    wnid: String,
    source: &'static str,
}

/// Runs `bastion export`.
///
/// # Errors
/// When the network cannot be read or the files cannot be written.
pub fn run(args: &ExportArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    if let (Some(run), Some(out)) = (&args.run, &args.out) {
        export(run, out, args, device, progress)?;
    }
    match args.samples {
        Some(count) => samples(count as usize, args),
        None => Ok(()),
    }
}

fn export(run: &Path, out: &Path, args: &ExportArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    let dir = models::dir_of(run)?;
    let name = match (&args.name, out.file_name()) {
        (Some(name), _) => name.clone(),
        (None, Some(name)) => name.to_string_lossy().into_owned(),
        (None, None) => return Err(UsageError(format!("{} names no folder", out.display())).into()),
    };
    // The folder is checked before anything is written there.
    let listing = Listing::of(out)?;
    let engine = device::open(device, progress)?;
    let Bundle { card, model } = models::load(&dir, &engine.device)?;
    let precision = match args.precision {
        PrecisionArg::F16 => Precision::F16,
        PrecisionArg::F32 => Precision::F32,
        PrecisionArg::Q8 => Precision::Q8,
    };
    // Scores belong to the weights they were measured with, and rounding changes the weights.
    let scores = if precision == card.weights.precision { card.scores } else { vec![] };
    let description = Description {
        name,
        architecture: card.architecture,
        classes: card.classes,
        mean: card.mean,
        std: card.std,
        recipe: card.recipe,
        data_sha256: card.data_sha256,
        scores,
    };
    let exported = Bundle::export(&model, description, precision, &engine.device);
    let (json, weights) = pollster::block_on(exported)?;
    let replaced = models::card(out)
        .ok()
        .filter(|old| Card::from_json(&json).is_ok_and(|new| new.weights.sha256 != old.weights.sha256));
    models::write(out, &json, &weights, Some(1_000_000 * args.part_mb as usize))?;
    let written = models::load(out, &engine.device)?.card.weights;
    let listed = listing.map_or(Ok(false), Listing::add)?;
    if let Some(old) = replaced {
        let scores = if old.scores.is_empty() { "" } else { ", and its scores went with it" };
        progress.note(format!("{} held another network, {}{scores}", out.display(), old.name));
    }
    if listed {
        progress.note("The page lists it: it is in index.json now");
    }
    output::text(&format!(
        "{}: {:.2} MB of weights in {} {}, loaded back and self-tested",
        out.display(),
        weights.len() as f64 / 1e6,
        written.precision,
        match written.parts.len() {
            0 => "in one file".into(),
            parts => format!("in {parts} files"),
        }
    ))
}

fn samples(count: usize, args: &ExportArgs) -> Result<()> {
    let dataset = Dataset::load_val(&data::dir_or_default(args.data.as_deref()))?;
    let out = &args.samples_out;
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let mut index = Vec::with_capacity(count);
    for (number, place) in spread(&dataset.val.labels, Some(count)).into_iter().enumerate() {
        let class = &dataset.classes[dataset.val.label(place)];
        let file = format!("{number}.png");
        let picture = Picture::from_rgb8(dataset.val.image(place).to_vec())?;
        write_atomically(&out.join(&file), &picture.encode_png()?)?;
        index.push(Sample {
            file,
            title: class.short_name().into(),
            wnid: class.wnid.clone(),
            source: "Tiny ImageNet, validation",
        });
    }
    write_atomically(&out.join("index.json"), &serde_json::to_vec_pretty(&index)?)?;
    output::text(&format!("{} samples in {}", index.len(), out.display()))
}
