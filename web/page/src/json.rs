//! JSON that is written and never read: the report of a run.
//!
//! The page's program does without `serde_json`, which brings tables of powers of ten that do not compress. The engine, which
//! reads cards, has it.

use std::fmt::{self, Display, Formatter, Write};

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it is written.
    Number(String),
    /// A text.
    Text(String),
    /// A value that is JSON over several lines already.
    Written(String),
    /// A list.
    List(Vec<Self>),
    /// Names and values, in this order.
    Object(Vec<(&'static str, Self)>),
}

impl Json {
    /// Returns a number as JSON; `null` for what JSON cannot write, infinity say.
    pub fn number(value: impl Into<f64> + Display + Copy) -> Self {
        if value.into().is_finite() { Self::Number(value.to_string()) } else { Self::Null }
    }

    /// Returns a count as JSON.
    pub fn count(value: usize) -> Self {
        Self::Number(value.to_string())
    }

    /// Returns a text as JSON.
    pub fn text(value: &str) -> Self {
        Self::Text(value.to_owned())
    }

    /// `null` for none.
    pub fn or_null<T>(value: Option<T>, json: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Null, json)
    }

    fn write(&self, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(digits) => f.write_str(digits),
            Self::Text(text) => quote(f, text),
            Self::Written(json) => {
                for (number, line) in json.lines().enumerate() {
                    if number > 0 {
                        f.write_char('\n')?;
                        indent(f, depth)?;
                    }
                    f.write_str(line)?;
                }
                Ok(())
            }
            Self::List(values) => Self::write_all(f, depth, ['[', ']'], values.iter().map(|value| (None, value))),
            Self::Object(fields) => {
                Self::write_all(f, depth, ['{', '}'], fields.iter().map(|(name, value)| (Some(*name), value)))
            }
        }
    }

    fn write_all<'a>(
        f: &mut Formatter<'_>,
        depth: usize,
        [open, close]: [char; 2],
        entries: impl Iterator<Item = (Option<&'static str>, &'a Self)>,
    ) -> fmt::Result {
        f.write_char(open)?;
        let mut any = false;
        for (name, value) in entries {
            f.write_str(if any { ",\n" } else { "\n" })?;
            any = true;
            indent(f, depth + 1)?;
            if let Some(name) = name {
                quote(f, name)?;
                f.write_str(": ")?;
            }
            value.write(f, depth + 1)?;
        }
        if any {
            f.write_char('\n')?;
            indent(f, depth)?;
        }
        f.write_char(close)
    }
}

impl Display for Json {
    /// Over several lines, for people.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

fn indent(f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
    (0..depth).try_for_each(|_| f.write_str("  "))
}

fn quote(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn others_read_what_is_written() {
        let text = "a \"quoted\" \\ line\nand\ttab \u{1} ü 🦀";
        let written = Json::Object(vec![
            ("text", Json::text(text)),
            ("numbers", Json::List(vec![Json::number(0.1_f32), Json::number(1e-7), Json::count(7), Json::number(-3)])),
            ("none", Json::List(vec![Json::number(f32::NAN), Json::Null])),
            ("empty", Json::List(vec![Json::List(Vec::new()), Json::Object(Vec::new()), Json::Bool(true)])),
        ]);
        let read: Value = serde_json::from_str(&written.to_string()).unwrap();
        let expected = json!({
            "text": text,
            "numbers": [0.1, 1e-7, 7, -3],
            "none": [null, null],
            "empty": [[], {}, true],
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn it_is_laid_out_as_others_do_it() {
        let inner = json!({ "c": [1] });
        let written = Json::Object(vec![
            ("a", Json::List(vec![Json::Bool(false)])),
            ("b", Json::Written(serde_json::to_string_pretty(&inner).unwrap())),
        ]);
        let expected = serde_json::to_string_pretty(&json!({ "a": [false], "b": inner })).unwrap();
        assert_eq!(written.to_string(), expected);
    }
}
