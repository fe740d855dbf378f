/// Letters that are kept of a text's start, and of its end.
const KEPT: [usize; 2] = [300, 200];

/// Returns `text` without its middle where it is longer than 500 letters: an error may quote a file as a whole.
pub fn excerpt(text: &str) -> String {
    let letters = text.chars().count();
    if letters <= KEPT[0] + KEPT[1] {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(KEPT[0]).collect();
    short.push_str(" ... ");
    short.extend(text.chars().skip(letters - KEPT[1]));
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_and_end_of_a_long_text_are_kept() {
        let text = format!("a{}z", "ä".repeat(498));
        assert_eq!(excerpt(&text), text);
        let short = excerpt(&format!("a{}z", "ä".repeat(5000)));
        assert!(short.starts_with("aä") && short.ends_with("äz") && short.contains("ä ... ä"), "{short}");
        assert_eq!(short.chars().count(), 505);
    }
}
