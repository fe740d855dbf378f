//! Weights that are computed from their names, for networks whose weights would be too large to keep.
//! `tests/reference/resnet.py` computes the same weights.

use std::collections::BTreeMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// Computes values in `[-0.5, 0.5)` from name and position alone.
pub fn made(name: &str, count: usize) -> Vec<f32> {
    let seed = crc32fast::hash(name.as_bytes());
    (0..count as u32)
        .map(|place| {
            let mut x = place.wrapping_mul(0x9E37_79B1).wrapping_add(seed);
            x ^= x >> 16;
            x = x.wrapping_mul(0x85EB_CA6B);
            x ^= x >> 13;
            x = x.wrapping_mul(0xC2B2_AE35);
            x ^= x >> 16;
            (x >> 8) as f32 / (1 << 24) as f32 - 0.5
        })
        .collect()
}

/// Makes a state dict as a safetensors file: the tensors of `like`, a file of such a network, with values computed from their
/// names without `prefix`.
pub fn made_state(like: &[u8], prefix: &str) -> Vec<u8> {
    let file = SafeTensors::deserialize(like).expect("a valid safetensors file");
    let tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = file
        .tensors()
        .into_iter()
        .map(|(path, view)| {
            let name = path.strip_prefix(prefix).unwrap_or(&path);
            let shape = view.shape();
            let mut values = made(name, shape.iter().product());
            if shape.len() > 1 {
                let fan_in: usize = shape[1..].iter().product();
                let scale = (24.0 / fan_in as f64).sqrt() as f32;
                values.iter_mut().for_each(|value| *value *= scale);
            } else if name.ends_with("running_var") || name.ends_with("weight") {
                values.iter_mut().for_each(|value| *value += 1.0);
            }
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (path, (shape.to_vec(), bytes))
        })
        .collect();
    let views: BTreeMap<&String, TensorView> = tensors
        .iter()
        .map(|(name, (shape, bytes))| {
            (name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("as many bytes as the shape says"))
        })
        .collect();
    safetensors::serialize(views, None).expect("plain tensors")
}
