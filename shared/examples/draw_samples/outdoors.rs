//! Mountains, a shore, a lighthouse and an obelisk.

use crate::canvas::Canvas;
use crate::paint::{Dice, capsule, dim, ellipse, fbm, lit, mix, rgb, rounded_box, smooth};

/// Draws a sky with clouds above `horizon`.
fn sky(canvas: &mut Canvas, dice: &mut Dice, zenith: u32, haze: u32, horizon: f32, cloudiness: f32) {
    let seed = dice.seed();
    canvas.fill(|x, y| {
        let air = mix(rgb(zenith), rgb(haze), smooth(0.0, horizon, y));
        let cloud = smooth(0.62 - 0.2 * cloudiness, 0.85 - 0.15 * cloudiness, fbm(x, y * 2.2, 3.0, seed));
        mix(air, mix(rgb(0xffffff), rgb(0xc8d0dc), fbm(x, y, 6.0, seed + 7)), 0.9 * cloud)
    });
}

/// Returns the height of a ridge at `x`, 0 to about 1.
fn ridge(x: f32, frequency: f32, seed: u32) -> f32 {
    1.0 - (2.0 * fbm(x, 0.37, frequency, seed) - 1.0).abs() * 1.6
}

/// Draws snowy mountains above a meadow.
pub fn alp(canvas: &mut Canvas, dice: &mut Dice) {
    let cloudiness = dice.range(0.2, 0.9);
    sky(canvas, dice, 0x2a62b4, 0xb4d0ec, 0.6, cloudiness);
    let far = dice.seed();
    canvas.shape(
        |x, y| 0.56 - 0.22 * ridge(x, 2.2, far) - y,
        |x, y| mix(rgb(0x7a92b4), rgb(0xd0dcec), smooth(0.45, 0.6, fbm(x, y, 9.0, far + 1))),
    );
    let (near, peak) = (dice.seed(), dice.range(0.3, 0.7));
    let top = move |x: f32| 0.66 - 0.42 * (1.0 - (x - peak).abs() * 1.25) - 0.13 * (ridge(x, 5.0, near) - 0.5);
    canvas.shape(
        |x, y| top(x) - y,
        |x, y| {
            // Light from the left: slopes of the rock's own noise, lying along the mountain's flanks.
            let (u, v) = (x + 0.35 * (y - 0.3) * (x - peak).signum(), y);
            let slope = fbm(u + 0.012, v, 9.0, near + 2) - fbm(u - 0.012, v, 9.0, near + 2);
            let flank = if x < peak { 0.1 } else { -0.12 };
            let light = (0.78 + flank + 2.2 * slope).clamp(0.35, 1.1);
            let snow = smooth(0.12, -0.1, y - 0.52 + 0.5 * (fbm(x, y, 8.0, near + 3) - 0.5) + 0.8 * slope.abs());
            dim(mix(rgb(0x5c5650), rgb(0xf4f8ff), snow), light)
        },
    );
    let forest = dice.seed();
    canvas.shape(
        |x, y| 0.68 + 0.05 * fbm(x, 0.1, 5.0, forest) - 0.05 * (x * 210.0).sin().abs() * fbm(x, 0.7, 40.0, forest) - y,
        |x, y| mix(rgb(0x12261a), rgb(0x2e4a2a), fbm(x, y, 22.0, forest)),
    );
    canvas.shape(
        |x, y| 0.77 + 0.06 * fbm(x, 0.9, 3.0, forest + 1) - y,
        |x, y| mix(rgb(0x4a7a26), rgb(0x9ab84c), fbm(x, y * 2.0, 9.0, forest + 2)),
    );
}

/// Draws a beach with a foaming sea.
pub fn seashore(canvas: &mut Canvas, dice: &mut Dice) {
    let cloudiness = dice.range(0.3, 0.9);
    sky(canvas, dice, 0x4a8cd0, 0xdcecf6, 0.42, cloudiness);
    let seed = dice.seed();
    let (horizon, tilt) = (dice.range(0.36, 0.44), dice.range(-0.25, 0.25));
    canvas.shape(
        |_, y| horizon - y,
        |x, y| {
            // Waves become flatter with the distance.
            let depth = (y - horizon).max(0.002);
            let swell = fbm(x * 0.25 / depth.sqrt(), depth.ln() * 2.4, 4.0, seed);
            let water = mix(rgb(0x2a6a94), rgb(0x5ab4b8), smooth(0.0, 0.3, depth));
            let crest = smooth(0.62, 0.78, swell) * smooth(0.02, 0.12, depth);
            mix(dim(water, 0.8 + 0.4 * swell), rgb(0xf6fcff), 0.8 * crest)
        },
    );
    let line = move |x: f32| 0.7 + tilt * (x - 0.5) + 0.06 * (fbm(x, 0.2, 4.0, seed + 1) - 0.5);
    canvas.shape(
        |x, y| line(x) - 0.05 - y,
        |x, y| {
            let foam = fbm(x, y, 20.0, seed + 2);
            mix(rgb(0x9ac8c4), rgb(0xffffff), smooth(0.3, 0.55, foam))
        },
    );
    canvas.shape(
        |x, y| line(x) + 0.02 * (fbm(x, 0.5, 12.0, seed + 3) - 0.5) - y,
        |x, y| {
            let wet = smooth(0.12, 0.0, y - line(x));
            let sand = mix(rgb(0xd8bc8a), rgb(0xf0dcb4), fbm(x, y * 1.5, 14.0, seed + 4));
            mix(sand, rgb(0x94785a), 0.75 * wet)
        },
    );
}

/// Draws a red and white lighthouse on a rock.
pub fn lighthouse(canvas: &mut Canvas, dice: &mut Dice) {
    let cloudiness = dice.range(0.3, 1.0);
    sky(canvas, dice, 0x3a70b8, 0xcfe0ee, 0.8, cloudiness);
    let seed = dice.seed();
    canvas.shape(|_, y| 0.78 - y, |x, y| mix(rgb(0x1e4a70), rgb(0x6a9ab8), fbm(x, y * 5.0, 7.0, seed)));
    let cx = dice.range(0.42, 0.58);
    let (bands, color) = (dice.pick([4.0, 5.0, 6.0]), rgb(dice.pick([0xc8201c, 0xd03018, 0x1c1c20])));
    canvas.shape(
        |x, y| 0.86 - 0.16 * (1.0 - ((x - cx) * 2.0).abs()).max(-0.3) + 0.1 * (fbm(x, 0.1, 7.0, seed) - 0.5) - y,
        |x, y| {
            let rock = mix(rgb(0x3a3630), rgb(0x8a8474), fbm(x, y, 12.0, seed + 1));
            mix(rock, rgb(0x5a7a3a), smooth(0.12, 0.0, y - 0.74) * smooth(0.4, 0.6, fbm(x, y, 6.0, seed + 2)))
        },
    );
    let half = |y: f32| 0.062 + 0.055 * (y - 0.24) / 0.52;
    canvas.over(|x, y| {
        ((0.24..0.78).contains(&y) && (x - cx).abs() < half(y)).then(|| {
            let red = (((y - 0.24) / 0.54 * bands).floor() as i32) % 2 == 0;
            let paint = if red { color } else { rgb(0xf4f2ec) };
            (lit(((x - cx) / half(y) * 0.95, 0.0)).on(dim(paint, 0.95 + 0.1 * fbm(x, y, 20.0, seed)), 0.1), 1.0)
        })
    });
    for (at, size) in [((0.0, 0.36), (0.012, 0.02)), ((0.01, 0.56), (0.013, 0.022))] {
        canvas.shape(|x, y| rounded_box(x, y, (cx + at.0, at.1), size, 0.006), |_, _| rgb(0x20262c));
    }
    // Gallery, lantern, roof.
    canvas.shape(|x, y| rounded_box(x, y, (cx, 0.235), (0.1, 0.014), 0.005), |_, _| rgb(0x2a2a2e));
    canvas.shape(
        |x, y| rounded_box(x, y, (cx, 0.185), (0.05, 0.045), 0.004),
        |x, _| if ((x - cx) * 60.0).rem_euclid(1.0) < 0.22 { rgb(0x2a2a2e) } else { rgb(0xfff2b0) },
    );
    canvas.shape(
        |x, y| ellipse(x, y, (cx, 0.145), (0.066, 0.065)).max(y - 0.145),
        |x, y| lit(((x - cx) / 0.07, (y - 0.145) / 0.07)).on(color, 0.4),
    );
    canvas.shape(|x, y| capsule(x, y, (cx, 0.09), (cx, 0.04), 0.005), |_, _| rgb(0x2a2a2e));
}

/// Draws an obelisk against the sky.
pub fn obelisk(canvas: &mut Canvas, dice: &mut Dice) {
    let cloudiness = dice.range(0.0, 0.7);
    let (zenith, haze) = dice.pick([(0x1e56b0, 0x9cc4ea), (0x3a78c8, 0xd0e4f4), (0x60708a, 0xd0d4da)]);
    sky(canvas, dice, zenith, haze, 0.9, cloudiness);
    let seed = dice.seed();
    canvas.shape(
        |x, y| 0.86 - 0.07 * fbm(x, 0.3, 8.0, seed) - 0.05 * fbm(x, 0.6, 25.0, seed) - y,
        |x, y| mix(rgb(0x14260e), rgb(0x3e5e26), fbm(x, y, 20.0, seed + 1)),
    );
    canvas.shape(|_, y| 0.93 - y, |x, y| mix(rgb(0x8a8474), rgb(0xb4ae9e), fbm(x, y * 3.0, 12.0, seed + 2)));
    let cx = dice.range(0.42, 0.58);
    let stone = rgb(dice.pick([0xd8cbb0, 0xb8a88c, 0xe4ded2]));
    let (top, foot) = (dice.range(0.08, 0.14), 0.9);
    let tip = 0.085;
    let half = move |y: f32| {
        if y < top + tip { 0.055 * (y - top) / tip } else { 0.055 + 0.04 * (y - top - tip) / (foot - top) }
    };
    canvas.over(|x, y| {
        ((top..foot).contains(&y) && (x - cx).abs() < half(y)).then(|| {
            // Two faces meet at an edge right of the middle; the right one lies in shade.
            let face = if x < cx + 0.25 * half(y) { 1.05 } else { 0.6 };
            let joint = smooth(0.0, 0.06, ((y - top) * 11.0).fract());
            let weather = 0.82 + 0.34 * fbm(x * 2.0, y, 14.0, seed + 3);
            (dim(stone, face * weather * (0.85 + 0.15 * joint)), 1.0)
        })
    });
    for (y, half) in [(0.9, 0.125), (0.95, 0.17)] {
        canvas.shape(
            |px, py| rounded_box(px, py, (cx, y), (half, 0.03), 0.004),
            |px, py| {
                dim(stone, if px < cx + 0.25 * half { 0.95 } else { 0.58 } * (0.85 + 0.3 * fbm(px, py, 16.0, seed)))
            },
        );
    }
}
