//! The widths of the one font of all charts, which is a part of the program, so that charts are laid out alike on every machine.

use std::sync::LazyLock;

use ttf_parser::{Face, GlyphId};

/// The font's name, and what a viewer of an SVG without it may take instead.
pub const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
/// Height of a capital letter in ems.
pub const CAP_HEIGHT: f64 = 0.73;

/// ASCII, Latin-1 and a few signs and Greek letters, cut out by fonttools' `pyftsubset`.
static FACE: LazyLock<Face<'static>> = LazyLock::new(|| {
    let bytes = include_bytes!("../../assets/DejaVuSans-subset.ttf");
    Face::parse(bytes, 0).expect("the embedded font is whole")
});

/// Returns the width of a line of text of this size (height of an em).
pub fn width(text: &str, size: f64) -> f64 {
    let em = f64::from(FACE.units_per_em());
    let (mut width, mut last) = (0.0, None);
    for character in text.chars() {
        // Glyph 0 is the box that stands for what the font has not.
        let glyph = FACE.glyph_index(character).unwrap_or_default();
        width += last.map_or(0.0, |last| f64::from(kerning(last, glyph)) / em);
        width += f64::from(FACE.glyph_hor_advance(glyph).unwrap_or_default()) / em;
        last = Some(glyph);
    }
    width * size
}

/// `text`, with its end left out where it would be wider than `max_width`.
pub fn shortened(text: &str, size: f64, max_width: f64) -> String {
    let text = one_line(text);
    if width(&text, size) <= max_width {
        return text;
    }
    let mut kept: Vec<char> = text.chars().collect();
    while kept.pop().is_some() {
        let shorter = format!("{}…", kept.iter().collect::<String>().trim_end());
        if width(&shorter, size) <= max_width {
            return shorter;
        }
    }
    String::new()
}

/// `text` without line breaks and other control characters, which SVG forbids and no font has.
pub fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn kerning(left: GlyphId, right: GlyphId) -> i16 {
    let tables = FACE.tables().kern.iter().flat_map(|kern| kern.subtables);
    tables.filter(|table| table.horizontal).find_map(|table| table.glyphs_kerning(left, right)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_what_charts_say() {
        let signs = "éü×ßελμσ–—…·°±≤≥≈≠∞−→√∈'\"<&>";
        for character in (' '..='~').chain(signs.chars()) {
            assert!(FACE.glyph_index(character).is_some(), "{character}");
        }
        assert!(width(" ", 10.0) > 0.0);
    }

    #[test]
    fn kerned_pairs_are_narrower() {
        assert!(width("AV", 10.0) < width("A", 10.0) + width("V", 10.0));
    }

    #[test]
    fn long_texts_lose_their_end() {
        assert_eq!(shortened("short", 10.0, 100.0), "short");
        let cut = shortened("a text of many words", 10.0, 60.0);
        assert!(cut.ends_with('…') && width(&cut, 10.0) <= 60.0, "{cut}");
        assert_eq!(shortened("no room", 10.0, 1.0), "");
        assert_eq!(one_line("two\nlines"), "two lines");
    }
}
