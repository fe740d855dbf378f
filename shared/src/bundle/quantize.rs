//! Weights in 8 bits: whole numbers from -127 to 127, and a step (the value of 1) for each output channel.
//!
//! Not burn's own quantisation: its blocks do not fit convolutions of 3x3 on WebGPU, and it multiplies out at every pass.
//! Here a file is small, and a loaded network is as fast and as exact as a network with the rounded weights in f32.

use std::collections::BTreeMap;

use burn::store::bridge::{map_data, to_data};
use burn::tensor::{DType, TensorData};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::BundleError;

/// A tensor as burn's stores read it.
type Stored = burn::store::burn_pack::Tensor;

/// Suffix of a tensor's name that names the tensor's steps.
const STEPS: &str = ".scale";

/// Rounds a safetensors file of f32 tensors in PyTorch's layouts: tensors of two dimensions or more to 8 bits with one step
/// for each place of the first dimension, which are the output channels; batch norm and biases stay as they are.
///
/// # Errors
///
/// [`BundleError::Tensors`] if the file is damaged or holds something else than f32.
pub(super) fn to_8_bits(file: &[u8]) -> Result<Vec<u8>, BundleError> {
    let bad = |error: safetensors::SafeTensorError| BundleError::Tensors(error.to_string());
    let mut tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> = BTreeMap::new();
    for (name, view) in SafeTensors::deserialize(file).map_err(bad)?.tensors() {
        let (shape, data) = (view.shape().to_vec(), view.data());
        if view.dtype() != Dtype::F32 {
            return Err(BundleError::Tensors(format!("{name} is {:?} instead of F32", view.dtype())));
        }
        if shape.len() < 2 {
            tensors.insert(name, (Dtype::F32, shape, data.to_vec()));
            continue;
        }
        let values: Vec<f32> = data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let channel = shape[1..].iter().product::<usize>().max(1);
        let (mut steps, mut rounded) = (Vec::with_capacity(shape[0]), Vec::with_capacity(values.len()));
        for channel in values.chunks(channel) {
            let step = channel.iter().fold(0.0f32, |largest, value| largest.max(value.abs())) / 127.0;
            // A channel of zeros has no step; any factor of zero is right.
            let per_value = if step > 0.0 { 1.0 / step } else { 0.0 };
            steps.extend(step.to_le_bytes());
            rounded.extend(channel.iter().map(|value| (value * per_value).round() as i8 as u8));
        }
        tensors.insert(format!("{name}{STEPS}"), (Dtype::F32, vec![shape[0]], steps));
        tensors.insert(name, (Dtype::I8, shape, rounded));
    }
    let views =
        tensors.iter().map(|(name, (dtype, shape, data))| Ok((name, TensorView::new(*dtype, shape.clone(), data)?)));
    let views = views.collect::<Result<Vec<_>, _>>().map_err(bad)?;
    safetensors::serialize(views, Some([("format".into(), "pt".into())].into())).map_err(bad)
}

/// Multiplies the 8-bit tensors of a file by their steps and removes the steps; other tensors stay as they are.
///
/// # Errors
///
/// [`BundleError::Tensors`] if an 8-bit tensor has no steps, or not one for each output channel.
pub(super) fn multiplied_out(mut stored: BTreeMap<String, Stored>) -> Result<Vec<Stored>, BundleError> {
    let rounded: Vec<String> =
        stored.iter().filter(|(_, tensor)| tensor.dtype == DType::I8).map(|(name, _)| name.clone()).collect();
    for name in rounded {
        let bad = |what: String| BundleError::Tensors(format!("{name} has 8 bits {what}"));
        let steps = stored.remove(&format!("{name}{STEPS}")).ok_or_else(|| bad(format!("and no {name}{STEPS}")))?;
        let steps = to_data(&steps).map_err(|error| bad(format!("and its steps cannot be read: {error}")))?;
        let steps = steps.try_into_vec::<f32>().map_err(|error| bad(format!("and its steps are no f32: {error:?}")))?;
        let Some(tensor) = stored.remove(&name) else { continue };
        let shape = tensor.shape.clone();
        if shape.num_dims() < 2 || shape[0] != steps.len() || shape.num_elements() == 0 {
            return Err(bad(format!("in the shape {:?} and {} steps", shape.to_vec(), steps.len())));
        }
        let channel = shape.num_elements() / steps.len();
        let times = move |data: TensorData| {
            // Values of type i8, by which the tensors were selected.
            let values: Vec<i8> = data.iter::<i8>().collect();
            let values = values.iter().enumerate().map(|(place, value)| f32::from(*value) * steps[place / channel]);
            TensorData::new(values.collect(), data.shape().clone())
        };
        stored.insert(name.clone(), map_data(tensor, name, DType::F32, shape, times));
    }
    Ok(stored.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Precision, load_weights, save_weights};
    use crate::model::{
        Architecture, BuildNetwork as _, Classifier, EfficientNetLiteConfig, HeadKind, ResNetConfig, WideResNetConfig,
    };
    use burn::prelude::*;

    fn networks() -> [Architecture; 3] {
        let head = HeadKind::Paper;
        let bottleneck = ResNetConfig { layers: [1; 4], width_per_group: 4, head, ..ResNetConfig::resnet50() };
        let lite = EfficientNetLiteConfig::lite(0);
        [
            Architecture::WideResNet(WideResNetConfig::new(10, 1)),
            Architecture::ResNet(bottleneck),
            Architecture::EfficientNetLite(lite),
        ]
    }

    fn build(architecture: &Architecture, seed: u64) -> Classifier {
        architecture.init_seeded(5, [0.5; 3], [0.25; 3], seed, &Device::flex()).unwrap()
    }

    fn values(file: &[u8]) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
        let file = SafeTensors::deserialize(file).unwrap();
        let values = |data: &[u8]| data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        file.tensors().into_iter().map(|(name, view)| (name, (view.shape().to_vec(), values(view.data())))).collect()
    }

    #[test]
    fn each_weight_is_at_most_half_a_step_off() {
        for architecture in networks() {
            let exact = save_weights(&build(&architecture, 1), Precision::F32).unwrap();
            let small = save_weights(&build(&architecture, 1), Precision::Q8).unwrap();
            assert!((small.len() as f64) < 0.4 * exact.len() as f64, "{} of {}", small.len(), exact.len());
            let mut loaded = build(&architecture, 2);
            load_weights(&mut loaded, &small).unwrap();
            let (exact, loaded) = (values(&exact), values(&save_weights(&loaded, Precision::F32).unwrap()));
            assert_eq!(exact.len(), loaded.len());
            for (name, (shape, exact)) in &exact {
                let channel = if shape.len() < 2 { 1 } else { exact.len() / shape[0] };
                for (exact, loaded) in exact.chunks(channel).zip(loaded[name].1.chunks(channel)) {
                    let largest = exact.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
                    let allowed = if shape.len() < 2 { 0.0 } else { 0.501 / 127.0 * largest };
                    assert!(exact.iter().zip(loaded).all(|(a, b)| (a - b).abs() <= allowed), "{name}");
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_tensor_is_told() {
        let file = |shape: Vec<usize>, steps: Option<usize>| {
            let (values, zeros) = (vec![0u8; shape.iter().product()], vec![0u8; 4 * steps.unwrap_or(0)]);
            let mut tensors = vec![("w", TensorView::new(Dtype::I8, shape, &values).unwrap())];
            if let Some(steps) = steps {
                tensors.push(("w.scale", TensorView::new(Dtype::F32, vec![steps], &zeros).unwrap()));
            }
            safetensors::serialize(tensors, None).unwrap()
        };
        for (file, word) in [(file(vec![3, 2], None), "no w.scale"), (file(vec![3, 2], Some(2)), "2 steps")] {
            let error = load_weights(&mut build(&networks()[0], 1), &file).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn a_channel_of_zeros_stays_zero() {
        let zeros = [0u8; 24];
        let file = safetensors::serialize([("w", TensorView::new(Dtype::F32, vec![2, 3], &zeros).unwrap())], None);
        let rounded = to_8_bits(&file.unwrap()).unwrap();
        let file = SafeTensors::deserialize(&rounded).unwrap();
        assert!(file.tensors().iter().all(|(_, view)| view.data().iter().all(|&byte| byte == 0)));
    }
}
