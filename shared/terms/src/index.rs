//! `index.json`: the list of the networks that a page offers.

use serde::{Deserialize, Serialize};

use crate::excerpt;

/// File name of the list, in the folder that holds the networks' folders.
pub const INDEX_FILE: &str = "index.json";

/// Networks of a page without a list.
pub const DEFAULT_NETWORKS: [&str; 2] = ["standard", "hardened"];

/// The list of networks, as JSON: `{"models": ["standard", "hardened"]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Names of folders beside the list; the page shows the first two side by side at first.
    pub models: Vec<String>,
}

impl Index {
    /// Reads a list. A name that occurs twice counts once.
    ///
    /// # Errors
    ///
    /// A text that says where `json` is no JSON, or not the JSON of a list.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let mut index: Self = serde_json::from_slice(json).map_err(|error| excerpt(&error.to_string()))?;
        let mut names: Vec<String> = Vec::with_capacity(index.models.len());
        for name in index.models {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        index.models = names;
        Ok(index)
    }

    /// Writes the list, for people to read as well.
    ///
    /// # Panics
    ///
    /// Never: a list of names is plain data.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("a list of names is plain data");
        json.push(b'\n');
        json
    }
}

/// Returns whether `name` is a name for a folder beside the list that needs no escaping in an address: letters, digits, `-`,
/// `_` and `.`, which is not the first letter.
pub fn is_folder_name(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_counts_once_and_the_list_comes_back() {
        let index = Index::from_json(br#"{"models": ["wide", "standard", "wide"]}"#).unwrap();
        assert_eq!(index.models, ["wide", "standard"]);
        assert_eq!(Index::from_json(&index.to_json()).unwrap(), index);
        for json in ["[]", r#"{"models": "standard"}"#, "", "<!doctype html>"] {
            assert!(Index::from_json(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn only_names_of_folders_beside_the_list_are_taken() {
        for name in ["standard", "wide_resnet50-2", "v1.5"] {
            assert!(is_folder_name(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            ".git",
            "a/b",
            "../samples",
            "a\\b",
            "http://a",
            "a?b",
            "a#b",
            "%2e%2e",
            "a b",
            "gr\u{f6}\u{df}er",
        ] {
            assert!(!is_folder_name(name), "{name}");
        }
    }
}
