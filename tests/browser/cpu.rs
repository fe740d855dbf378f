//! A visit with a browser that has no WebGPU adapter: the CPU computes.

use std::fs;

use crate::native::Native;
use crate::page::{Attack, CPU_TIMEOUT, Page};
use crate::pictures::large_png;
use crate::server::{Server, page_folder};
use crate::session::{Graphics, browse};
use crate::visit;

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_visit_on_the_cpu() {
    let native = Native::load(&page_folder());
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let folder = tempfile::tempdir().unwrap();
        let page = Page::open(client, &server.url, "", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        assert_eq!(page.attribute("backend-badge", "data-backend").await.unwrap(), "cpu");
        let reason = page.text("backend-reason").await.unwrap();
        assert!(reason.contains("no graphics adapter"), "{reason}");

        visit::classify_a_sample(&page).await;
        visit::upload_a_file(&page, &folder).await;
        visit::attack_as_natively(&page, &native).await;
        visit::attack_towards_a_class(&page, &native).await;
        visit::attack_within_epsilon(&page, Attack { kind: "bim", epsilon_255: 4, steps: 5 }).await;
        visit::attack_within_epsilon(&page, Attack { kind: "apgd", epsilon_255: 4, steps: 5 }).await;
        let long = Attack { kind: "bim", epsilon_255: 16, steps: 40 };
        visit::cancel(&page, long, async || page.click("cancel-button").await).await;
        visit::cancel(&page, long, async || page.press_escape().await).await;
        visit::attack_within_epsilon(&page, Attack { kind: "pgd", epsilon_255: 32, steps: 3 }).await;
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn the_page_reacts_while_a_picture_is_decoded() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("large.png");
        fs::write(&file, large_png()).unwrap();
        let reacts = async || {
            page.wait_until_idle().await;
            page.measure_responsiveness("picture", "pending", "true").await;
            page.upload(&file).await;
            let watched = page.responsiveness().await;
            println!("{watched:?}");
            assert!(watched.work_ms > 100.0, "the page was not seen to react meanwhile: {watched:?}");
            watched.longest_stall_ms < watched.work_ms / 4.0
        };
        // Another program may stall the page once or twice; a page that waits for its decoder stalls every time.
        assert!(
            reacts().await || reacts().await || reacts().await,
            "the page does not react while a picture is decoded"
        );
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn webgpu_asked_for_where_there_is_none() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=webgpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        assert_eq!(page.attribute("backend-badge", "data-backend").await.unwrap(), "cpu");
        let reason = page.text("backend-reason").await.unwrap();
        assert!(reason.starts_with("WebGPU was asked for, but") && reason.contains("the CPU computes"), "{reason}");
        visit::classify_a_sample(&page).await;
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_second_visit_needs_no_network() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        assert_eq!(page.attribute("engine-status", "data-weights").await.unwrap(), "network");
        let answers = visit::classify_a_sample(&page).await;
        visit::reload_without_network(&page, server).await;
        assert_eq!(visit::classify_a_sample(&page).await, answers);
    });
}
