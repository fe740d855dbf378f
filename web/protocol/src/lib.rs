//! What the page and its two workers say to each other: [`Request`] and [`Reply`] with the engine, [`DecodeRequest`] and
//! [`DecodeReply`] with the decoder.
//!
//! Every request for work has an id, ids grow, and every reply to it carries its id, so that the page can drop answers to
//! questions it no longer asks. [`wire`] is how they travel, [`js`] says what JavaScript threw, and [`text`] puts sizes and
//! counts into words. The words of the domain, attacks and corruptions, classes and crops, are those of [`terms`].
//!
//! All programs of the page are made of this crate, so it must not depend on `shared`, burn or leptos: some of burn's dependencies
//! register themselves at start, and the page would load megabytes before it shows anything.

mod catalogue;
mod decoding;
mod disturbance;
pub mod download;
mod insight;
pub mod js;
mod outcome;
mod radius;
mod settings;
pub mod text;
pub mod wire;

use serde::{Deserialize, Serialize};
use terms::detection::DetectorKind;

pub use catalogue::{
    Adapter, Backend, BackendReport, Catalogue, Download, Listed, LoadedModel, Measured, Offer, Pair, Training,
};
pub use decoding::{DecodeReply, DecodeRequest, Decoded, Preview};
pub use disturbance::{Control, Disturbance, Value};
pub use insight::Insight;
pub use outcome::{Guess, Pixels, Point, Step};
pub use radius::Radius;
pub use settings::{BackendChoice, Settings, Slot};

/// Number of a request for work; later ones are larger.
pub type RequestId = u32;

/// How many classes a list of guesses holds.
pub const TOP: usize = 5;

/// Message to the visitor about two networks whose answers cannot be compared.
pub const OTHER_CLASSES: &str = "The two networks do not know the same classes, so they cannot be compared. Choose another \
                                 one, or export both from the same data.";

/// From the page to the engine.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Open a device and list the networks; the first message, sent after [`Reply::Loaded`].
    Start {
        /// What to compute with.
        choice: BackendChoice,
        /// Address of the folder that holds `models/`, with a slash at its end.
        base: String,
        /// What was measured on an earlier visit.
        measured: Option<Measured>,
        /// The adapter that the page found.
        adapter: Adapter,
    },
    /// Fetch two networks and load them, but for what is loaded already; replaces all work that is older.
    Load {
        /// Id of this request.
        id: RequestId,
        /// Their folders.
        pair: Pair,
    },
    /// Classify a picture; replaces an older picture and what was to be done with it.
    Open {
        /// Id of this request.
        id: RequestId,
        /// The square of the picture that the networks see, at 64x64.
        pixels: Pixels,
        /// What happens to it before the networks see it.
        disturbance: Disturbance,
    },
    /// Disturb the picture opened last in another way, and classify it; replaces an older attack.
    Disturb {
        /// Id of this request.
        id: RequestId,
        /// What happens to it.
        disturbance: Disturbance,
    },
    /// Attack the picture opened last; replaces an older attack.
    Attack {
        /// Id of this request.
        id: RequestId,
        /// What to do.
        settings: Settings,
    },
    /// Attack the picture opened last with every epsilon of a row, then look for the smallest one that changes the answer;
    /// replaces an older attack.
    Sweep {
        /// Id of this request.
        id: RequestId,
        /// What to do; their epsilon is not used.
        settings: Settings,
    },
    /// Look into the networks at the picture opened last, and at attacked pictures of it; replaces an older attack.
    Look {
        /// Id of this request.
        id: RequestId,
        /// The attacked pictures, left and right.
        attacked: [Option<Pixels>; 2],
        /// What they were attacked with.
        settings: Settings,
        /// The detector that is to be fooled too, by attacks of their own in place of those pictures; none for a look alone.
        evade: Option<DetectorKind>,
    },
    /// Save a picture as a PNG file, read that file again and classify what is in it.
    Save {
        /// Id of this request.
        id: RequestId,
        /// The network that is asked.
        slot: Slot,
        /// The picture.
        pixels: Pixels,
    },
    /// Stop the attack or the download under way.
    Cancel,
}

/// From the engine to the page.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The worker receives requests. Those sent earlier are lost.
    Loaded,
    /// A device is open.
    Backend(BackendReport),
    /// What networks there are: the page is to say which it wants.
    Listed(Vec<Listed>),
    /// A piece of a network's weights has come.
    Download {
        /// The request.
        id: RequestId,
        /// How far it is.
        download: Download,
    },
    /// A network is being checked on the device.
    SelfTest {
        /// The request.
        id: RequestId,
        /// Its place.
        slot: Slot,
    },
    /// Both networks are ready, or one alone.
    Ready {
        /// The request.
        id: RequestId,
        /// What they are.
        catalogue: Box<Catalogue>,
    },
    /// A network cannot be loaded. What was loaded in its place may be gone.
    NotLoaded {
        /// The request.
        id: RequestId,
        /// The network's place.
        slot: Slot,
        /// Why, and what to do.
        message: String,
    },
    /// How much of a network's weights this browser keeps by now.
    Kept {
        /// The network's folder.
        folder: String,
        /// Bytes.
        bytes: u64,
    },
    /// The engine cannot start, on any backend.
    Failed(String),
    /// WebGPU is there but does not compute these networks: start again on the CPU.
    WebGpuFailed(String),
    /// The engine panicked and answers no more.
    Panicked(String),
    /// An error in the engine's log. A shader that the browser rejects shows nowhere else.
    Logged {
        /// The module that logged it.
        target: String,
        /// What it said.
        message: String,
    },
    /// A picture was taken.
    Seen {
        /// The request.
        id: RequestId,
        /// What the networks see.
        pixels: Pixels,
    },
    /// The picture opened last was disturbed in another way.
    Disturbed {
        /// The request.
        id: RequestId,
        /// What the networks see now.
        pixels: Pixels,
    },
    /// A network's answer to the clean picture.
    Classified {
        /// The request.
        id: RequestId,
        /// The network.
        slot: Slot,
        /// Its best guesses, best first.
        top: Vec<Guess>,
        /// Time it took.
        elapsed_ms: f64,
    },
    /// A network's answer to random noise of the attack's size.
    Noise {
        /// The request.
        id: RequestId,
        /// The network.
        slot: Slot,
        /// Its best guess.
        best: Guess,
    },
    /// One step of an attack.
    Step {
        /// The request.
        id: RequestId,
        /// The network attacked.
        slot: Slot,
        /// What it came to.
        step: Box<Step>,
    },
    /// All steps of an attack are done.
    Finished {
        /// The request.
        id: RequestId,
    },
    /// A step of a sweep was taken: nothing to show, but a sign of life.
    Sweeping {
        /// The request.
        id: RequestId,
    },
    /// What an attack with one epsilon came to.
    Point {
        /// The request.
        id: RequestId,
        /// The network.
        slot: Slot,
        /// What it came to.
        point: Point,
    },
    /// The smallest epsilon that was found to change a network's answer.
    Smallest {
        /// The request.
        id: RequestId,
        /// The network.
        slot: Slot,
        /// In units of the attack's norm ([`Radius`]); none if not even the largest does.
        units: Option<u16>,
    },
    /// What is inside of a network.
    Looked {
        /// The request.
        id: RequestId,
        /// The network.
        slot: Slot,
        /// What was computed.
        insight: Insight,
    },
    /// A picture was saved.
    Saved {
        /// The request.
        id: RequestId,
        /// The network that was asked.
        slot: Slot,
        /// The file.
        #[serde(with = "serde_bytes")]
        png: Vec<u8>,
        /// Its best guesses for what is in the file, best first.
        top: Vec<Guess>,
    },
    /// A request came to nothing, though the engine is well.
    Refused {
        /// The request.
        id: RequestId,
        /// Why.
        message: String,
    },
}
