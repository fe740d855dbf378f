//! A school bus, a teapot, an umbrella and a candle.

use crate::canvas::Canvas;
use crate::paint::{Dice, capsule, dim, ellipse, fbm, inflate, join, lit, mix, rgb, rounded_box, smooth};

/// A school bus from the side.
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

/// A glazed teapot on a table.
pub fn teapot(canvas: &mut Canvas, dice: &mut Dice) {
    let seed = dice.seed();
    let (wall, table) =
        dice.pick([(0xf0ece4, 0xd8cdbb), (0x2a2420, 0x7a4a26), (0xe8e8ea, 0xf4f4f4), (0x3a4048, 0x8a5a34)]);
    canvas.fill(|x, y| {
        let wood = dim(rgb(table), 0.85 + 0.3 * fbm(x * 0.6, y, 12.0, seed));
        mix(rgb(wall), wood, smooth(0.63, 0.66, y))
    });
    let glaze = rgb(dice.pick([0x7a3a1c, 0x1e5a52, 0xc8601c, 0xe4e0d4, 0x2a3c74]));
    let spout = |x: f32, y: f32| {
        let low = capsule(x, y, (0.3, 0.64), (0.17, 0.52), 0.05);
        join(low, capsule(x, y, (0.17, 0.52), (0.1, 0.36), 0.028), 0.06)
    };
    let pot = |x: f32, y: f32| {
        let belly = ellipse(x, y, (0.5, 0.58), (0.27, 0.235));
        join(belly, rounded_box(x, y, (0.5, 0.82), (0.15, 0.02), 0.01), 0.05)
    };
    let handle = |x: f32, y: f32| (ellipse(x, y, (0.74, 0.54), (0.15, 0.155)).abs() - 0.026).max(0.66 - x);
    let knob = |x: f32, y: f32| {
        let lid = ellipse(x, y, (0.5, 0.385), (0.15, 0.05));
        join(lid, ellipse(x, y, (0.5, 0.3), (0.04, 0.036)), 0.06)
    };
    let part = |canvas: &mut Canvas, shape: &dyn Fn(f32, f32) -> f32, depth: f32| {
        canvas.shape(shape, |x, y| {
            let fired = dim(glaze, 0.85 + 0.3 * fbm(x, y, 7.0, seed + 1));
            inflate(shape, x, y, depth).on(fired, 0.5)
        });
    };
    canvas.shadow(|x, y| ellipse(x, y, (0.54, 0.84), (0.34, 0.035)), 0.1, 0.6);
    part(canvas, &handle, 0.03);
    part(canvas, &spout, 0.05);
    canvas.shape(pot, |x, y| {
        let fired = dim(glaze, 0.85 + 0.3 * fbm(x, y, 7.0, seed + 1));
        let lamp = smooth(0.03, -0.02, ellipse(x, y, (0.39, 0.47), (0.05, 0.07)));
        let light = lit(((x - 0.5) / 0.29, (y - 0.58) / 0.3));
        mix(light.on(fired, 0.2), rgb(0xffffff), 0.65 * lamp)
    });
    canvas.shape(
        |x, y| (ellipse(x, y, (0.5, 0.385), (0.165, 0.055)).abs() - 0.006).max(0.385 - y),
        |_, _| dim(glaze, 0.4),
    );
    part(canvas, &knob, 0.05);
}

/// An open umbrella in the rain.
pub fn umbrella(canvas: &mut Canvas, dice: &mut Dice) {
    let seed = dice.seed();
    let (above, below) = dice.pick([(0xe8eef2, 0xb8c4c8), (0xa4b8a0, 0x5a7a50), (0x7ab4e8, 0xd8ecf8)]);
    canvas.fill(|x, y| mix(rgb(above), rgb(below), (y + 0.4 * (fbm(x, y, 4.0, seed) - 0.5)).clamp(0.0, 1.0)));
    canvas.shape(|_, y| 0.86 - y, |x, y| dim(rgb(0x8a8c90), 0.8 + 0.4 * fbm(x, y * 3.0, 10.0, seed)));
    let (cx, cy, radius) = (0.5, 0.5, dice.range(0.4, 0.44));
    let (cloth, second) =
        dice.pick([(0xd0101c, 0xd0101c), (0xd0101c, 0xf4f0e8), (0xe8a80c, 0xc82018), (0x1c2c5c, 0x1c2c5c)]);
    // Shaft and crook.
    canvas.shape(|x, y| capsule(x, y, (cx, 0.1), (cx, 0.82), 0.011), |_, _| rgb(0x3a2c22));
    canvas.shape(
        |x, y| (ellipse(x, y, (cx + 0.05, 0.82), (0.05, 0.06)).abs() - 0.014).max(0.815 - y),
        |_, _| rgb(0x6a3a1a),
    );
    let panels = 8.0;
    canvas.over(|x, y| {
        let (u, v) = ((x - cx) / radius, (y - cy) / (radius * 0.88));
        if u.hypot(v) > 1.0 {
            return None;
        }
        // Ribs are meridians of the dome: their angle is that of the point on a sphere.
        let around = (u / (1.0 - v * v).max(1e-4).sqrt()).clamp(-1.0, 1.0).acos() / std::f32::consts::PI * panels;
        let (panel, across) = (around.floor(), around.fract());
        // The hem sags between two ribs.
        let hem = -0.2 * (1.0 - (2.0 * across - 1.0).powi(2)) * (1.0 - u * u).max(0.0).sqrt();
        if v > hem {
            return None;
        }
        let color = if panel as i32 % 2 == 0 { rgb(cloth) } else { rgb(second) };
        let fold = 0.78 + 0.3 * (std::f32::consts::PI * across).sin();
        let rib = smooth(0.0, 0.05, across.min(1.0 - across));
        Some((lit((0.85 * u, 0.8 * v)).on(dim(color, fold * (0.7 + 0.3 * rib)), 0.25), 1.0))
    });
    canvas.shape(
        |x, y| capsule(x, y, (cx, cy - radius * 0.88), (cx, cy - radius * 0.88 - 0.06), 0.01),
        |_, _| rgb(0x3a2c22),
    );
    for _ in 0..50 {
        let (x0, y0) = (dice.range(0.0, 1.0), dice.range(0.0, 1.0));
        canvas.over(|x, y| {
            (capsule(x, y, (x0, y0), (x0 - 0.008, y0 + 0.05), 0.002) < 0.0).then_some((rgb(0xf4fbff), 0.35))
        });
    }
}

/// A candle in the dark.
pub fn candle(canvas: &mut Canvas, dice: &mut Dice) {
    let seed = dice.seed();
    let cx = dice.range(0.42, 0.58);
    let (top, half) = (dice.range(0.46, 0.56), dice.range(0.1, 0.15));
    let flame_y = top - 0.16;
    canvas.fill(|x, y| {
        let far = (x - cx).hypot((y - flame_y) * 0.9);
        let glow = (0.09 / (far * far + 0.09)).powf(1.6);
        mix(rgb(0x0a0402), rgb(0xc8641a), glow * (0.75 + 0.3 * fbm(x, y, 3.0, seed)))
    });
    canvas.shape(
        |x, y| ellipse(x, y, (cx, 1.0), (0.62, 0.12)),
        |x, y| {
            dim(mix(rgb(0x2a1206), rgb(0x8a4a1a), smooth(0.5, 0.05, (x - cx).abs())), 0.7 + 0.4 * fbm(x, y, 9.0, seed))
        },
    );
    let wax = rgb(dice.pick([0xf4e6c4, 0xf8f0e0, 0xc8281c, 0xe8c890]));
    let column = move |x: f32, y: f32| {
        let shaft = rounded_box(x, y, (cx, (top + 0.98) / 2.0), (half, (0.98 - top) / 2.0), 0.02);
        join(shaft, ellipse(x, y, (cx, 0.96), (half * 1.25, 0.04)), 0.03)
    };
    canvas.shape(column, |x, y| {
        // The wax glows from within below the flame.
        let within = smooth(0.34, 0.0, y - top);
        let round = 1.0 - 0.55 * ((x - cx) / half).powi(2).min(1.0);
        mix(dim(wax, round * 0.75), rgb(0xffb850), 0.65 * within)
    });
    canvas.shape(|x, y| ellipse(x, y, (cx, top + 0.012), (half * 0.97, 0.034)), |_, _| rgb(0xffd890));
    for _ in 0..3 {
        let (x0, length) = (cx + dice.range(-0.9, 0.9) * half, dice.range(0.06, 0.2));
        let drop = |x: f32, y: f32| capsule(x, y, (x0, top + 0.02), (x0, top + length), 0.016);
        canvas.shape(drop, |x, y| inflate(drop, x, y, 0.018).on(mix(wax, rgb(0xffc060), 0.5), 0.3));
    }
    canvas.shape(|x, y| capsule(x, y, (cx, top + 0.01), (cx + 0.004, top - 0.05), 0.006), |_, _| rgb(0x1c0e06));
    // From the outside in: halo, yellow, white; bluish at the foot.
    for (size, color, opacity) in
        [(1.7, 0xff9a20, 0.3), (1.25, 0xffa828, 0.6), (1.0, 0xffd860, 1.0), (0.6, 0xfffbe8, 1.0)]
    {
        canvas.over(|x, y| {
            let up = (top - 0.015 - y) / 0.27;
            let width = 0.058 * size * (up.max(0.0) * 4.2).sqrt().min(1.0) * (1.0 - up).max(0.0).powf(0.75);
            let inside = (0.0..1.0).contains(&up) && up < 0.55 + 0.45 * size && (x - cx).abs() < width;
            let foot = smooth(0.16, 0.02, up);
            inside.then(|| (mix(rgb(color), rgb(0x5a78d8), 0.6 * foot), opacity))
        });
    }
}
