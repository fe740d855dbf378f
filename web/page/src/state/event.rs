//! What can happen to the page, and what the page can do.

use std::sync::Arc;

use protocol::{Adapter, BackendChoice, Decoded, Disturbance, Measured, Pair, Pixels, Preview, Reply, Request, Slot};
use terms::attack::AttackKind;
use terms::detection::DetectorKind;
use terms::picture::{Crop, Size};

/// Something that happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The page is there.
    Opened,
    /// The engine said something.
    Engine {
        /// The worker it came from.
        generation: u32,
        /// What it said.
        reply: Reply,
    },
    /// A piece of the engine's program has come; a zero is a number that is not known.
    EngineComes {
        /// The worker that loads it.
        generation: u32,
        /// Bytes that are here, unpacked.
        received: f64,
        /// Bytes there will be, unpacked.
        total: f64,
        /// Bytes that are sent for them, packed or not.
        sent: f64,
    },
    /// The worker could not be loaded, or broke without a word.
    WorkerBroke {
        /// The worker.
        generation: u32,
        /// What the browser said.
        message: String,
    },
    /// An adapter was looked for.
    AdapterSeen {
        /// The worker that is to use it.
        generation: u32,
        /// What was found.
        adapter: Adapter,
    },
    /// The worker ended without a word, by itself or by the browser's hand.
    WorkerEnded {
        /// The worker.
        generation: u32,
    },
    /// A part of a watch ran out: the engine was silent if nothing has happened since.
    Silence {
        /// The worker.
        generation: u32,
        /// The pulse when the watch was set.
        pulse: u64,
        /// What is left of the watch, in milliseconds.
        left_ms: u32,
    },
    /// The gallery's list came.
    SamplesListed(Vec<Sample>),
    /// The page, its program and the engine's are kept in the browser; the engine keeps the networks.
    PageKept,
    /// The visitor had all of that removed.
    PageForgotten,
    /// The visitor chose a picture of the gallery.
    SampleChosen(usize),
    /// A picture is here, decoded; or another square of the one that is shown.
    Picked {
        /// Which one was asked for.
        pick: PickId,
        /// The picture.
        candidate: Candidate,
    },
    /// It could not be had, or could not be decoded.
    PickFailed {
        /// Which one was asked for.
        pick: PickId,
        /// Why.
        message: String,
    },
    /// What the visitor wanted came to nothing before there was anything to ask for; why.
    Trouble(String),
    /// The visitor chose what to compute with.
    Choose(BackendChoice),
    /// The visitor chose another network for a place.
    ChooseNetwork {
        /// The place.
        slot: Slot,
        /// Folder of the network.
        folder: String,
    },
    /// The visitor agrees to download the networks that were chosen, or has it tried again.
    GoOn,
    /// The visitor stays with the networks that are there, or wants no download.
    Stay,
    /// The visitor changed a setting of the attack.
    Set(Change),
    /// Settings have been changed; by now perhaps several.
    Settled,
    /// The visitor wants the picture disturbed in this way.
    Disturb(Disturbance),
    /// It has been changed; by now perhaps several times.
    DisturbanceSettled,
    /// The visitor wants the networks to see this square of the picture; none is the one in the middle.
    Crop(Option<Crop>),
    /// It has been moved; by now perhaps several times.
    CropSettled,
    /// The visitor wants an attack.
    Attack,
    /// The visitor wants it with many epsilons.
    Sweep,
    /// The visitor wants to see what is inside of the networks; with a detector, after an attack on networks and detector together.
    Look(Option<DetectorKind>),
    /// The visitor wants to look at an attack after so many steps; none is the latest.
    Scrub(Option<u32>),
    /// The visitor wants the attacked picture of a network as a file.
    SavePicture(Slot),
    /// The visitor wants all that is shown as a file.
    SaveReport,
    /// The visitor wants it stopped.
    Cancel,
    /// The visitor has read the alert.
    Dismiss,
}

/// A change of the attack's settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Another attack.
    Kind(AttackKind),
    /// Another radius, in units of the attack's norm.
    Epsilon(u16),
    /// More or fewer steps.
    Steps(u32),
    /// Another length of the steps, in tenths of a 255th, or the usual one.
    StepSize(Option<u16>),
    /// Another target, or none.
    Target(Option<usize>),
    /// Whether to stop as soon as it has succeeded.
    StopAtSuccess(bool),
    /// The network whose gradients are used for both, or none for each its own.
    CraftedOn(Option<Slot>),
    /// Another random start.
    Seed(u32),
}

/// Something to be done in the browser.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Send a request to the worker.
    Post(Request),
    /// End the worker, and look for the adapter that a fresh one under this number could use.
    StartWorker(u32),
    /// Start the worker.
    LoadEngine {
        /// Number of the worker.
        generation: u32,
        /// Whether the worker has to be able to open the adapter.
        uses_adapter: bool,
    },
    /// Come back with an event.
    After {
        /// When, in milliseconds.
        ms: u32,
        /// With what.
        event: Event,
    },
    /// Fetch a picture of the gallery and have it decoded.
    FetchSample {
        /// Its index there.
        index: usize,
        /// Number of the pick that it answers.
        pick: PickId,
        /// The square of it that the networks see; none is the one in the middle.
        crop: Option<Crop>,
    },
    /// Have another square cut out of a picture.
    Cut {
        /// Number of the pick that it answers.
        pick: PickId,
        /// The picture, with the crop that is wanted; its square is still another one.
        candidate: Candidate,
    },
    /// Remember which two networks are wanted on the next visit; none means the usual ones.
    RememberPair(Option<Pair>),
    /// Remember how quick both backends are.
    RememberMeasured(Measured),
    /// Give the visitor a file.
    Download {
        /// Its name.
        name: String,
        /// Its media type.
        media_type: &'static str,
        /// What is in it.
        bytes: Vec<u8>,
    },
    /// Have these addresses kept for visits without a network.
    KeepOffline(Vec<String>),
}

/// Number of a picture, or of a square of one, that was asked for; later ones are larger.
pub type PickId = u32;

/// A picture file that was chosen.
#[derive(Clone, PartialEq, Debug)]
pub struct PictureFile {
    /// The encoded file.
    pub bytes: Arc<Vec<u8>>,
    /// What to call it.
    pub title: String,
    /// What it shows, if its source says: a WordNet id or a class's name.
    pub label: Option<String>,
    /// Where it comes from, if it is a sample or a link's.
    pub source: Option<String>,
    /// Its index in the gallery.
    pub sample: Option<usize>,
}

/// A picture file and what the decoder made of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Candidate {
    /// The file.
    pub file: PictureFile,
    /// Width and height of the upright picture.
    pub size: Size,
    /// What people see of it.
    pub preview: Preview,
    /// The square of it that the networks see; none is the one in the middle.
    pub crop: Option<Crop>,
    /// That square at 64x64.
    pub square: Pixels,
}

impl Candidate {
    /// Returns the candidate of a file that was decoded with this crop.
    pub fn new(file: PictureFile, decoded: Decoded, crop: Option<Crop>) -> Self {
        let Decoded { size, preview, square, memory_bytes: _ } = decoded;
        // As the decoder did: an address may ask for what is not in the picture.
        let crop = crop.and_then(|crop| crop.unless_centre(size));
        Self { file, size, preview, crop, square }
    }
}

/// A picture of the gallery, as `samples/index.json` lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// The file, relative to the list.
    pub file: String,
    /// What it shows: a WordNet id or a class's name.
    pub label: Option<String>,
    /// What to call it.
    pub title: String,
    /// Where it comes from.
    pub source: Option<String>,
    /// Folder of the list, with a slash at its end; not in the list itself.
    pub folder: String,
}

impl Sample {
    /// Returns the address, relative to the page.
    pub fn url(&self) -> String {
        format!("{}{}", self.folder, self.file)
    }
}
