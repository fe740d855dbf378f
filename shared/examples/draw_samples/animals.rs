//! A goldfish, a monarch, a ladybug and a jellyfish.

use crate::canvas::Canvas;
use crate::paint::{Color, Dice, capsule, dim, ellipse, fbm, inflate, join, lit, mix, rgb, smooth, turn};

/// Draws soft blobs of light, as of a garden out of focus.
fn garden(canvas: &mut Canvas, dice: &mut Dice, dark: Color, bright: Color) {
    let seed = dice.seed();
    canvas.fill(|x, y| mix(dark, bright, smooth(0.25, 0.75, fbm(x, y, 2.5, seed))));
}

/// Draws a goldfish in dark water.
pub fn goldfish(canvas: &mut Canvas, dice: &mut Dice) {
    let seed = dice.seed();
    let water = dice.pick([(0x06141c, 0x2a5a6a), (0x0a1a0c, 0x3a5a2a), (0x08204a, 0x2a6ab0), (0x101010, 0x303a40)]);
    canvas.fill(|x, y| mix(rgb(water.1), rgb(water.0), (0.75 * y + 0.5 * fbm(x, y, 3.0, seed)).min(1.0)));
    for _ in 0..14 {
        let (root, top, sway) = (dice.range(0.0, 1.0), dice.range(0.55, 0.8), dice.range(0.01, 0.03));
        let color = mix(rgb(0x0c2a10), rgb(0x2c6a2a), dice.range(0.0, 1.0));
        canvas.shape(
            |x, y| if y < top { 1.0 } else { (x - root - sway * (y * 18.0).sin()).abs() - 0.012 },
            |_, y| dim(color, 1.3 - 0.6 * y),
        );
    }
    let angle = dice.range(-0.25, 0.2);
    let center = (0.52, 0.48);
    let fish = rgb(dice.pick([0xff7a12, 0xff8c1a, 0xf26410]));
    // The fish swims to the left; every part is drawn level and then turned.
    let fin = |canvas: &mut Canvas, shape: &dyn Fn(f32, f32) -> f32, from: (f32, f32), opacity: f32| {
        canvas.over(|x, y| {
            let (x, y) = turn(x, y, center, angle);
            (shape(x, y) < 0.0).then(|| {
                let ray = ((y - from.1).atan2(x - from.0) * 40.0).sin();
                (dim(mix(fish, rgb(0xffd28a), 0.35 + 0.2 * ray), 0.95), opacity)
            })
        });
    };
    let tail = |x: f32, y: f32| {
        let upper = ellipse(x, y, (0.85, 0.36), (0.14, 0.09)).min(ellipse(x, y, (0.78, 0.42), (0.1, 0.06)));
        let lower = ellipse(x, y, (0.86, 0.6), (0.13, 0.1)).min(ellipse(x, y, (0.78, 0.54), (0.1, 0.06)));
        join(upper, lower, 0.08)
    };
    fin(canvas, &tail, (0.7, 0.48), 0.85);
    let dorsal = |x: f32, y: f32| ellipse(x, y, (0.5, 0.31), (0.17, 0.1)).max(0.18 + 0.12 * (x - 0.33) - y);
    fin(canvas, &dorsal, (0.5, 0.55), 0.9);
    fin(canvas, &|x, y| ellipse(x, y, (0.5, 0.7), (0.08, 0.1)).max(0.5 - y), (0.45, 0.55), 0.8);
    fin(canvas, &|x, y| ellipse(x, y, (0.66, 0.64), (0.06, 0.09)), (0.62, 0.52), 0.8);
    let body = |x: f32, y: f32| {
        let (x, y) = turn(x, y, center, angle);
        let trunk = ellipse(x, y, (0.43, 0.48), (0.27, 0.175));
        join(trunk, capsule(x, y, (0.55, 0.48), (0.73, 0.48), 0.05), 0.16)
    };
    canvas.shape(body, |x, y| {
        let (u, v) = turn(x, y, center, angle);
        // Rows of scales, each row shifted by half a scale.
        let row = (v * 26.0).floor();
        let (sx, sy) = ((u * 26.0 + 0.5 * row.rem_euclid(2.0)).fract() - 0.5, (v * 26.0).fract() - 0.5);
        let edge = smooth(0.3, 0.55, (sx - 0.15).hypot(sy)) * smooth(0.3, 0.36, u);
        let belly = mix(fish, rgb(0xffd9a0), smooth(0.5, 0.64, v));
        let back = mix(belly, rgb(0xc83a04), smooth(0.42, 0.3, v) * 0.7);
        inflate(body, x, y, 0.17).on(mix(back, rgb(0x9a3404), 0.38 * edge), 0.6)
    });
    let spot = |x: f32, y: f32| turn(x, y, center, angle);
    let cheek = |x: f32, y: f32| {
        let (x, y) = spot(x, y);
        (ellipse(x, y, (0.26, 0.49), (0.09, 0.13)).abs() - 0.006).max(0.3 - x)
    };
    canvas.shape(cheek, |_, _| rgb(0xb84a08));
    for (radius, color) in [(0.034, 0xf8d890), (0.022, 0x080808)] {
        canvas.shape(
            |x, y| {
                let (x, y) = spot(x, y);
                ellipse(x, y, (0.245, 0.445), (radius, radius))
            },
            |_, _| rgb(color),
        );
    }
    fin(canvas, &|x, y| ellipse(x, y, (0.42, 0.58), (0.08, 0.045)), (0.34, 0.56), 0.85);
    for _ in 0..6 {
        let (at, r) = ((dice.range(0.05, 0.25), dice.range(0.05, 0.4)), dice.range(0.008, 0.018));
        canvas.over(|x, y| (ellipse(x, y, at, (r, r)).abs() < 0.004).then_some((rgb(0xd8f0ff), 0.6)));
    }
}

/// Draws a monarch with open wings on a blossom.
pub fn monarch(canvas: &mut Canvas, dice: &mut Dice) {
    garden(canvas, dice, rgb(0x16320e), rgb(0x7aa848));
    let flower = dice.pick([rgb(0x9a4ac0), rgb(0xd860a0), rgb(0xf0c020)]);
    for _ in 0..160 {
        let (angle, out) = (dice.range(0.0, std::f32::consts::TAU), dice.range(0.0, 0.3));
        let at = (0.5 + 1.2 * out * angle.cos(), 0.86 + 0.6 * out * angle.sin());
        let (r, shade) = (dice.range(0.022, 0.04), dice.range(0.6, 1.15));
        let petal = |x: f32, y: f32| ellipse(x, y, at, (r, r * 0.8));
        canvas.shape(petal, |x, y| inflate(petal, x, y, r).on(dim(flower, shade), 0.1));
    }
    let seed = dice.seed();
    let (angle, spread) = (dice.range(-0.3, 0.3), dice.range(0.78, 0.92));
    let center = (0.5, 0.5);
    canvas.over(|x, y| {
        let (x, y) = turn(x, y, center, angle);
        // The left wing is the mirror image of the right wing.
        let (u, v) = ((x - 0.5).abs() / spread, y - 0.5);
        wing(u, v, seed).map(|color| (color, 1.0))
    });
    let body = |x: f32, y: f32| {
        let (x, y) = turn(x, y, center, angle);
        let thorax = ellipse(x, y, (0.5, 0.44), (0.032, 0.08));
        join(thorax, capsule(x, y, (0.5, 0.5), (0.5, 0.68), 0.017), 0.03).min(ellipse(
            x,
            y,
            (0.5, 0.35),
            (0.026, 0.026),
        ))
    };
    canvas.shape(body, |x, y| inflate(body, x, y, 0.03).on(rgb(0x1c1814), 0.4));
    for side in [-1.0, 1.0] {
        let feeler = |x: f32, y: f32| {
            let (x, y) = turn(x, y, center, angle);
            capsule(x, y, (0.5, 0.34), (0.5 + side * 0.09, 0.2), 0.005)
        };
        canvas.shape(feeler, |_, _| rgb(0x14100c));
    }
}

/// Returns the colour of a wing at `u` to the right of the body and `v` down; none beside the wing.
fn wing(u: f32, v: f32, seed: u32) -> Option<Color> {
    let (fu, fv) = turn(u, v, (0.0, -0.05), 0.5);
    let fore = ellipse(fu, fv, (0.26, -0.05), (0.265, 0.14));
    let (hu, hv) = turn(u, v, (0.0, 0.05), -0.55);
    let hind = ellipse(hu, hv, (0.19, 0.03), (0.19, 0.17));
    let (edge, x, y, root) = if fore < 0.0 { (fore, fu, fv, -0.05) } else { (hind, hu, hv, 0.03) };
    if edge >= 0.0 {
        return None;
    }
    let black = rgb(0x17100c);
    let border = 0.036;
    if edge > -border {
        // Two rows of white dots along the black border.
        let (angle, out) = ((y - root).atan2(x), x.hypot(y - root));
        let arc = ((angle * 10.0).rem_euclid(1.0) - 0.5) / 10.0 * out;
        let dot = out > 0.16 && [0.28, 0.74].into_iter().any(|row| arc.hypot(edge + border * row) < 0.0065);
        return Some(if dot { rgb(0xf6f0e4) } else { black });
    }
    // Veins fan out from the root, and a further vein crosses them.
    let fan = ((y - root).atan2(x + 0.02) * 4.6).rem_euclid(1.0);
    let vein = fan.min(1.0 - fan) * (x + 0.02).hypot(y - root) / 4.6 * 2.4;
    let cross = (x.hypot(y - root) - 0.17).abs();
    let orange = mix(rgb(0xe8700e), rgb(0xf8a030), fbm(x, y, 12.0, seed));
    Some(mix(black, orange, smooth(0.006, 0.011, vein.min(cross))))
}

/// Draws a ladybug on a leaf.
pub fn ladybug(canvas: &mut Canvas, dice: &mut Dice) {
    garden(canvas, dice, rgb(0x3a6a1c), rgb(0xa8cc5c));
    let seed = dice.seed();
    let lean = dice.range(-0.3, 0.3);
    canvas.shape(
        |x, y| 0.3 + lean * (x - 0.5) + 0.05 * (x * 5.0).sin() - y,
        |x, y| {
            let rib = (y - 0.62 - lean * (x - 0.5)).abs();
            let veins = ((x * 9.0 - rib * 6.0).fract() - 0.5).abs();
            let green = mix(rgb(0x4a8a22), rgb(0x7ab43c), fbm(x, y, 8.0, seed));
            mix(rgb(0xb4d878), green, smooth(0.006, 0.02, rib.min(veins * 0.1)))
        },
    );
    let center = (0.5, 0.54);
    let (angle, size) = (dice.range(-0.7, 0.7), dice.range(0.27, 0.33));
    // Coordinates of the beetle: its body is a circle of radius 1, its head points up.
    let local = move |x: f32, y: f32| {
        let (x, y) = turn(x, y, center, angle);
        ((x - center.0) / size, (y - center.1) / size)
    };
    canvas.shadow(|x, y| ellipse(x, y, (center.0 + 0.03, center.1 + 0.05), (size, size)), 0.09, 0.65);
    let black = rgb(0x120e0c);
    for side in [-1.0, 1.0] {
        for (from, to) in [((0.7, -0.4), (1.25, -0.75)), ((0.8, 0.1), (1.4, 0.15)), ((0.7, 0.5), (1.2, 0.95))] {
            let leg = |x: f32, y: f32| {
                let (u, v) = local(x, y);
                capsule(u * side, v, from, to, 0.05)
            };
            canvas.shape(leg, |_, _| black);
        }
        let feeler = |x: f32, y: f32| {
            let (u, v) = local(x, y);
            capsule(u * side, v, (0.15, -1.2), (0.45, -1.55), 0.035)
        };
        canvas.shape(feeler, |_, _| black);
    }
    let head = |x: f32, y: f32| {
        let (u, v) = local(x, y);
        ellipse(u, v, (0.0, -0.95), (0.58, 0.38)) * size
    };
    canvas.shape(head, |x, y| {
        let (u, v) = local(x, y);
        let white = ellipse(u.abs(), v, (0.38, -0.98), (0.15, 0.17)) < 0.0;
        inflate(head, x, y, 0.1).on(if white { rgb(0xf4f0e8) } else { black }, 0.5)
    });
    let red = rgb(dice.pick([0xd81a0e, 0xe03010, 0xe8500c]));
    let spots = [(0.0, -0.72), (0.4, -0.32), (0.58, 0.22), (0.28, 0.55)];
    canvas.over(|x, y| {
        let (u, v) = local(x, y);
        let shell = (u / 0.96).hypot(v / 1.04);
        (shell < 1.0 && v > -0.88).then(|| {
            let spot = spots.iter().any(|at| (u.abs() - at.0).hypot(v - at.1) < 0.19);
            let seam = u.abs() < 0.025;
            let color = if spot || seam { black } else { red };
            // The light comes from the upper left, whatever the angle of the beetle.
            let normal = ((x - center.0) / size * 0.95, (y - center.1) / size * 0.95);
            let length = normal.0.hypot(normal.1).max(1.0);
            (lit((normal.0 / length, normal.1 / length)).on(color, 0.85), 1.0)
        })
    });
}

/// Draws a jellyfish that glows in blue water.
pub fn jellyfish(canvas: &mut Canvas, dice: &mut Dice) {
    let seed = dice.seed();
    let deep = dice.pick([(0x1040d8, 0x020a50), (0x0a50c0, 0x02103a), (0x1478c8, 0x042050)]);
    canvas.fill(|x, y| {
        let glow = 1.0 - (x - 0.5).hypot(y - 0.35).min(1.0);
        mix(rgb(deep.1), rgb(deep.0), (glow * 1.1 + 0.2 * fbm(x, y, 2.0, seed)).min(1.0))
    });
    let (cx, cy) = (dice.range(0.42, 0.58), dice.range(0.32, 0.4));
    let (wide, high) = (dice.range(0.26, 0.32), dice.range(0.2, 0.26));
    let tint = rgb(dice.pick([0xbfe4ff, 0xf0d0e8, 0xffd8b8]));
    for strand in 0..16 {
        let start = (strand as f32 / 15.0 - 0.5) * 1.7;
        let (length, phase, sway) = (dice.range(0.25, 0.55), dice.range(0.0, 6.0), dice.range(0.012, 0.03));
        canvas.over(|x, y| {
            let down = (y - cy) / length;
            let place = cx + wide * start * (1.0 - 0.25 * down) + sway * down * (phase + y * 22.0).sin();
            ((0.0..1.0).contains(&down) && (x - place).abs() < 0.0055).then_some((tint, 0.65 * (1.0 - down)))
        });
    }
    for arm in 0..5 {
        let start = (arm as f32 - 2.0) * 0.3;
        let (length, phase) = (dice.range(0.3, 0.45), dice.range(0.0, 6.0));
        canvas.over(|x, y| {
            let down = (y - cy) / length;
            let place = cx + wide * start * 0.7 + 0.03 * (phase + y * 16.0).sin();
            let thick = 0.03 * (1.0 - down) * (0.6 + 0.4 * (y * 70.0 + phase).sin());
            ((0.0..1.0).contains(&down) && (x - place).abs() < thick).then_some((mix(tint, rgb(0xffffff), 0.4), 0.55))
        });
    }
    canvas.over(|x, y| {
        let rim = cy + 0.018 * ((x - cx) * 60.0).sin();
        let (nx, ny) = ((x - cx) / wide, (y - cy) / high);
        let edge = nx.hypot(ny);
        (edge < 1.0 && y < rim).then(|| {
            // Transparent in the middle and opaque at the edge, with canals towards the rim.
            let canal = (nx.atan2(0.35 - ny) * 14.0).sin() * 0.5 + 0.5;
            let opacity = 0.32 + 0.5 * smooth(0.55, 1.0, edge) + 0.16 * canal;
            let lantern = smooth(0.5, 0.1, nx.hypot(ny + 0.35));
            (mix(tint, rgb(0xffffff), 0.25 + 0.5 * lantern), (opacity + 0.3 * lantern).min(0.95))
        })
    });
}
