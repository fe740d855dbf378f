use serde::{Deserialize, Serialize};

/// Channels of the stem, and of each group at width 1.
pub const BASE_CHANNELS: [usize; 4] = [16, 16, 32, 64];

/// A Wide ResNet, WRN-`depth`-`width`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WideResNetConfig {
    /// Number of layers, 10 to 100: `6n + 4` for `n` blocks in each group.
    pub depth: usize,
    /// Factor of the groups' 16, 32 and 64 channels, 1 to 32.
    pub width: usize,
    /// Stride of the first block of each group, 1 or 2.
    #[serde(default = "paper_strides")]
    pub strides: [usize; 3],
}

fn paper_strides() -> [usize; 3] {
    [1, 2, 2]
}

impl WideResNetConfig {
    /// Returns a network with the paper's strides, `[1, 2, 2]`.
    pub fn new(depth: usize, width: usize) -> Self {
        Self { depth, width, strides: paper_strides() }
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// A text that names the value out of range: a depth other than `6n + 4`, a width or a stride.
    pub fn check(&self) -> Result<(), String> {
        let Self { depth, width, strides } = *self;
        if depth < 10 || !(depth - 4).is_multiple_of(6) || depth > 100 {
            return Err(format!("depth {depth} of a Wide ResNet must be 6n + 4: 10, 16, 22, 28, ... up to 100"));
        }
        if !(1..=32).contains(&width) {
            return Err(format!("width {width} of a Wide ResNet must be 1 to 32"));
        }
        if strides.iter().any(|s| !(1..=2).contains(s)) {
            return Err(format!("strides {strides:?} of a Wide ResNet must be 1 or 2"));
        }
        Ok(())
    }
}
