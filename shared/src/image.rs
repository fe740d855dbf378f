//! Pictures as tensors. Decoding, cutting and scaling are those of the crate [`picture`], which knows no tensors.

use burn::prelude::*;

pub use picture::{
    Crop, ImageError, MAX_FILE_BYTES, MAX_PIXELS, Photo, Picture, Preview, SIDE, difference, encode_png,
};

/// Makes a tensor of a picture.
pub trait ToTensor {
    /// Returns the picture as a batch of one: `[1, 3, 64, 64]`, RGB in `[0, 1]`.
    fn to_tensor(&self, device: &Device) -> Tensor<4>;
}

impl ToTensor for Picture {
    fn to_tensor(&self, device: &Device) -> Tensor<4> {
        pictures_to_tensor(std::slice::from_ref(self), device)
    }
}

/// Joins pictures to a batch: `[N, 3, 64, 64]`, RGB in `[0, 1]`.
///
/// # Panics
///
/// If `pictures` is empty: a tensor has no empty batch.
pub fn pictures_to_tensor(pictures: &[Picture], device: &Device) -> Tensor<4> {
    assert!(!pictures.is_empty(), "a batch needs at least one picture");
    let values: Vec<f32> = pictures.iter().flat_map(Picture::to_chw).collect();
    Tensor::from_data(TensorData::new(values, [pictures.len(), 3, SIDE, SIDE]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_planar_in_0_to_1_and_give_the_same_picture_back() {
        let rgb8 = (0..64 * 64 * 3).map(|i| (i % 251) as u8).collect();
        let picture = Picture::from_rgb8(rgb8).unwrap();
        let tensor = picture.to_tensor(&Device::flex());
        assert_eq!(tensor.dims(), [1, 3, 64, 64]);
        let values = pollster::block_on(tensor.into_data_async()).unwrap().try_into_vec_as::<f32>().unwrap();
        assert_eq!(values, picture.to_chw());
        // Green of the pixel in row 2, column 5.
        assert_eq!(values[4096 + 2 * 64 + 5], f32::from(picture.as_rgb8()[(2 * 64 + 5) * 3 + 1]) / 255.0);
        assert_eq!(Picture::from_chw(&values).unwrap(), picture);
    }

    #[test]
    fn a_batch_keeps_the_order() {
        let flat = |value| Picture::from_rgb8(vec![value; 64 * 64 * 3]).unwrap();
        let batch = pictures_to_tensor(&[flat(0), flat(51), flat(255)], &Device::flex());
        assert_eq!(batch.dims(), [3, 3, 64, 64]);
        let values = pollster::block_on(batch.into_data_async()).unwrap().try_into_vec_as::<f32>().unwrap();
        assert_eq!([values[0], values[12_288], values[24_576]], [0.0, 0.2, 1.0]);
    }
}
