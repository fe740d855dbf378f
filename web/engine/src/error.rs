//! What can go wrong once there is a device.

use shared::attack::{AttackError, RoundingError};
use shared::device::DeviceError;
use shared::image::ImageError;

/// Why a step came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A picture of NaN: the device computed nonsense.
    #[error(transparent)]
    Picture(#[from] ImageError),
    #[error(transparent)]
    Attack(#[from] AttackError),
}

impl From<RoundingError> for StepError {
    fn from(error: RoundingError) -> Self {
        match error {
            RoundingError::Device(error) => error.into(),
            RoundingError::Picture(error) => error.into(),
        }
    }
}

/// Why work of several steps ended before it was done.
pub(crate) enum Ended {
    /// A newer request waits.
    Interrupted,
    Failed(StepError),
}

impl<T: Into<StepError>> From<T> for Ended {
    fn from(error: T) -> Self {
        Self::Failed(error.into())
    }
}

/// Why a network cannot be used.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// The device computes it wrongly or not at all; how, in the end of a sentence.
    Device(String),
    /// Its files are wrong.
    Bundle(String),
}
