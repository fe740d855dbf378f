//! Cost of a network: parameters and multiply-accumulate operations.

use serde::{Deserialize, Serialize};

/// Cost of a forward pass of one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Trained weights: convolutions, linear layers, and two for each normalised channel.
    pub parameters: u64,
    /// Multiply-accumulate operations of convolutions and linear layers.
    pub macs: u64,
}

/// Sum over the layers so far, with the side of the feature map.
pub(super) struct Count {
    pub(super) cost: Cost,
    pub(super) side: usize,
}

impl Count {
    /// Begins before the first layer, with pictures of `side` x `side` pixels.
    pub(super) fn new(side: usize) -> Self {
        Self { cost: Cost::default(), side }
    }

    /// Adds a convolution whose padding leaves `ceil(side / stride)` of the side.
    pub(super) fn conv(&mut self, input: usize, output: usize, kernel: usize, stride: usize, groups: usize) {
        let weights = (input / groups * output * kernel * kernel) as u64;
        self.side = self.side.div_ceil(stride);
        self.cost.parameters += weights;
        self.cost.macs += weights * (self.side * self.side) as u64;
    }

    /// Adds the normalisation of so many channels.
    pub(super) fn norm(&mut self, channels: usize) {
        self.cost.parameters += 2 * channels as u64;
    }

    /// Adds a linear layer.
    pub(super) fn linear(&mut self, input: usize, output: usize) {
        self.cost.parameters += ((input + 1) * output) as u64;
        self.cost.macs += (input * output) as u64;
    }

    /// Adds a shortcut, which leaves the side of the main path as it is.
    pub(super) fn shortcut(&mut self, add: impl FnOnce(&mut Self)) {
        let side = self.side;
        add(self);
        self.side = side;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Architecture, ResNetConfig, WideResNetConfig};

    /// Compares with parameters and GFLOPs (which are multiply-accumulates) of torchvision's documentation.
    #[test]
    fn costs_are_those_that_torchvision_publishes() {
        for (config, parameters, giga) in [
            (ResNetConfig::resnet18(), 11_689_512, "1.81"),
            (ResNetConfig::resnet50(), 25_557_032, "4.09"),
            (ResNetConfig::resnext50_32x4d(), 25_028_904, "4.23"),
            (ResNetConfig::wide_resnet50_2(), 68_883_240, "11.40"),
        ] {
            let name = config.name();
            let cost = Architecture::ResNet(config).cost(1000, 224);
            assert_eq!(cost.parameters, parameters, "{name}");
            assert_eq!(format!("{:.2}", cost.macs as f64 / 1e9), giga, "{name}");
        }
    }

    #[test]
    fn a_wide_resnet_costs_what_its_paper_says() {
        // 2,748,890 for the 10 classes of CIFAR in the reference implementation; the head has 257 more a class.
        let config = WideResNetConfig { strides: [2, 2, 2], ..WideResNetConfig::new(16, 4) };
        let cost = Architecture::WideResNet(config).cost(200, 64);
        assert_eq!(cost.parameters, 2_748_890 + 190 * 257);
        assert_eq!(cost.macs / 1_000_000, 98);
    }
}
