//! What the engine is made of: its backend, its networks, and how far their download is.

use serde::{Deserialize, Serialize};
use terms::card::Class;
use terms::metrics::Proportion;

use super::{BackendChoice, Slot};

/// What computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The CPU.
    Cpu,
    /// WebGPU.
    WebGpu,
}

impl Backend {
    /// Returns the name in addresses and attributes, which is that of the choice for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::WebGpu => "webgpu",
        }
    }
}

/// What computes, and why.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct BackendReport {
    /// What computes.
    pub backend: Backend,
    /// The adapter's name, where the browser gives it.
    pub adapter: Option<String>,
    /// Whether the adapter is emulated on the CPU.
    pub software: bool,
    /// Why this one, in a sentence.
    pub reason: String,
    /// How quick each backend is, where the choice was between two.
    pub measured: Option<Measured>,
}

/// A graphics adapter, as far as the page has looked for one.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Adapter {
    /// The page did not look, since the CPU was chosen.
    #[default]
    NotLookedFor,
    /// The browser offers no WebGPU to this page.
    NoWebGpu,
    /// The browser has no adapter for WebGPU.
    Missing,
    /// The browser did not answer in time.
    Silent,
    /// The browser has an adapter.
    Found {
        /// Name of the adapter, where the browser gives one.
        name: Option<String>,
        /// Whether the adapter is emulated on the CPU.
        software: bool,
    },
    /// The adapter that was found could not be opened.
    NotOpened,
}

impl Adapter {
    /// Returns whether the engine has to be able to open the adapter, before a visitor's choice and what was measured on an earlier
    /// visit: WebGPU is taken where it was chosen, and on hardware that was not found slower than the CPU.
    pub fn is_for(&self, choice: BackendChoice, before: Option<&Measured>) -> bool {
        let Self::Found { name, software } = self else { return false };
        match choice {
            BackendChoice::Cpu => false,
            BackendChoice::WebGpu => true,
            BackendChoice::Auto => {
                let before = before.filter(|before| name.is_some() && before.adapter == *name);
                !software && before.is_none_or(|before| before.quicker() == Backend::WebGpu)
            }
        }
    }
}

/// How long both backends take to look at a picture, measured on this device.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// The adapter's name, where the browser gives it; another one has to be measured anew.
    pub adapter: Option<String>,
    /// Milliseconds of a forward pass on WebGPU.
    pub webgpu_ms: f64,
    /// The same on the CPU.
    pub cpu_ms: f64,
}

impl Measured {
    /// Returns the quicker backend.
    pub fn quicker(&self) -> Backend {
        if self.webgpu_ms <= self.cpu_ms { Backend::WebGpu } else { Backend::Cpu }
    }
}

/// Folders of two networks below `models/`, left and right.
pub type Pair = [String; 2];

/// A network that the server lists.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// Its folder below `models/`.
    pub folder: String,
    /// What its card says; why it cannot be used, in a sentence, if there is no such card.
    pub offer: Result<Offer, String>,
}

/// What a card says of a network before its weights are here.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// What the page calls it; no two are called the same.
    pub title: String,
    /// `WRN-16-4`, say.
    pub architecture: String,
    /// Number format of the weights: `f16`.
    pub precision: String,
    /// Size of its weights.
    pub weights_bytes: u64,
    /// Bytes of them that this browser keeps.
    pub kept_bytes: u64,
    /// Share of unchanged pictures that it knew, if that was measured.
    pub clean: Option<Proportion>,
    /// What it was trained on.
    pub training: Training,
    /// Networks of the same number know the same classes.
    pub class_set: usize,
}

/// What a network was trained on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Training {
    /// Ordinary pictures only.
    Ordinary,
    /// Pictures with made-up weather and the like as well.
    Perturbed,
    /// Attacked pictures as well.
    Attacked,
    /// The card does not say.
    Unknown,
}

/// How far a download is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Download {
    /// The network's place.
    pub slot: Slot,
    /// Bytes that are here.
    pub received: u64,
    /// Bytes there will be.
    pub total: u64,
    /// Whether all of them came from this browser's cache.
    pub cached: bool,
}

/// What the engine can do once its networks are loaded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Catalogue {
    /// The classes that the networks know, in the order of their answers.
    pub classes: Vec<Class>,
    /// The networks, left and right, of which at least one is loaded; why the other is not, in sentences.
    pub models: [Result<LoadedModel, String>; 2],
    /// What they scored and what their cards say, as HTML without a script: written where the cards are read, so that the page's
    /// program, which visitors wait for, need not know how.
    pub scores: String,
    /// Addresses that the engine loaded and will need again without a network.
    pub resources: Vec<String>,
    /// Whether the browser keeps the networks' files for a visit without a network.
    pub kept: bool,
}

/// What the page knows of a network that is loaded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LoadedModel {
    /// What the page calls it.
    pub title: String,
    /// `WRN-16-4`, say.
    pub architecture: String,
    /// Hash of its weights.
    pub weights_sha256: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_is_for_hardware_or_on_demand_unless_it_was_slower() {
        use BackendChoice::{Auto, Cpu, WebGpu};
        let found = |name: Option<&str>, software| Adapter::Found { name: name.map(str::to_owned), software };
        let measured = |webgpu_ms| Measured { adapter: Some("A".into()), webgpu_ms, cpu_ms: 40.0 };
        let (hardware, software) = (found(Some("A"), false), found(None, true));
        assert!(hardware.is_for(Auto, None) && hardware.is_for(WebGpu, None) && !hardware.is_for(Cpu, None));
        assert!(software.is_for(WebGpu, None) && !software.is_for(Auto, None));
        assert!(![Adapter::NotLookedFor, Adapter::NoWebGpu, Adapter::Missing].iter().any(|it| it.is_for(WebGpu, None)));
        assert!(hardware.is_for(Auto, Some(&measured(3.0))) && !hardware.is_for(Auto, Some(&measured(90.0))));
        assert!(hardware.is_for(WebGpu, Some(&measured(90.0))), "the visitor chose");
        assert!(found(Some("B"), false).is_for(Auto, Some(&measured(90.0))), "another adapter is measured anew");
    }
}
