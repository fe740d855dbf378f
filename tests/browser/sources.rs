//! The other ways to a picture, besides the gallery and the button for files: dropped, pasted, and from the camera.

use fantoccini::Client;
use image::{ImageFormat, RgbImage, imageops};
use serde_json::{Value, json};

use crate::page::{CPU_PATIENCE, Page};
use crate::pictures::{encode, striped_disc};
use crate::server::{Server, page_folder};
use crate::session::{Graphics, browse};

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn dropped_and_pasted_files_are_opened() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_PATIENCE).await;
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
        page.wait_for_alert(&["no file"]).await;
        assert!(page.pixels("input-canvas").await == shown_before);
    });
}

/// Drops or pastes a file on the page, as a browser does on the visitor's behalf.
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
fn the_camera_gives_a_picture_and_is_off_afterwards() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_PATIENCE).await;
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

/// `live` or `ended`, for each of the tracks of the camera that was seen.
async fn tracks(client: &Client) -> Value {
    client.execute("return window.tracks.map(track => track.readyState)", vec![]).await.unwrap()
}
