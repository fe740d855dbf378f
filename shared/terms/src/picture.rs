//! Pictures: their side, the limits of their files, and the square that is classified.

use serde::{Deserialize, Serialize};

/// Side, in pixels, of the pictures that the networks classify.
pub const SIDE: usize = 64;

/// Largest picture file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 64 << 20;

/// Most pixels of a picture that is read, so that decoding fits into a browser tab's memory: above a phone's 50 megapixels.
pub const MAX_PIXELS: u64 = 64_000_000;

/// A square of a picture, in pixels of the upright picture from the top left corner.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Crop {
    /// Pixels to the left of the square.
    pub x: u32,
    /// Pixels above the square.
    pub y: u32,
    /// Side of the square in pixels.
    pub side: u32,
}

/// Width and height of a picture, in pixels.
pub type Size = (u32, u32);

/// A corner of a crop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Corner {
    /// Whether the corner is on the right.
    pub right: bool,
    /// Whether the corner is at the bottom.
    pub bottom: bool,
}

impl Corner {
    /// All corners, clockwise from the top left.
    pub const ALL: [Self; 4] = [
        Self { right: false, bottom: false },
        Self { right: true, bottom: false },
        Self { right: true, bottom: true },
        Self { right: false, bottom: true },
    ];

    /// Returns the name in HTML attributes: `top-left`.
    pub fn name(self) -> &'static str {
        match (self.bottom, self.right) {
            (false, false) => "top-left",
            (false, true) => "top-right",
            (true, true) => "bottom-right",
            (true, false) => "bottom-left",
        }
    }
}

impl Crop {
    /// Smallest side, in pixels, that a visitor can choose: a smaller square shows nothing recognisable.
    pub const SMALLEST: u32 = 16;

    /// Returns the largest square around the middle, the default crop.
    pub fn centre((width, height): Size) -> Self {
        let side = width.min(height);
        Self { x: (width - side) / 2, y: (height - side) / 2, side }
    }

    /// Returns whether the square has a pixel and lies within a picture of that size.
    pub fn is_within(self, (width, height): Size) -> bool {
        let fits = |start: u32, length: u32| start.checked_add(self.side).is_some_and(|end| end <= length);
        self.side > 0 && fits(self.x, width) && fits(self.y, height)
    }

    /// Returns the nearest square within a picture of that size, which has a pixel at least.
    #[must_use]
    pub fn within(self, (width, height): Size) -> Self {
        let largest = width.min(height);
        let side = self.side.clamp(Self::SMALLEST.min(largest), largest);
        Self { x: self.x.min(width - side), y: self.y.min(height - side), side }
    }

    /// Returns the nearest square within the picture; none if that is [`Self::centre`], the default.
    pub fn unless_centre(self, size: Size) -> Option<Self> {
        Some(self.within(size)).filter(|crop| *crop != Self::centre(size))
    }

    /// Returns the square moved by `right` and `down` pixels, as far as the picture goes.
    #[must_use]
    pub fn moved(self, right: i32, down: i32, size: Size) -> Self {
        Self { x: self.x.saturating_add_signed(right), y: self.y.saturating_add_signed(down), ..self }.within(size)
    }

    /// Returns the square enlarged (or reduced) by `by` pixels around its middle; at an edge of the picture the square grows
    /// inwards.
    #[must_use]
    pub fn resized(self, by: i32, size: Size) -> Self {
        let side = Self { side: self.side.saturating_add_signed(by), ..self }.within(size).side;
        // Rounded towards zero, so that growing and shrinking by as much restores the square.
        let half = (i64::from(self.side) - i64::from(side)) / 2;
        let start = |at: u32| u32::try_from(i64::from(at) + half).unwrap_or(0);
        Self { x: start(self.x), y: start(self.y), side }.within(size)
    }

    /// Returns the square with one corner moved by `right` and `down` pixels, the opposite corner kept in place. The longer of
    /// the two movements decides the side.
    #[must_use]
    pub fn with_corner_moved(self, corner: Corner, right: i32, down: i32, (width, height): Size) -> Self {
        let outwards = |by: i32, far: bool| if far { by } else { by.saturating_neg() };
        let (across, along) = (outwards(right, corner.right), outwards(down, corner.bottom));
        let by = if across.unsigned_abs() >= along.unsigned_abs() { across } else { along };
        // From the corner kept in place to the edges of the picture.
        let room = |start: u32, length: u32, far: bool| if far { length - start } else { start + self.side };
        let largest = room(self.x, width, corner.right).min(room(self.y, height, corner.bottom));
        let side = self.side.saturating_add_signed(by).clamp(Self::SMALLEST.min(largest), largest);
        let start = |at: u32, far: bool| if far { at } else { at + self.side - side };
        Self { x: start(self.x, corner.right), y: start(self.y, corner.bottom), side }
    }

    /// Describes the square: `left 120, top 40, side 300 pixels`.
    pub fn words(self) -> String {
        format!("left {}, top {}, side {} pixels", self.x, self.y, self.side)
    }

    /// Returns whether the side is less than half of the picture's shorter side, so that the picture's label may not apply to
    /// the square.
    pub fn is_detail(self, (width, height): Size) -> bool {
        self.side < width.min(height).div_ceil(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = (600, 400);

    fn crop(x: u32, y: u32, side: u32) -> Crop {
        Crop { x, y, side }
    }

    /// Asserts that a crop lies within the picture.
    #[track_caller]
    fn inside(crop: Crop, (width, height): Size) {
        assert!(crop.side > 0 && crop.x + crop.side <= width && crop.y + crop.side <= height, "{crop:?}");
    }

    #[test]
    fn the_centre_is_the_largest_square() {
        assert_eq!([Crop::centre(SIZE), Crop::centre((3, 8))], [crop(100, 0, 400), crop(0, 2, 3)]);
        assert_eq!([Crop::centre((7, 4)), Crop::centre((1, 1))], [crop(1, 0, 4), crop(0, 0, 1)]);
    }

    #[test]
    fn only_squares_with_a_pixel_inside_the_picture_are_within() {
        let size = (10, 6);
        for inside in [crop(0, 0, 6), crop(4, 0, 6), crop(9, 5, 1)] {
            assert!(inside.is_within(size), "{inside:?}");
        }
        for (x, y, side) in [(5, 0, 6), (0, 1, 6), (0, 0, 7), (10, 0, 1), (0, 0, 0), (u32::MAX, 0, 2), (0, 2, u32::MAX)]
        {
            assert!(!crop(x, y, side).is_within(size), "{x} {y} {side}");
        }
    }

    #[test]
    fn what_is_outside_is_brought_inside() {
        let cases = [
            (crop(10, 20, 30), crop(10, 20, 30)),
            (crop(590, 390, 100), crop(500, 300, 100)),
            (crop(0, 0, 5000), crop(0, 0, 400)),
            (crop(7, 7, 0), crop(7, 7, 16)),
            (crop(u32::MAX, u32::MAX, u32::MAX), crop(200, 0, 400)),
        ];
        for (from, to) in cases {
            assert_eq!(from.within(SIZE), to, "{from:?}");
        }
        assert_eq!(crop(9, 9, 9).within((5, 3)), crop(2, 0, 3), "a picture smaller than the smallest crop");
        assert_eq!(
            [crop(100, 7, 999), crop(0, 7, 999)].map(|crop| crop.unless_centre(SIZE)),
            [None, Some(crop(0, 0, 400))]
        );
    }

    #[test]
    fn it_moves_as_far_as_the_picture_goes() {
        let start = crop(100, 50, 200);
        assert_eq!(start.moved(6, -4, SIZE), crop(106, 46, 200));
        assert_eq!(start.moved(-1000, 1000, SIZE), crop(0, 200, 200));
        assert_eq!(start.moved(i32::MAX, i32::MIN, SIZE), crop(400, 0, 200));
    }

    #[test]
    fn it_grows_and_shrinks_around_its_middle() {
        let start = crop(100, 50, 200);
        assert_eq!(start.resized(20, SIZE), crop(90, 40, 220));
        assert_eq!(start.resized(-20, SIZE), crop(110, 60, 180));
        assert_eq!(start.resized(i32::MAX, SIZE), crop(0, 0, 400));
        assert_eq!(start.resized(i32::MIN, SIZE), crop(192, 142, 16));
        assert_eq!(crop(400, 200, 200).resized(50, SIZE), crop(350, 150, 250), "inwards at the edge");
        let there_and_back = (0..10).fold(start, |crop, _| crop.resized(3, SIZE).resized(-3, SIZE));
        assert_eq!(there_and_back, start);
    }

    #[test]
    fn a_moved_corner_leaves_the_opposite_one_where_it_is() {
        let start = crop(100, 50, 200);
        let [top_left, top_right, bottom_right, bottom_left] = Corner::ALL;
        assert_eq!(start.with_corner_moved(bottom_right, 30, 10, SIZE), crop(100, 50, 230));
        assert_eq!(start.with_corner_moved(bottom_right, -10, -30, SIZE), crop(100, 50, 170));
        assert_eq!(start.with_corner_moved(top_left, -30, 0, SIZE), crop(70, 20, 230));
        assert_eq!(start.with_corner_moved(top_right, 20, 0, SIZE), crop(100, 30, 220));
        assert_eq!(start.with_corner_moved(bottom_left, 40, 0, SIZE), crop(140, 50, 160));
        // A pull ends at the nearer edge, or at the smallest side.
        assert_eq!(start.with_corner_moved(top_left, -500, -500, SIZE), crop(50, 0, 250));
        assert_eq!(start.with_corner_moved(bottom_right, i32::MAX, 0, SIZE), crop(100, 50, 350));
        assert_eq!(start.with_corner_moved(bottom_right, i32::MIN, i32::MIN, SIZE), crop(100, 50, 16));
        for corner in Corner::ALL {
            for (right, down) in [(i32::MAX, i32::MIN), (i32::MIN, i32::MAX), (0, 0), (-7, 3)] {
                inside(start.with_corner_moved(corner, right, down, SIZE), SIZE);
                inside(Crop::centre(SIZE).with_corner_moved(corner, right, down, SIZE), SIZE);
                inside(Crop::centre((5, 3)).with_corner_moved(corner, right, down, (5, 3)), (5, 3));
            }
        }
    }

    #[test]
    fn it_is_put_into_words() {
        assert_eq!(crop(120, 40, 300).words(), "left 120, top 40, side 300 pixels");
    }

    #[test]
    fn less_than_half_of_the_shorter_side_is_a_detail() {
        assert!(!Crop::centre(SIZE).is_detail(SIZE) && !crop(0, 0, 200).is_detail(SIZE));
        assert!(crop(0, 0, 199).is_detail(SIZE));
        assert!(!crop(0, 0, 3).is_detail((5, 5)) && crop(0, 0, 2).is_detail((5, 5)));
    }
}
