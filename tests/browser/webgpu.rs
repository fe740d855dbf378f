//! The same visit on WebGPU, on the browser's software adapter, compared with the results of the CPU.

use serde_json::json;

use crate::bad_input;
use crate::native::Native;
use crate::page::{Attack, CPU_TIMEOUT, Page, SOFTWARE_GPU_TIMEOUT};
use crate::server::{Server, page_folder};
use crate::session::{Graphics, browse, chrome_command};
use crate::visit;

/// Uses one browser and few steps, because a step takes seconds on the software adapter.
#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_visit_on_webgpu() {
    let native = Native::load(&page_folder());
    browse(Graphics::SwiftShader, async |client| {
        let server = Server::start(&page_folder());
        let folder = tempfile::tempdir().unwrap();
        let page = Page::open(client, &server.url, "?backend=webgpu", SOFTWARE_GPU_TIMEOUT).await;
        page.wait_until_ready().await;
        assert_is_software_webgpu(&page).await;

        visit::upload_a_file(&page, &folder).await;
        let on_webgpu = visit::clean_answers(&page).await;
        visit::attack_as_natively(&page, &native).await;
        let sample = visit::classify_a_sample(&page).await;
        let gauges = visit::gauges(&page).await;
        let long = Attack { kind: "bim", epsilon_255: 16, steps: 40 };
        visit::cancel(&page, long, async || page.click("cancel-button").await).await;
        visit::upload_a_file(&page, &folder).await;
        visit::attack_within_epsilon(&page, Attack { kind: "apgd", epsilon_255: 4, steps: 4 }).await;
        bad_input::refuse_bad_files(&page, &folder).await;
        // Had the device been lost in between, the CPU would have computed the rest.
        assert_is_software_webgpu(&page).await;

        visit::reload_without_network(&page, server).await;
        assert_is_software_webgpu(&page).await;
        assert_same_answers(&visit::classify_a_sample(&page).await, &sample);

        page.select("backend-select", "cpu").await;
        page.until("the CPU to take over", async || {
            page.attribute("backend-badge", "data-backend").await.as_deref() == Some("cpu")
        })
        .await;
        page.wait_until_ready().await;
        assert_same_answers(&visit::classify_a_sample(&page).await, &sample);
        // Detectors that were fetched once are there without a network, and say the same on both.
        let on_cpu = visit::gauges(&page).await;
        let close = |(one, other): (&f64, &f64)| (one - other).abs() < 0.02;
        let all = gauges.iter().zip(&on_cpu).all(close);
        assert!(gauges.len() == on_cpu.len() && gauges.len() >= 2 && all, "{gauges:?} on WebGPU, {on_cpu:?}");
        visit::upload_a_file(&page, &folder).await;
        assert_same_answers(&visit::clean_answers(&page).await, &on_webgpu);

        bad_input::refuse_spoilt_weights(client, "?backend=webgpu").await;
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_software_adapter_is_left_alone_unless_asked_for() {
    browse(Graphics::SwiftShader, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        assert_eq!(page.attribute("backend-badge", "data-backend").await.unwrap(), "cpu");
        let reason = page.text("backend-reason").await.unwrap();
        assert!(reason.contains("emulated in software"), "{reason}");
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_lost_device_costs_neither_picture_nor_settings() {
    browse(Graphics::SwiftShader, async |client| {
        let server = Server::start(&page_folder());
        let folder = tempfile::tempdir().unwrap();
        let page = Page::open(client, &server.url, "?backend=webgpu", SOFTWARE_GPU_TIMEOUT).await;
        page.wait_until_ready().await;
        assert_is_software_webgpu(&page).await;
        visit::upload_a_file(&page, &folder).await;
        let (title, picture) =
            (page.attribute("picture", "data-picture-title").await, page.pixels("input-canvas").await);
        page.set_slider("epsilon", 7).await;

        // A crash of the GPU process loses the device, as the update of a driver or the wake-up of a laptop does.
        chrome_command(client, "Browser.crashGpuProcess", json!({})).await;
        page.until("the CPU to take over", async || {
            page.attribute("backend-badge", "data-fallback").await.as_deref() == Some("true")
        })
        .await;
        page.wait_until_ready().await;
        let reason = page.text("backend-reason").await.unwrap();
        assert!(reason.contains("WebGPU was given up") && reason.contains("lost"), "{reason}");
        page.wait_until_idle().await;
        assert_eq!(page.attribute("picture", "data-picture-title").await, title);
        assert!(page.pixels("input-canvas").await == picture, "another picture is shown");
        assert_eq!(page.run_script("return arguments[0].value", "epsilon", vec![]).await, json!("7"));
        page.click("attack-button").await;
        page.until("an attack on the CPU", async || page.column_state("right").await == "done").await;
    });
}

async fn assert_is_software_webgpu(page: &Page<'_>) {
    for (name, value) in [("data-backend", "webgpu"), ("data-software", "true"), ("data-fallback", "false")] {
        let reason = page.text("backend-reason").await.unwrap_or_default();
        assert_eq!(page.attribute("backend-badge", name).await.as_deref(), Some(value), "{name}; {reason}");
    }
}

/// Asserts the same classes with the same probabilities, up to rounding. The fifth class is left out, since a close rival may
/// take its place.
#[track_caller]
fn assert_same_answers(some: &[Vec<(u64, f64)>; 2], others: &[Vec<(u64, f64)>; 2]) {
    for (answers, other_answers) in some.iter().zip(others) {
        for (class, share) in &answers[..4] {
            let found =
                other_answers.iter().any(|(other, its_share)| other == class && (share - its_share).abs() < 1e-4);
            assert!(found, "{answers:?} and {other_answers:?} differ");
        }
    }
}
