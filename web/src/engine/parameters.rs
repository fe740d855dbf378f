//! How many numbers a network has learned, counted in its weights' file: the card does not say.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What batch norm measures in training and nobody learns.
const MEASURED: [&str; 3] = ["running_mean", "running_var", "num_batches_tracked"];

/// An entry of a safetensors header.
#[derive(Deserialize)]
struct Entry {
    /// Missing in the entry of the file's own remarks.
    #[serde(default)]
    shape: Option<Vec<u64>>,
}

/// Counts the learned parameters in a safetensors file; none if it is not one.
pub(crate) fn learned(file: &[u8]) -> Option<u64> {
    let (length, rest) = file.split_first_chunk()?;
    let header = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let tensors: BTreeMap<String, Entry> = serde_json::from_slice(header).ok()?;
    let is_learned = |name: &str| !MEASURED.iter().any(|measured| name.ends_with(measured));
    let shapes = tensors.into_iter().filter(|(name, _)| is_learned(name)).filter_map(|(_, entry)| entry.shape);
    Some(shapes.map(|shape| shape.iter().product::<u64>()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_learned() {
        let header = r#"{"__metadata__": {"format": "pt"}, "fc.weight": {"dtype": "F16", "shape": [200, 192], "data_offsets": [0, 1]},
            "fc.bias": {"dtype": "F16", "shape": [200], "data_offsets": [1, 2]},
            "bn1.running_var": {"dtype": "F32", "shape": [192], "data_offsets": [2, 3]}}"#;
        let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[7; 9]].concat();
        assert_eq!(learned(&file), Some(200 * 192 + 200));
        assert_eq!(learned(&file[..40]), None, "the header breaks off");
        assert_eq!(learned(b"PK"), None);
    }
}
