//! The plan by which a file's tensors are loaded into a network, decided from names and shapes alone.

use std::collections::{BTreeMap, BTreeSet};

use burn::store::bridge;
use burn::store::burn_pack::Tensor as LazyTensor;
use burn::tensor::{DType, Shape};
use serde::Serialize;

use super::file::WeightsFile;
use super::formats::Stored;
use super::shrink::{self, shrink};
use crate::output::printable;

/// Prefix of the names of the head's tensors.
pub(super) const HEAD: &str = "fc.";

/// Name of the only kernel that is shrunk, where the network has a smaller one.
const STEM: &str = "conv1.weight";

/// Name of batch norm's counter of batches, which no network here has.
const COUNTER: &str = "num_batches_tracked";

/// Number of tensors that an error names of each kind.
const NAMED: usize = 3;

/// The origin of the head's weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Head {
    /// Loaded from the file.
    File,
    /// Drawn from the seed.
    Drawn {
        /// Reason that the file's head cannot be loaded.
        why: String,
    },
}

/// A tensor that cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Misfit {
    /// Name in the network.
    pub name: String,
    /// Shape in the file; `None` if the file lacks the tensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Vec<usize>>,
    /// Shape in the network; `None` if the network lacks the tensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Vec<usize>>,
    /// Type in the file, where it is not one of floats; else `None`.
    pub dtype: Option<String>,
}

impl Misfit {
    /// Returns the mismatch as a text, or the shape where the file or the network lacks the tensor.
    pub fn detail(&self) -> String {
        match (&self.found, &self.expected, &self.dtype) {
            (Some(found), Some(expected), _) if found != expected => {
                format!("{found:?} in the file, {expected:?} in the network")
            }
            (Some(_), Some(_), Some(dtype)) => dtype.clone(),
            (found, expected, _) => shape_text(found.as_deref().or(expected.as_deref())),
        }
    }
}

/// The use of each of a file's tensors. Tensors have PyTorch's names in the network.
#[derive(Clone, Debug, Serialize)]
pub struct LoadPlan {
    /// Tensors loaded as they are, cast to f32.
    pub loaded: Vec<String>,
    /// 7x7 kernels that become 3x3.
    pub shrunk: Vec<String>,
    /// Origin of the head.
    pub head: Head,
    /// Tensors left out: counters of batch norm, tensors beside the network, and a head that does not fit.
    pub ignored: Vec<String>,
    /// Tensors in the network and not in the file.
    pub missing: Vec<Misfit>,
    /// Tensors in the file and not in the network.
    pub left_over: Vec<Misfit>,
    /// Tensors in both, with different shapes.
    pub misshapen: Vec<Misfit>,
    /// Tensors in both, but not of floats in the file.
    pub mistyped: Vec<Misfit>,
}

impl LoadPlan {
    /// Compares the file with `expected`, the network's names and shapes ([`shared::model::Backbone::state_shapes`]).
    pub fn new(file: &WeightsFile, expected: &[(String, Vec<usize>)]) -> Self {
        let in_file: BTreeMap<&str, &Stored> = file.network().collect();
        let mut plan = Self {
            loaded: vec![],
            shrunk: vec![],
            head: head(&in_file, expected),
            ignored: file.beside().map(Into::into).collect(),
            missing: vec![],
            left_over: vec![],
            misshapen: vec![],
            mistyped: vec![],
        };
        let is_drawn = |name: &str| name.starts_with(HEAD) && plan.head != Head::File;
        let wanted: BTreeSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
        for (&name, stored) in &in_file {
            if is_drawn(name) || name.rsplit('.').next() == Some(COUNTER) {
                plan.ignored.push(name.into());
            } else if !wanted.contains(name) {
                plan.left_over.push(misfit(name, Some(stored), None));
            }
        }
        for (name, shape) in expected.iter().filter(|(name, _)| !is_drawn(name)) {
            match in_file.get(name.as_str()).copied() {
                None => plan.missing.push(misfit(name, None, Some(shape))),
                Some(stored) if !is_float(stored) => plan.mistyped.push(misfit(name, Some(stored), Some(shape))),
                Some(stored) if stored.shape == *shape => plan.loaded.push(name.clone()),
                Some(stored) if can_shrink(name, &stored.shape, shape) => plan.shrunk.push(name.clone()),
                Some(stored) => plan.misshapen.push(misfit(name, Some(stored), Some(shape))),
            }
        }
        plan
    }

    /// Returns why the file cannot be loaded; `None` if it can.
    pub fn objection(&self) -> Option<String> {
        let kinds = [
            ("missing", &self.missing),
            ("left over", &self.left_over),
            ("misshapen", &self.misshapen),
            ("not of floats", &self.mistyped),
        ];
        let said: Vec<String> = kinds
            .into_iter()
            .filter(|(_, misfits)| !misfits.is_empty())
            .map(|(what, misfits)| {
                let named = misfits
                    .iter()
                    .take(NAMED)
                    .map(|misfit| format!("{} ({})", printable(&misfit.name), misfit.detail()));
                let more = match misfits.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let (tensors, are) = if misfits.len() == 1 { ("tensor", "is") } else { ("tensors", "are") };
                let named = named.collect::<Vec<_>>().join(", ");
                format!("{} {tensors} {are} {what}: {named}{more}", misfits.len())
            })
            .collect();
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// Returns the names of tensors that are left aside, but for the counters of batch norm, of which each network is full.
    pub fn left_aside(&self) -> impl Iterator<Item = &str> {
        self.ignored.iter().map(String::as_str).filter(|name| name.rsplit('.').next() != Some(COUNTER))
    }

    /// Returns notes for the user on tensors that were not loaded as they are; one sentence a line.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> =
            self.shrunk.iter().map(|name| format!("{name} was shrunk from 7x7 to 3x3")).collect();
        notes.push(match &self.head {
            Head::File => {
                "The head is that of the file: its classes are taken for the data set's, in their order".into()
            }
            Head::Drawn { why } => format!("The head is drawn from the seed: {why}"),
        });
        let aside: Vec<_> = self.left_aside().map(printable).collect();
        if !aside.is_empty() {
            let named = aside.iter().take(NAMED).map(|name| &**name).collect::<Vec<_>>().join(", ");
            let more = match aside.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            notes.push(format!("Left aside, as no part of the network: {named}{more}"));
        }
        notes
    }

    /// Returns the tensors to load, under their names in the network. Values are still in the file.
    pub(super) fn tensors(&self, file: &WeightsFile) -> Vec<LazyTensor> {
        let (loaded, shrunk) = (names(&self.loaded), names(&self.shrunk));
        let network = file.network().filter_map(|(name, stored)| {
            let mut values = stored.values.clone()?;
            values.name = name.into();
            if shrunk.contains(name) {
                let shape = Shape::from([stored.shape[0], stored.shape[1], shrink::TO, shrink::TO]);
                return Some(bridge::map_data(values, name.into(), DType::F32, shape, shrink));
            }
            loaded.contains(name).then_some(values)
        });
        network.collect()
    }
}

fn names(names: &[String]) -> BTreeSet<&str> {
    names.iter().map(String::as_str).collect()
}

fn misfit(name: &str, found: Option<&Stored>, expected: Option<&Vec<usize>>) -> Misfit {
    let dtype = found.map(|stored| stored.dtype.clone());
    Misfit { name: name.into(), found: found.map(|stored| stored.shape.clone()), expected: expected.cloned(), dtype }
}

fn is_float(stored: &Stored) -> bool {
    stored.values.as_ref().is_some_and(|values| values.dtype.is_float())
}

/// Decides whether to load the file's head: only if all its names, shapes and types are the network's.
fn head(in_file: &BTreeMap<&str, &Stored>, expected: &[(String, Vec<usize>)]) -> Head {
    let theirs: BTreeMap<&str, &Stored> =
        in_file.iter().filter(|(name, _)| name.starts_with(HEAD)).map(|(name, stored)| (*name, *stored)).collect();
    let ours: BTreeMap<&str, &Vec<usize>> = expected
        .iter()
        .filter(|(name, _)| name.starts_with(HEAD))
        .map(|(name, shape)| (name.as_str(), shape))
        .collect();
    let list = |names: Vec<&&str>| names.into_iter().copied().collect::<Vec<_>>().join(", ");
    if theirs.is_empty() {
        return Head::Drawn { why: "the file has none".into() };
    }
    if !theirs.keys().eq(ours.keys()) {
        let (theirs, ours) = (list(theirs.keys().collect()), list(ours.keys().collect()));
        return Head::Drawn { why: format!("that of the file is of another kind ({theirs} instead of {ours})") };
    }
    let mut pairs = ours.iter().map(|(name, shape)| (*name, *shape, theirs[name]));
    match pairs.find(|(_, shape, stored)| stored.shape != **shape || !is_float(stored)) {
        None => Head::File,
        Some((name, shape, stored)) => {
            let (found, expected) = (shape_text(Some(&stored.shape)), shape_text(Some(shape)));
            Head::Drawn { why: format!("that of the file has {name} {found} instead of {expected}") }
        }
    }
}

fn can_shrink(name: &str, found: &[usize], expected: &[usize]) -> bool {
    let (large, small) = ([shrink::FROM; 2], [shrink::TO; 2]);
    name == STEM
        && found.len() == 4
        && expected.len() == 4
        && found[..2] == expected[..2]
        && found[2..] == large
        && expected[2..] == small
}

/// Returns a shape as text, such as `[64, 3, 7, 7]`.
pub fn shape_text(shape: Option<&[usize]>) -> String {
    format!("{:?}", shape.unwrap_or_default())
}
