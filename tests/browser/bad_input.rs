//! What is no picture, and what is no network: the visitor is told, and the page stays usable.

use std::fs;

use fantoccini::Client;
use tempfile::TempDir;

use crate::page::{CPU_PATIENCE, Page};
use crate::pictures::{huge_png, truncated_png};
use crate::server::{Server, copy_of_page, page_folder};
use crate::session::{Graphics, browse};
use crate::visit;

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn bad_files_are_refused_in_words() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let folder = tempfile::tempdir().unwrap();
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_PATIENCE).await;
        page.wait_until_ready().await;
        visit::classify_a_sample(&page).await;
        refuse_bad_files(&page, &folder).await;
        visit::upload_a_file(&page, &folder).await;
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_flipped_byte_in_the_weights_is_noticed() {
    browse(Graphics::NoAdapter, async |client| refuse_spoilt_weights(client, "?backend=cpu").await);
}

/// Three files that are no pictures are refused in words, and what was shown before stays.
pub async fn refuse_bad_files(page: &Page<'_>, folder: &TempDir) {
    page.wait_until_idle().await;
    let shown_before = page.pixels("input-canvas").await;
    let cases: [(&str, &[u8], &[&str]); 3] = [
        ("letter.jpg", b"Dear Sir or Madam,\nthis is not a picture.\n", &["letter.jpg", "not a picture", "text"]),
        ("half.png", &truncated_png(), &["half.png", "damaged or incomplete"]),
        ("wall.png", &huge_png(), &["wall.png", "too large", "20000 x 20000"]),
    ];
    for (name, bytes, words) in cases {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        page.choose_file(&file).await;
        page.wait_for_alert(words).await;
        assert!(page.pixels("input-canvas").await == shown_before, "{name} replaced the picture that was shown");
    }
    page.click("alert-dismiss").await;
    assert_eq!(page.alert().await, None);
}

/// A page whose weights have one wrong byte says so instead of computing with them.
pub async fn refuse_spoilt_weights(client: &Client, query: &str) {
    let dist = copy_of_page();
    let weights = dist.path().join("models/hardened/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&weights, bytes).unwrap();

    let server = Server::start(dist.path());
    let page = Page::open(client, &server.url, query, CPU_PATIENCE).await;
    page.until("the engine to refuse", async || page.engine_state().await == "failed").await;
    let error = page.text("engine-error").await.unwrap();
    for word in ["hardened", "sha256", "damaged"] {
        assert!(error.contains(word), "{error}");
    }
}
