//! Where in a file a network's own tensors are.
//!
//! Training scripts wrap a network in modules (`module.`, `model.`, `_orig_mod.`, `attacker.model.`) and its state dict in
//! other things (`state_dict`, `net`, `model_ema`), in any order and depth. A network is found by its own names, not by those.

use std::collections::BTreeMap;

/// Parts of the path of a copy of a network that was kept beside it: averages of its weights, teachers, and the like.
const COPIES: [&str; 9] = ["ema", "swa", "avg", "average", "averaged", "teacher", "momentum", "target", "shadow"];

/// Returns the prefix under which a file of tensors `names` holds a network. Of several it is a whole one before one without a
/// head, a network before an average of it, and one that lies less deep.
pub(super) fn root<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut found: BTreeMap<&str, Found> = BTreeMap::new();
    for name in names {
        for (own, of) in [("conv1.weight", 0), ("conv_stem.weight", 0), ("layer1.", 1), ("blocks.", 1), ("fc.", 2)] {
            if let Some(place) = starts(name, own).find(|&place| !is_in_layer(&name[..place])) {
                found.entry(&name[..place]).or_default().has[of] = true;
            }
        }
    }
    let (roots, parts): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(_, Found { has })| has.iter().filter(|has| **has).count() > 1);
    // One part alone may be of anything, as the first convolutions of another network's blocks; if it is the only one, it is
    // taken for what is left of a network.
    if let ([], [(root, Found { has: [true, ..] })]) = (&*roots, &*parts) {
        return Some(root);
    }
    let best = roots.into_iter().min_by_key(|(root, Found { has: [conv, layers, head] })| {
        let is_copy = root.split(['.', '_']).any(|word| COPIES.contains(&word));
        (!(*conv && *layers), !*head, is_copy, root.matches('.').count(), *root)
    });
    best.map(|(root, _)| root)
}

/// The parts of a network that are under a prefix: its first convolution, its layers, its head.
#[derive(Default)]
struct Found {
    has: [bool; 3],
}

/// Returns the places at which a part of the path `name` begins with `own`.
fn starts<'a>(name: &'a str, own: &'a str) -> impl Iterator<Item = usize> + 'a {
    let begins = std::iter::once(0).chain(name.match_indices('.').map(|(dot, _)| dot + 1));
    begins.filter(move |&place| name[place..].starts_with(own))
}

/// Returns whether a path goes through a layer of a network, whose blocks have convolutions of the same names.
fn is_in_layer(path: &str) -> bool {
    path.split('.').any(|part| part.strip_prefix("layer").is_some_and(|number| number.parse::<u8>().is_ok()))
}

/// Returns whether a tensor under a network's prefix is beside the network all the same: not if its name begins like those of
/// the network's own parts, with whatever number.
pub(super) fn is_beside(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default();
    !["conv", "bn", "layer", "fc", "conv_stem", "blocks", "conv_head"]
        .contains(&first.trim_end_matches(|letter: char| letter.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(prefix: &str) -> [String; 4] {
        ["conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "fc.bias"].map(|name| format!("{prefix}{name}"))
    }

    fn best(prefixes: &[&str], more: &[&str]) -> String {
        let names: Vec<String> = prefixes.iter().flat_map(|prefix| network(prefix)).collect();
        root(names.iter().map(String::as_str).chain(more.iter().copied())).unwrap().into()
    }

    #[test]
    fn any_nesting_and_combination_of_wrappings_is_seen_through() {
        let wrappers = ["module.", "model.", "net.", "backbone.", "attacker.model.", "_orig_mod.", "encoder_q.", "0."];
        let containers = ["", "state_dict.", "model_state_dict.", "ema.", "weights.params.", "checkpoint.model."];
        for container in containers {
            for outer in wrappers {
                for inner in wrappers {
                    for prefix in [format!("{container}{outer}"), format!("{container}{outer}{inner}")] {
                        let beside = ["optimizer.state.0.momentum_buffer", "loss.weight", "mu", "normalize.mean"];
                        assert_eq!(best(&[&prefix], &beside), prefix);
                    }
                }
            }
        }
    }

    #[test]
    fn of_several_networks_the_trained_one_is_taken() {
        assert_eq!(best(&["model_ema.module.", "model."], &[]), "model.");
        assert_eq!(best(&["state_dict_ema.", "state_dict."], &[]), "state_dict.");
        assert_eq!(
            best(&["module.attacker.model.", "module.model."], &["module.normalizer.new_mean"]),
            "module.model."
        );
        assert_eq!(best(&["a.encoder."], &["conv1.weight"]), "a.encoder.", "a whole one");
        let headless = ["b.conv1.weight", "b.layer1.0.conv1.weight"];
        assert_eq!(best(&["ema."], &headless), "ema.", "one with a head");
    }

    #[test]
    fn blocks_are_no_networks() {
        let found = |names: [&'static str; 2]| root(names.into_iter());
        assert_eq!(found(["layer1.0.conv1.weight", "conv1.weight"]), Some(""));
        assert_eq!(found(["features.0.weight", "classifier.6.fc.bias"]), None);
        assert_eq!(found(["block1.denselayer1.conv1.weight", "block1.denselayer2.conv1.weight"]), None);
    }

    #[test]
    fn what_looks_like_a_part_of_a_network_is_not_passed_over() {
        for name in ["conv2.weight", "bn2.bias", "layer5.0.conv1.weight", "fc2.weight", "layer1.0.se.weight"] {
            assert!(!is_beside(name), "{name}");
        }
        for name in
            ["normalize.mean", "mu", "loss.weight", "n_averaged", "attacker.normalize.new_std", "convert.weight"]
        {
            assert!(is_beside(name), "{name}");
        }
    }
}
