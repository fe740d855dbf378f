use super::plane::{Border, Plane};
use super::*;
use crate::image::SIDE;

const VALUES: usize = SIDE * SIDE * 3;
/// Corruptions that draw no random numbers.
const DETERMINISTIC: [Corruption; 6] = [
    Corruption::DefocusBlur,
    Corruption::ZoomBlur,
    Corruption::Brightness,
    Corruption::Contrast,
    Corruption::Pixelate,
    Corruption::JpegCompression,
];

/// Makes a picture with slopes, fine stripes, a disk with sharp edges, and colour.
fn scene() -> Picture {
    picture(|x, y| {
        let disk = (x as i32 - 24).pow(2) + (y as i32 - 36).pow(2) < 256;
        let stripes = if (x + y) % 6 < 3 { 60 } else { 0 };
        let [red, green, blue] = if disk { [150, 60, 20] } else { [30 + x, 20 + 2 * y, 130] };
        [red as u8, green as u8, blue as u8].map(|value| value + stripes)
    })
}

fn picture(pixel: impl Fn(usize, usize) -> [u8; 3]) -> Picture {
    let pixels = (0..SIDE * SIDE).flat_map(|index| pixel(index % SIDE, index / SIDE));
    Picture::from_rgb8(pixels.collect()).unwrap()
}

fn plain(level: u8) -> Picture {
    picture(|_, _| [level; 3])
}

fn severity(number: u8) -> Severity {
    Severity::new(number).unwrap()
}

fn levels(picture: &Picture) -> Vec<f64> {
    picture.as_rgb8().iter().map(|&level| f64::from(level)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns the mean absolute difference, in levels.
fn damage(a: &Picture, b: &Picture) -> f64 {
    levels(a).iter().zip(levels(b)).map(|(a, b)| (a - b).abs()).sum::<f64>() / VALUES as f64
}

/// Returns the damage at each severity, the mean over a few seeds.
fn damages(corruption: Corruption) -> [f64; 5] {
    const SEEDS: u64 = 4;
    let scene = scene();
    Severity::ALL.map(|severity| {
        (0..SEEDS).map(|seed| damage(&scene, &corruption.apply(&scene, severity, seed))).sum::<f64>() / SEEDS as f64
    })
}

#[test]
fn every_corruption_changes_the_picture_and_repeats_for_a_seed() {
    let scene = scene();
    for corruption in Corruption::ALL {
        for severity in Severity::ALL {
            let once = corruption.apply(&scene, severity, 5);
            assert_ne!(once, scene, "{corruption} {severity}");
            assert_eq!(once, corruption.apply(&scene, severity, 5), "{corruption} {severity}");
            let other_seed = corruption.apply(&scene, severity, 6);
            assert_eq!(once == other_seed, DETERMINISTIC.contains(&corruption), "{corruption} {severity}");
        }
    }
}

#[test]
fn damage_grows_with_severity() {
    for corruption in Corruption::ALL {
        let damages = damages(corruption);
        match corruption {
            // At severity 5 fine ripples leave the picture in its place.
            Corruption::ElasticTransform => {}
            // The picture's weight falls as the weight of the frost rises, so the sum may be no further off.
            Corruption::Frost => {}
            // Not all of their parameters grow with the severity, in the benchmark too.
            Corruption::GlassBlur | Corruption::Snow => {
                assert!(damages[4] > damages[0], "{corruption}: {damages:?}");
            }
            _ => assert!(damages.is_sorted(), "{corruption}: {damages:?}"),
        }
        assert!(damages.iter().all(|damage| (0.5..100.0).contains(damage)), "{corruption}: {damages:?}");
    }
}

#[test]
fn gaussian_noise_has_its_standard_deviation() {
    // Only the first two severities: beyond, the ends of the range cut off some of the noise.
    for (number, deviation) in [(1, 0.04), (2, 0.08)] {
        let noisy = levels(&Corruption::GaussianNoise.apply(&plain(128), severity(number), 1));
        let center = mean(&noisy);
        let found = mean(&noisy.iter().map(|level| (level - center).powi(2)).collect::<Vec<_>>()).sqrt();
        assert!((found / 255.0 / deviation - 1.0).abs() < 0.03, "{found}");
        // Truncation takes half a level.
        assert!((center - 127.5).abs() < 0.8, "{center}");
    }
}

#[test]
fn shot_noise_has_the_variance_of_a_count() {
    for (number, photons) in [(1, 250.0), (2, 100.0), (3, 50.0)] {
        let noisy = levels(&Corruption::ShotNoise.apply(&plain(102), severity(number), 1));
        let center = mean(&noisy);
        let variance =
            mean(&noisy.iter().map(|level| (level - center).powi(2)).collect::<Vec<_>>()) / 255.0_f64.powi(2);
        assert!((variance / (0.4 / photons) - 1.0).abs() < 0.06, "{number}: {variance}");
        assert!((center - 102.0).abs() < 1.0, "{center}");
    }
    assert_eq!(Corruption::ShotNoise.apply(&plain(0), severity(5), 1), plain(0), "nothing to count");
}

#[test]
fn impulse_noise_is_salt_and_pepper_in_equal_parts() {
    for (number, share) in [(1, 0.01), (5, 0.14)] {
        let noisy = Corruption::ImpulseNoise.apply(&plain(100), severity(number), 3);
        let count = |level| noisy.as_rgb8().iter().filter(|&&found| found == level).count() as f64 / VALUES as f64;
        let (pepper, salt) = (count(0), count(255));
        assert!((count(100) + pepper + salt - 1.0).abs() < 1e-9, "nothing else");
        assert!((pepper / share - 0.5).abs() < 0.1 && (salt / share - 0.5).abs() < 0.1, "{pepper} {salt}");
    }
}

#[test]
fn frost_has_the_weights_of_the_benchmark() {
    let [mild, strong] = [1, 5].map(|number| Corruption::Frost.apply(&plain(0), severity(number), 9));
    for (mild, strong) in levels(&mild).into_iter().zip(levels(&strong)) {
        assert!((mild / 0.3 - strong / 0.55).abs() < 1.0 / 0.3 + 1.0 / 0.55, "{mild} {strong}");
    }
    let on_grey = Corruption::Frost.apply(&plain(100), severity(5), 9);
    for (black, grey) in levels(&strong).into_iter().zip(levels(&on_grey)) {
        assert!((grey - black - 70.0).abs() <= 1.0, "{black} {grey}");
    }
}

#[test]
fn contrast_draws_each_channel_towards_its_mean() {
    let scene = scene();
    for (number, kept) in [(1, 0.4), (2, 0.3), (3, 0.2), (4, 0.1), (5, 0.05)] {
        let flat = levels(&Corruption::Contrast.apply(&scene, severity(number), 0));
        for channel in 0..3 {
            let of = |levels: &[f64]| levels.iter().copied().skip(channel).step_by(3).collect::<Vec<_>>();
            let before = of(&levels(&scene));
            let mean = mean(&before);
            for (before, after) in before.into_iter().zip(of(&flat)) {
                let expected = (before - mean) * kept + mean;
                assert!((-1e-3..1.001).contains(&(expected - after)), "{expected} became {after}");
            }
        }
    }
}

#[test]
fn brightness_raises_the_value_and_keeps_hue_and_saturation() {
    let scene = scene();
    for (number, raise) in [(1, 0.1), (3, 0.3), (5, 0.5)] {
        let bright = levels(&Corruption::Brightness.apply(&scene, severity(number), 0));
        for (before, after) in levels(&scene).chunks_exact(3).zip(bright.chunks_exact(3)) {
            let largest = |rgb: &[f64]| rgb.iter().copied().fold(0.0, f64::max);
            let gain = (largest(before) + 255.0 * raise).min(255.0) / largest(before);
            for (before, after) in before.iter().zip(after) {
                let expected = before * gain;
                assert!((expected - after).abs() <= 1.001, "{expected} became {after}");
            }
        }
    }
    assert_eq!(Corruption::Brightness.apply(&plain(0), severity(2), 0), plain(51), "black becomes grey");
}

#[test]
fn the_strongest_pixelate_shows_means_of_2x2_pixels() {
    let scene = scene();
    let coarse = Corruption::Pixelate.apply(&scene, severity(5), 0);
    let at = |picture: &Picture, x: usize, y: usize| u32::from(picture.as_rgb8()[(y * SIDE + x) * 3]);
    for y in (0..SIDE).step_by(2) {
        for x in (0..SIDE).step_by(2) {
            // Rounded after the rows and after the columns, halves up.
            let row = |y| (at(&scene, x, y) + at(&scene, x + 1, y)).div_ceil(2);
            let expected = (row(y) + row(y + 1)).div_ceil(2);
            let found = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| at(&coarse, x + dx, y + dy));
            assert_eq!(found, [expected; 4], "{x}, {y}");
        }
    }
}

#[test]
fn a_plain_picture_has_nothing_to_blur_or_to_compress() {
    use Corruption::{
        Contrast, DefocusBlur, ElasticTransform, GlassBlur, JpegCompression, MotionBlur, Pixelate, ZoomBlur,
    };
    for corruption in
        [Contrast, DefocusBlur, ElasticTransform, GlassBlur, JpegCompression, MotionBlur, Pixelate, ZoomBlur]
    {
        for severity in Severity::ALL {
            for level in [0, 37, 200, 255] {
                let found = corruption.apply(&plain(level), severity, 2);
                let worst = found.as_rgb8().iter().map(|&value| value.abs_diff(level)).max();
                // Glass truncates twice, and a sum of weights may be a hair below 1.
                let most = if corruption == GlassBlur { 2 } else { 1 };
                assert!(worst <= Some(most), "{corruption} {severity} makes {level} differ by {worst:?}");
            }
        }
    }
}

#[test]
fn a_streak_runs_one_way_from_a_dot() {
    let dot = Plane::from_fn(SIDE, |x, y| if (x, y) == (30, 30) { 1.0 } else { 0.0 });
    let streak = blur::streak(&dot, 10, 2.0, 0.0);
    let lit: Vec<_> = (0..SIDE * SIDE).map(|i| (i % SIDE, i / SIDE)).filter(|&(x, y)| streak.get(x, y) > 0.0).collect();
    assert!(lit.iter().all(|&(x, y)| y == 30 && x <= 30), "{lit:?}");
    // Half a Gaussian: 1, e^(-1/8), ... over their sum.
    let total: f32 = (0..21).map(|i| (-0.125 * (i * i) as f32).exp()).sum();
    for i in 0..6 {
        let expected = (-0.125 * (i * i) as f32).exp() / total;
        assert!((streak.get(30 - i, 30) - expected).abs() <= 1.0 / 255.0, "{i}");
    }
}

#[test]
fn planes_continue_beyond_their_edges() {
    let plane = Plane::from_fn(4, |x, _| x as f32);
    let around = |border| [-9, -5, -4, -1, 0, 3, 4, 7, 12].map(|x| plane.at(x, 0, border));
    assert_eq!(around(Border::Nearest), [0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 3.0, 3.0, 3.0]);
    assert_eq!(around(Border::Reflect), [0.0, 3.0, 3.0, 0.0, 0.0, 3.0, 3.0, 0.0, 3.0]);
    assert_eq!(around(Border::Mirror), [3.0, 1.0, 2.0, 1.0, 0.0, 3.0, 2.0, 1.0, 0.0]);
}

#[test]
fn only_frost_is_an_approximation() {
    assert!(Corruption::ALL.into_iter().filter(|corruption| corruption.is_approximation()).eq([Corruption::Frost]));
}

#[test]
fn names_are_those_of_the_benchmark_everywhere() {
    for corruption in Corruption::ALL {
        assert_eq!(corruption.name().parse(), Ok(corruption));
        assert_eq!(serde_json::to_value(corruption).unwrap(), corruption.name());
    }
    let unknown = "Fog".parse::<Corruption>().unwrap_err().to_string();
    assert!(unknown.starts_with("there is no corruption \"Fog\"; there are gaussian_noise, shot_noise,"), "{unknown}");
    assert!(unknown.ends_with("pixelate, jpeg_compression"), "{unknown}");
}

#[test]
fn severities_are_one_to_five() {
    assert_eq!(Severity::ALL.map(Severity::get), [1, 2, 3, 4, 5]);
    for number in 0..=u8::MAX {
        let expected = Severity::ALL.into_iter().find(|severity| severity.get() == number);
        assert_eq!(Severity::new(number).ok(), expected);
        assert_eq!(serde_json::from_str::<Severity>(&number.to_string()).ok(), expected);
    }
    let error = Severity::try_from(6).unwrap_err();
    assert_eq!(error.to_string(), "severity 6 is out of range: take 1 (mild) to 5 (strong)");
}
