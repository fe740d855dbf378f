//! Cost of a network: parameters and multiply-accumulate operations.

use serde::{Deserialize, Serialize};

use super::{Architecture, BASE_CHANNELS, BlockKind, HIDDEN, HeadKind, PLANES, ResNetConfig, Stem, WideResNetConfig};

/// Cost of a forward pass of one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Trained weights: convolutions, linear layers, and two for each normalised channel.
    pub parameters: u64,
    /// Multiply-accumulate operations of convolutions and linear layers.
    pub macs: u64,
}

impl Architecture {
    /// Returns the cost for pictures of `side` x `side` pixels.
    pub fn cost(&self, num_classes: usize, side: usize) -> Cost {
        match self {
            Self::WideResNet(config) => wide_resnet_cost(config, num_classes, side),
            Self::ResNet(config) => resnet_cost(config, num_classes, config.input_size.unwrap_or(side)),
        }
    }
}

/// Sum over the layers so far, with the side of the feature map.
struct Count {
    cost: Cost,
    side: usize,
}

impl Count {
    /// Adds a convolution whose padding leaves `ceil(side / stride)` of the side.
    fn conv(&mut self, input: usize, output: usize, kernel: usize, stride: usize, groups: usize) {
        let weights = (input / groups * output * kernel * kernel) as u64;
        self.side = self.side.div_ceil(stride);
        self.cost.parameters += weights;
        self.cost.macs += weights * (self.side * self.side) as u64;
    }

    fn norm(&mut self, channels: usize) {
        self.cost.parameters += 2 * channels as u64;
    }

    fn linear(&mut self, input: usize, output: usize) {
        self.cost.parameters += ((input + 1) * output) as u64;
        self.cost.macs += (input * output) as u64;
    }

    /// Adds a shortcut, which leaves the side of the main path as it is.
    fn shortcut(&mut self, add: impl FnOnce(&mut Self)) {
        let side = self.side;
        add(self);
        self.side = side;
    }
}

fn wide_resnet_cost(config: &WideResNetConfig, num_classes: usize, side: usize) -> Cost {
    let mut count = Count { cost: Cost::default(), side };
    let base = BASE_CHANNELS;
    count.conv(3, base[0], 3, 2, 1);
    let mut input = base[0];
    for (group, stride) in config.strides.into_iter().enumerate() {
        let output = base[group + 1] * config.width;
        for block in 0..(config.depth - 4) / 6 {
            let stride = if block == 0 { stride } else { 1 };
            if input != output || stride != 1 {
                count.shortcut(|count| count.conv(input, output, 1, stride, 1));
            }
            count.norm(input);
            count.conv(input, output, 3, stride, 1);
            count.norm(output);
            count.conv(output, output, 3, 1, 1);
            input = output;
        }
    }
    count.norm(input);
    count.linear(input, num_classes);
    count.cost
}

fn resnet_cost(config: &ResNetConfig, num_classes: usize, side: usize) -> Cost {
    let mut count = Count { cost: Cost::default(), side };
    let (kernel, stride) = config.stem.kernel_and_stride();
    count.conv(3, PLANES, kernel, stride, 1);
    count.norm(PLANES);
    if config.stem == Stem::Conv7 {
        count.side = count.side.div_ceil(2);
    }
    let mut input = PLANES;
    for (group, &blocks) in config.layers.iter().enumerate() {
        let planes = PLANES << group;
        let output = planes * config.block.expansion();
        for block in 0..blocks {
            let stride = if group > 0 && block == 0 { 2 } else { 1 };
            if input != output || stride != 1 {
                count.shortcut(|count| count.conv(input, output, 1, stride, 1));
                count.norm(output);
            }
            match config.block {
                BlockKind::Basic => {
                    count.conv(input, planes, 3, stride, 1);
                    count.norm(planes);
                    count.conv(planes, planes, 3, 1, 1);
                }
                BlockKind::Bottleneck => {
                    let width = config.width(planes);
                    count.conv(input, width, 1, 1, 1);
                    count.norm(width);
                    count.conv(width, width, 3, stride, config.groups);
                    count.norm(width);
                    count.conv(width, output, 1, 1, 1);
                }
            }
            count.norm(output);
            input = output;
        }
    }
    match config.head {
        HeadKind::Plain => count.linear(input, num_classes),
        HeadKind::Paper => {
            count.linear(input, HIDDEN);
            count.linear(HIDDEN, num_classes);
        }
    }
    count.cost
}

#[cfg(test)]
mod tests {
    use super::*;

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
