//! The flags of commands whose results outlive a stop.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::data::ValSet;
use crate::error::UsageError;
use crate::evaluate::BATCH;
use crate::kept::{Kept, KeptPlan, PlannedModel, Shard, ShardChoice, VERSION, Work};
use crate::progress::{Progress, Stop};
use crate::{models, output};

/// The flags of commands whose results outlive a stop.
#[derive(Clone, Debug, Args)]
pub struct KeptFlags {
    /// Write what is finished into this folder as it comes, and the report at the end: the same command goes on where it was
    /// stopped or killed
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Measure a part of the images: 3/8 (the third of eight), or auto (or auto/8) for the task of a Slurm array or the pod of an
    /// indexed job; `bastion merge` makes the report of all parts
    #[arg(long, value_name = "PART", requires = "out")]
    shard: Option<ShardChoice>,
}

impl KeptFlags {
    /// Returns the part of the images that is measured.
    ///
    /// # Errors
    /// [`UsageError`] when no scheduler says which, or one of `flags`, which are for a report of all images, is given for a part.
    pub fn part(&self, flags: &[(&str, bool)]) -> Result<Shard> {
        let Some(choice) = self.shard else { return Ok(Shard::WHOLE) };
        let given = flags.iter().find(|(_, is_given)| *is_given);
        if let Some((flag, _)) = given {
            return Err(UsageError(format!(
                "{flag} is for all images, and --shard measures a part: give {flag} to bastion merge"
            ))
            .into());
        }
        choice.resolve(|name| std::env::var(name).ok())
    }

    /// Returns a request to stop, which is answered before the next step where results are kept.
    ///
    /// # Errors
    /// When no handler can be set for Ctrl-C.
    pub fn stop(&self, progress: &Progress) -> Result<Stop> {
        match self.out {
            Some(_) => Stop::on_ctrl_c_with_note("Stopping; what is finished is kept", progress),
            None => Stop::on_ctrl_c(),
        }
    }

    /// Returns the end of the error of a node that went away, which says what is kept.
    pub fn advice(&self) -> &'static str {
        match self.out {
            Some(_) => "; what is finished is kept: give the same command again",
            None => "",
        }
    }

    /// Opens the results of `shard`, or keeps nothing where no folder is given.
    ///
    /// # Errors
    /// Under the conditions of [`Kept::open`].
    pub fn open(&self, plan: &KeptPlan, shard: Shard, progress: &Progress) -> Result<Kept> {
        match &self.out {
            Some(dir) => Kept::open(dir, plan, shard, BATCH, progress),
            None => Ok(Kept::nothing(plan.images, BATCH)),
        }
    }

    /// Returns the folder for the report: the one that is named for it, else that of the results.
    pub fn report<'a>(&'a self, named: Option<&'a Path>) -> Option<&'a Path> {
        named.or(self.out.as_deref())
    }

    /// Makes the folder of the report, before hours of work that it would be too late after.
    ///
    /// # Errors
    /// When there cannot be such a folder.
    pub fn check_report(&self, named: Option<&Path>) -> Result<()> {
        let Some(dir) = self.report(named) else { return Ok(()) };
        ensure!(!dir.is_file(), UsageError(format!("{} is a file, and a folder is asked for", dir.display())));
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))
    }

    /// Prints what is done of a part.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn print_part(&self, shard: Shard, kept: &Kept, plan: &KeptPlan) -> Result<()> {
        let dir = self.out.as_deref().unwrap_or(Path::new(".")).display();
        let images = match kept.images() {
            0 => format!("none of {} images, which are fewer hundreds than there are shards", plan.images),
            images => format!("{images} of {} images", plan.images),
        };
        output::text(&format!("Shard {shard} is done ({images}). When all shards are: bastion merge {dir}"))
    }
}

/// Flags of a command line that say where things lie or what becomes of results, and not what is measured. Each has a value.
const ELSEWHERE: [&str; 9] =
    ["--data", "--out", "--shard", "--report", "--device", "--nodes", "--progress", "--model", "--crafted"];

/// Returns the plan of `work` on some of the images of a set.
pub fn plan(data: &str, images: usize, images_of_set: usize, models: Vec<PlannedModel>, work: Work) -> KeptPlan {
    KeptPlan {
        version: VERSION.into(),
        command: super::command_line(&ELSEWHERE),
        data: data.into(),
        images,
        images_of_set,
        models,
        work,
    }
}

/// Checks, before anything is measured, that what is found can be saved to the card of each model.
///
/// # Errors
/// Names the model that was trained on other data.
pub fn check_data_of(dir: &Path, data_sha256: &str, dataset: &ValSet) -> Result<()> {
    ensure!(
        data_sha256 == dataset.sha256,
        "the model in {} was trained on other data (sha256 {data_sha256}) than this ({}): what is found here is not saved; \
         leave out --save",
        dir.display(),
        dataset.sha256
    );
    Ok(())
}

/// Checks that what was found can be saved to the cards of the models of `plan`.
///
/// # Errors
/// Names the model that is not where it was, has other weights by now, or was trained on other data.
pub fn check_cards(plan: &KeptPlan) -> Result<()> {
    for PlannedModel { dir, name, weights_sha256, .. } in &plan.models {
        let card = models::card(dir).with_context(|| format!("--save: {name} is not where it was measured"))?;
        ensure!(
            card.weights.sha256 == *weights_sha256,
            "--save: the model in {} has other weights now than those that were measured: leave out --save",
            dir.display()
        );
        ensure!(
            card.data_sha256 == plan.data,
            "--save: the model in {} was trained on other data than it was measured on: leave out --save",
            dir.display()
        );
    }
    Ok(())
}
