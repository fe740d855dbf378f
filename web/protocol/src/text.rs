//! Sizes, shares and counts in words, as page and engine show them.

/// `3.2 MB`, `640 kB`: decimal units, which downloads are measured in.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{:.0} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// `61%`, `3.2%`, `<0.1%`: two digits that mean something.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        p if p.is_nan() => "?".into(),
        p if p > 0.0 && p < 0.1 => "<0.1%".into(),
        p if p < 9.95 => format!("{p:.1}%"),
        p => format!("{p:.0}%"),
    }
}

/// Returns a whole number with a thin space between thousands: `10 000`.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + 2);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Returns a count of operations: `62 million`, `11.4 billion`.
pub fn operations(number: u64) -> String {
    match number {
        0..1_000_000 => count(number as usize),
        1_000_000..1_000_000_000 => format!("{:.0} million", number as f64 / 1e6),
        _ => format!("{:.1} billion", number as f64 / 1e9),
    }
}

/// Returns `text` with a capital at its beginning.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Returns `text` with one full stop at its end, unless another mark ends it: errors come with one and without.
pub fn sentence(text: &str) -> String {
    let text = text.trim_end_matches(|c: char| c == '.' || c.is_whitespace());
    let mark = if text.ends_with(['!', '?', '…']) { "" } else { "." };
    format!("{text}{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_one_full_stop() {
        for text in ["It failed", "It failed.", "It failed..", "It failed. "] {
            assert_eq!(sentence(text), "It failed.");
        }
        assert_eq!([sentence("Why?"), sentence("(…)")], ["Why?", "(…)."]);
    }

    #[test]
    fn percentages_keep_two_digits() {
        let cases =
            [(0.0, "0.0%"), (0.0004, "<0.1%"), (0.0321, "3.2%"), (0.0996, "10%"), (0.614, "61%"), (1.0, "100%")];
        for (share, text) in cases {
            assert_eq!(percent(share), text);
        }
        assert_eq!(percent(f64::NAN), "?");
    }

    #[test]
    fn sizes_and_counts() {
        assert_eq!([bytes(12), bytes(640_400), bytes(3_210_000)], ["12 bytes", "640 kB", "3.2 MB"]);
        assert_eq!(
            [count(7), count(999), count(10_000), count(1_234_567)],
            ["7", "999", "10\u{202f}000", "1\u{202f}234\u{202f}567"]
        );
        assert_eq!(
            [operations(999_999), operations(61_600_000), operations(11_400_000_000)],
            ["999\u{202f}999", "62 million", "11.4 billion"]
        );
    }
}
