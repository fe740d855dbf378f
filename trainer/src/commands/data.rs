//! `bastion data`: the data set, from its official files to the cache that training reads.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result};
use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;

use crate::data::{
    self, BadSource, Cache, Crafted, Download, ImportOptions, Meta, Subset, SubsetOptions, TINY_IMAGENET,
    TINY_IMAGENET_URL,
};
use crate::device::DeviceChoice;
use crate::output;
use crate::progress::{Progress, Stop};

/// Arguments of `bastion data`.
#[derive(Debug, Args)]
pub struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
    /// Takes the place of the flag of all commands, to keep it out of the help here: nothing is computed
    #[arg(id = "device", long = "device", value_enum, default_value = "auto", global = true, hide = true)]
    _device: DeviceChoice,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Import Tiny ImageNet, or a set in its layout, from an archive or a folder
    Import(ImportArgs),
    /// Download Tiny ImageNet from Stanford (248 MB), check and import it
    Fetch(FetchArgs),
    /// Make a smaller data set of an imported one: fewer classes, fewer pictures of each
    Subset(SubsetArgs),
    /// Show what has been imported, and check it
    Info(InfoArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
The data set is decoded once into raw arrays (1.4 GB for the whole of Tiny ImageNet), which the other commands read.

Examples:
  bastion data import tiny-imagenet-200.zip
  bastion data import tiny-imagenet-200.tar.zst --out /big/disk/tiny
  bastion data import ~/datasets/tiny-imagenet-200/")]
struct ImportArgs {
    /// The official .zip, a .tar, .tar.gz or .tar.zst, or a folder: wnids.txt, words.txt, train/ and val/, in a top folder or not
    path: PathBuf,
    #[command(flatten)]
    to: To,
}

#[derive(Debug, Args)]
#[command(after_help = "\
An interrupted download goes on where it stopped when the command is run again. The official archive is checked against
its known length and SHA-256; of any other address the archive's own check sums and the data set's counts are checked.

Tiny ImageNet may be used for non-commercial research and education, under ImageNet's terms.")]
struct FetchArgs {
    /// Another address of the archive
    #[arg(long)]
    url: Option<String>,
    /// Keep the archive after the import
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    to: To,
}

/// Where and how to import.
#[derive(Debug, Args)]
struct To {
    /// Where to put the imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Accept Tiny ImageNet with pictures missing
    #[arg(long)]
    partial: bool,
    /// Replace a data set that has been imported to the same place
    #[arg(long)]
    force: bool,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("part").args(["classes", "per_class"]).required(true).multiple(true))]
#[command(after_help = "\
The seed chooses classes and pictures, the same ones on every machine; a larger number only adds to them. What is not limited
is taken whole. A subset is laid out as an imported data set: --data of other commands takes it.

Examples:
  bastion data subset --per-class 50 --out data/tiny-50
  bastion data subset --classes 20 --per-class 100 --val-per-class 25 --seed 1 --out data/20-classes")]
struct SubsetArgs {
    /// Take so many classes [default: all]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..))]
    classes: Option<u32>,
    /// Take so many training pictures of each class [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    per_class: Option<u32>,
    /// Take so many validation pictures of each class [default: all]
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(1..))]
    val_per_class: Option<u32>,
    /// Which ones
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder for the subset
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace a data set that is in that folder
    #[arg(long)]
    force: bool,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct InfoArgs {
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Compare every byte with the hashes taken at the import
    #[arg(long)]
    verify: bool,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// The output of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    dir: &'a Path,
    classes: usize,
    train_images: usize,
    val_images: usize,
    whole: bool,
    sha256: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subset: Option<&'a Subset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crafted: Option<&'a Crafted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

impl<'a> Report<'a> {
    fn new(dir: &'a Path, meta: &'a Meta) -> Self {
        Self {
            dir,
            classes: meta.classes.len(),
            train_images: meta.train.images,
            val_images: meta.val.images,
            whole: meta.whole,
            sha256: &meta.sha256,
            subset: meta.subset.as_ref(),
            crafted: meta.crafted.as_ref(),
            verified: None,
            warnings: None,
            seconds: None,
        }
    }
}

/// Runs `bastion data ...`.
///
/// # Errors
/// When the import fails, or an imported data set cannot be read.
pub fn run(args: &DataArgs, progress: &Progress) -> Result<()> {
    match &args.command {
        DataCommand::Import(args) => import(&args.path, &args.to, progress),
        DataCommand::Fetch(args) => fetch(args, progress),
        DataCommand::Subset(args) => subset(args, progress),
        DataCommand::Info(args) => info(args, progress),
    }
}

fn import(path: &Path, to: &To, progress: &Progress) -> Result<()> {
    let started = Instant::now();
    let out = data::dir_or_default(to.out.as_deref());
    let options = ImportOptions { partial: to.partial, force: to.force };
    let (meta, warnings) = data::import(path, &out, options, progress, &Stop::on_ctrl_c()?)?;
    let seconds = started.elapsed().as_secs_f64();
    warnings.iter().for_each(|warning| progress.warn(warning.as_str()));
    if to.json {
        return output::json(&Report { warnings: Some(&warnings), seconds: Some(seconds), ..Report::new(&out, &meta) });
    }
    progress.note(format!(
        "Imported {} training and {} validation pictures of {} classes in {seconds:.0} s to {}",
        meta.train.images,
        meta.val.images,
        meta.classes.len(),
        out.display()
    ));
    Ok(())
}

fn fetch(args: &FetchArgs, progress: &Progress) -> Result<()> {
    let out = data::dir_or_default(args.to.out.as_deref());
    // The destination is checked before the long download.
    data::check_destination(&out, args.to.force)?;
    let archive = data::beside(&out, "zip")?;
    let expected = args.url.is_none().then_some(TINY_IMAGENET);
    let url = args.url.as_deref().unwrap_or(TINY_IMAGENET_URL);
    let fetched = Download { url, expected, pause: Duration::from_secs(1) }.run(&archive, progress)?;
    let verb = if fetched { "Downloaded" } else { "Found" };
    progress.note(format!("{verb} {}", archive.display()));
    if let Err(error) = import(&archive, &args.to, progress) {
        return Err(if expected.is_none() && error.is::<BadSource>() { set_aside(&archive, error) } else { error });
    }
    if !args.keep {
        fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
    }
    Ok(())
}

/// Renames an archive that cannot be imported, so that the next download replaces nothing. The archive is kept, since the
/// import may succeed with `--partial`.
fn set_aside(archive: &Path, error: Error) -> Error {
    let mut aside = archive.as_os_str().to_owned();
    aside.push(".bad");
    let aside = PathBuf::from(aside);
    match fs::rename(archive, &aside) {
        Ok(()) => error.context(format!(
            "what was downloaded is kept in {}, and running the command again downloads it anew",
            aside.display()
        )),
        Err(_) => error.context(format!("delete {} before you run the command again", archive.display())),
    }
}

fn subset(args: &SubsetArgs, progress: &Progress) -> Result<()> {
    let started = Instant::now();
    let count = |count: Option<u32>| count.map(|count| count as usize);
    let options = SubsetOptions {
        classes: count(args.classes),
        per_class: count(args.per_class),
        val_per_class: count(args.val_per_class),
        seed: args.seed,
        force: args.force,
    };
    let from = data::dir_or_default(args.data.as_deref());
    let meta = data::subset(&from, &args.out, &options, progress, &Stop::on_ctrl_c()?)?;
    if args.json {
        let seconds = Some(started.elapsed().as_secs_f64());
        return output::json(&Report { seconds, ..Report::new(&args.out, &meta) });
    }
    progress.note(format!(
        "Took {} training and {} validation pictures of {} classes from {} to {}",
        meta.train.images,
        meta.val.images,
        meta.classes.len(),
        from.display(),
        args.out.display()
    ));
    Ok(())
}

fn info(args: &InfoArgs, progress: &Progress) -> Result<()> {
    let dir = data::dir_or_default(args.data.as_deref());
    let cache = Cache::open(&dir)?;
    if args.verify {
        cache.verify(progress)?;
    }
    let meta = cache.meta();
    if args.json {
        return output::json(&Report { verified: args.verify.then_some(true), ..Report::new(&dir, meta) });
    }
    let mut text = format!("{}\n  from        {}", dir.display(), meta.source);
    if !meta.whole && meta.subset.is_none() && meta.crafted.is_none() {
        text += " (not the whole of Tiny ImageNet)";
    }
    if let Some(subset) = &meta.subset {
        text += &format!("\n  a part of   {}", part_of(subset, meta.classes.len()));
    }
    if let Some(Crafted { data_sha256, weights_sha256, source, .. }) = &meta.crafted {
        text += &format!("\n  crafted on  {source} (weights {weights_sha256})\n  clean set   {data_sha256}");
    }
    text += &format!(
        "\n  classes     {}\n  training    {} pictures\n  validation  {} pictures\n  SHA-256     {}",
        meta.classes.len(),
        meta.train.images,
        meta.val.images,
        meta.sha256
    );
    if args.verify {
        text += "\n  verified    every byte is as it was written";
    }
    output::text(&text)
}

fn part_of(subset: &Subset, classes: usize) -> String {
    let each = |count: Option<usize>| count.map_or("all".into(), |count| count.to_string());
    format!(
        "the data set {}: {classes} of {} classes, {} training and {} validation pictures of each, seed {}",
        subset.data_sha256,
        subset.of_classes,
        each(subset.per_class),
        each(subset.val_per_class),
        subset.seed
    )
}
