use super::*;
use crate::image::{Picture, pictures_to_tensor};

fn images() -> Tensor<4> {
    let picture = |k: usize| {
        let pixel = |i: usize| ((i / 3 % 64) * 3 + (i / 192) * k + i % 3 * 40) as u8;
        Picture::from_rgb8((0..64 * 64 * 3).map(pixel).collect()).unwrap()
    };
    pictures_to_tensor(&[picture(1), picture(2), picture(5)], &Device::flex())
}

fn values(images: Tensor<4>) -> Vec<f32> {
    pollster::block_on(crate::device::read(images)).unwrap()
}

fn one(geometry: Projective) -> Tensor<4> {
    perturb(images().narrow(0, 0, 1), &[Drawn { geometry, ..Drawn::default() }])
}

#[test]
fn nothing_drawn_changes_no_bit() {
    let unchanged = perturb(images(), &[Drawn::default(); 3]);
    assert_eq!(values(unchanged), values(images()));
    // An unchanged image keeps its bits beside a changed one.
    let turned = Drawn { geometry: Projective::rotation(30.0), color: ColorChange { hue: 0.2, ..Default::default() } };
    let mixed = perturb(images(), &[Drawn::default(), turned, Drawn::default()]);
    for keeps in [0, 2] {
        assert_eq!(values(mixed.clone().narrow(0, keeps, 1)), values(images().narrow(0, keeps, 1)));
    }
    assert_ne!(values(mixed.narrow(0, 1, 1)), values(images().narrow(0, 1, 1)));
}

#[test]
fn flips_mirror_and_two_are_none() {
    let (flip, image) = (Projective::horizontal_flip(), images().narrow(0, 0, 1));
    assert_eq!(values(one(flip)), values(image.clone().flip([3])));
    assert_eq!(values(one(Projective::vertical_flip())), values(image.clone().flip([2])));
    assert_eq!(values(one(flip.then(flip))), values(image));
}

#[test]
fn a_shift_moves_right_and_down_and_leaves_black() {
    let moved = one(Projective::affine(0.0, [5.0, 2.0], 1.0, [0.0, 0.0]));
    let expected = images().slice([0..1, 0..3, 0..62, 0..59]);
    assert_eq!(values(moved.clone().slice([0..1, 0..3, 2..64, 5..64])), values(expected));
    assert!(values(moved.slice([0..1, 0..3, 0..64, 0..5])).iter().all(|&value| value == 0.0));
}

#[test]
fn a_quarter_turn_is_exact_and_counter_clockwise() {
    // The right end of the first row becomes its left end.
    let turned = values(one(Projective::rotation(90.0)));
    let expected = values(images().narrow(0, 0, 1).swap_dims(2, 3).flip([2]));
    assert!(turned.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4));
}

#[test]
fn composed_maps_act_one_after_the_other() {
    let (shift, turn) = (Projective::affine(0.0, [8.0, 0.0], 1.0, [0.0, 0.0]), Projective::rotation(90.0));
    // Right by 8, then a quarter turn counter-clockwise: up by 8.
    let composed = values(one(shift.then(turn)));
    let after_turn = one(turn);
    let expected =
        values(Tensor::cat(vec![after_turn.narrow(2, 8, 56), Tensor::zeros([1, 3, 8, 64], &Device::flex())], 2));
    assert!(composed.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4));
}

#[test]
fn corners_go_where_they_are_sent() {
    // Corners in their places change nothing.
    let still = Projective::perspective([[0.0, 0.0], [63.0, 0.0], [63.0, 63.0], [0.0, 63.0]]);
    let difference = values(one(still).sub(images().narrow(0, 0, 1))).iter().fold(0.0_f32, |most, d| most.max(d.abs()));
    assert!(difference < 1e-4, "{difference}");
    // Squeezed to the upper half, the lower one is black.
    let half = one(Projective::perspective([[0.0, 0.0], [63.0, 0.0], [63.0, 31.0], [0.0, 31.0]]));
    assert!(values(half.clone().slice([0..1, 0..3, 34..64, 0..64])).iter().all(|&value| value == 0.0));
    assert!(values(half.slice([0..1, 0..3, 2..30, 10..60])).iter().all(|&value| value > 0.0));
}

#[test]
fn smaller_pictures_are_moved_by_the_same_part_of_their_side() {
    let halves = |images: Tensor<4>| {
        let [batch, ..] = images.dims();
        images.reshape([batch, 3, 32, 2, 32, 2]).mean_dim(5).mean_dim(3).reshape([batch, 3, 32, 32])
    };
    let drawn = [Drawn { geometry: Projective::affine(0.0, [8.0, 4.0], 1.0, [0.0, 0.0]), ..Drawn::default() }; 3];
    let (small_first, small_last) = (perturb(halves(images()), &drawn), halves(perturb(images(), &drawn)));
    assert!(values(small_first.sub(small_last)).iter().all(|difference| difference.abs() < 1e-5));
}

#[test]
fn draws_are_named_by_seed_and_number_and_stay_in_range() {
    let config = Perturbations::default();
    assert_eq!(draw(&config, 1, 5), draw(&config, 1, 5));
    assert_ne!(draw(&config, 1, 5), draw(&config, 1, 6));
    assert_ne!(draw(&config, 1, 5), draw(&config, 2, 5));
    let drawn: Vec<_> = (0..2000).map(|number| draw(&config, 0, number)).collect();
    let share = |of: fn(&Drawn) -> bool| drawn.iter().filter(|drawn| of(drawn)).count() as f64 / 2000.0;
    assert!((share(|drawn| drawn.color.grayscale) - 0.1).abs() < 0.03);
    assert!((share(|drawn| drawn.color.brightness != 1.0) - 0.5).abs() < 0.05);
    assert!(drawn.iter().all(|drawn| (0.8..=1.2).contains(&drawn.color.contrast) && drawn.color.hue.abs() <= 0.05));
    // 0.5^5 of the pictures keep their place.
    assert!((share(|drawn| drawn.geometry == Projective::default()) - 0.03).abs() < 0.015);
    let perturbed = values(perturb(images(), &drawn[..3]));
    assert!(perturbed.iter().all(|value| (0.0..=1.0).contains(value)));
}

#[test]
fn probability_0_is_never_and_the_other_families_draw_as_before() {
    let config = Perturbations::default();
    let mut without = config.clone();
    without.affine.probability = 0.0;
    without.grayscale.probability = 0.0;
    for number in 0..50 {
        let (with, without) = (draw(&config, 0, number), draw(&without, 0, number));
        assert!(!without.color.grayscale);
        assert_eq!(ColorChange { grayscale: false, ..with.color }, without.color);
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let broken = |edit: fn(&mut Perturbations)| {
        let mut config = Perturbations::default();
        edit(&mut config);
        config.validate().unwrap_err()
    };
    assert_eq!(Perturbations::default().validate(), Ok(()));
    assert_eq!(broken(|config| config.affine.scale = [1.2, 0.8]).name, "affine.scale");
    assert_eq!(broken(|config| config.rotation.degrees = f64::NAN).name, "rotation.degrees");
    assert_eq!(broken(|config| config.color_jitter.hue = 0.6).name, "color_jitter.hue");
    let error = broken(|config| config.perspective.probability = 1.5).to_string();
    assert_eq!(error, "perturbations: perspective.probability is 1.5, but must be from 0 to 1");
}

#[test]
fn what_lies_behind_the_horizon_is_black() {
    let last = 63.0;
    for percent in 0..=100 {
        // One side moves back, and so its corners towards the middle: at 66% the horizon enters the picture.
        let inwards = f64::from(percent) / 100.0 * last / 2.0;
        let tilts = [
            [[0.0, 0.0], [last - inwards, inwards], [last - inwards, last - inwards], [0.0, last]],
            [[inwards, inwards], [last, 0.0], [last, last], [inwards, last - inwards]],
        ];
        for (tilt, edge) in tilts.into_iter().zip([63, 0]) {
            let tilted = one(Projective::perspective(tilt));
            let seen = values(tilted.clone());
            assert!(seen.iter().all(|value| (0.0..=1.0).contains(value)), "{percent}%");
            // The column at the far edge lies behind the horizon.
            if (70..=90).contains(&percent) {
                assert!(values(tilted.narrow(3, edge, 1)).iter().all(|value| *value == 0.0), "{percent}%");
            }
        }
    }
}
