//! A picture as a camera or the weather would have it.

use burn::prelude::Device;
use shared::corrupt::{Corrupt as _, Severity};
use shared::device::read;
use shared::image::{Picture, SIDE, ToTensor as _};
use shared::perturb::{ColorChange, Drawn, Projective, perturb};

use super::error::StepError;
use protocol::Disturbance;

/// The same snow every time.
const SEED: u64 = 0;

/// `picture` disturbed. It is so small that the CPU does it at once, whatever computes the networks.
///
/// # Errors
///
/// If the result is no picture, which only a broken build gives.
pub(crate) async fn disturbed(picture: &Picture, disturbance: &Disturbance) -> Result<Picture, StepError> {
    if disturbance.is_none() {
        return Ok(picture.clone());
    }
    let drawn = drawn(disturbance);
    let mut changed = picture.clone();
    if drawn != Drawn::default() {
        let tensor = perturb(picture.to_tensor(&Device::flex()), &[drawn]);
        changed = Picture::from_chw(&read(tensor).await?)?;
    }
    Ok(match disturbance.corruption {
        Some(corruption) => corruption.apply(&changed, severity(disturbance.severity), SEED),
        None => changed,
    })
}

fn drawn(disturbance: &Disturbance) -> Drawn {
    // Without `..`, so that a value that is never applied fails to compile.
    let Disturbance {
        shift_right,
        shift_down,
        zoom_percent,
        shear_degrees,
        flip_horizontal,
        flip_vertical,
        rotation_degrees,
        perspective_percent,
        grayscale,
        brightness_percent,
        contrast_percent,
        saturation_percent,
        hue_degrees,
        // Applied after all that.
        corruption: _,
        severity: _,
    } = *disturbance;
    let mut geometry = Projective::affine(
        0.0,
        [shift_right.into(), shift_down.into()],
        f64::from(zoom_percent) / 100.0,
        [shear_degrees.into(), 0.0],
    );
    if flip_horizontal {
        geometry = geometry.then(Projective::horizontal_flip());
    }
    if flip_vertical {
        geometry = geometry.then(Projective::vertical_flip());
    }
    if rotation_degrees != 0 {
        geometry = geometry.then(Projective::rotation(rotation_degrees.into()));
    }
    if perspective_percent != 0 {
        geometry = geometry.then(Projective::perspective(corners(perspective_percent)));
    }
    let factor = |percent: i16| f32::from(percent) / 100.0;
    let color = ColorChange {
        grayscale,
        brightness: factor(brightness_percent),
        contrast: factor(contrast_percent),
        saturation: factor(saturation_percent),
        // A part of the full circle, -0.5 to 0.5.
        hue: f32::from(hue_degrees) / 360.0,
    };
    Drawn { geometry, color }
}

/// Returns where the corners go, from the top left clockwise: one side moves back, and so its corners towards the middle.
fn corners(percent: i16) -> [[f64; 2]; 4] {
    let last = SIDE as f64 - 1.0;
    let inwards = f64::from(percent.unsigned_abs()) / 100.0 * last / 2.0;
    let (left, right) = if percent < 0 { (inwards, 0.0) } else { (0.0, inwards) };
    // What is farther away is narrower as well.
    [[left, left], [last - right, right], [last - right, last - right], [left, last - left]]
}

fn severity(level: u8) -> Severity {
    // A level brought into 1 to 5 is one.
    Severity::new(level.clamp(1, 5)).expect("1 to 5 are the levels there are")
}

#[cfg(test)]
mod tests {
    use shared::corrupt::Corruption;

    use super::*;

    fn picture() -> Picture {
        Picture::from_rgb8((0..64 * 64 * 3).map(|i| (i * 7 % 251) as u8).collect()).unwrap()
    }

    fn after(disturbance: Disturbance) -> Picture {
        pollster::block_on(disturbed(&picture(), &disturbance)).unwrap()
    }

    #[test]
    fn nothing_changes_nothing_and_two_flips_are_none() {
        assert!(after(Disturbance::default()) == picture());
        let flipped = after(Disturbance { flip_horizontal: true, ..Disturbance::default() });
        assert!(flipped != picture());
        let row = |picture: &Picture| picture.as_rgb8()[..64 * 3].to_vec();
        let mirrored: Vec<u8> = row(&picture()).chunks_exact(3).rev().flatten().copied().collect();
        assert_eq!(row(&flipped), mirrored);
    }

    #[test]
    fn every_value_of_every_slider_gives_a_picture() {
        for value in Disturbance::VALUES {
            for number in value.range()[0]..=value.range()[1] {
                let mut disturbance = Disturbance::default();
                value.set(&mut disturbance, number.into());
                after(disturbance);
            }
        }
        for kind in Corruption::ALL {
            for severity in 1..=5 {
                after(Disturbance { corruption: Some(kind), severity, ..Disturbance::default() });
            }
        }
        // Tilted, and moved so that the horizon lies elsewhere.
        for perspective_percent in [-80, -75, -70, -66, 66, 70, 75, 80] {
            for rotation_degrees in [-180, -90, -31, 0, 45] {
                for (shift_right, zoom_percent, shear_degrees) in [(32, 50, 45), (-32, 200, -45), (7, 100, 0)] {
                    let geometry = Disturbance {
                        perspective_percent,
                        rotation_degrees,
                        shift_right,
                        zoom_percent,
                        shear_degrees,
                        ..Disturbance::default()
                    };
                    after(geometry);
                }
            }
        }
    }

    #[test]
    fn each_of_them_does_something() {
        let none = Disturbance::default();
        for value in Disturbance::VALUES {
            for end in value.range() {
                let mut disturbance = none;
                value.set(&mut disturbance, end.into());
                assert_eq!(after(disturbance) == picture(), disturbance == none, "{disturbance:?}");
            }
        }
        for kind in Corruption::ALL {
            assert!(after(Disturbance { corruption: Some(kind), ..none }) != picture(), "{kind:?}");
        }
    }
}
