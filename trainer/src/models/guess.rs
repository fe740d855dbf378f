//! A model's predictions for pictures, and the names of its classes.

use anyhow::{Result, ensure};
use burn::prelude::*;
use shared::bundle::{Bundle, Card};
use shared::image::{Picture, pictures_to_tensor};
use shared::metrics::{softmax, top_k};

use super::read;
use crate::error::UsageError;

/// Number of pictures that go through a network at once.
const BATCH: usize = 64;

/// A predicted class with its probability.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Guess {
    /// Index of the class in the model's outputs.
    pub index: usize,
    /// WordNet id of the class.
    pub wnid: String,
    /// Name of the class.
    pub name: String,
    /// Softmax probability, 0 to 1.
    pub probability: f32,
}

/// Returns the `count` likeliest classes of each picture, best first.
///
/// # Errors
/// When the device fails, or a probability is not a number.
pub fn classify(bundle: &Bundle, pictures: &[Picture], count: usize, device: &Device) -> Result<Vec<Vec<Guess>>> {
    let classes = &bundle.card.classes;
    let mut all = Vec::with_capacity(pictures.len());
    for batch in pictures.chunks(BATCH) {
        let logits = read(bundle.model.forward(pictures_to_tensor(batch, device)))?;
        ensure!(logits.iter().all(|logit| logit.is_finite()), "the device computed something that is not a number");
        for row in logits.chunks_exact(classes.len()) {
            let probabilities = softmax(row);
            let guess = |index: usize| Guess {
                index,
                wnid: classes[index].wnid.clone(),
                name: classes[index].name.clone(),
                probability: probabilities[index],
            };
            all.push(top_k(&probabilities, count).into_iter().map(guess).collect());
        }
    }
    Ok(all)
}

/// Returns the index of the class with the wnid, index or name `text`, in upper or lower case.
///
/// # Errors
/// When no class matches, with similar names, or more than one does.
pub fn find_class(card: &Card, text: &str) -> Result<usize> {
    let classes = &card.classes;
    let wanted = text.trim().to_lowercase();
    if let Some(index) = classes.iter().position(|class| class.wnid == wanted) {
        return Ok(index);
    }
    if let Ok(index) = wanted.parse::<usize>()
        && index < classes.len()
    {
        return Ok(index);
    }
    let matching = |matches: &dyn Fn(&str) -> bool| -> Vec<usize> {
        let named = |index: &usize| classes[*index].name.split(',').any(|name| matches(&name.trim().to_lowercase()));
        (0..classes.len()).filter(named).collect()
    };
    let problem = match matching(&|name| name == wanted).as_slice() {
        [index] => return Ok(*index),
        [] => "is not a class",
        _ => "is the name of more than one class",
    };
    let near = matching(&|name| !wanted.is_empty() && name.contains(&wanted));
    let near: Vec<String> = near
        .iter()
        .take(5)
        .map(|&index| format!("{} ({})", classes[index].short_name(), classes[index].wnid))
        .collect();
    let hint = if near.is_empty() { String::new() } else { format!("; perhaps {}", near.join(", ")) };
    let last = classes.len().saturating_sub(1);
    let how = format!("give a wnid such as {}, a name or an index from 0 to {last}", classes[0].wnid);
    Err(UsageError(format!("'{text}' {problem} of the model {}: {how}{hint}", card.name)).into())
}

#[cfg(test)]
mod tests {
    use super::super::tests::bundle;
    use super::*;

    #[test]
    fn guesses_are_sorted_probabilities_for_any_number_of_pictures() {
        let device = Device::flex();
        let bundle = bundle("small", 4, &device);
        let pictures: Vec<Picture> =
            (0..BATCH + 3).map(|i| Picture::from_rgb8(vec![i as u8 * 3; 64 * 64 * 3]).unwrap()).collect();
        let all = classify(&bundle, &pictures, 10, &device).unwrap();
        assert_eq!(all.len(), pictures.len());
        for guesses in &all {
            assert_eq!(guesses.len(), 5);
            assert!(guesses.is_sorted_by(|a, b| a.probability >= b.probability));
            assert!((guesses.iter().map(|guess| guess.probability).sum::<f32>() - 1.0).abs() < 1e-5);
        }
        // A picture's probabilities do not depend on its batch.
        let last = classify(&bundle, &pictures[BATCH + 2..], 10, &device).unwrap();
        assert!((last[0][0].probability - all[BATCH + 2][0].probability).abs() < 1e-5);
    }
}
