use super::*;
use crate::explain::test_network::{classes, network, pictures};

fn map(height: usize, values: &[f32]) -> Attribution {
    Attribution { height, width: values.len() / height, values: values.to_vec() }
}

#[test]
fn similarities_are_those_of_the_textbook() {
    let one = map(2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let same = similarity(&one, &map(2, &[10.0, 20.0, 30.0, 40.0, 50.0, 60.0]));
    assert!(same.largest() <= 1.0 + 1e-6 && same.spearman > 0.999 && same.ssim > 0.999, "{same:?}");
    let turned = similarity(&one, &map(2, &[-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]));
    assert!((turned.spearman + 1.0).abs() < 1e-6 && (turned.spearman_absolute - 1.0).abs() < 1e-6, "{turned:?}");
    assert!(turned.ssim < 0.0);
    // Ties on both sides: ranks 0, 1.5, 1.5, 3 and 0, 3, 1.5, 1.5.
    assert!((spearman(&[1.0, 2.0, 2.0, 3.0], &[1.0, 3.0, 2.0, 2.0]) - 0.5).abs() < 1e-6);
    assert_eq!(similarity(&one, &map(2, &[3.0; 6])), Similarity { spearman: 0.0, spearman_absolute: 0.0, ssim: 0.0 });
}

#[test]
fn a_method_that_looks_at_the_picture_alone_would_not_pass() {
    let level = |layer: &str, value| Level {
        layer: layer.into(),
        similarity: Similarity { spearman: value, spearman_absolute: value, ssim: value },
    };
    let sanity = |head, all| Sanity { levels: vec![level("fc", head), level("conv1", all)] };
    assert!(sanity(0.5, 0.1).passes());
    assert!(!sanity(1.0, 0.1).passes() && !sanity(0.5, 0.4).passes());
    let odd = Sanity {
        levels: vec![
            level("fc", 0.5),
            Level { layer: "conv1".into(), similarity: Similarity { ssim: 0.5, ..Similarity::default() } },
        ],
    };
    assert!(!odd.falls(), "one of three similarities is left");
    let joined = Sanity::mean(&[(1, sanity(0.0, 0.0)), (3, sanity(1.0, 0.2))]);
    assert!((joined.levels[0].similarity.ssim - 0.75).abs() < 1e-6 && !Sanity::mean(&[]).passes());
}

#[test]
fn maps_follow_the_weights_from_the_head_downward() {
    let model = network(8);
    for method in Method::ALL {
        let sanity = pollster::block_on(cascade(&model, pictures(), classes(&[1, 3]), method, 2)).unwrap();
        let layers: Vec<&str> = sanity.levels.iter().map(|level| level.layer.as_str()).collect();
        assert_eq!(layers, ["fc", "bn1", "layer3", "layer2", "layer1", "conv1"]);
        assert!(sanity.head_moves(), "{method}: {sanity:?}");
    }
}
