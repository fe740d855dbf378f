//! `bastion weights`: shows the tensors in a file of pretrained weights, and the networks that can load them.

use shared::model::BuildNetwork as _;
use std::path::PathBuf;

use anyhow::Result;
use burn::prelude::*;
use clap::{Args, Subcommand};
use serde::Serialize;
use shared::model::{HeadKind, Stem};

use crate::device::DeviceChoice;
use crate::error::UsageError;
use crate::output::{self, printable};
use crate::pretrained::{self, Format, IMAGENET, LoadPlan, Misfit, Stored, WeightsFile, shape_text};
use crate::train::{ArchName, ConfigFlags, heads, resolve, stems};

/// Arguments of `bastion weights`.
#[derive(Debug, Args)]
pub struct WeightsArgs {
    #[command(subcommand)]
    command: WeightsCommand,
    /// Takes the place of the flag of all commands, to keep it out of the help here: nothing is computed
    #[arg(id = "device", long = "device", value_enum, default_value = "auto", global = true, hide = true)]
    _device: DeviceChoice,
}

#[derive(Debug, Subcommand)]
enum WeightsCommand {
    /// Show the tensors of a file, and whether a network takes them
    Inspect(InspectArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Only names, shapes and types are read, whatever the size of the file. A network takes a file whose tensors are its own, but for
the head (fc), which is drawn anew where it is for other classes, and for a 7x7 conv1.weight, which --stem conv3 and
conv3-stride2 shrink to 3x3: seven places become three bins of equal width, so that what the kernel weighs is kept.

Examples:
  bastion weights inspect wide_resnet50_2.pth
  bastion weights inspect wide_resnet50_2.pth --arch wide_resnet50_2 --stem conv3-stride2 --classes 200")]
struct InspectArgs {
    /// A state dict of PyTorch: .pth, .pt or .safetensors
    file: PathBuf,
    /// Say what this network would take of it [default: name those that take all of it]
    #[arg(long, value_enum)]
    arch: Option<ArchName>,
    /// First layers of a network of torchvision: conv7, conv3-stride2 or conv3
    #[arg(long, value_parser = stems(), value_name = "STEM", requires = "arch")]
    stem: Option<Stem>,
    /// Last layers of a network of torchvision: paper or plain
    #[arg(long, value_parser = heads(), value_name = "HEAD", requires = "arch")]
    head: Option<HeadKind>,
    /// Layers of the Wide ResNet
    #[arg(long, value_name = "N", requires = "arch")]
    depth: Option<u32>,
    /// Channels of the Wide ResNet, as a multiple of 16, 32 and 64
    #[arg(long, value_name = "N", requires = "arch")]
    width: Option<u32>,
    /// Strides of its three groups, of which the first decides whether it has a projection
    #[arg(long, value_delimiter = ',', value_name = "A,B,C", requires = "arch")]
    strides: Vec<i64>,
    /// Classes of the data set [default: the 200 of Tiny ImageNet]
    #[arg(long, value_name = "N", requires = "arch", value_parser = clap::value_parser!(u32).range(1..))]
    classes: Option<u32>,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Runs `bastion weights`.
///
/// # Errors
/// When the file cannot be read, or the settings name no network.
pub fn run(args: &WeightsArgs) -> Result<()> {
    let WeightsCommand::Inspect(args) = &args.command;
    let file = WeightsFile::open(&args.file)?;
    let plan = args.arch.map(|arch| plan(args, arch, &file)).transpose()?;
    let fits = if plan.is_none() { pretrained::fitting(&file) } else { vec![] };
    let arch = args.arch.map(|arch| typed(args, arch)).transpose()?;
    let report = Report::new(&file, arch, plan.as_ref(), fits);
    if args.json { output::json(&report) } else { output::text(&report.text(&file)) }
}

/// Returns the plan of loading the file into the network that the flags name.
fn plan(args: &InspectArgs, arch: ArchName, file: &WeightsFile) -> Result<LoadPlan> {
    let mut flags = ConfigFlags::default().with("arch", toml::Value::try_from(arch)?);
    if let Some(stem) = args.stem {
        flags = flags.with("stem", toml::Value::try_from(stem)?);
    }
    if let Some(head) = args.head {
        flags = flags.with("head", toml::Value::try_from(head)?);
    }
    for (name, value) in [("depth", args.depth), ("width", args.width)] {
        if let Some(value) = value {
            flags = flags.with(name, i64::from(value));
        }
    }
    if !args.strides.is_empty() {
        flags = flags.with("strides", args.strides.clone());
    }
    let architecture = resolve(None, &flags)?.architecture()?;
    let classes = args.classes.unwrap_or(200) as usize;
    // No weights are drawn, and nothing is computed on the device.
    let blank = architecture.init(classes, IMAGENET.mean, IMAGENET.std, &Device::flex()).map_err(UsageError)?;
    Ok(LoadPlan::new(file, &blank.backbone.state_shapes()))
}

#[derive(Serialize)]
struct Report<'a> {
    file: String,
    format: Format,
    /// Prefix of the names of the network's tensors.
    prefix: &'a str,
    tensors: Vec<Row<'a>>,
    bytes: usize,
    /// Networks that can load the file; only without --arch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fits: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a LoadPlan>,
    /// Whether `train --pretrained` can load the file; only with --arch.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<bool>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    shape: &'a [usize],
    #[serde(rename = "type")]
    dtype: &'a str,
    bytes: usize,
}

impl<'a> Report<'a> {
    fn new(file: &'a WeightsFile, arch: Option<String>, plan: Option<&'a LoadPlan>, fits: Vec<String>) -> Self {
        let row = |tensor: &'a Stored| {
            let Stored { name, shape, dtype, bytes, .. } = tensor;
            Row { name, shape, dtype, bytes: *bytes }
        };
        let tensors: Vec<Row<'_>> = file.tensors.iter().map(row).collect();
        Self {
            file: file.path.display().to_string(),
            format: file.format,
            prefix: &file.prefix,
            bytes: tensors.iter().map(|row| row.bytes).sum(),
            tensors,
            fits,
            arch,
            plan,
            taken: plan.map(|plan| plan.objection().is_none()),
        }
    }

    fn text(&self, file: &WeightsFile) -> String {
        let width = |text: &dyn Fn(&Row<'_>) -> usize| self.tensors.iter().map(text).max().unwrap_or(0);
        let name = width(&|row| printable(row.name).chars().count());
        let shape = width(&|row| shape_text(Some(row.shape)).len());
        let dtype = width(&|row| row.dtype.len());
        let mut lines: Vec<String> = self
            .tensors
            .iter()
            .map(|row| {
                let (dims, bytes) = (shape_text(Some(row.shape)), size(row.bytes));
                format!("{:name$}  {dims:shape$}  {:dtype$}  {bytes:>9}", printable(row.name), row.dtype)
            })
            .collect();
        let numbers: usize = self.tensors.iter().map(|row| row.shape.iter().product::<usize>()).sum();
        let (count, format) = (
            self.tensors.len(),
            match file.format {
                Format::Pytorch => "PyTorch",
                Format::Safetensors => "safetensors",
            },
        );
        let tensors = if count == 1 { "tensor" } else { "tensors" };
        lines.push(format!("\n{count} {tensors}, {numbers} numbers, {} ({format})", size(self.bytes)));
        if !self.prefix.is_empty() {
            lines.push(format!("The network's own names are those after {}", printable(self.prefix)));
        }
        match (self.plan, &self.arch) {
            (Some(plan), Some(arch)) => {
                lines.extend(plan_lines(plan, &self.file, arch));
                if plan.objection().is_some() {
                    lines.push(pretrained::hint(file));
                }
            }
            _ if self.fits.is_empty() => lines.push(pretrained::hint(file)),
            _ => lines.push(format!("Fits --arch {}", self.fits.join(", --arch "))),
        }
        lines.join("\n")
    }
}

/// Formats the plan for each tensor; unchanged tensors are counted alone, since they are many.
fn plan_lines(plan: &LoadPlan, file: &str, arch: &str) -> Vec<String> {
    let mut lines = vec![format!("\nIn {arch}:"), format!("  {:4} as they are", plan.loaded.len())];
    lines.extend(plan.notes().iter().map(|note| format!("       {note}")));
    let mut list = |what: &str, names: Vec<String>| {
        if !names.is_empty() {
            lines.push(format!("  {:4} {what}", names.len()));
            lines.extend(names.into_iter().map(|name| format!("         {name}")));
        }
    };
    list("ignored", plan.left_aside().map(|name| printable(name).into_owned()).collect());
    let shown = |misfits: &[Misfit]| -> Vec<String> {
        misfits.iter().map(|misfit| format!("{}: {}", printable(&misfit.name), misfit.detail())).collect()
    };
    list("missing", shown(&plan.missing));
    list("left over", shown(&plan.left_over));
    list("misshapen", shown(&plan.misshapen));
    list("not of floats", shown(&plan.mistyped));
    let counters = plan.ignored.len() - plan.left_aside().count();
    if counters > 0 {
        lines.push(format!("  {counters:4} ignored: num_batches_tracked, which nothing here reads"));
    }
    lines.push(match plan.objection() {
        None => format!("\nbastion train --arch {arch} --pretrained {file} takes it"),
        Some(_) => format!("\nbastion train --arch {arch} --pretrained {file} would not take it"),
    });
    lines
}

/// Returns the network as flags of `bastion train`.
fn typed(args: &InspectArgs, arch: ArchName) -> Result<String> {
    let mut text = arch.typed();
    let mut add = |flag: &str, value: Option<String>| {
        if let Some(value) = value {
            text += &format!(" --{flag} {value}");
        }
    };
    let named = |value: toml::Value| value.as_str().map(Into::into);
    add("stem", args.stem.map(toml::Value::try_from).transpose()?.and_then(named));
    add("head", args.head.map(toml::Value::try_from).transpose()?.and_then(named));
    add("depth", args.depth.map(|depth| depth.to_string()));
    add("width", args.width.map(|width| width.to_string()));
    let strides: Vec<String> = args.strides.iter().map(i64::to_string).collect();
    add("strides", (!strides.is_empty()).then(|| strides.join(",")));
    Ok(text)
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
