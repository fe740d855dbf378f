//! A network's card: what it is and how it was made, for who wants to make it again.

use crate::protocol::ModelInfo;
use crate::text;

/// A line of the card.
#[derive(Clone, PartialEq, Debug)]
pub struct Fact {
    /// What it is about.
    pub name: &'static str,
    /// What it says.
    pub value: Value,
}

/// What a line of the card says.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Words.
    Words(String),
    /// A hash, to be compared and not to be read.
    Hash(String),
    /// Commands, in order.
    Commands(Vec<String>),
}

/// What a card says; what it does not know is left out.
pub fn facts(info: &ModelInfo) -> Vec<Fact> {
    let words = |name, words: String| Fact { name, value: Value::Words(words) };
    let rgb = |[r, g, b]: [f32; 3]| format!("{r:.4}, {g:.4}, {b:.4} (red, green, blue)");
    let mut facts = vec![words("Name", info.name.clone()), words("Architecture", info.architecture.clone())];
    // The page is a 32-bit program; a network that it loads has fewer parameters than that counts.
    facts.extend(usize::try_from(info.parameters).ok().map(|count| words("Parameters", text::count(count))));
    facts.extend([
        words("Operations", format!("{} multiply-accumulates a picture", text::operations(info.macs))),
        words("Classes", text::count(info.classes)),
        words("Weights", format!("{}, {}", text::bytes(info.weights_bytes), info.precision)),
        Fact { name: "Weights’ sha256", value: Value::Hash(info.weights_sha256.clone()) },
        words("Recipe", info.recipe.clone()),
        Fact { name: "Made by", value: Value::Commands(info.commands.clone()) },
        Fact { name: "Data set’s sha256", value: Value::Hash(info.data_sha256.clone()) },
        words("Pixels’ mean", rgb(info.mean)),
        words("Pixels’ deviation", rgb(info.std)),
    ]);
    facts.retain(|fact| !fact.value.is_empty());
    facts
}

impl Value {
    fn is_empty(&self) -> bool {
        match self {
            Self::Words(text) | Self::Hash(text) => text.is_empty(),
            Self::Commands(commands) => commands.is_empty(),
        }
    }
}
