//! The radius of an attack as a visitor chooses it: a whole number of units.

use serde::{Deserialize, Serialize};
use terms::attack::{Norm, ThreatModel};

/// A radius in whole units of its norm: 255ths of a channel's range in L-infinity, so that rounding to 8 bits stays within it;
/// hundredths of a pixel unit in L2; pixels in L0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Radius {
    /// Norm that the change is measured in.
    pub norm: Norm,
    /// Number of units, 0 to [`Radius::largest`].
    pub units: u16,
}

impl Radius {
    /// Returns the radius of that many 255ths in L-infinity.
    pub const fn linf(units: u16) -> Self {
        Self { norm: Norm::Linf, units }
    }

    /// Returns the largest number of units that can be chosen: 32/255 in L-infinity, 5 in L2, 10 pixels in L0.
    pub const fn largest(norm: Norm) -> u16 {
        match norm {
            Norm::Linf => 32,
            Norm::L2 => 500,
            Norm::L0 => 10,
        }
    }

    /// Returns the number of units in a pixel unit.
    pub const fn per_pixel_unit(norm: Norm) -> f32 {
        match norm {
            Norm::Linf => 255.0,
            Norm::L2 => 100.0,
            Norm::L0 => 1.0,
        }
    }

    /// Returns the numbers of units that the curves against epsilon are measured at, ascending to the largest: close together
    /// where networks tip over.
    pub const fn row(norm: Norm) -> [u16; 11] {
        match norm {
            Norm::Linf => [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32],
            Norm::L2 => [0, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500],
            Norm::L0 => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        }
    }

    /// Returns the radius in pixel units.
    pub fn in_pixel_units(self) -> f32 {
        f32::from(self.units) / Self::per_pixel_unit(self.norm)
    }

    /// Returns the change that the attack may make.
    pub fn threat(self) -> ThreatModel {
        ThreatModel::new(self.norm, self.in_pixel_units())
    }

    /// Returns a radius as people write it: `8/255`, `L2 0.50`, `3 pixels`.
    pub fn short(self) -> String {
        match self.norm {
            Norm::Linf => format!("{}/255", self.units),
            // The page writes no other f32, and writing one brings code of its own.
            Norm::L2 => format!("L2 {:.2}", f64::from(self.in_pixel_units())),
            Norm::L0 if self.units == 1 => "1 pixel".into(),
            Norm::L0 => format!("{} pixels", self.units),
        }
    }

    /// Returns a length in units as people write it, with a digit more: `2.5/255`, `L2 0.125`.
    pub fn length(norm: Norm, units: f32) -> String {
        match norm {
            Norm::Linf => format!("{:.1}/255", f64::from(units)),
            Norm::L2 | Norm::L0 => format!("L2 {:.3}", f64::from(units / Self::per_pixel_unit(norm))),
        }
    }

    /// Returns the change of a value, in 255ths, that drawings of a change are scaled to: the largest in L-infinity; in L2, which
    /// bounds no single value, eight times the change of each value if all changed equally; in L0 the whole range.
    pub fn drawn_change_255(self) -> u8 {
        match self.norm {
            Norm::Linf => self.units.min(255) as u8,
            Norm::L2 => {
                let equal = self.in_pixel_units() / Norm::L2.largest_radius();
                (8.0 * 255.0 * equal).ceil() as u8
            }
            Norm::L0 => u8::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radii_in_print_and_in_pixel_units() {
        let (linf, l2) = (Radius::linf(8), Radius { norm: Norm::L2, units: 50 });
        assert_eq!([linf.short(), l2.short()], ["8/255", "L2 0.50"]);
        assert_eq!([Radius::length(Norm::Linf, 2.5), Radius::length(Norm::L2, 12.5)], ["2.5/255", "L2 0.125"]);
        assert_eq!(l2.in_pixel_units(), 0.5);
        let pixels = [1, 3].map(|units| Radius { norm: Norm::L0, units });
        assert_eq!(pixels.map(Radius::short), ["1 pixel", "3 pixels"]);
        assert_eq!(pixels[1].in_pixel_units(), 3.0);
        assert_eq!([linf.drawn_change_255(), l2.drawn_change_255()], [8, 10]);
    }

    #[test]
    fn rows_ascend_to_the_largest_radius() {
        for norm in Norm::ALL {
            let row = Radius::row(norm);
            assert!(row.is_sorted() && row.last() == Some(&Radius::largest(norm)), "{norm:?}");
        }
    }
}
