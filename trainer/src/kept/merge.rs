//! The results of several folders, put together.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;

use super::{Damage, Kept, KeptPlan, Key, Measured, PlannedModel, Shard};
use crate::evaluate::report::{CraftedReport, ModelReport, Report};
use crate::evaluate::{BATCH, ImageResult, Trial};
use crate::experiment::plan::Plan as _;

/// Reads all results in the folders `dirs`, which must be of one plan.
///
/// # Errors
/// Names the folder that is of another plan, version, network or data set, the two files that hold the same images, or the file
/// that ends in the middle of a line or is damaged.
pub fn gather(dirs: &[PathBuf]) -> Result<(KeptPlan, Kept)> {
    gather_in(dirs, BATCH)
}

/// Reads all results in the folders `dirs`, whose images went so many at once.
pub(super) fn gather_in(dirs: &[PathBuf], batch_size: usize) -> Result<(KeptPlan, Kept)> {
    let mut merged: Option<(KeptPlan, Kept)> = None;
    for dir in dirs {
        let plan = KeptPlan::read(dir)?;
        if merged.is_none() {
            let kept = Kept { plan: plan.digest()?, ..Kept::nothing(plan.images, batch_size) };
            merged = Some((plan.clone(), kept));
        }
        let Some((first, kept)) = &mut merged else { continue };
        let differences = first.differences(&plan)?;
        ensure!(
            differences.is_empty(),
            "{} holds no part of what {} does: {}",
            dir.display(),
            dirs[0].display(),
            differences.join("; ")
        );
        for (shard, path) in files(dir)? {
            let again = || format!("give the command of {} again to go on with it", told(shard));
            match kept.read(&path, shard)?.1 {
                Some(Damage::Cut) => bail!(
                    "{} ends in the middle of a line: it is written at this moment, or was stopped: {}",
                    path.display(),
                    again()
                ),
                Some(Damage::Line(number)) => bail!("line {number} of {} is damaged: {}", path.display(), again()),
                None => {}
            }
        }
    }
    merged.context("there is no folder to merge")
}

fn told(shard: Shard) -> String {
    if shard.is_whole() { "the evaluation".into() } else { format!("shard {shard}") }
}

/// Returns the files of results in a folder.
fn files(dir: &Path) -> Result<Vec<(Shard, PathBuf)>> {
    let context = || format!("cannot read {}", dir.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let shard = path.file_name().and_then(|name| name.to_str()).and_then(Shard::of_file);
        files.extend(shard.map(|shard| (shard, path)));
    }
    ensure!(!files.is_empty(), "{} holds a plan and no results: no shard was begun in it", dir.display());
    files.sort_by(|(_, a), (_, b)| a.cmp(b));
    Ok(files)
}

impl Kept {
    /// Returns the values of `hundreds`, in their order.
    ///
    /// # Errors
    /// Names the hundreds that are not there.
    pub fn all<V: DeserializeOwned>(
        &self,
        network: usize,
        measured: &Measured,
        stage: usize,
        hundreds: Range<usize>,
    ) -> Result<Vec<V>> {
        let key = |hundred| Key { network, measured: measured.clone(), stage, hundred };
        let values = hundreds.map(|hundred| anyhow::Ok((hundred, self.get(&key(hundred))?)));
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for value in values {
            match value? {
                (_, Some(value)) => found.push(value),
                (hundred, None) => missing.push(hundred),
            }
        }
        if missing.is_empty() { Ok(found) } else { Err(self.missing(&missing)) }
    }

    /// Returns the results of all images in a trial of one network.
    ///
    /// # Errors
    /// Names the hundreds that are not there.
    pub(crate) fn results(&self, network: usize, trial: &Trial) -> Result<Vec<ImageResult>> {
        let last = trial.stages() - 1;
        Ok(self.all::<Vec<ImageResult>>(network, &Measured::Trial(trial.clone()), last, self.hundreds())?.concat())
    }

    /// Returns the report of an evaluation, as one run over all images has it.
    ///
    /// # Errors
    /// Names the hundreds that are not there.
    pub fn report(&self, plan: &KeptPlan, trials: &[Trial], crafted: &[CraftedReport]) -> Result<Report> {
        self.check_whole(plan.models.len(), trials)?;
        let origins = plan.origins();
        let model = |(network, model): (usize, &PlannedModel)| {
            let results = trials.iter().map(|trial| self.results(network, trial)).collect::<Result<Vec<_>>>()?;
            let scores = trials.iter().zip(&results);
            anyhow::Ok(ModelReport {
                dir: model.dir.clone(),
                name: model.name.clone(),
                weights_sha256: model.weights_sha256.clone(),
                scores: scores.map(|(trial, of)| origins.score(trial, network, of, &results[0])).collect(),
                seconds: self.seconds_of(network, trials)?,
            })
        };
        Ok(Report {
            data_sha256: plan.data.clone(),
            images: plan.images,
            models: plan.models.iter().enumerate().map(model).collect::<Result<_>>()?,
            crafted: crafted.to_vec(),
        })
    }

    /// Checks that all hundreds of all of `trials` are there, of each network.
    ///
    /// # Errors
    /// Names all hundreds that are not there.
    fn check_whole(&self, networks: usize, trials: &[Trial]) -> Result<()> {
        let is_there = |hundred| {
            let mut keys = (0..networks).flat_map(|network| trials.iter().map(move |trial| (network, trial)));
            keys.try_fold(true, |all, (network, trial)| {
                anyhow::Ok(all && self.has(&Key::of_trial(network, trial, trial.stages() - 1, hundred))?)
            })
        };
        let mut missing = Vec::new();
        for hundred in self.hundreds() {
            if !is_there(hundred)? {
                missing.push(hundred);
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(self.missing(&missing)) }
    }
}
