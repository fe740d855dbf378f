/// A bundle that cannot be used; the text says what is wrong and what to do.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum BundleError {
    /// Not JSON, or not the JSON of a card.
    #[error("model.json cannot be read: {0}. Export the model again")]
    BadJson(String),
    /// Made by a newer Bastion.
    #[error(
        "model.json has format version {found}, newer than {known}, the newest known here: update Bastion (or reload \
         the page) and try again"
    )]
    NewerFormat {
        /// In the card.
        found: u32,
        /// The newest this build reads.
        known: u32,
    },
    /// The card describes a network that cannot be built.
    #[error("model.json describes a network that cannot be built: {0}")]
    Architecture(String),
    /// The weights were cut short, or are of another model.
    #[error(
        "the weights have {found} bytes, but model.json says {expected}: the file is truncated or belongs to another \
         model; fetch it again"
    )]
    WrongSize {
        /// Bytes there are.
        found: u64,
        /// Bytes there should be.
        expected: u64,
    },
    /// The weights were changed.
    #[error(
        "the weights have sha256 {found}, but model.json says {expected}: the file is damaged or belongs to another \
         model; fetch it again"
    )]
    WrongHash {
        /// Hash of the bytes.
        found: String,
        /// Hash in the card.
        expected: String,
    },
    /// A tensor is missing, left over or misshapen.
    #[error("the weights do not fit the network that model.json describes: {0}")]
    Tensors(String),
    /// The device computes something else.
    #[error(
        "the self-test failed: {what} differ by {difference:.2e} from the recorded ones ({tolerance:.0e} is allowed), \
         so this device does not compute this network correctly: choose another, best the CPU. Where the CPU itself says \
         this, export the model again"
    )]
    ProbeDiffers {
        /// Logits or gradients.
        what: &'static str,
        /// Largest difference, relative to the largest recorded value.
        difference: f32,
        /// Allowed difference.
        tolerance: f32,
    },
    /// The device failed while computing.
    #[error("the self-test: {0}")]
    Device(String),
}
