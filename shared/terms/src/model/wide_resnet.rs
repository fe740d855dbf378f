use serde::{Deserialize, Serialize};

/// Channels of the stem, and of a group at width 1.
pub const BASE_CHANNELS: [usize; 4] = [16, 16, 32, 64];

/// WRN-`depth`-`width`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WideResNetConfig {
    /// Layers: `6n + 4` for `n` blocks a group.
    pub depth: usize,
    /// Channels, as a multiple of 16, 32 and 64.
    pub width: usize,
    /// Stride of the first block of each group.
    #[serde(default = "paper_strides")]
    pub strides: [usize; 3],
}

fn paper_strides() -> [usize; 3] {
    [1, 2, 2]
}

impl WideResNetConfig {
    /// The paper's strides: `[1, 2, 2]`.
    pub fn new(depth: usize, width: usize) -> Self {
        Self { depth, width, strides: paper_strides() }
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// Names the value out of range: a depth other than `6n + 4`, a width or a stride.
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
