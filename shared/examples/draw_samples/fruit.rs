//! Oranges, lemons and a bell pepper.

use crate::canvas::Canvas;
use crate::paint::{Color, Dice, capsule, dim, ellipse, fbm, inflate, join, lit, mix, rgb, smooth, turn};

/// Draws a heap of oranges that fills the picture.
pub fn oranges(canvas: &mut Canvas, dice: &mut Dice) {
    let seed = dice.seed();
    canvas.fill(|x, y| mix(rgb(0x3a1c08), rgb(0x8a4a14), fbm(x, y, 5.0, seed)));
    let radius = dice.range(0.24, 0.3);
    for (x, y) in
        [(0.1, 0.08), (0.55, 0.02), (0.98, 0.15), (0.3, 0.4), (0.8, 0.48), (0.05, 0.72), (0.55, 0.8), (1.02, 0.88)]
    {
        let center = (x + dice.range(-0.04, 0.04), y + dice.range(-0.04, 0.04));
        let color = mix(rgb(0xf57a0a), rgb(0xff9a1e), dice.range(0.0, 1.0));
        let size = radius * dice.range(0.93, 1.07);
        orange(canvas, dice, center, size, color);
    }
}

fn orange(canvas: &mut Canvas, dice: &mut Dice, center: (f32, f32), radius: f32, color: Color) {
    let (seed, turned) = (dice.seed(), dice.range(0.0, 6.0));
    let navel = (center.0 + radius * 0.55 * turned.cos(), center.1 + radius * 0.55 * turned.sin());
    canvas.shadow(|x, y| ellipse(x, y, (center.0 + 0.02, center.1 + 0.03), (radius, radius)), 0.07, 0.6);
    canvas.over(|x, y| {
        let (nx, ny) = ((x - center.0) / radius, (y - center.1) / radius);
        if nx.hypot(ny) > 1.0 {
            return None;
        }
        // The peel's pores tilt the surface a little.
        let pore = |dx: f32, dy: f32| fbm(x + dx, y + dy, 34.0, seed);
        let bump = 0.22;
        let normal =
            (nx + bump * (pore(0.004, 0.0) - pore(-0.004, 0.0)), ny + bump * (pore(0.0, 0.004) - pore(0.0, -0.004)));
        let navel = ellipse(x, y, navel, (radius * 0.09, radius * 0.09));
        let peel = mix(rgb(0x6f7a22), color, smooth(-0.02, 0.012, navel));
        Some((lit(normal).on(peel, 0.55), 1.0))
    });
}

/// Draws two whole lemons and a cut one.
pub fn lemons(canvas: &mut Canvas, dice: &mut Dice) {
    let seed = dice.seed();
    let cloth = dice.pick([0xd9dde2, 0x4a78b8, 0x6f9f58, 0xf2efe6]);
    canvas.fill(|x, y| dim(mix(rgb(cloth), rgb(0xffffff), 0.25 * fbm(x, y, 4.0, seed)), 1.05 - 0.3 * y));
    let yellow = rgb(0xf4d01c);
    for center in [(0.36, 0.36), (0.66, 0.62)] {
        let center = (center.0 + dice.range(-0.05, 0.05), center.1 + dice.range(-0.05, 0.05));
        let size = dice.range(0.26, 0.3);
        lemon(canvas, dice, center, size, yellow);
    }
    let center = (dice.range(0.24, 0.3), dice.range(0.74, 0.8));
    slice(canvas, center, dice.range(0.17, 0.2), seed);
}

fn lemon(canvas: &mut Canvas, dice: &mut Dice, center: (f32, f32), size: f32, color: Color) {
    let (seed, angle) = (dice.seed(), dice.range(-0.9, 0.5));
    let body = move |x: f32, y: f32| {
        let (x, y) = turn(x, y, center, angle);
        let middle = ellipse(x, y, center, (size, size * 0.74));
        let tip = ellipse(x, y, (center.0 + size * 1.02, center.1), (size * 0.16, size * 0.13));
        let stalk = ellipse(x, y, (center.0 - size, center.1), (size * 0.12, size * 0.12));
        join(join(middle, tip, size * 0.45), stalk, size * 0.3)
    };
    canvas.shadow(|x, y| body(x - 0.02, y - 0.04), 0.08, 0.45);
    canvas.shape(body, |x, y| {
        let skin = mix(color, rgb(0xd8b40a), 0.8 * fbm(x, y, 26.0, seed));
        inflate(body, x, y, size * 0.74).on(skin, 0.7)
    });
}

fn slice(canvas: &mut Canvas, center: (f32, f32), radius: f32, seed: u32) {
    canvas.shadow(|x, y| ellipse(x, y, (center.0 + 0.01, center.1 + 0.03), (radius, radius)), 0.05, 0.4);
    canvas.over(|x, y| {
        let (dx, dy) = (x - center.0, y - center.1);
        let r = dx.hypot(dy) / radius;
        if r > 1.0 {
            return None;
        }
        // Nine wedges of flesh between white skins.
        let wedge = (dy.atan2(dx) * 9.0 / std::f32::consts::TAU).rem_euclid(1.0);
        let skin = (wedge.min(1.0 - wedge) * r * 4.0).min((0.84 - r) * 6.0).min((r - 0.1) * 6.0);
        let flesh = mix(rgb(0xe9d05a), rgb(0xf6e88c), fbm(x, y, 30.0, seed));
        let color = mix(rgb(0xfbf6da), flesh, smooth(0.1, 0.35, skin));
        Some((if r > 0.93 { rgb(0xe8c414) } else { color }, 1.0))
    });
}

/// Draws a bell pepper, red, green, yellow or orange.
pub fn bell_pepper(canvas: &mut Canvas, dice: &mut Dice) {
    let seed = dice.seed();
    let table = dice.pick([0xf4f4f2, 0xe6dccb, 0x7a1f1c, 0xf4f4f2]);
    let skin = rgb(dice.pick([0xc8141a, 0x2f8a1f, 0xf0b411, 0xd8300f]));
    canvas.fill(|x, y| dim(rgb(table), 1.02 - 0.18 * y + 0.06 * fbm(x, y, 4.0, seed)));
    let (left, right) = (dice.range(-0.03, 0.02), dice.range(-0.02, 0.03));
    let lobes = [(0.36 + left, 0.56, 0.165), (0.5, 0.59, 0.17), (0.64 + right, 0.56, 0.165)];
    let body = move |x: f32, y: f32| {
        let lobe = |(cx, cy, r): (f32, f32, f32)| ellipse(x, y, (cx + (y - 0.6) * (0.5 - cx) * 0.5, cy), (r, 0.3));
        join(join(lobe(lobes[0]), lobe(lobes[1]), 0.05), lobe(lobes[2]), 0.05)
    };
    canvas.shadow(|x, y| ellipse(x, y, (0.54, 0.86), (0.36, 0.06)), 0.1, 0.6);
    canvas.shape(body, |x, y| {
        // Each lobe is round, and so is the whole fruit.
        let nearest = lobes.into_iter().min_by(|a, b| (a.0 - x).abs().total_cmp(&(b.0 - x).abs()));
        let bulge = nearest.map_or(0.0, |(cx, _, r)| (x - cx) / r);
        let whole = (0.4 * (x - 0.5) / 0.32 + 0.45 * bulge, (y - 0.56) / 0.36);
        let light = lit((whole.0.clamp(-0.85, 0.85), whole.1.clamp(-0.85, 0.85)));
        let groove = 1.0 - 0.4 * bulge.abs().powi(3).min(1.0);
        let glint =
            ellipse(x, y, (lobes[0].0 - 0.03, 0.45), (0.035, 0.11)).min(ellipse(x, y, (0.47, 0.46), (0.03, 0.1)));
        mix(light.on(dim(skin, groove), 0.5), rgb(0xffffff), 0.75 * smooth(0.02, -0.015, glint))
    });
    let stalk = |x: f32, y: f32| {
        let crown = ellipse(x, y, (0.5, 0.33), (0.13, 0.055));
        join(crown, capsule(x, y, (0.5, 0.33), (0.54, 0.14), 0.035), 0.08)
    };
    canvas.shape(stalk, |x, y| {
        inflate(stalk, x, y, 0.05).on(mix(rgb(0x4e7a1e), rgb(0x7da23a), fbm(x, y, 20.0, seed)), 0.3)
    });
}
