//! The square of a picture that is classified: moved by key and by mouse, reset, and equal to the trainer's crop.

use fantoccini::Client;
use fantoccini::key::Key;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use shared::image::{Crop, Photo};
use tempfile::TempDir;

use crate::page::{CPU_TIMEOUT, Page};
use crate::pictures::{encode, striped_disc};
use crate::server::{Server, page_folder};
use crate::session::{Graphics, browse, chrome_command};

/// Width and height of the picture in pixels.
const SIZE: (u32, u32) = (600, 400);

/// Makes a picture of which no two squares are alike.
pub fn landscape() -> RgbImage {
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        Rgb([(x * 255 / SIZE.0) as u8, (y * 255 / SIZE.1) as u8, if (x / 40 + y / 40) % 2 == 0 { 60 } else { 200 }])
    })
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn keys_and_mouse_move_the_square_that_the_networks_see() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let folder = tempfile::tempdir().unwrap();
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let photo = upload(&page, &folder, &landscape()).await;
        let centre = Crop { x: 100, y: 0, side: 400 };
        assert_crop(&page, &photo, centre).await;

        // An arrow key moves by a hundredth of the shorter side; with Shift, by a tenth.
        press(client, &page, &[Key::Left.into()]).await;
        assert_crop(&page, &photo, Crop { x: 96, ..centre }).await;
        press(client, &page, &[Key::Shift.into(), Key::Right.into()]).await;
        assert_crop(&page, &photo, Crop { x: 136, ..centre }).await;
        // A move ends at the edge of the picture.
        press(client, &page, &[Key::Up.into(), Key::Up.into()]).await;
        assert_crop(&page, &photo, Crop { x: 136, ..centre }).await;
        press(client, &page, &['-', '-']).await;
        let smaller = Crop { x: 156, y: 20, side: 360 };
        assert_crop(&page, &photo, smaller).await;
        let said = page.text("crop-now").await.unwrap();
        assert!(said.contains("left 156, top 20, side 360 pixels"), "{said}");
        assert_eq!(page.attribute("crop-box", "aria-valuetext").await.unwrap(), "left 156, top 20, side 360 pixels");

        drag(client, "crop-box", [-60, 10]).await;
        let moved = shown_crop(&page).await;
        assert!(moved.side == 360 && moved.x < smaller.x && moved.y > smaller.y, "{moved:?}");
        assert_crop(&page, &photo, moved).await;
        drag(client, "crop-bottom-right", [-30, -30]).await;
        let resized = shown_crop(&page).await;
        assert!((resized.x, resized.y) == (moved.x, moved.y) && resized.side < moved.side, "{resized:?}");
        assert_crop(&page, &photo, resized).await;

        press(client, &page, &[Key::Home.into()]).await;
        assert_crop(&page, &photo, centre).await;
        press(client, &page, &['+', Key::Down.into(), '-']).await;
        page.until("a smaller square", async || shown_crop(&page).await.side < 400).await;
        page.click("crop-reset").await;
        assert_crop(&page, &photo, centre).await;
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_finger_moves_the_square_and_not_the_page() {
    browse(Graphics::NoAdapter, async |client| {
        let screen = json!({ "width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true });
        chrome_command(client, "Emulation.setDeviceMetricsOverride", screen).await;
        let touch = json!({ "enabled": true, "maxTouchPoints": 1 });
        chrome_command(client, "Emulation.setTouchEmulationEnabled", touch).await;
        let server = Server::start(&page_folder());
        let folder = tempfile::tempdir().unwrap();
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let photo = upload(&page, &folder, &landscape()).await;
        let [x, y] = middle(client, "crop-box").await;
        let scrolled = client.execute("return scrollY", vec![]).await.unwrap();
        let touch = async |kind: &str, points: Value| {
            chrome_command(client, "Input.dispatchTouchEvent", json!({ "type": kind, "touchPoints": points })).await;
        };
        touch("touchStart", json!([{ "x": x, "y": y }])).await;
        for step in 1..=6 {
            touch("touchMove", json!([{ "x": x - 5 * step, "y": y - 8 * step }])).await;
        }
        touch("touchEnd", json!([])).await;
        page.until("the square to move", async || shown_crop(&page).await.x < 100).await;
        settle(&page).await;
        let moved = shown_crop(&page).await;
        assert_eq!((moved.y, moved.side), (0, 400), "it is as tall as the picture");
        assert_crop(&page, &photo, moved).await;
        assert_eq!(client.execute("return scrollY", vec![]).await.unwrap(), scrolled, "the page was scrolled");
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_picture_that_is_seen_as_it_is_has_no_square() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let folder = tempfile::tempdir().unwrap();
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        upload(&page, &folder, &landscape()).await;
        page.until("the square", async || page.attribute("crop-box", "role").await.is_some()).await;
        upload(&page, &folder, &striped_disc()).await;
        assert_eq!(page.attribute("crop-box", "role").await, None);
        assert!(page.text("picture-private").await.is_some_and(|words| words.contains("never leaves this device")));
    });
}

/// Opens a picture on the page, and decodes it natively.
pub async fn upload(page: &Page<'_>, folder: &TempDir, picture: &RgbImage) -> Photo {
    let bytes = encode(picture, ImageFormat::Png);
    let file = folder.path().join(format!("{}.png", picture.width()));
    std::fs::write(&file, &bytes).unwrap();
    page.upload(&file).await;
    Photo::decode(&bytes).unwrap()
}

/// Waits until the page shows this crop, and compares the pixels with the native crop.
pub async fn assert_crop(page: &Page<'_>, photo: &Photo, crop: Crop) {
    page.until(&format!("{crop:?} to be seen"), async || shown_crop(page).await == crop).await;
    page.wait_until_idle().await;
    let expected = photo.picture(Some(crop)).unwrap();
    for canvas in ["input-canvas", "clean-canvas-left", "clean-canvas-right"] {
        let found = page.pixels(canvas).await;
        // Sums of the same numbers in the same order, but on another processor.
        let farthest = found.iter().zip(expected.as_rgb8()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(farthest <= 1, "{canvas} is {farthest} levels from {crop:?}");
    }
}

/// Returns the crop that the page shows.
async fn shown_crop(page: &Page<'_>) -> Crop {
    let number = async |name| u32::try_from(page.number("crop-now", name).await).unwrap();
    Crop { x: number("data-x").await, y: number("data-y").await, side: number("data-side").await }
}

/// Presses keys on the square; Shift is held from its place in `keys` on.
pub async fn press(client: &Client, page: &Page<'_>, keys: &[char]) {
    page.wait_until_idle().await;
    page.run_script("arguments[0].focus()", "crop-box", vec![]).await;
    let keys: String = keys.iter().collect();
    client.active_element().await.unwrap().send_keys(&keys).await.unwrap();
    settle(page).await;
}

/// Drags the middle of an element with the mouse, by `by` pixels to the right and down.
async fn drag(client: &Client, testid: &str, by: [i64; 2]) {
    let [x, y] = middle(client, testid).await;
    let mouse = async |kind: &str, x: i64, y: i64, buttons: u32| {
        let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1 });
        chrome_command(client, "Input.dispatchMouseEvent", event).await;
    };
    mouse("mouseMoved", x, y, 0).await;
    mouse("mousePressed", x, y, 1).await;
    for step in 1..=5 {
        mouse("mouseMoved", x + by[0] * step / 5, y + by[1] * step / 5, 1).await;
    }
    mouse("mouseReleased", x + by[0], y + by[1], 0).await;
    // The page waits until the movement has ended.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
}

/// Waits until a change of the square has been carried out.
async fn settle(page: &Page<'_>) {
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    page.wait_until_idle().await;
}

/// Scrolls an element into view and returns its middle in the window, in pixels.
async fn middle(client: &Client, testid: &str) -> [i64; 2] {
    let script = "const element = document.querySelector(`[data-testid='${arguments[0]}']`);
        element.scrollIntoView({ block: 'center', behavior: 'instant' });
        const { left, top, width, height } = element.getBoundingClientRect();
        return [Math.round(left + width / 2), Math.round(top + height / 2)]";
    let place = client.execute(script, vec![json!(testid)]).await.unwrap();
    serde_json::from_value(place).unwrap()
}
