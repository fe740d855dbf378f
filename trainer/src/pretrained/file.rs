//! A file with weights: its tensors by name, shape and type. Values are read on demand.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use super::formats::{self, Stored, WANTED};

/// The format of a file with weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The format of `torch.save`: `.pth` or `.pt`.
    Pytorch,
    /// The format of safetensors.
    Safetensors,
}

/// A file with weights, whose header was read.
pub struct WeightsFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Format of the file.
    pub format: Format,
    /// Prefix of the names of the network's own tensors, such as `state_dict.module.`; mostly empty.
    pub prefix: String,
    /// All tensors, sorted by name.
    pub tensors: Vec<Stored>,
}

impl WeightsFile {
    /// Reads names, shapes and types of the file's tensors, and no values. The format is recognised by the content.
    ///
    /// # Errors
    /// When the file cannot be read, holds no weights, is damaged, or has tensors of a kind that cannot be loaded.
    pub fn open(path: &Path) -> Result<Self> {
        let context = || format!("cannot read {}", path.display());
        let mut head = vec![];
        let file = File::open(path).with_context(context)?;
        ensure!(
            !file.metadata().with_context(context)?.is_dir(),
            "{} is a folder, and a file is asked for",
            path.display()
        );
        file.take(512).read_to_end(&mut head).with_context(context)?;
        let looks_like_safetensors = head.get(8) == Some(&b'{');
        let (format, tensors) = match if looks_like_safetensors {
            formats::safetensors(path).map(|tensors| (Format::Safetensors, tensors))
        } else {
            formats::pytorch(path).map(|tensors| (Format::Pytorch, tensors))
        } {
            Ok(read) => read,
            Err(problem) => match other_kind(&head) {
                Some(what) if !looks_like_safetensors => bail!("{} {what}; {WANTED}", path.display()),
                _ => bail!("{} {problem}", path.display()),
            },
        };
        ensure!(!tensors.is_empty(), "{} holds no tensors; {WANTED}", path.display());
        let mut file = Self { path: path.into(), format, prefix: String::new(), tensors };
        file.tensors.sort_by(|a, b| a.name.cmp(&b.name));
        file.prefix = prefix(&file.tensors);
        Ok(file)
    }

    /// Returns the network's own tensors, with their names in the network.
    pub fn network(&self) -> impl Iterator<Item = (&str, &Stored)> {
        self.tensors.iter().filter_map(|tensor| Some((tensor.name.strip_prefix(&self.prefix)?, tensor)))
    }

    /// Returns the names of tensors that were saved beside the network, such as the state of an optimizer.
    pub fn beside(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|tensor| tensor.name.as_str()).filter(|name| !name.starts_with(&self.prefix))
    }
}

/// Keys under which training scripts keep a state dict among other things.
const NESTS: [&str; 3] = ["state_dict.", "model_state_dict.", "model."];

/// Prefixes by wrappers of a network: `DataParallel`, `torch.compile`, and modules with the network as their field `model`.
const WRAPPERS: [&str; 3] = ["module.", "_orig_mod.", "model."];

fn prefix(tensors: &[Stored]) -> String {
    let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    let within = |prefix: &str| names.iter().any(|name| name.starts_with(prefix));
    let has_own_names = names.contains(&"conv1.weight");
    let nest = NESTS.iter().find(|nest| !has_own_names && within(nest));
    let mut prefix = nest.map_or(String::new(), |nest| (*nest).into());
    loop {
        let mut inside = names.iter().filter_map(|name| name.strip_prefix(&prefix));
        match WRAPPERS.iter().find(|wrapper| inside.clone().all(|name| name.starts_with(**wrapper))) {
            Some(wrapper) if inside.next().is_some() => prefix += wrapper,
            _ => return prefix,
        }
    }
}

/// Returns the kind of a file without weights, as the end of a sentence that begins with the file's name.
fn other_kind(head: &[u8]) -> Option<&'static str> {
    // The head may end in the middle of a letter, which has four bytes at most.
    let valid = std::str::from_utf8(head).map_or_else(|error| error.valid_up_to(), str::len);
    let text = std::str::from_utf8(&head[..valid]).unwrap_or_default();
    let is_text = (valid == head.len() || (valid > 64 && valid + 4 > head.len())) && !text.contains('\0');
    let text = text.trim_start().to_lowercase();
    Some(match head {
        [] => "is empty",
        [0x1f, 0x8b, ..] => "is compressed by gzip: unpack it first",
        [0x89, b'H', b'D', b'F', ..] => "is an HDF5 file, as of Keras",
        _ if image::guess_format(head).is_ok() => "is a picture",
        _ if text.starts_with("version https://git-lfs") => {
            "is a note of Git LFS, and not yet the file: get it with git lfs pull"
        }
        _ if text.starts_with("<!doctype") || text.starts_with("<html") => {
            "is a web page, as of a download that went wrong"
        }
        _ if is_text => "is text",
        _ => return None,
    })
}
