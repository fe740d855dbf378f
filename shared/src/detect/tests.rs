use burn::tensor::Distribution;

use super::*;
use crate::device::read;
use crate::model::WideResNetConfig;

const CLASSES: usize = 5;

fn architecture() -> Architecture {
    Architecture::WideResNet(WideResNetConfig::new(10, 1))
}

fn network(device: &Device) -> Classifier {
    architecture().init_seeded(CLASSES, [0.5; 3], [0.25; 3], 3, device).unwrap().valid()
}

fn detector(kind: DetectorKind, device: &Device) -> Detector {
    let architecture = architecture();
    let of = DetectorOf { architecture: &architecture, classes: CLASSES, mean: [0.5; 3], std: [0.25; 3], device };
    let built = Detector::new(kind, &of, 0.2, 4).unwrap();
    match built {
        // Random weights, since a new one has none: the network's own are drawn when they are first used.
        Detector::Network(network, accepted) => Detector::Network(Box::new(network.init_missing(4).valid()), accepted),
        Detector::Mahalanobis(mut distances) => {
            let model = network(device);
            let images = Tensor::<4>::random([40, 3, 64, 64], Distribution::Uniform(0.0, 1.0), device);
            let labels: Vec<usize> = (0..40).map(|row| row % CLASSES).collect();
            for (stage, maps) in model.stages(images).maps.into_iter().enumerate() {
                let features = values(pooled(maps));
                distances.fit_stage(stage, &features, &labels).unwrap();
            }
            Detector::Mahalanobis(distances)
        }
        other => other,
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    pollster::block_on(read(tensor)).unwrap()
}

fn images(count: usize, device: &Device) -> Tensor<4> {
    device.seed(7);
    Tensor::random([count, 3, 64, 64], Distribution::Uniform(0.1, 0.9), device)
}

fn scores(detector: &Detector, model: &Classifier, images: &Tensor<4>) -> Vec<f32> {
    values(detector.score(model, images.clone(), &model.stages(images.clone())))
}

#[test]
fn each_kind_gives_each_picture_a_score_of_its_own_and_comes_back_from_its_file() {
    let device = Device::flex();
    let (model, images) = (network(&device), images(3, &device));
    for kind in DetectorKind::ALL {
        let made = detector(kind, &device);
        let whole = scores(&made, &model, &images);
        assert!(whole.iter().all(|score| score.is_finite()), "{kind}: {whole:?}");
        let alone = scores(&made, &model, &images.clone().narrow(0, 1, 1));
        assert!((whole[1] - alone[0]).abs() < 1e-4 * whole[1].abs().max(1.0), "{kind}: {whole:?}, {alone:?}");
        let file = made.save().unwrap();
        assert_eq!(file.is_some(), kind.has_weights(), "{kind}");
        let Some(file) = file else { continue };
        let again = detector(kind, &device).load(&file).unwrap();
        // Files are in half precision.
        let again = scores(&again, &model, &images);
        let largest = whole.iter().fold(1.0f32, |largest, score| largest.max(score.abs()));
        assert!(whole.iter().zip(&again).all(|(a, b)| (a - b).abs() < 0.02 * largest), "{kind}: {whole:?}, {again:?}");
        assert!(detector(kind, &device).load(&file[..file.len() - 1]).is_err(), "{kind}");
    }
}

#[test]
fn a_card_leads_to_its_detector_and_not_to_another_file() {
    let device = Device::flex();
    let made = detector(DetectorKind::Maps, &device);
    let file = made.save().unwrap().unwrap();
    let (json, _) = exported(&device);
    let card = Card::from_json(&json).unwrap();
    let described = DetectorCard {
        kind: DetectorKind::Maps,
        weights: Some(crate::bundle::Part::describe("detector-maps.safetensors".into(), &file)),
        passes: 0,
        dropout: 0.0,
        tails: None,
        trained_on: String::new(),
        trained_attacks: vec![],
        calibration: Calibration::new(vec![0.0, 1.0]),
        figures: None,
    };
    let model = network(&device);
    let loaded = load_detector(&card, &described, Some(&file), &device).unwrap();
    let images = images(2, &device);
    let (ours, theirs) = (scores(&made, &model, &images), scores(&loaded, &model, &images));
    assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 0.02), "{ours:?} {theirs:?}");
    let mut changed = file;
    changed[200] ^= 1;
    assert!(load_detector(&card, &described, Some(&changed), &device).is_err());
    assert!(load_detector(&card, &described, None, &device).is_err());
    // A card's detectors are read back, and checked.
    let with = Card { detectors: vec![described], ..card };
    assert_eq!(Card::from_json(&with.to_json()).unwrap(), with);
    let mut tailed = with.clone();
    tailed.detectors[0].tails = Some(Tails { low: None, median: 0.0, high: 1.0 });
    assert!(Card::from_json(&tailed.to_json()).unwrap_err().to_string().contains("tails"), "the head has none");
    let mut elsewhere = with;
    elsewhere.detectors[0].weights.as_mut().unwrap().file = "../x".into();
    assert!(Card::from_json(&elsewhere.to_json()).unwrap_err().to_string().contains("maps"));
}

fn exported(device: &Device) -> (Vec<u8>, Vec<u8>) {
    use crate::bundle::{Bundle, Class, Description, Precision, Recipe};
    let class = |n: usize| Class { wnid: format!("n{n:08}"), name: format!("class {n}") };
    let description = Description {
        name: "small".into(),
        architecture: architecture(),
        classes: (0..CLASSES).map(class).collect(),
        mean: [0.5; 3],
        std: [0.25; 3],
        recipe: Recipe::default(),
        data_sha256: "made".into(),
        scores: vec![],
    };
    pollster::block_on(Bundle::export(&network(device), description, Precision::F32, device)).unwrap()
}

fn evasion(strategy: Strategy, threshold: f32, steps: usize, images: &Tensor<4>, labels: &[usize]) -> Evasion {
    let device = images.device();
    let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    let count = labels.len();
    let about = Evaded {
        labels: Tensor::from_data(TensorData::new(labels, [count]), &device),
        targets: None,
        guides: Some(images.clone().flip([0])),
    };
    let config = EvasionConfig { epsilon: 8.0 / 255.0, steps, strategy, threshold, seed: 1 };
    Evasion::new(&config, images.clone(), about).unwrap()
}

fn answers(model: &Classifier, images: &Tensor<4>) -> Vec<usize> {
    let [count, ..] = images.dims();
    values::<1>(model.forward(images.clone()).argmax(1).float().reshape([count])).iter().map(|n| *n as usize).collect()
}

/// The outcome is what network and detector say of the images that are returned, which stay in the ball.
#[test]
fn log_odds_are_of_all_classes_against_the_accepted_one() {
    let device = Device::flex();
    let logits = [1.0f32, 2.0, 3.0];
    let all: f32 = logits.iter().map(|logit| logit.exp()).sum();
    for (class, logit) in logits.iter().enumerate() {
        let odds = values(log_odds(Tensor::from_data([logits], &device), class..class + 1));
        let share = logit.exp() / all;
        assert!((odds[0] - ((1.0 - share) / share).ln()).abs() < 1e-5, "{class}: {odds:?}");
    }
}

#[test]
fn evasions_say_what_holds_for_their_best_images() {
    let device = Device::flex();
    let (model, images) = (network(&device), images(4, &device));
    let labels = answers(&model, &images);
    let strategies = [
        Strategy::Sum { weight: 1.0 },
        Strategy::Orthogonal,
        Strategy::Features,
        Strategy::Expectation,
        Strategy::Queries,
    ];
    let mut fooled = 0;
    for kind in [DetectorKind::Maps, DetectorKind::Mahalanobis, DetectorKind::PredictiveEntropy] {
        let detector = detector(kind, &device).with_tails(Tails { low: Some(1.0), median: 1.2, high: 1.4 });
        let mut clean = scores(&detector, &model, &images);
        clean.sort_by(f32::total_cmp);
        let threshold = clean[2];
        for strategy in strategies {
            let done = evasion(strategy, threshold, 6, &images, &labels).finish(&model, &detector);
            let best = done.best();
            let distance = values(best.clone().sub(images.clone()).abs()).into_iter().fold(0.0f32, f32::max);
            assert!(distance <= 8.0 / 255.0 + 1e-6, "{kind} {strategy:?}: {distance}");
            let (now, score) = (answers(&model, &best), scores(&detector, &model, &best));
            let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-3 * a.abs().max(1.0);
            assert!(score.iter().zip(&values(done.best_score())).all(close), "{kind} {strategy:?}");
            for (place, outcome) in values(done.outcome()).into_iter().enumerate() {
                let expected = match now[place] != labels[place] {
                    true if score[place] < threshold - 1e-3 => 2.0,
                    true if score[place] > threshold + 1e-3 => 1.0,
                    false => 0.0,
                    true => outcome,
                };
                assert_eq!(outcome, expected, "{kind} {strategy:?}, image {place}");
                fooled += usize::from(outcome > 0.0);
            }
        }
    }
    assert!(fooled > 0, "no strategy fooled the network once");
}

/// An attack that knows of the detector evades it where one that does not know of it, weight 0, raises an alarm.
#[test]
fn knowing_the_detector_lowers_the_score() {
    let device = Device::flex();
    let (model, images) = (network(&device), images(4, &device));
    let labels = answers(&model, &images);
    let detector = detector(DetectorKind::Maps, &device);
    let score = |strategy| {
        // A threshold that no image reaches: the attack goes on lowering the score.
        let done = evasion(strategy, -100.0, 10, &images, &labels).finish(&model, &detector);
        let fooled = values(done.outcome()).iter().filter(|outcome| **outcome > 0.0).count();
        (fooled, values(done.best_score()).iter().sum::<f32>())
    };
    let (blind, knowing) = (score(Strategy::Sum { weight: 0.0 }), score(Strategy::Orthogonal));
    assert!(knowing.0 >= blind.0, "{knowing:?} {blind:?}");
    assert!(knowing.1 < blind.1, "{knowing:?} {blind:?}");
}

#[test]
fn settings_out_of_range_are_refused() {
    let device = Device::flex();
    let images = images(2, &device);
    let config = EvasionConfig { epsilon: 2.0, steps: 1, strategy: Strategy::Orthogonal, threshold: 0.0, seed: 0 };
    let about = |count: usize| Evaded {
        labels: Tensor::from_data(TensorData::new(vec![0i64; count], [count]), &device),
        targets: None,
        guides: None,
    };
    assert!(Evasion::new(&config, images.clone(), about(2)).is_err());
    assert!(Evasion::new(&EvasionConfig { epsilon: 0.1, ..config }, images, about(3)).is_err());
}
