//! A school bus.

use crate::canvas::Canvas;
use crate::paint::{Dice, dim, ellipse, fbm, mix, rgb, rounded_box, smooth};

/// Draws a school bus from the side.
pub fn school_bus(canvas: &mut Canvas, dice: &mut Dice) {
    let seed = dice.seed();
    let horizon = dice.range(0.5, 0.58);
    canvas.fill(|x, y| {
        mix(rgb(0x6aa4dc), rgb(0xdcecf8), (y / horizon).min(1.0)).map(|v| v + 0.06 * (fbm(x, y, 3.0, seed) - 0.5))
    });
    canvas.shape(
        |x, y| horizon - 0.25 * fbm(x, 0.2, 5.0, seed) - 0.06 * fbm(x, 0.8, 22.0, seed) - y,
        |x, y| mix(rgb(0x142a10), rgb(0x4a7434), fbm(x, y, 16.0, seed + 1)),
    );
    canvas.shape(|_, y| 0.72 - y, |x, y| dim(rgb(0x77777a), 0.85 + 0.3 * fbm(x, y * 2.0, 14.0, seed + 2)));
    canvas.shape(|_, y| (y - 0.93).abs() - 0.008, |_, _| rgb(0xd8d0a0));

    let yellow = rgb(dice.pick([0xf5b400, 0xf8c010, 0xeaa400]));
    let (left, roof, floor) = (dice.range(0.03, 0.07), dice.range(0.24, 0.28), 0.74);
    let cab = 0.8;
    let body = move |x: f32, y: f32| {
        let coach = rounded_box(
            x,
            y,
            ((left + cab) / 2.0, (roof + floor) / 2.0),
            ((cab - left) / 2.0, (floor - roof) / 2.0),
            0.04,
        );
        let hood = rounded_box(x, y, (0.86, 0.645), (0.11, 0.095), 0.035);
        coach.min(hood)
    };
    canvas.shadow(|x, y| ellipse(x, y, (0.5, 0.84), (0.46, 0.035)), 0.06, 0.75);
    canvas.shape(body, |_, y| {
        // The roof is rounded: light above, dark below.
        let light = 1.12 - 0.34 * smooth(roof + 0.06, floor, y) - 0.15 * smooth(roof + 0.03, roof, y);
        dim(yellow, light)
    });
    for stripe in [0.515, 0.575, 0.655] {
        canvas.shape(|x, y| ((y - stripe).abs() - 0.0075).max(body(x, y) + 0.008).max(x - cab), |_, _| rgb(0x18160f));
    }
    let glass = |canvas: &mut Canvas, at: (f32, f32), half: (f32, f32)| {
        canvas.shape(|x, y| rounded_box(x, y, at, (half.0 + 0.008, half.1 + 0.008), 0.012), |_, _| rgb(0x1a1812));
        canvas.shape(
            |x, y| rounded_box(x, y, at, half, 0.008),
            |x, y| mix(rgb(0x1c2630), rgb(0x9cb8cc), 0.55 * smooth(0.45, 0.7, fbm(x * 1.5, y, 6.0, seed + 3))),
        );
        canvas.shape(|x, y| (y - at.1).abs().max((x - at.0).abs() - half.0) - 0.004, |_, _| rgb(0x2a2822));
    };
    let panes = 6;
    let pitch = (cab - 0.13 - left) / panes as f32;
    for pane in 0..panes {
        glass(canvas, (left + 0.035 + pitch * (pane as f32 + 0.5), 0.415), (pitch * 0.4, 0.06));
    }
    glass(canvas, (0.752, 0.5), (0.03, 0.145));
    let (cab_x, lamp) = (cab - 0.008, rgb(0xf8f0c0));
    canvas.shape(|x, y| rounded_box(x, y, (cab_x, 0.43), (0.012, 0.075), 0.004), |_, _| rgb(0x24303a));
    canvas.shape(|x, y| ellipse(x, y, (0.955, 0.64), (0.014, 0.022)), |_, _| lamp);
    for (x0, color) in [(left + 0.03, 0xd02010), (cab - 0.05, 0xd02010), (left + 0.08, 0xf07010), (cab - 0.1, 0xf07010)]
    {
        canvas.shape(|x, y| ellipse(x, y, (x0, roof + 0.035), (0.014, 0.014)), |_, _| rgb(color));
    }
    canvas.shape(|x, y| rounded_box(x, y, (0.91, 0.745), (0.075, 0.018), 0.008), |_, _| rgb(0x1c1c1e));
    for x0 in [left + 0.17, 0.85] {
        canvas.shape(|x, y| ellipse(x, y, (x0, 0.755), (0.095, 0.095)).max(y - 0.76), |_, _| rgb(0x12110d));
        for (radius, color) in [(0.08, 0x1a1a1c), (0.045, 0x8c8c8c), (0.032, 0xd0a828), (0.012, 0x404040)] {
            canvas.shape(|x, y| ellipse(x, y, (x0, 0.765), (radius, radius)), |_, _| rgb(color));
        }
    }
}
