//! Numbers in words, as the page shows them.

use crate::protocol::Verdict;

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

/// `3.2 MB`, `640 kB`: decimal units, as downloads are told.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{:.0} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// `48 ms`, `3.1 s`.
pub fn duration(ms: f64) -> String {
    match ms {
        ms if ms < 9.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}

/// Epsilon as a fraction and as a decimal: `8/255 = 0.031`.
pub fn epsilon(epsilon_255: u8) -> String {
    format!("{epsilon_255}/255 = {:.3}", f64::from(epsilon_255) / 255.0)
}

/// A whole number with a thin space between thousands: `10 000`.
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

/// The verdict on its chip.
pub fn verdict_chip(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Swayed => "swayed",
        Verdict::Fooled => "fooled",
        Verdict::Pointless => "target already",
    }
}

/// The verdict on its chip while an attack is under way, or after it was stopped: that a network held so far says nothing of
/// the steps that were not taken.
pub fn interim_chip(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "held so far",
        Verdict::Swayed => "swayed so far",
        Verdict::Fooled => "fooled so far",
        Verdict::Pointless => "target already",
    }
}

/// `10 steps`, `1 step`, or `3 of 10 steps`.
pub fn steps(done: u32, total: u32) -> String {
    let steps = if total == 1 { "step" } else { "steps" };
    if done == total { format!("{done} {steps}") } else { format!("{done} of {total} {steps}") }
}

/// The verdict in a sentence about the network's answer `now`, having been `before`.
pub fn verdict_sentence(verdict: Verdict, before: &str, now: &str) -> String {
    match verdict {
        Verdict::Holds => format!("still {now}"),
        Verdict::Swayed => format!("{before} became {now}, which is not the target"),
        Verdict::Fooled => format!("{before} became {now}"),
        Verdict::Pointless => format!("it answered {before} from the start"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn sizes_times_and_counts() {
        assert_eq!([bytes(12), bytes(640_400), bytes(3_210_000)], ["12 bytes", "640 kB", "3.2 MB"]);
        assert_eq!([duration(4.26), duration(48.2), duration(3_120.0)], ["4.3 ms", "48 ms", "3.1 s"]);
        assert_eq!(
            [count(7), count(999), count(10_000), count(1_234_567)],
            ["7", "999", "10\u{202f}000", "1\u{202f}234\u{202f}567"]
        );
    }

    #[test]
    fn steps_are_counted_in_full() {
        assert_eq!(
            [steps(1, 1), steps(10, 10), steps(3, 10), steps(1, 10)],
            ["1 step", "10 steps", "3 of 10 steps", "1 of 10 steps"]
        );
    }

    #[test]
    fn epsilon_in_both_notations() {
        assert_eq!(epsilon(8), "8/255 = 0.031");
        assert_eq!(epsilon(0), "0/255 = 0.000");
    }
}
