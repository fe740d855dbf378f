//! Files that are no pictures and networks that are damaged: the page shows an error and stays usable.

use std::fs::{self, File};
use std::net::TcpListener;

use fantoccini::Client;
use tempfile::TempDir;

use crate::page::{CPU_TIMEOUT, Page};
use crate::pictures::{huge_png, truncated_png};
use crate::server::{Server, copy_of_page, page_folder};
use crate::session::{Graphics, browse};
use crate::sources::fetch_link;
use crate::visit;

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn bad_files_are_refused_in_words() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let folder = tempfile::tempdir().unwrap();
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
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

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn bad_links_are_refused_in_words() {
    browse(Graphics::NoAdapter, async |client| {
        let dist = page_without_policy();
        // A file of zeros above the size limit.
        File::create(dist.path().join("wall.png")).unwrap().set_len(65 << 20).unwrap();
        fs::write(dist.path().join("half.png"), truncated_png()).unwrap();
        let server = Server::start(dist.path());
        // The same picture from another origin, whose server allows no other pages (CORS).
        let elsewhere = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        visit::classify_a_sample(&page).await;
        let shown_before = page.pixels("input-canvas").await;
        let here = |name: &str| format!("{}{name}", server.url);
        let cases: [(String, &[&str]); 9] = [
            (String::new(), &["no link"]),
            ("a lemon".into(), &["no complete address", "https://"]),
            ("http://example.org/lemon.png".into(), &["https addresses only", "http:"]),
            ("file:///etc/lemon.png".into(), &["https addresses only", "file:"]),
            (here("nowhere.png"), &["no picture at this address"]),
            (here("index.html"), &["not a picture", "a web page"]),
            (here("half.png"), &["half.png", "damaged or incomplete"]),
            (here("wall.png"), &["too large", "at most 67.1 MB"]),
            (format!("{}samples/lemon.png", elsewhere.url), &["does not let other pages read", "Save the picture"]),
        ];
        for (address, words) in cases {
            fetch_link(&page, &address).await;
            page.wait_for_alert(words).await;
            assert!(page.pixels("input-canvas").await == shown_before, "{address} replaced the picture that was shown");
            page.click("alert-dismiss").await;
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_silent_site_is_given_up_or_stopped() {
    browse(Graphics::NoAdapter, async |client| {
        let dist = page_without_policy();
        let server = Server::start(dist.path());
        // The system accepts the connection, and no answer follows.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/lemon.png", silent.local_addr().unwrap());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        visit::classify_a_sample(&page).await;

        fetch_link(&page, &address).await;
        page.until("the page to say whom it asks", async || {
            page.text("link-status").await.is_some_and(|words| words.contains("127.0.0.1"))
        })
        .await;
        page.click("link-stop").await;
        page.wait_for_alert(&["you stopped it"]).await;
        page.click("alert-dismiss").await;

        fetch_link(&page, &address).await;
        page.wait_for_alert(&["sent nothing for 15 seconds"]).await;
        assert_eq!(page.text("link-status").await.unwrap_or_default(), "");
        page.click("alert-dismiss").await;
        // Another picture does not wait for the link.
        fetch_link(&page, &address).await;
        page.choose_sample(2).await;
    });
}

/// Copies the page without its content security policy, which forbids requests to sites on this computer without https.
fn page_without_policy() -> TempDir {
    let dist = copy_of_page();
    // Only `cargo xtask dist` makes this file.
    let _ = fs::remove_file(dist.path().join("_headers"));
    dist
}

/// Asserts that three files that are no pictures are refused with a message, and that the shown picture stays.
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

/// Asserts that a page whose weights have one wrong byte shows an error instead of computing with the weights, and computes with
/// those of the other network.
pub async fn refuse_spoilt_weights(client: &Client, query: &str) {
    let dist = copy_of_page();
    let weights = dist.path().join("models/hardened/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&weights, bytes).unwrap();

    let server = Server::start(dist.path());
    let page = Page::open(client, &server.url, query, CPU_TIMEOUT).await;
    page.until("the other network to answer", async || page.column_state("left").await == "clean").await;
    assert_eq!(page.column_state("right").await, "empty");
    let error = page.text("pending-right").await.unwrap();
    for word in ["hardened", "sha256", "damaged"] {
        assert!(error.contains(word), "{error}");
    }
}
