use shared::attack::AttackKind;
use shared::detect::{Calibration, DetectorKind};

use super::*;
use crate::models::tests::bundle;

fn picture(shift: u8) -> Picture {
    Picture::from_rgb8((0..64 * 64 * 3).map(|i| 60 + (i * 7 % 90) as u8 + shift).collect()).unwrap()
}

fn measured(attacked: bool, class: Option<usize>, method: Method) -> Explanation {
    let device = Device::flex();
    let (bundle, clean, changed) = (bundle("small", 3, &device), picture(0), picture(9));
    let config = AttackConfig::new(AttackKind::Bim, 9.0 / 255.0, 3);
    let attacked = attacked.then_some((&config, &changed, true));
    let described = |kind| DetectorCard {
        kind,
        weights: None,
        passes: 0,
        dropout: 0.0,
        tails: None,
        trained_on: String::new(),
        trained_attacks: vec![],
        calibration: Calibration::new(vec![0.0, 1.0]),
        figures: None,
    };
    let detectors =
        [DetectorKind::MaxSoftmax, DetectorKind::Energy].map(|kind| (described(kind), Detector::Logits(kind)));
    let subject = Subject { bundle: &bundle, detectors: &detectors, picture: &clean, attacked, class, method };
    measure(&subject, &device).unwrap().explanation
}

#[test]
fn evidence_adds_up_to_what_the_probabilities_say() {
    let found = measured(true, None, Method::Cam);
    let evidence = found.facts.evidence.as_ref().unwrap();
    // The logarithm of a ratio of probabilities is the difference of logits.
    let ratio = (found.before[0].probability / found.before[1].probability).ln();
    assert!((evidence.total() - ratio).abs() < 1e-3, "{} {ratio}", evidence.total());
    assert!(found.is_difference && found.map.values == evidence.cells && found.map.height == 4);
    let after = found.facts.attack.as_ref().unwrap();
    assert!((after.largest_change - 9.0).abs() < 1e-3, "{after:?}");
    assert_eq!(after.answer.probability, found.attacked.as_ref().unwrap().after[0].probability);
    // Untouched scores are spread evenly from 0 to 1 here, so the share above is one less the score: the probability.
    let (before, now) = (found.facts.standing.less_probable.unwrap(), after.standing.less_probable.unwrap());
    assert!((before - f64::from(found.before[0].probability)).abs() < 1e-5, "{before}");
    assert!((now - f64::from(after.answer.probability)).abs() < 1e-5, "{now}");
    // The energy of a network with three classes and small logits is below 0, which all untouched pictures exceed.
    assert_eq!((found.facts.standing.higher_energy, found.none_of.as_deref()), (Some(1.0), None));
    // The maps of this network were not checked, so no word is about them.
    assert_eq!(found.sentence, sentence(&found.facts.clone().without_evidence()));
    assert!(found.sentence.contains("9 of 255 levels"), "{}", found.sentence);
}

#[test]
fn a_class_is_explained_against_the_answer() {
    let answer = measured(false, None, Method::Cam);
    let other = answer.before[3].index;
    let found = measured(false, Some(other), Method::SmoothGradient);
    assert_eq!(found.against.as_deref(), answer.before[0].name.split(',').next());
    let total = found.facts.evidence.as_ref().unwrap().total();
    assert!(total < 0.0, "the answer has the larger logit: {total}");
    assert!(!found.is_difference && found.map.height == 64 && found.map_after.is_none());
}

#[test]
fn stages_are_named_and_without_an_attack_nothing_has_changed() {
    for attacked in [false, true] {
        let found = measured(attacked, None, Method::GradCam);
        let names: Vec<&str> = found.stages.iter().map(|stage| stage.stage.as_str()).collect();
        assert_eq!(names, ["layer1", "layer2", "layer3"]);
        for stage in &found.stages {
            assert_eq!(stage.maps.change > Some(0.0), attacked);
            assert_eq!(stage.shown.len(), 8);
        }
    }
}
