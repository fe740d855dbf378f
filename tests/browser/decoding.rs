//! One decoder between the eye and the network: preview and square come from the same pixels, and a file that breaks the decoder
//! costs nothing but that file.

use std::fs;
use std::path::Path;

use fantoccini::Client;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use shared::image::{Crop, Photo, Picture};
use tempfile::TempDir;
use tests::golden_path;

use crate::crop::{assert_crop, landscape, press, upload};
use crate::page::{Attack, CPU_TIMEOUT, Page};
use crate::pictures::{encode, large_png, striped_disc};
use crate::server::{Server, copy_of_page, page_folder};
use crate::session::{Graphics, browse};
use crate::visit;

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn preview_and_networks_show_one_decoding() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        for file in [
            "cases/pictures/orientation-6.webp",
            "cases/pictures/colour-profile.png",
            "cases/pictures/late-adobe-marker.jpg",
            "cases/pictures/no-end-marker.jpg",
            "pictures/orientation_8.jpg",
            "pictures/transparent.png",
            "pictures/animated.gif",
        ] {
            let file = golden_path(file);
            page.upload(&file).await;
            let photo = Photo::decode(&fs::read(&file).unwrap()).unwrap();
            let preview = page.picture("preview").await;
            assert_eq!(preview.dimensions(), photo.size(), "{}", file.display());
            assert_close(preview.as_raw(), &rgb(&photo.preview(1024).rgba8), &file);
            assert_close(&page.pixels("input-canvas").await, photo.picture(None).unwrap().as_rgb8(), &file);
            assert_close(&page.pixels("input-canvas").await, square(&preview, None).as_rgb8(), &file);
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_format_that_the_browser_alone_reads_is_upright_and_cut_alike() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        // An AVIF of 120 x 80 pixels that is to be turned upright: red, green; blue, yellow.
        let file = golden_path("cases/pictures/turned-quadrants.avif");
        page.upload(&file).await;
        let preview = page.picture("preview").await;
        assert_eq!(preview.dimensions(), (80, 120));
        let colours =
            [(20, 30, [200, 40, 40]), (60, 30, [40, 170, 60]), (20, 90, [50, 60, 200]), (60, 90, [220, 200, 60])];
        for (x, y, colour) in colours {
            let found = preview.get_pixel(x, y).0;
            let is_close = found.iter().zip(colour).all(|(found, expected)| found.abs_diff(expected) < 12);
            assert!(is_close, "{found:?} at {x}, {y}, not {colour:?}");
        }
        assert_close(&page.pixels("input-canvas").await, square(&preview, None).as_rgb8(), &file);
        press(client, &page, &['-']).await;
        let smaller = Crop { x: 2, y: 22, side: 76 };
        page.until("a smaller square", async || page.number("crop-now", "data-side").await == 76).await;
        page.wait_until_idle().await;
        assert_close(&page.pixels("input-canvas").await, square(&preview, Some(smaller)).as_rgb8(), &file);

        // What the browser does not read either is said as before.
        let folder = tempfile::tempdir().unwrap();
        let photoshop = folder.path().join("layers.psd");
        fs::write(&photoshop, b"8BPS\0\x01\0\0\0\0\0\0\0\x03").unwrap();
        page.choose_file(&photoshop).await;
        page.wait_for_alert(&["layers.psd", "Photoshop", "Save the picture as PNG or JPEG"]).await;
        assert_eq!(page.picture("preview").await, preview);
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_long_screenshot_is_shown_and_cropped() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let folder = tempfile::tempdir().unwrap();
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let screenshot = RgbImage::from_fn(1080, 20_000, |x, y| {
            Rgb([(y * 255 / 20_000) as u8, (x * 255 / 1080) as u8, if (y / 200) % 2 == 0 { 60 } else { 200 }])
        });
        let photo = upload(&page, &folder, &screenshot).await;
        let preview = page.picture("preview").await;
        assert_eq!(preview.dimensions(), (55, 1024));
        assert_close(preview.as_raw(), &rgb(&photo.preview(1024).rgba8), Path::new("screenshot"));
        press(client, &page, &['-', '-']).await;
        assert_crop(&page, &photo, Crop { x: 54, y: 9_514, side: 972 }).await;
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_file_that_breaks_its_decoder_costs_nothing_else() {
    browse(Graphics::NoAdapter, async |client| {
        let dist = page_with_a_fragile_decoder();
        let server = Server::start(dist.path());
        let folder = tempfile::tempdir().unwrap();
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let photo = upload(&page, &folder, &landscape()).await;
        page.attack(Attack { kind: "fgsm", epsilon_255: 4, steps: 1 }).await;
        let before = shown(&page).await;
        let hurry = "const real = window.setTimeout;
            window.setTimeout = (call, ms, ...rest) => real(call, ms === 60_000 ? 500 : ms, ...rest)";
        client.execute(hurry, vec![]).await.unwrap();
        // More often than an engine is started again.
        let faults: [(&str, &[&str]); 6] = [
            ("throw", &["throw.jpg", "damaged", "its decoder failed", "choose another"]),
            ("panic", &["panic.jpg", "damaged", "its decoder failed"]),
            ("nonsense", &["nonsense.jpg", "damaged", "its decoder failed"]),
            ("close", &["close.jpg", "damaged", "its decoder failed"]),
            ("silence", &["silence.jpg", "longer than 60 seconds"]),
            ("throw", &["throw.jpg", "damaged"]),
        ];
        for (fault, words) in faults {
            let file = folder.path().join(format!("{fault}.jpg"));
            fs::write(&file, format!("fault:{fault}")).unwrap();
            page.choose_file(&file).await;
            page.wait_for_alert(words).await;
            assert_eq!(shown(&page).await, before, "{fault}");
            assert_eq!(page.engine_state().await, "ready", "{fault}");
            page.click("alert-dismiss").await;
        }
        // The photo went with the decoder, and its file did not.
        press(client, &page, &['-', '-']).await;
        assert_crop(&page, &photo, Crop { x: 120, y: 20, side: 360 }).await;
        visit::upload_a_file(&page, &folder).await;
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_decoder_that_does_not_load_is_told_and_tried_again() {
    browse(Graphics::NoAdapter, async |client| {
        let dist = copy_of_page();
        let program = program_in(dist.path(), "_bg.wasm");
        let bytes = fs::read(&program).unwrap();
        fs::remove_file(&program).unwrap();
        let server = Server::start(dist.path());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        page.wait_for_alert(&["did not load", "Check the connection"]).await;
        fs::write(&program, bytes).unwrap();
        page.click("sample-1").await;
        let title = page.attribute("sample-1", "title").await;
        page.until("the sample", async || page.attribute("picture", "data-picture-title").await == title).await;
        assert_eq!(page.alert().await, None);
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_decoder_that_a_large_picture_has_grown_is_replaced() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let folder = tempfile::tempdir().unwrap();
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        page.wait_until_idle().await;
        let count = "window.started = [];
            window.Worker = class extends Worker {
                constructor(script, options) { super(script, options); window.started.push(String(script)); }
            }";
        client.execute(count, vec![]).await.unwrap();
        let open = async |name: &str, bytes: Vec<u8>| {
            let file = folder.path().join(name);
            fs::write(&file, bytes).unwrap();
            page.upload(&file).await;
            started(client).await
        };
        let small = || encode(&striped_disc(), ImageFormat::Png);
        assert_eq!(open("first.png", small()).await, 0, "the decoder of the sample goes on");
        assert_eq!(open("large.png", large_png()).await, 0);
        // Another square is still cut out of it.
        press(client, &page, &['-']).await;
        page.until("a smaller square", async || page.number("crop-now", "data-side").await < 8000).await;
        assert_eq!(started(client).await, 0);
        assert_eq!(open("small.png", small()).await, 1);
        assert_eq!(open("last.png", small()).await, 1, "it has not grown");
    });
}

/// Returns how many decoders were started.
async fn started(client: &Client) -> u64 {
    let started = client.execute("return window.started", vec![]).await.unwrap();
    let scripts: Vec<String> = serde_json::from_value(started).unwrap();
    scripts.iter().filter(|script| script.contains("decoder")).count() as u64
}

/// Copies the page with a decoder that breaks, in the way that the file's text says.
fn page_with_a_fragile_decoder() -> TempDir {
    let dist = copy_of_page();
    let loader = program_in(dist.path(), "_loader-");
    let fragile = "addEventListener('message', (event) => {
            const file = Array.isArray(event.data) ? new TextDecoder().decode(event.data[1].slice(0, 40)) : '';
            if (!file.startsWith('fault:')) return;
            event.stopImmediatePropagation();
            const faults = {
                throw: () => { throw new Error('a fault'); },
                // What the panic hook posts: the fifth kind of reply with no words.
                panic: () => postMessage(new Uint8Array([4, 0])),
                nonsense: () => postMessage(new Uint8Array([200])),
                close: () => close(),
                silence: () => {},
            };
            faults[file.slice(6)]();
        });\n";
    // Before the program's own listener.
    fs::write(&loader, fragile.to_owned() + &fs::read_to_string(&loader).unwrap()).unwrap();
    dist
}

/// Returns the file of the decoder whose name has `part` in it.
fn program_in(folder: &Path, part: &str) -> std::path::PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_it = |name: &str| name.starts_with("decoder") && name.contains(part);
    files.into_iter().find(|file| file.file_name().is_some_and(|name| is_it(&name.to_string_lossy()))).unwrap()
}

/// Returns what the page shows of the picture and of the attack on it.
async fn shown(page: &Page<'_>) -> Value {
    json!([
        page.attribute("picture", "data-picture-title").await,
        page.number("picture", "data-picture").await,
        page.pixels("input-canvas").await,
        page.pixels("attacked-canvas-left").await,
        page.answers("attacked", "right").await,
    ])
}

/// Cuts a square out of what people see, as the networks' square is cut.
fn square(preview: &RgbImage, crop: Option<Crop>) -> Picture {
    let rgba = preview.pixels().flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect();
    Photo::from_rgba8("preview", preview.width(), preview.height(), rgba).unwrap().picture(crop).unwrap()
}

fn rgb(rgba: &[u8]) -> Vec<u8> {
    rgba.chunks_exact(4).flat_map(|pixel| pixel[..3].to_vec()).collect()
}

/// Asserts that two pictures differ by one level at the most: the same sums, on another processor.
#[track_caller]
fn assert_close(found: &[u8], expected: &[u8], file: &Path) {
    assert_eq!(found.len(), expected.len(), "{}", file.display());
    let farthest = found.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(farthest <= 1, "{} is {farthest} levels from what it should be", file.display());
}
