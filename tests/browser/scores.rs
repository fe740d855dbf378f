//! The networks' scores as the page shows them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::page::{CPU_TIMEOUT, NETWORKS, Page, SIDES};
use crate::server::{Server, copy_of_page, page_folder};
use crate::session::{Graphics, browse};

/// Reads a network's card.
pub fn card(page: &Path, network: &str) -> Value {
    serde_json::from_slice(&fs::read(page.join("models").join(network).join("model.json")).unwrap()).unwrap()
}

/// Replaces a network's scores on a copy of the page.
fn set_scores(page: &Path, network: &str, scores: Value) {
    let mut card = card(page, network);
    card["scores"] = scores;
    fs::write(page.join("models").join(network).join("model.json"), card.to_string()).unwrap();
}

/// Formats a top-1 score as the page does.
pub fn top1(score: &Value) -> String {
    let share = score["top1"]["hits"].as_f64().unwrap() / score["top1"]["of"].as_f64().unwrap();
    format!("{:.1}%", 100.0 * share)
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn the_shipped_scores_are_shown_as_the_cards_have_them() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let shown = page.text("scores").await.unwrap();
        for (network, side) in NETWORKS.into_iter().zip(SIDES) {
            for score in card(&page_folder(), network)["scores"].as_array().unwrap() {
                assert!(shown.contains(&top1(score)), "{network}: {score} is not in\n{shown}");
            }
            let summary = page.text(&format!("card-{side}")).await.unwrap();
            assert!(summary.contains("model card"), "{summary}");
            let script = "arguments[0].open = true; return arguments[0].innerText";
            let facts = page.run_script(script, &format!("card-{side}"), vec![]).await;
            let facts = facts.as_str().unwrap();
            let parameters = card(&page_folder(), network)["cost"]["parameters"].as_u64().unwrap();
            let parameters = [parameters / 1_000_000, parameters / 1000 % 1000, parameters % 1000];
            let parameters = format!("{}\u{202f}{:03}\u{202f}{:03}", parameters[0], parameters[1], parameters[2]);
            assert!(facts.contains(&parameters) && facts.contains("multiply-accumulates"), "{parameters}: {facts}");
        }
        let white_box = page.text("scores-white-box").await.unwrap();
        assert!(white_box.contains("Only white-box may be called robust accuracy"), "{white_box}");

        assert!(!shown.contains("in top 5"), "nobody asked for it");
        page.click("scores-top5").await;
        assert!(page.text("scores").await.unwrap().contains("in top 5"));
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn scores_that_are_missing_and_scores_of_many_kinds_are_shown_alike() {
    browse(Graphics::NoAdapter, async |client| {
        let copy = copy_of_page();
        let accuracy = json!({ "top1": { "hits": 10, "of": 100 }, "top1_interval": [0.055, 0.174],
            "top5": { "hits": 30, "of": 100 } });
        let score = |what: Value| {
            let mut score = accuracy.clone();
            score.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
            score
        };
        let bim =
            |levels: f64| json!({ "kind": "bim", "epsilon": levels / 255.0, "steps": 5, "step_size": null, "seed": 0 });
        set_scores(copy.path(), "standard", json!([]));
        set_scores(
            copy.path(),
            "hardened",
            json!([
                score(json!({ "set": "validation" })),
                score(json!({ "set": { "corrupted": { "corruption": "fog", "severity": 3 } } })),
                score(json!({ "set": "validation", "attack": bim(2.0) })),
                score(json!({ "set": "validation", "attack": bim(4.0) })),
                score(json!({ "set": "validation", "attack": bim(4.0), "crafted_on": "standard" })),
            ]),
        );
        let server = Server::start(copy.path());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        assert_eq!(
            page.text("scores-missing").await.as_deref(),
            Some("Standard: not evaluated yet: bastion evaluate --save")
        );
        page.run_script("arguments[0].open = true", "scores-corruptions", vec![]).await;
        for protocol in ["no-attack", "white-box", "transfer", "corruptions"] {
            let text = page.text(&format!("scores-{protocol}")).await.unwrap_or_default();
            assert!(text.contains("10.0%") && text.contains("5.5–17.4%"), "{protocol}: {text}");
        }
        // One attack was measured at several radii; its chart has a description in words.
        let script = "return [...arguments[0].querySelectorAll('svg[role=img] desc')].map(desc => desc.textContent)";
        let charts = page.run_script(script, "score-curves", vec![]).await;
        assert_eq!(charts, json!(["Hardened: 10.0% without attack, 10.0% at 2/255, 10.0% at 4/255."]));
    });
}
