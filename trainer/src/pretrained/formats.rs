//! Readers of the two formats: the list of a file's tensors, and the values of each.
//!
//! An error is the end of a sentence that begins with the file's name.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex};

use burn::store::bridge;
use burn::store::burn_pack::Error as PackError;
use burn::store::burn_pack::Tensor as LazyTensor;
use burn::store::pytorch_reader::{PickleError, PytorchError, PytorchReader};
use burn::tensor::{BoolStore, DType, Shape, TensorData};
use safetensors::Dtype;
use safetensors::tensor::Metadata;

/// The part of an error that names the formats that can be read.
pub(super) const WANTED: &str = "weights are a state dict, as torch.save(model.state_dict(), \"weights.pth\") or safetensors \
                                 write it";

/// A tensor in a file.
#[derive(Clone)]
pub struct Stored {
    /// Name in the file, with its prefix.
    pub name: String,
    /// Shape of the tensor.
    pub shape: Vec<usize>,
    /// Type of the values, such as `f32` or `i64`.
    pub dtype: String,
    /// Size of the values in the file.
    pub bytes: usize,
    /// Reads the values; `None` for types that no network here has.
    pub(super) values: Option<LazyTensor>,
}

/// Bytes of the header's length, before the header of a safetensors file.
const LENGTH: u64 = 8;

/// Longest header that the format allows.
const LONGEST_HEADER: u64 = 100_000_000;

pub(super) fn pytorch(path: &Path) -> Result<Vec<Stored>, String> {
    let reader = PytorchReader::new(path).map_err(|error| match error {
        PytorchError::Pickle(PickleError::UnsupportedType(kind)) => format!(
            "holds what cannot be loaded ({kind}): quantised, complex, sparse or 8-bit tensors, or a scripted network; save its \
             state_dict() in plain floats of 16, 32 or 64 bits"
        ),
        PytorchError::InvalidFormat(what) => format!("is no file of weights ({what}); {WANTED}"),
        error => format!("is no file of weights, or it is damaged or cut off ({error}): get it again; {WANTED}"),
    })?;
    let tensors = reader.into_tensors().into_values().map(bridge::from_pytorch);
    Ok(tensors
        .map(|tensor| Stored {
            name: tensor.name.clone(),
            shape: tensor.shape.to_vec(),
            dtype: tensor.dtype.name().into(),
            bytes: tensor.byte_len(),
            values: Some(tensor),
        })
        .collect())
}

pub(super) fn safetensors(path: &Path) -> Result<Vec<Stored>, String> {
    let (metadata, file, start) = header(path)?;
    let file = Arc::new(Mutex::new(file));
    let mut tensors = vec![];
    for (name, info) in metadata.tensors() {
        let (from, to) = info.data_offsets;
        let values = known(info.dtype).map(|dtype| {
            let (file, shape, at) = (file.clone(), Shape::from(info.shape.clone()), start + from as u64);
            bridge::deferred(name.clone(), dtype, shape.clone(), None, move || {
                let bytes = read(&file, at, to - from).map_err(|error| PackError::IoError(error.to_string()))?;
                Ok(TensorData::from_bytes_vec(bytes, shape.clone(), dtype))
            })
        });
        let dtype = values.as_ref().map_or_else(
            || format!("{:?}", info.dtype).to_lowercase(),
            |tensor: &LazyTensor| tensor.dtype.name().into(),
        );
        tensors.push(Stored { name, shape: info.shape.clone(), dtype, bytes: to - from, values });
    }
    Ok(tensors)
}

/// Reads the header of a safetensors file. Returns it with the file and the offset of the values.
fn header(path: &Path) -> Result<(Metadata, File, u64), String> {
    let unread = |error: std::io::Error| format!("cannot be read: {error}");
    let mut file = File::open(path).map_err(unread)?;
    let whole = file.metadata().map_err(unread)?.len();
    let mut length = [0; LENGTH as usize];
    file.read_exact(&mut length).map_err(unread)?;
    let length = u64::from_le_bytes(length);
    let cut_off = |needed: u64| format!("is cut off: it has {whole} bytes of {needed}; get it again");
    if length > LONGEST_HEADER {
        return Err(format!("is no file of weights, or it is damaged; {WANTED}"));
    }
    let start = LENGTH + length;
    if start > whole {
        return Err(cut_off(start));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(unread)?;
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|error| format!("has a damaged header, as no file of safetensors has it ({error}): get it again"))?;
    let end = start + metadata.data_len() as u64;
    match whole {
        _ if whole < end => Err(cut_off(end)),
        _ if whole > end => Err(format!("is damaged: {} bytes follow its last tensor; get it again", whole - end)),
        _ => Ok((metadata, file, start)),
    }
}

fn read(file: &Mutex<File>, at: u64, bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut file = file.lock().map_err(|_| std::io::Error::other("another reader of it panicked"))?;
    file.seek(SeekFrom::Start(at))?;
    let mut values = vec![0; bytes];
    file.read_exact(&mut values)?;
    Ok(values)
}

/// Returns burn's type for `dtype`, if there is one.
fn known(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::I16 => DType::I16,
        Dtype::I8 => DType::I8,
        Dtype::U64 => DType::U64,
        Dtype::U32 => DType::U32,
        Dtype::U8 => DType::U8,
        Dtype::BOOL => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}
