use std::fmt::{self, Display};
use std::str::FromStr;

use burn::prelude::*;
use serde::{Deserialize, Serialize};

use super::{ExplainError, Smoothing, evidence, grad_cam, saliency, smooth_gradient};
use crate::model::Classifier;

/// A way to make a map of what speaks for a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Evidence of each cell of the last stage, positive or negative, which adds up to the logit. For a network whose head has more
    /// than one layer no such map exists: Grad-CAM at the last stage then.
    Cam,
    /// Grad-CAM at the last stage but one, whose grid is finer: values from 0.
    GradCam,
    /// Absolute value of the gradient of each pixel, averaged over noisy copies: values from 0.
    SmoothGradient,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 3] = [Self::Cam, Self::GradCam, Self::SmoothGradient];

    /// Returns the name on the command line and in files: `grad-cam`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cam => "cam",
            Self::GradCam => "grad-cam",
            Self::SmoothGradient => "smooth-gradient",
        }
    }

    /// Returns the name in print.
    pub fn label(self) -> &'static str {
        match self {
            Self::Cam => "CAM",
            Self::GradCam => "Grad-CAM",
            Self::SmoothGradient => "SmoothGrad",
        }
    }

    /// Returns the map of one class of each picture.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, 3, height, width]` in `[0, 1]`, plain device, as `model` is
    /// - `classes`: `[batch]`
    /// - output: `[batch, height, width]` of the method's grid
    ///
    /// # Errors
    ///
    /// [`ExplainError::Classes`] if there is another number of classes than of pictures.
    pub fn map(
        self,
        model: &Classifier,
        images: Tensor<4>,
        classes: Tensor<1, Int>,
    ) -> Result<Tensor<3>, ExplainError> {
        match self {
            Self::Cam => {
                let maps = model.stages(images.clone()).maps;
                let last = maps.len() - 1;
                match evidence(model, maps[last].clone(), classes.clone())? {
                    Some(evidence) => Ok(evidence.cells),
                    None => grad_cam(model, images, classes, last),
                }
            }
            Self::GradCam => {
                let mut stages = 0;
                // One picture says how many stages there are.
                model.forward_by_stages(images.clone().narrow(0, 0, 1), &mut |number, maps| {
                    stages = number + 1;
                    maps
                });
                grad_cam(model, images, classes, stages.saturating_sub(2))
            }
            Self::SmoothGradient => smooth_gradient(model, images, classes, &Smoothing::default()).map(saliency),
        }
    }
}

impl Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name);
        let unknown = || format!("'{text}' is no method: choose one of {}", names.join(", "));
        Self::ALL.into_iter().find(|method| method.name() == text).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_network::{classes, distance, network, pictures, values};
    use super::*;
    use crate::model::{Architecture, BuildNetwork as _, HeadKind, ResNetConfig};

    #[test]
    fn each_method_has_its_grid_and_its_name() {
        let model = network(5);
        for (method, side) in Method::ALL.into_iter().zip([4, 8, 32]) {
            let map = method.map(&model, pictures(), classes(&[1, 2])).unwrap();
            assert_eq!(map.dims(), [2, side, side], "{method}");
            let negative = values(map.min())[0] < 0.0;
            assert_eq!(negative, method == Method::Cam, "{method}");
            assert_eq!(method.to_string().parse(), Ok(method));
            assert_eq!(serde_json::to_string(&method).unwrap(), format!("\"{method}\""));
        }
        assert!("guided".parse::<Method>().unwrap_err().contains("cam, grad-cam, smooth-gradient"));
    }

    #[test]
    fn behind_a_head_of_two_layers_grad_cam_stands_for_cam() {
        let paper = ResNetConfig { layers: [1, 1, 1, 1], head: HeadKind::Paper, ..ResNetConfig::resnet18() };
        let model =
            Architecture::ResNet(paper).init_seeded(5, [0.5; 3], [0.25; 3], 1, &Device::flex()).unwrap().valid();
        let map = Method::Cam.map(&model, pictures(), classes(&[1, 2])).unwrap();
        let last = grad_cam(&model, pictures(), classes(&[1, 2]), 3).unwrap();
        assert!(distance(map, last) < 1e-6);
    }
}
