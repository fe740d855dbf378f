//! Output on stdout: a command's result, and nothing else. Progress and warnings go to stderr.

use std::borrow::Cow;
use std::io::Write;

use anyhow::Result;
use serde::Serialize;

/// Prints `value` as one JSON object.
pub fn json(value: &impl Serialize) -> Result<()> {
    print(&in_json(&serde_json::to_string_pretty(value)?))
}

/// Prints `text` and a newline.
pub fn text(text: &str) -> Result<()> {
    print(&lines(text))
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Returns JSON without the characters that command a terminal, some of which it leaves as they are: they are in strings alone.
pub fn in_json(json: &str) -> Cow<'_, str> {
    escaped(json, |letter| letter != '\n' && commands(letter), |letter| format!("\\u{:04x}", u32::from(letter)))
}

/// Returns a name out of a file as it can be shown in a line: what commands a terminal or turns the direction of writing is
/// escaped, line breaks too.
pub fn printable(name: &str) -> Cow<'_, str> {
    escaped(name, commands, |letter| letter.escape_default().to_string())
}

/// Returns text of several lines as [`printable`] returns a name, with its line breaks and tabs.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |letter| !matches!(letter, '\n' | '\t') && commands(letter),
        |letter| letter.escape_default().to_string(),
    )
}

/// Returns whether a character is one of those that command a terminal, or that turn the direction of writing unseen.
fn commands(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let letter = |letter: char| if is_escaped(letter) { escape(letter) } else { letter.to_string() };
    Cow::Owned(text.chars().map(letter).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_escaped_and_letters_are_not() {
        assert_eq!(printable("标准.Größe 😀"), "标准.Größe 😀");
        assert_eq!(printable("a\u{1b}[31m\r\n\t\u{7}\u{9b}"), r"a\u{1b}[31m\r\n\t\u{7}\u{9b}");
        assert_eq!(printable("a\u{202e}b"), r"a\u{202e}b");
        assert_eq!(in_json("\"a\u{9b}\u{202e}\""), r#""a\u009b\u202e""#);
        assert_eq!(lines("a\n\tb\u{1b}"), "a\n\tb\\u{1b}");
    }
}
