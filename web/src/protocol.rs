//! What the page and its engine say to each other.
//!
//! Every request for work has an id, ids grow, and every reply to it carries its id, so that the page can drop answers to
//! questions it no longer asks. Pictures and files travel as typed arrays.

use serde::{Deserialize, Serialize};

/// Number of a request for work; later ones are larger.
pub type RequestId = u32;

/// Pixels a side of every picture that is shown or scored.
pub const SIDE: u32 = 64;

/// Length of the longest file that the engine reads; the page need not take longer ones into memory.
pub const MAX_FILE_BYTES: usize = 64 << 20;

/// How many classes a list of guesses holds.
pub const TOP: usize = 5;

/// One of the two networks that are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// Trained on clean pictures.
    Standard,
    /// Trained on attacked pictures.
    Hardened,
}

impl Slot {
    /// Both, in the order they are shown.
    pub const ALL: [Self; 2] = [Self::Standard, Self::Hardened];

    /// Its place in a pair.
    pub fn index(self) -> usize {
        match self {
            Self::Standard => 0,
            Self::Hardened => 1,
        }
    }

    /// Its folder under `models/`, and its name in element ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Hardened => "hardened",
        }
    }

    /// Its name in a heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::Hardened => "Hardened",
        }
    }
}

/// What the visitor wants the engine to compute with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendChoice {
    /// WebGPU on real hardware if it works, else the CPU.
    #[default]
    Auto,
    /// WebGPU, on a software adapter too.
    WebGpu,
    /// The CPU.
    Cpu,
}

impl BackendChoice {
    /// All, in the order of the menu.
    pub const ALL: [Self; 3] = [Self::Auto, Self::WebGpu, Self::Cpu];

    /// Its value in the menu and in the address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::WebGpu => "webgpu",
            Self::Cpu => "cpu",
        }
    }

    /// The choice of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

/// What computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The CPU.
    Cpu,
    /// WebGPU.
    WebGpu,
}

/// Which attack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttackKind {
    /// Fast gradient sign method: one step.
    Fgsm,
    /// Basic iterative method: small steps.
    Bim,
    /// Projected gradient descent: small steps from a random start.
    Pgd,
}

impl AttackKind {
    /// All, in the order of the menu.
    pub const ALL: [Self; 3] = [Self::Fgsm, Self::Bim, Self::Pgd];
}

/// What an attack is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Which attack.
    pub kind: AttackKind,
    /// Largest change of a pixel's channel, in 255ths: a whole number, so that rounding to 8 bits stays within it.
    pub epsilon_255: u8,
    /// Gradient steps; FGSM takes one whatever this says.
    pub steps: u32,
    /// Class to move towards; none moves away from the network's own answer.
    pub target: Option<usize>,
}

impl Settings {
    /// Largest epsilon that can be chosen, in 255ths.
    pub const MAX_EPSILON_255: u8 = 32;
    /// Most steps that can be chosen.
    pub const MAX_STEPS: u32 = 40;

    /// The steps that will be taken.
    pub fn steps_total(&self) -> u32 {
        match self.kind {
            AttackKind::Fgsm => 1,
            AttackKind::Bim | AttackKind::Pgd => self.steps,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { kind: AttackKind::Bim, epsilon_255: 4, steps: 10, target: None }
    }
}

/// From the page to the engine.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Open a device and load the networks; the first message, sent after [`Reply::Loaded`].
    Start {
        /// What to compute with.
        choice: BackendChoice,
        /// Address of the folder that holds `models/`, with a slash at its end.
        base: String,
    },
    /// Decode a picture file and classify it; replaces all work that is older.
    Open {
        /// Id of this request.
        id: RequestId,
        /// The encoded file.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Attack the picture opened last; replaces an older attack.
    Attack {
        /// Id of this request.
        id: RequestId,
        /// What to do.
        settings: Settings,
    },
    /// Stop the attack under way.
    Cancel,
}

/// From the engine to the page.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The worker listens. What is sent to it earlier is lost.
    Loaded,
    /// A device is open.
    Backend(BackendReport),
    /// A piece of a network's weights has come.
    Download(Download),
    /// A network is being checked on the device.
    SelfTest(Slot),
    /// Both networks are ready.
    Ready(Box<Catalogue>),
    /// The engine cannot start, on any backend.
    Failed(String),
    /// WebGPU is there but does not compute these networks: start again on the CPU.
    WebGpuFailed(String),
    /// The engine panicked and answers no more.
    Panicked(String),
    /// An error in the engine's log. A shader that the browser rejects is told nowhere else.
    Logged {
        /// The module that logged it.
        target: String,
        /// What it said.
        message: String,
    },
    /// A picture was decoded.
    Seen {
        /// The request.
        id: RequestId,
        /// What the networks see.
        pixels: Pixels,
        /// Width and height of the file's picture.
        original_size: Option<(u32, u32)>,
    },
    /// A file is no picture, or not one that can be read.
    BadPicture {
        /// The request.
        id: RequestId,
        /// What is wrong and what to do.
        message: String,
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
        /// What it did.
        noise: Noise,
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
    /// A request came to nothing, though the engine is well.
    Refused {
        /// The request.
        id: RequestId,
        /// Why.
        message: String,
    },
}

/// What computes, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BackendReport {
    /// What computes.
    pub backend: Backend,
    /// The adapter's name, where the browser tells it.
    pub adapter: Option<String>,
    /// Whether the adapter is emulated on the CPU.
    pub software: bool,
    /// Why this one, in a sentence.
    pub reason: String,
}

/// How far a download is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Download {
    /// The network.
    pub slot: Slot,
    /// Bytes that are here.
    pub received: u64,
    /// Bytes there will be.
    pub total: u64,
    /// Whether they came from this browser's cache.
    pub cached: bool,
}

/// What the engine can do once it is ready.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Catalogue {
    /// The classes that both networks know, in the order of their answers.
    pub classes: Vec<ClassLabel>,
    /// The networks, standard first.
    pub models: [ModelInfo; 2],
    /// Addresses that the engine loaded and will need again without a network.
    pub resources: Vec<String>,
}

/// A class.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClassLabel {
    /// WordNet id.
    pub wnid: String,
    /// All its names, with commas between.
    pub name: String,
}

impl ClassLabel {
    /// The first of the names.
    pub fn short_name(&self) -> &str {
        self.name.split(',').next().unwrap_or(&self.name).trim()
    }
}

/// What a network's card says of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ModelInfo {
    /// `WRN-16-4`, say.
    pub architecture: String,
    /// Size of its weights.
    pub weights_bytes: u64,
    /// Name of the training recipe.
    pub recipe: String,
    /// What it scored.
    pub scores: Vec<ScoreLine>,
}

/// A proportion with the count it comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proportion {
    /// Successes.
    pub hits: usize,
    /// Trials.
    pub of: usize,
}

impl Proportion {
    /// `hits / of`, 0 to 1; NaN of nothing.
    pub fn value(self) -> f64 {
        self.hits as f64 / self.of as f64
    }
}

/// One measured accuracy.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ScoreLine {
    /// What was done to the pictures: `clean`, `BIM-5 at 4/255`.
    pub what: String,
    /// Pictures whose label came first.
    pub top1: Proportion,
    /// 95% interval of that.
    pub top1_interval: [f64; 2],
    /// Pictures whose label was among the first five.
    pub top5: Proportion,
}

/// A class and the share of the answer it has.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Guess {
    /// Index of the class.
    pub class: usize,
    /// Probability, 0 to 1.
    pub share: f32,
}

/// Whether a network withstood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It still gives its own first answer.
    Holds,
    /// Its answer changed, but not to the class asked for.
    Swayed,
    /// Its answer changed; to the class asked for, if one was.
    Fooled,
    /// It gave the class asked for from the start.
    Pointless,
}

impl Verdict {
    /// Judges an answer: `clean` before, `now` after, `target` if a class was asked for.
    pub fn judge(clean: usize, now: usize, target: Option<usize>) -> Self {
        match target {
            Some(target) if clean == target => Self::Pointless,
            _ if now == clean => Self::Holds,
            Some(target) if now != target => Self::Swayed,
            _ => Self::Fooled,
        }
    }

    /// Its name in attributes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Swayed => "swayed",
            Self::Fooled => "fooled",
            Self::Pointless => "pointless",
        }
    }
}

/// What one step of an attack came to. All of it is about the 8-bit picture in `attacked`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Steps taken, from 1.
    pub done: u32,
    /// Steps there will be.
    pub total: u32,
    /// The attacked picture, rounded to 8 bits.
    pub attacked: Pixels,
    /// The change, amplified around mid-grey.
    pub perturbation: Pixels,
    /// How many times it is amplified.
    pub gain: f32,
    /// Largest change of a channel, in 255ths.
    pub largest_change: u8,
    /// The network's best guesses, best first.
    pub top: Vec<Guess>,
    /// Whether it withstood so far.
    pub verdict: Verdict,
    /// Time spent on this network since the attack began.
    pub elapsed_ms: f64,
}

/// What random noise of the attack's size did.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Noise {
    /// The best guess.
    pub best: Guess,
    /// Whether the network withstood.
    pub verdict: Verdict,
}

/// A 64x64 picture as a canvas takes it: RGBA, rows from the top.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pixels(#[serde(with = "serde_bytes")] pub Vec<u8>);

impl std::fmt::Debug for Pixels {
    /// Leaves out sixteen thousand numbers.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Pixels({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: Serialize + for<'a> Deserialize<'a> + PartialEq + std::fmt::Debug>(value: T) {
        let json = serde_json::to_string(&value).expect("serialises");
        assert_eq!(serde_json::from_str::<T>(&json).expect("deserialises"), value);
    }

    #[test]
    fn messages_come_through_unchanged() {
        round_trip(Request::Start { choice: BackendChoice::WebGpu, base: "http://localhost/".into() });
        round_trip(Request::Open { id: 3, bytes: vec![0, 255, 7] });
        round_trip(Request::Attack { id: 4, settings: Settings::default() });
        round_trip(Request::Cancel);
        round_trip(Reply::Seen { id: 3, pixels: Pixels(vec![1; 64 * 64 * 4]), original_size: Some((500, 375)) });
        round_trip(Reply::Step {
            id: 4,
            slot: Slot::Hardened,
            step: Box::new(Step {
                done: 1,
                total: 5,
                attacked: Pixels(vec![2; 16]),
                perturbation: Pixels(vec![128; 16]),
                gain: 15.0,
                largest_change: 8,
                top: vec![Guess { class: 199, share: 0.25 }],
                verdict: Verdict::Swayed,
                elapsed_ms: 12.5,
            }),
        });
    }

    #[test]
    fn verdicts() {
        assert_eq!(Verdict::judge(1, 1, None), Verdict::Holds);
        assert_eq!(Verdict::judge(1, 2, None), Verdict::Fooled);
        assert_eq!(Verdict::judge(1, 1, Some(3)), Verdict::Holds);
        assert_eq!(Verdict::judge(1, 2, Some(3)), Verdict::Swayed);
        assert_eq!(Verdict::judge(1, 3, Some(3)), Verdict::Fooled);
        assert_eq!(Verdict::judge(3, 3, Some(3)), Verdict::Pointless);
    }

    #[test]
    fn choices_have_names_in_the_address() {
        for choice in BackendChoice::ALL {
            assert_eq!(BackendChoice::from_name(choice.name()), Some(choice));
        }
        assert_eq!(BackendChoice::from_name("cuda"), None);
    }
}
