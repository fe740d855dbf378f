//! The page on a wide and on a narrow screen, light and dark; `cargo xtask shots` saves the pictures.

use std::fs;
use std::path::PathBuf;

use fantoccini::Client;
use serde_json::json;

use crate::page::{Attack, CPU_TIMEOUT, Page, SOFTWARE_GPU_TIMEOUT};
use crate::server::{Server, page_folder};
use crate::session::{Graphics, browse, chrome_command};
use crate::visit;

/// Widths and heights of the window in pixels.
const WINDOWS: [(u32, u32); 2] = [(1280, 900), (390, 844)];

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn everything_fits_wide_and_narrow_light_and_dark() {
    let (graphics, query, timeout) = match std::env::var_os("BASTION_SHOT_WEBGPU") {
        Some(_) => (Graphics::SwiftShader, "?backend=webgpu", SOFTWARE_GPU_TIMEOUT),
        None => (Graphics::NoAdapter, "", CPU_TIMEOUT),
    };
    browse(graphics, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, query, timeout).await;
        page.wait_until_ready().await;
        match std::env::var_os("BASTION_SHOT_PICTURE") {
            Some(picture) => page.upload(&PathBuf::from(picture)).await,
            None => {
                visit::classify_a_sample(&page).await;
            }
        }
        page.attack(Attack { kind: "bim", epsilon_255: 4, steps: 10 }).await;
        let mut backgrounds = Vec::new();
        for scheme in ["light", "dark"] {
            for (width, height) in WINDOWS {
                show(client, scheme, width, height).await;
                let overflow = client.execute("return document.documentElement.scrollWidth - innerWidth", vec![]).await;
                let overflow = overflow.unwrap().as_i64().unwrap();
                assert!(overflow <= 0, "at {width} pixels the page is {overflow} pixels too wide ({scheme})");
                keep_picture(client, scheme, width).await;
            }
            let script = "return getComputedStyle(document.documentElement).backgroundColor";
            backgrounds.push(client.execute(script, vec![]).await.unwrap());
        }
        assert_ne!(backgrounds[0], backgrounds[1], "light and dark look the same");
    });
}

/// Sets the size of the screen in pixels and the system's colour scheme.
pub async fn show(client: &Client, scheme: &str, width: u32, height: u32) {
    let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
    chrome_command(client, "Emulation.setDeviceMetricsOverride", screen).await;
    chrome_command(client, "Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
    let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
    chrome_command(client, "Emulation.setEmulatedMedia", media).await;
    // Waits for the transitions of bars and colours.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
}

/// Saves a picture of the whole page into the folder of `cargo xtask shots`, if the tests run for that command.
async fn keep_picture(client: &Client, scheme: &str, width: u32) {
    let Some(folder) = std::env::var_os("BASTION_SHOTS").map(PathBuf::from) else { return };
    let height = client.execute("return document.documentElement.scrollHeight", vec![]).await.unwrap();
    show(client, scheme, width, u32::try_from(height.as_u64().unwrap()).unwrap()).await;
    let file = folder.join(format!("{scheme}-{width}.png"));
    fs::write(&file, client.screenshot().await.unwrap()).unwrap();
    println!("{}", file.display());
}
