//! A file with weights: its tensors by name, shape and type. Values are read on demand.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use super::formats::{self, Stored, WANTED};
use super::root::{is_beside, root};
use crate::files::open_regular;
use crate::output::printable;

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
        let (file, _) = open_regular(path)?;
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
        let Some(prefix) = root(file.tensors.iter().map(|tensor| tensor.name.as_str())).map(Into::into) else {
            let named =
                file.tensors.iter().take(3).map(|tensor| printable(&tensor.name).into_owned()).collect::<Vec<_>>();
            let more = if file.tensors.len() > 3 { ", ..." } else { "" };
            bail!(
                "{} holds no network that is known here: nothing in it is named like conv1.weight and layer1.0.conv1.weight, as \
                 in torchvision's ResNets, and what is in it is {}{more}",
                path.display(),
                named.join(", ")
            );
        };
        file.prefix = prefix;
        Ok(file)
    }

    /// Returns the network's own tensors, with their names in the network.
    pub fn network(&self) -> impl Iterator<Item = (&str, &Stored)> {
        self.tensors.iter().filter_map(|tensor| Some((self.name_in_network(tensor)?, tensor)))
    }

    /// Returns the names of tensors that were saved beside the network, such as the state of an optimizer, the mean and standard
    /// deviation of a wrapper, or another copy of the network.
    pub fn beside(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().filter(|tensor| self.name_in_network(tensor).is_none()).map(|tensor| tensor.name.as_str())
    }

    /// Returns the name of a tensor in the network, if it is of the network.
    fn name_in_network<'a>(&self, tensor: &'a Stored) -> Option<&'a str> {
        tensor.name.strip_prefix(&self.prefix).filter(|name| !is_beside(name))
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
