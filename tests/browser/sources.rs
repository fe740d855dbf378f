//! Sources of pictures besides the gallery and the file button: drop, paste, link and camera.

use std::fs;

use fantoccini::Client;
use image::{ImageFormat, RgbImage, imageops};
use serde_json::{Value, json};
use shared::image::Picture;

use crate::page::{CPU_TIMEOUT, Page};
use crate::pictures::{encode, striped_disc};
use crate::server::{Server, page_folder};
use crate::session::{Graphics, browse};

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn dropped_and_pasted_files_are_opened() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let upright = striped_disc();
        for (way, picture) in [("drop", imageops::flip_horizontal(&upright)), ("paste", upright)] {
            page.open_picture(async || hand_over(&page, way, &picture).await).await;
            assert!(page.pixels("input-canvas").await == *picture.as_raw(), "{way}: the page shows another picture");
        }

        let shown_before = page.pixels("input-canvas").await;
        let script = "const data = new DataTransfer();
            data.setData('text/plain', 'a picture, in words');
            arguments[0].dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data }))";
        page.run_script(script, "picture", vec![]).await;
        page.wait_for_alert(&["no file", "no link"]).await;
        assert!(page.pixels("input-canvas").await == shown_before);
    });
}

/// Drops or pastes a file on the page, with the events of a browser.
async fn hand_over(page: &Page<'_>, way: &str, picture: &RgbImage) {
    let script = "const [place, way, bytes] = arguments;
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], `${way}.png`, { type: 'image/png' }));
        const how = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data };
        const event = way === 'drop' ? new DragEvent(way, how) : new ClipboardEvent(way, how);
        place.dispatchEvent(event);
        return event.defaultPrevented";
    let bytes = encode(picture, ImageFormat::Png);
    let taken = page.run_script(script, "picture", vec![json!(way), json!(bytes)]).await;
    assert_eq!(taken, json!(true), "{way}: a browser would now show the file in the page's place");
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn links_are_fetched_whether_typed_or_dropped() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let address = |name: &str| format!("{}samples/{name}", server.url);

        page.open_picture(async || fetch_link(&page, &address("lemon.png")).await).await;
        assert_sample_shown(&page, "lemon.png").await;
        assert_eq!(page.attribute("picture", "data-picture-title").await.as_deref(), Some("lemon.png"));
        assert_eq!(page.text("link-status").await.unwrap_or_default(), "", "nothing is fetched any more");

        let list = format!("# a comment\r\n{}\r\n", address("alp.png"));
        page.open_picture(async || drop_text(&page, json!({ "text/uri-list": list })).await).await;
        assert_sample_shown(&page, "alp.png").await;

        // A picture inside a link to another address, as a browser drags it from another page.
        let html = format!("<a href='https://example.org/'><img alt=\"\" src=\"{}\"></a>", address("orange.png"));
        let data = json!({ "text/uri-list": "https://example.org/", "text/html": html });
        page.open_picture(async || drop_text(&page, data).await).await;
        assert_sample_shown(&page, "orange.png").await;
        assert_eq!(page.alert().await, None);
    });
}

/// Types an address into the field for links and starts to fetch it, without waiting.
pub async fn fetch_link(page: &Page<'_>, address: &str) {
    let script = "const [field, address] = arguments;
        field.value = address;
        field.form.requestSubmit()";
    page.run_script(script, "link-input", vec![json!(address)]).await;
}

/// Drops data of some media types on the page.
async fn drop_text(page: &Page<'_>, data: Value) {
    let script = "const [place, entries] = arguments, data = new DataTransfer();
        for (const [kind, text] of Object.entries(entries)) data.setData(kind, text);
        place.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data }))";
    page.run_script(script, "picture", vec![data]).await;
}

/// Asserts that the page shows the sample of that name.
async fn assert_sample_shown(page: &Page<'_>, name: &str) {
    let sample = Picture::decode(&fs::read(page_folder().join("samples").join(name)).unwrap()).unwrap();
    let shown = page.pixels("input-canvas").await;
    let farthest = shown.iter().zip(sample.as_rgb8()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(farthest <= 1, "{name} is {farthest} levels from what is shown");
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_camera_that_cannot_be_had_is_explained() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        page.wait_until_idle().await;
        let cases: [(&str, &[&str]); 3] = [
            ("NotAllowedError", &["camera", "not allowed", "settings"]),
            ("NotFoundError", &["camera", "there is none"]),
            ("NotReadableError", &["camera", "another program"]),
        ];
        for (name, words) in cases {
            let refuse = "const [name] = arguments;
                navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', name))";
            client.execute(refuse, vec![json!(name)]).await.unwrap();
            page.click("camera-open").await;
            page.wait_for_alert(words).await;
            let open = page.attribute("camera-open", "aria-expanded").await;
            assert_eq!(open.as_deref(), Some("false"), "{name}: an empty view is left");
        }
        // Browsers hide `mediaDevices` on a page without https.
        let insecure = "Object.defineProperty(navigator, 'mediaDevices', { value: undefined, configurable: true })";
        client.execute(insecure, vec![]).await.unwrap();
        page.click("camera-open").await;
        page.wait_for_alert(&["camera", "https"]).await;
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn the_camera_gives_a_picture_and_is_off_afterwards() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        page.wait_until_idle().await;
        let sample = page.pixels("input-canvas").await;
        page.click("camera-open").await;
        page.until("a live view", async || {
            let script = "const video = document.querySelector('video');
                if (!video || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return false;
                window.tracks = video.srcObject.getTracks();
                return true";
            client.execute(script, vec![]).await.unwrap() == json!(true)
        })
        .await;
        assert_eq!(tracks(client).await, json!(["live"]));
        page.open_picture(async || page.click("camera-take").await).await;

        let taken = page.pixels("input-canvas").await;
        assert!(taken != sample, "the sample is still shown");
        assert!(taken.iter().any(|value| *value != taken[0]), "the camera's picture is blank");
        page.until("the camera to be off", async || tracks(client).await == json!(["ended"])).await;
        let views = client.execute("return document.querySelectorAll('video').length", vec![]).await.unwrap();
        assert_eq!(views, json!(0), "a view of a camera that is off is left");
    });
}

/// Returns the state of each recorded track of the camera: `live` or `ended`.
async fn tracks(client: &Client) -> Value {
    client.execute("return window.tracks.map(track => track.readyState)", vec![]).await.unwrap()
}
