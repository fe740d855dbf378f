//! No violations of the rules of axe-core (https://github.com/dequelabs/axe-core) in any state of the page.
//!
//! The script comes from npm, and `cargo xtask test` names it in BASTION_AXE; without npm this test is left out.

use std::fs;
use std::path::PathBuf;

use fantoccini::Client;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};

use crate::layout::show;
use crate::page::{Attack, CPU_TIMEOUT, Page};
use crate::pictures::encode;
use crate::server::{Server, page_folder};
use crate::session::{Graphics, browse};

/// Widths and heights of the window in pixels.
const WINDOWS: [(u32, u32); 2] = [(1280, 900), (390, 844)];

/// Violations collected over all states of the page, so that one run reports all of them.
struct Audit<'a> {
    client: &'a Client,
    axe: String,
    found: Vec<String>,
}

impl Audit<'_> {
    /// Checks the page in its present state, light and dark, wide and narrow.
    async fn check_all_layouts(&mut self, name: &str) {
        for scheme in ["light", "dark"] {
            for (width, height) in WINDOWS {
                show(self.client, scheme, width, height).await;
                self.check(&format!("{name}, {scheme}, {width} pixels wide")).await;
            }
        }
    }

    /// Checks the page as it is shown now.
    async fn check(&mut self, name: &str) {
        // The page's policy does not apply to scripts of the driver.
        let loaded = self.client.execute("return typeof window.axe === 'object'", vec![]).await.unwrap();
        if loaded != json!(true) {
            self.client.execute(&self.axe, vec![]).await.unwrap();
        }
        let script = "const done = arguments[0];
            axe.run(document, { resultTypes: ['violations'] }).then(
                results => done(results.violations.map(({ id, impact, help, helpUrl, nodes }) => ({ id, impact, help, helpUrl,
                    nodes: nodes.map(node => `${node.target.flat().join(' ')}: ${node.html.slice(0, 200)}\\n${node.failureSummary}`),
                }))),
                error => done(String(error)))";
        let violations = self.client.execute_async(script, vec![]).await.unwrap();
        let Value::Array(violations) = violations else { panic!("axe-core failed: {name}: {violations}") };
        self.found.extend(violations.iter().map(|violation| format!("{name}: {}", describe(violation))));
    }
}

/// Describes a violation: the rule, and each element that breaks it.
fn describe(violation: &Value) -> String {
    let text = |name: &str| violation[name].as_str().unwrap_or_default().to_owned();
    let mut words = format!("{} ({}): {}, {}", text("id"), text("impact"), text("help"), text("helpUrl"));
    for node in violation["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        words += &format!("\n    {}", node.replace('\n', "\n      "));
    }
    words
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn no_rule_of_accessibility_is_broken() {
    let Some(script) = std::env::var_os("BASTION_AXE").map(PathBuf::from) else {
        println!("skipped: BASTION_AXE names no axe.min.js, which `cargo xtask test` takes from npm");
        return;
    };
    browse(Graphics::NoAdapter, async |client| {
        let mut audit = Audit { client, axe: fs::read_to_string(script).unwrap(), found: Vec::new() };
        let server = Server::start(&page_folder());
        let folder = tempfile::tempdir().unwrap();
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        audit.check("at first").await;
        page.wait_until_ready().await;
        page.wait_until_idle().await;
        audit.check_all_layouts("ready").await;

        page.choose_sample(0).await;
        page.attack(Attack { kind: "bim", epsilon_255: 8, steps: 5 }).await;
        audit.check_all_layouts("after an attack").await;

        // Opens all that can be opened, by any name: sections that unfold, and one dialog after the other.
        client
            .execute("document.querySelectorAll('details').forEach(one => { one.open = true })", vec![])
            .await
            .unwrap();
        audit.check_all_layouts("all unfolded").await;
        let count = client.execute("return document.querySelectorAll('dialog').length", vec![]).await.unwrap();
        for index in 0..count.as_u64().unwrap() {
            let dialog = async |method: &str| {
                let script = format!("document.querySelectorAll('dialog')[{index}]?.{method}()");
                client.execute(&script, vec![]).await.unwrap();
            };
            dialog("showModal").await;
            audit.check_all_layouts(&format!("dialog {index}")).await;
            dialog("close").await;
        }

        // A picture of the visitor's that is not square has a crop.
        let file = folder.path().join("wide.png");
        fs::write(&file, encode(&RgbImage::from_pixel(320, 200, Rgb([200, 120, 70])), ImageFormat::Png)).unwrap();
        page.upload(&file).await;
        audit.check_all_layouts("a picture of one's own").await;

        page.run_script("arguments[0].click()", "camera-open", vec![]).await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        audit.check_all_layouts("the camera").await;
        page.run_script("arguments[0]?.click()", "camera-close", vec![]).await;

        let file = folder.path().join("no picture.png");
        fs::write(&file, "words").unwrap();
        page.choose_file(&file).await;
        page.until("an alert", async || page.alert().await.is_some()).await;
        audit.check_all_layouts("an alert").await;

        let found = audit.found;
        assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
    });
}
