use terms::card::CardError;

/// A bundle that cannot be used; the text says what is wrong and what to do.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum BundleError {
    /// An unreadable card, or a file that is not the file that the card describes.
    #[error(transparent)]
    Card(#[from] CardError),
    /// A card that describes a network that cannot be built.
    #[error("model.json describes a network that cannot be built: {0}")]
    Architecture(String),
    /// A tensor that is missing, left over or misshapen.
    #[error("the weights do not fit the network that model.json describes: {0}")]
    Tensors(String),
    /// A device whose results differ from those of the export.
    #[error(
        "the self-test failed: {what} differ by {difference:.2e} from the recorded ones ({tolerance:.0e} is allowed), \
         so this device does not compute this network correctly: choose another, best the CPU. Where the CPU itself says \
         this, export the model again"
    )]
    ProbeDiffers {
        /// Values that differ: logits or input gradients.
        what: &'static str,
        /// Largest difference, relative to the largest recorded value.
        difference: f32,
        /// Allowed difference.
        tolerance: f32,
    },
    /// A recorded probe that is missing, cut, or of another network.
    #[error(
        "the self-test in model.json has {recorded} {what} where this network has {expected}, so it cannot be compared: \
         model.json was changed, or is of another network. Export the model again"
    )]
    ProbeLength {
        /// Values that were recorded: logits or input gradients.
        what: &'static str,
        /// How many model.json has.
        recorded: usize,
        /// How many the network gives.
        expected: usize,
    },
    /// A device that failed while computing.
    #[error("the self-test: {0}")]
    Device(String),
}
