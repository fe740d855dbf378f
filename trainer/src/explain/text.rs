//! The summary of explanations for a terminal.

use std::path::Path;

use shared::attack::{AttackConfig, Norm};

use super::{Explanation, StageReport};
use crate::epsilon::in_levels;
use crate::models::Guess;

/// Width of a line of text.
const WIDTH: usize = 100;

/// What the explanations are about.
pub struct Shown<'a> {
    /// The picture's file.
    pub image: &'a Path,
    /// The attack; none without one.
    pub attack: Option<&'a AttackConfig>,
    /// Files that are not one network's own.
    pub files: &'a [std::path::PathBuf],
}

/// Returns the summary: for each network the sentences, the likeliest classes and what an attack changed in each stage.
pub fn summary(shown: &Shown<'_>, explanations: &[Explanation]) -> String {
    let attack = match shown.attack {
        None => "no attack".into(),
        Some(config) => {
            let epsilon = match config.kind.norm() {
                Norm::Linf => in_levels(config.epsilon),
                Norm::L2 | Norm::L0 => config.threat().to_string(),
            };
            format!("{}, epsilon {epsilon}", config.kind.label())
        }
    };
    let mut text = format!("{}: {attack}", shown.image.display());
    for explanation in explanations {
        text += &format!("\n\n{}\n{}\n", explanation.model, wrapped(&explanation.sentence, WIDTH, "  "));
        if let Some(note) = &explanation.none_of {
            text += &format!("{}\n", wrapped(note, WIDTH, "  "));
        }
        text += &classes(explanation);
        text += &format!("\n  map: {}", map_in_words(explanation));
        if let Some(attacked) = &explanation.attacked {
            if !attacked.had_gradient {
                text += "\n  the attack had no gradient to follow, so an unchanged answer says nothing";
            }
            text += "\n  maps changed by (part of their Euclidean length), and the channels with the largest shares of the change:";
            for stage in &explanation.stages {
                text += &format!("\n    {}", stage_line(stage));
            }
        }
        for figure in &explanation.figures {
            text += &format!("\n  {}", figure.display());
        }
    }
    for (place, file) in shown.files.iter().enumerate() {
        text += &format!("{}{}", if place == 0 { "\n\n" } else { "\n" }, file.display());
    }
    text
}

fn classes(explanation: &Explanation) -> String {
    let line = |guess: &Guess| {
        format!("{:6.1}%  {}", 100.0 * guess.probability, guess.name.split(',').next().unwrap_or_default())
    };
    let after = explanation.attacked.as_ref().map(|attacked| attacked.after.as_slice()).unwrap_or_default();
    let mut text = match after {
        [] => String::new(),
        _ => format!("  {:<36}  after", "before"),
    };
    for (place, guess) in explanation.before.iter().enumerate() {
        let lines = format!("{:<38}{}", line(guess), after.get(place).map(line).unwrap_or_default());
        text += &format!("{}{}", if text.is_empty() { "" } else { "\n" }, lines.trim_end());
    }
    text
}

/// Returns what the map shows: `CAM, evidence for goldfish against orange, 4 x 4 cells`.
fn map_in_words(explanation: &Explanation) -> String {
    let Explanation { method, class, against, is_difference, map, .. } = explanation;
    let what = match against.as_ref().filter(|_| *is_difference) {
        Some(against) => format!("evidence for {class} against {against}"),
        None => format!("of {class}"),
    };
    format!("{}, {what}, {} x {} cells", method.label(), map.height, map.width)
}

fn stage_line(StageReport { stage, maps, shown }: &StageReport) -> String {
    let change = maps.change.map_or("no length before".into(), |change| format!("{:6.1}%", 100.0 * change));
    let channel = |&channel: &usize| format!("{channel} ({:.0}%)", 100.0 * maps.channels[channel].share);
    format!("{stage:<10} {change}  {}", shown.iter().map(channel).collect::<Vec<_>>().join(", "))
}

/// Breaks a text into lines of at most `width` characters where it has spaces, each after `indent`.
fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last =
            lines.last_mut().filter(|line| line.is_empty() || line.chars().count() + word.chars().count() < width);
        match last {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => *line += &format!(" {word}"),
            None => lines.push(word.into()),
        }
    }
    lines.iter().map(|line| format!("{indent}{line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_spaces_and_lose_nothing() {
        let text = "one two three four five six seven";
        let lines = wrapped(text, 14, "> ");
        assert_eq!(lines, "> one two three\n> four five six\n> seven");
        assert_eq!(wrapped("einundzwanzigbuchstabig x", 10, ""), "einundzwanzigbuchstabig\nx");
    }
}
