//! Colours, noise, signed distances and light.

/// Red, green and blue in `[0, 1]`, as stored in a file.
pub type Color = [f32; 3];

/// Converts `0xRRGGBB` to a colour.
pub fn rgb(hex: u32) -> Color {
    [16, 8, 0].map(|shift| (hex >> shift & 255) as f32 / 255.0)
}

/// Interpolates from `a` (at 0) to `b` (at 1).
pub fn mix(a: Color, b: Color, t: f32) -> Color {
    [0, 1, 2].map(|channel| a[channel] + (b[channel] - a[channel]) * t)
}

/// Multiplies all channels by a factor.
pub fn dim(color: Color, factor: f32) -> Color {
    color.map(|value| value * factor)
}

/// Returns the smoothstep: 0 below `low`, 1 above `high`, smooth between.
pub fn smooth(low: f32, high: f32, value: f32) -> f32 {
    let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A generator of pseudo-random numbers, seeded by the variant.
pub struct Dice(u64);

impl Dice {
    pub fn new(variant: u64) -> Self {
        Self(variant.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x51_7cc1_b727)
    }

    /// Draws a number from `low` to `high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        // SplitMix64 (Steele et al., 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        low + (high - low) * ((bits >> 40) as f32 / (1u64 << 24) as f32)
    }

    /// Draws one of `options`.
    pub fn pick<T: Copy, const N: usize>(&mut self, options: [T; N]) -> T {
        options[(self.range(0.0, N as f32) as usize).min(N - 1)]
    }

    /// Draws a seed for [`fbm`].
    pub fn seed(&mut self) -> u32 {
        self.range(0.0, 65_536.0) as u32
    }
}

/// Returns fractal noise, about 0 to 1 around 0.5: four octaves from `frequency` up.
pub fn fbm(x: f32, y: f32, frequency: f32, seed: u32) -> f32 {
    (0..4u32)
        .map(|octave| {
            let scale = frequency * (1 << octave) as f32;
            value_noise(x * scale, y * scale, seed + octave) / (2 << octave) as f32
        })
        .sum::<f32>()
        / 0.9375
}

/// Returns smooth noise in `[0, 1]` with a knot at every whole number.
pub fn value_noise(x: f32, y: f32, seed: u32) -> f32 {
    let (column, row) = (x.floor(), y.floor());
    let (u, v) = (smooth(0.0, 1.0, x - column), smooth(0.0, 1.0, y - row));
    let knot = |dx: i32, dy: i32| hash(column as i32 + dx, row as i32 + dy, seed);
    let top = knot(0, 0) + (knot(1, 0) - knot(0, 0)) * u;
    let bottom = knot(0, 1) + (knot(1, 1) - knot(0, 1)) * u;
    top + (bottom - top) * v
}

fn hash(x: i32, y: i32, seed: u32) -> f32 {
    let mut bits =
        (x as u32).wrapping_mul(0x85eb_ca6b) ^ (y as u32).wrapping_mul(0xc2b2_ae35) ^ seed.wrapping_mul(0x27d4_eb2f);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x2c1b_3c6d);
    bits = (bits ^ (bits >> 12)).wrapping_mul(0x297a_2d39);
    (bits ^ (bits >> 15)) as f32 / u32::MAX as f32
}

/// Returns the signed distance to an ellipse (near its edge), negative inside.
pub fn ellipse(x: f32, y: f32, center: (f32, f32), radii: (f32, f32)) -> f32 {
    let (dx, dy) = ((x - center.0) / radii.0, (y - center.1) / radii.1);
    (dx.hypot(dy) - 1.0) * radii.0.min(radii.1)
}

/// Returns the signed distance to a rectangle with rounded corners.
pub fn rounded_box(x: f32, y: f32, center: (f32, f32), half: (f32, f32), radius: f32) -> f32 {
    let (dx, dy) = ((x - center.0).abs() - half.0 + radius, (y - center.1).abs() - half.1 + radius);
    dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
}

/// Returns the signed distance to a line from `a` to `b`, as thick as twice `radius`.
pub fn capsule(x: f32, y: f32, a: (f32, f32), b: (f32, f32), radius: f32) -> f32 {
    let (px, py, dx, dy) = (x - a.0, y - a.1, b.0 - a.0, b.1 - a.1);
    let along = ((px * dx + py * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
    (px - dx * along).hypot(py - dy * along) - radius
}

/// Joins the signed distances of two shapes, with a fillet `k` wide.
pub fn join(a: f32, b: f32, k: f32) -> f32 {
    let h = (k - (a - b).abs()).max(0.0) / k;
    a.min(b) - h * h * k / 4.0
}

/// Turns `(x, y)` around `center` by `angle` (radians, clockwise on the screen), so that a shape drawn at the result appears
/// turned counter-clockwise.
pub fn turn(x: f32, y: f32, center: (f32, f32), angle: f32) -> (f32, f32) {
    let (sin, cos) = angle.sin_cos();
    let (dx, dy) = (x - center.0, y - center.1);
    (center.0 + dx * cos - dy * sin, center.1 + dx * sin + dy * cos)
}

/// Light on a surface.
#[derive(Clone, Copy)]
pub struct Light {
    /// Diffuse light, 0 to about 1.1.
    pub diffuse: f32,
    /// Specular highlight, 0 to 1.
    pub shine: f32,
}

impl Light {
    /// Returns `color` in this light, with highlights of the strength `gloss`.
    pub fn on(self, color: Color, gloss: f32) -> Color {
        mix(dim(color, self.diffuse), [1.0; 3], self.shine * gloss)
    }
}

/// Returns the light from the upper left on a shape inflated like a cushion: flat deeper than `depth`, round at the edge.
pub fn inflate(inside: impl Fn(f32, f32) -> f32, x: f32, y: f32, depth: f32) -> Light {
    const STEP: f32 = 1e-3;
    let distance = inside(x, y);
    let slope = (
        (inside(x + STEP, y) - inside(x - STEP, y)) / (2.0 * STEP),
        (inside(x, y + STEP) - inside(x, y - STEP)) / (2.0 * STEP),
    );
    let tilt = (1.0 + distance / depth).clamp(0.0, 1.0);
    let length = slope.0.hypot(slope.1).max(1e-3);
    lit((slope.0 / length * tilt, slope.1 / length * tilt))
}

/// Returns the light from the upper left on a surface whose normal has these `x` and `y`.
pub fn lit(normal: (f32, f32)) -> Light {
    let z = (1.0 - normal.0 * normal.0 - normal.1 * normal.1).max(0.0).sqrt();
    let facing = -0.48 * normal.0 - 0.62 * normal.1 + 0.62 * z;
    // Half-way vector between lamp and eye.
    let mirror = -0.27 * normal.0 - 0.34 * normal.1 + 0.9 * z;
    Light { diffuse: 0.42 + 0.68 * facing.max(0.0), shine: mirror.max(0.0).powi(40) }
}
