//! The list of networks, `index.json`: the server's, or the one that this browser keeps.

use terms::index::{DEFAULT_NETWORKS, INDEX_FILE, Index};

use super::download::{Freshness, Source};
use super::files::Shelf;
use protocol::download::DownloadError;

/// Returns the names in the list in `folder`, an address with a slash at its end: the server's, or those in the kept one
/// where it gives none, or else the usual two. What is kept of networks that the server lists no more is forgotten.
pub(crate) async fn names(folder: &str, server: &impl Source, shelf: Option<&impl Shelf>) -> Vec<String> {
    let address = &format!("{folder}{INDEX_FILE}");
    let mut json = Vec::new();
    let kept = match shelf {
        Some(shelf) => shelf.has(address).await,
        None => false,
    };
    let answer = server.get(address, Freshness::Revalidate { kept }, &mut json, |_| {}).await;
    let trouble = match &answer {
        Ok(()) => match Index::from_json(&json) {
            Ok(Index { models: names }) => {
                keep_index(address, &json, shelf).await;
                forget_unlisted(folder, &names, shelf).await;
                return names;
            }
            Err(error) => format!("it is no list of networks ({error})"),
        },
        Err(error) => error.to_string(),
    };
    let gone = matches!(answer, Err(DownloadError::Status(status)) if status < 500);
    let mut kept = Vec::new();
    let found = match shelf {
        Some(shelf) if !gone => shelf.get(address, &mut kept).await,
        _ => false,
    };
    if let Some(index) = Index::from_json(&kept).ok().filter(|_| found) {
        return index.models;
    }
    log::warn!("models/{INDEX_FILE}: {trouble}; the networks {} are looked for", DEFAULT_NETWORKS.join(" and "));
    DEFAULT_NETWORKS.map(str::to_owned).into()
}

/// Keeps the list for a visit without a network, unless it is kept already. Where there is no room, the usual two are found.
async fn keep_index(address: &str, json: &[u8], shelf: Option<&impl Shelf>) {
    if let Some(shelf) = shelf {
        let mut before = Vec::new();
        if !shelf.get(address, &mut before).await || before != json {
            shelf.put(address, json).await;
        }
    }
}

/// Forgets the files in those folders beside the list that it does not name.
async fn forget_unlisted(folder: &str, names: &[String], shelf: Option<&impl Shelf>) {
    let Some(shelf) = shelf else { return };
    let is_listed = |kept: &str| {
        let file = kept.strip_prefix(folder).unwrap_or_default();
        file.split_once('/').is_none_or(|(network, _)| names.iter().any(|name| name == network))
    };
    shelf.forget(folder, is_listed).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::{Answer, FakeServer, FakeShelf};

    const FOLDER: &str = "http://page/models/";
    const ADDRESS: &str = "http://page/models/index.json";

    fn listed(answer: Option<Answer>, shelf: &FakeShelf) -> Vec<String> {
        let server = FakeServer::at(answer.map(|answer| (ADDRESS, answer)));
        pollster::block_on(names(FOLDER, &server, Some(shelf)))
    }

    fn list(json: &str) -> Option<Answer> {
        Some(Answer::File(json.as_bytes().to_vec()))
    }

    #[test]
    fn the_list_names_each_network_once_and_is_kept() {
        let shelf = FakeShelf::default();
        let three = ["wide", "standard", "narrow"];
        assert_eq!(listed(list(r#"{"models": ["wide", "standard", "wide", "narrow"]}"#), &shelf), three);
        assert_eq!(listed(None, &shelf), three, "without a network");
        assert_eq!(listed(list("<!doctype html>"), &shelf), three, "the page of a hotel");
        assert_eq!(listed(Some(Answer::Status(404)), &shelf), DEFAULT_NETWORKS, "it was taken away");
    }

    #[test]
    fn what_the_server_lists_no_more_is_forgotten() {
        let shelf = FakeShelf::default();
        let files = [
            "models/standard/model.json",
            "models/standard/model.safetensors?sha256=1",
            "models/stand/model.json",
            "models/wide/model.json",
            "models/wide/model.safetensors.0?sha256=2",
            "samples/wide/a.png",
        ]
        .map(|file| format!("http://page/{file}"));
        for file in &files {
            pollster::block_on(shelf.put(file, b"kept"));
        }
        let is_kept = || files.each_ref().map(|file| pollster::block_on(shelf.has(file)));
        listed(list(r#"{"models": ["standard", "wide", "stand"]}"#), &shelf);
        assert_eq!(is_kept(), [true; 6]);
        for trouble in [None, Some(Answer::Status(404)), Some(Answer::Status(503)), list("<!doctype html>")] {
            listed(trouble, &shelf);
            assert_eq!(is_kept(), [true; 6], "the server has said nothing of them");
        }
        listed(list(r#"{"models": ["standard"]}"#), &shelf);
        assert_eq!(is_kept(), [true, true, false, false, false, true]);
        assert_eq!(listed(None, &shelf), ["standard"], "the list is kept still");
    }

    #[test]
    fn without_a_list_there_are_the_usual_two() {
        let answers = [None, Some(Answer::Status(404)), list("[]"), list(r#"{"models": "standard"}"#), list("")];
        for answer in answers {
            assert_eq!(listed(answer, &FakeShelf::default()), DEFAULT_NETWORKS);
        }
    }
}
