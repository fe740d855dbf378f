//! A page with more than two networks, of which the visitor chooses the two to compare.

use std::fs;
use std::path::Path;

use burn::prelude::*;
use serde_json::json;
use shared::bundle::{Bundle, Card, Description, Precision, Recipe};
use shared::model::{Architecture, BuildNetwork as _, ResNetConfig, WideResNetConfig};

use crate::page::{Attack, CPU_TIMEOUT, Page};
use crate::scores;
use crate::server::{Server, copy_of_page};
use crate::session::{Graphics, browse};
use crate::visit;

/// Adds an untrained network to a page, with weights in parts of `part_bytes` bytes.
fn add_network(page: &Path, name: &str, architecture: Architecture, part_bytes: usize) -> Card {
    let models = page.join("models");
    let standard = Card::from_json(&fs::read(models.join("standard/model.json")).unwrap()).unwrap();
    let device = Device::flex();
    let model =
        architecture.init_seeded(standard.classes.len(), standard.mean, standard.std, 1, &device).unwrap().valid();
    let description = Description {
        name: name.into(),
        architecture,
        classes: standard.classes,
        mean: standard.mean,
        std: standard.std,
        recipe: Recipe::default(),
        data_sha256: String::new(),
        scores: Vec::new(),
    };
    let exported = Bundle::export(&model, description, Precision::Q8, &device);
    let (json, weights) = pollster::block_on(exported).unwrap();
    let mut card = Card::from_json(&json).unwrap();
    card.weights.cut(&weights, part_bytes);
    let folder = models.join(name);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("model.json"), card.to_json()).unwrap();
    let mut rest = weights.as_slice();
    for part in card.weights.files() {
        let (content, after) = rest.split_at(usize::try_from(part.bytes).unwrap());
        fs::write(folder.join(&part.file), content).unwrap();
        rest = after;
    }
    card
}

fn list(page: &Path, names: &[&str]) {
    fs::write(page.join("models/index.json"), json!({ "models": names }).to_string()).unwrap();
}

/// Script that returns the addresses of the networks' files in the browser's cache.
const KEPT_FILES: &str =
    "return caches.open('bastion-models').then(cache => cache.keys()).then(all => all.map(it => it.url))";

/// Returns the page's text about the first shipped network before the network is loaded.
fn shipped(page: &Path) -> String {
    let json = scores::card(page, "standard");
    let clean = json["scores"].as_array().unwrap().iter().find(|score| score["attack"].is_null()).unwrap();
    let card = Card::from_json(json.to_string().as_bytes()).unwrap();
    let (network, weights) = (card.architecture.name(), &card.weights);
    let megabytes = weights.bytes as f64 / 1e6;
    format!("Standard: {network}, {}, {megabytes:.1} MB, {} clean", weights.precision, scores::top1(clean))
}

/// Waits until a column shows a network and both networks have classified a picture.
async fn wait_until_shown(page: &Page<'_>, side: &str, network: &str) {
    page.until(&format!("{network} on the {side}"), async || {
        page.attribute(&format!("column-{side}"), "data-network").await.as_deref() == Some(network)
            && page.engine_state().await == "ready"
            && page.work().await == "idle"
            && page.column_state(side).await == "clean"
    })
    .await;
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn other_networks_are_chosen_attacked_and_remembered() {
    let copy = copy_of_page();
    let narrow = WideResNetConfig::new(10, 1);
    let card = add_network(copy.path(), "wrn_10_1", Architecture::WideResNet(narrow), 50_000);
    assert!(card.weights.files().len() > 2, "{:?}", card.weights);
    let bottleneck = ResNetConfig { layers: [1; 4], width_per_group: 4, ..ResNetConfig::resnet50() };
    add_network(copy.path(), "bottleneck", Architecture::ResNet(bottleneck), usize::MAX);
    fs::create_dir(copy.path().join("models/spoilt")).unwrap();
    fs::write(copy.path().join("models/spoilt/model.json"), "{}").unwrap();
    list(copy.path(), &["standard", "hardened", "wrn_10_1", "bottleneck", "spoilt", "gone", "../samples"]);

    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(copy.path());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        assert_eq!(page.text("title-left").await.as_deref(), Some("Standard"));
        let menu = page.text("network-left").await.unwrap();
        let size = format!("Wrn_10_1: WRN-10-1, q8, {:.0} kB", card.weights.bytes as f64 / 1e3);
        assert!(menu.contains(&size) && menu.contains(&shipped(copy.path())), "{menu}");
        let unusable = page.text("unusable").await.unwrap();
        for words in ["The spoilt network cannot be used", "models/gone/model.json", "../samples"] {
            assert!(unusable.contains(words), "{unusable}");
        }
        let script = "return [...arguments[0].options].filter(option => option.disabled).map(option => option.value)";
        let disabled = page.run_script(script, "network-left", vec![]).await;
        assert_eq!(disabled, json!(["hardened", "spoilt", "gone", "../samples"]));

        page.wait_until_idle().await;
        let before = visit::clean_answers(&page).await;
        page.begin_attack(Attack { kind: "bim", epsilon_255: 16, steps: 40 }).await;
        page.select("network-right", "wrn_10_1").await;
        wait_until_shown(&page, "right", "wrn_10_1").await;
        assert_eq!(page.text("title-right").await.as_deref(), Some("Wrn_10_1"));
        let after = visit::clean_answers(&page).await;
        assert_eq!(after[0], before[0], "the left one is as before");
        assert_ne!(after[1], before[1]);

        page.select("network-left", "bottleneck").await;
        wait_until_shown(&page, "left", "bottleneck").await;
        page.attack(Attack { kind: "bim", epsilon_255: 8, steps: 2 }).await;
        for side in ["left", "right"] {
            assert_eq!(page.number(&format!("change-{side}"), "data-levels").await, 4, "two steps of a quarter each");
        }
        let scores = page.text("scores").await.unwrap();
        assert!(scores.contains("Bottleneck: model card") && scores.contains("Wrn_10_1: model card"), "{scores}");

        page.reload().await;
        page.wait_until_ready().await;
        wait_until_shown(&page, "left", "bottleneck").await;
        wait_until_shown(&page, "right", "wrn_10_1").await;
        assert_eq!(page.attribute("engine-status", "data-weights").await.as_deref(), Some("cache"));
        let kept = page.run_script(KEPT_FILES, "network-left", vec![]).await.to_string();
        assert!(kept.contains("/models/bottleneck/") && kept.contains("/models/wrn_10_1/"), "{kept}");

        list(copy.path(), &["standard", "hardened", "bottleneck"]);
        page.reload().await;
        page.wait_until_ready().await;
        wait_until_shown(&page, "left", "bottleneck").await;
        wait_until_shown(&page, "right", "standard").await;
        let kept = page.run_script(KEPT_FILES, "network-left", vec![]).await.to_string();
        assert!(kept.contains("/models/bottleneck/") && !kept.contains("/models/wrn_10_1/"), "{kept}");
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_large_network_is_asked_for_and_its_download_goes_on_where_it_broke_off() {
    let copy = copy_of_page();
    let wide = WideResNetConfig::new(10, 13);
    let card = add_network(copy.path(), "wide", Architecture::WideResNet(wide), 4_000_000);
    assert!(card.weights.bytes > 10_000_000, "{:?}", card.weights);
    list(copy.path(), &["standard", "hardened", "wide"]);
    let last = copy.path().join("models/wide").join(&card.weights.files().last().unwrap().file);
    let content = fs::read(&last).unwrap();
    fs::remove_file(&last).unwrap();

    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(copy.path());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        page.wait_until_idle().await;
        page.select("network-right", "wide").await;
        let pending = async |state: &str| {
            page.until(state, async || {
                page.attribute("pending-right", "data-state").await.as_deref() == Some(state)
                    && page.engine_state().await == "ready"
            })
            .await;
            page.text("pending-right").await.unwrap()
        };
        let words = pending("asking").await;
        assert!(words.contains("q8") && words.contains("Nothing of it is kept"), "{words}");
        assert_eq!(page.attribute("column-right", "data-network").await.as_deref(), Some("hardened"));

        page.click("go-on-right").await;
        let words = pending("failed").await;
        assert!(words.contains("404") && words.contains("Try again"), "{words}");
        page.click("stay-right").await;
        page.select("network-right", "wide").await;
        let words = pending("asking").await;
        assert!(words.contains("are kept in this browser already"), "{words}");
        fs::write(&last, content).unwrap();
        page.click("go-on-right").await;
        page.until("wide to be shown", async || {
            page.attribute("column-right", "data-network").await.as_deref() == Some("wide")
        })
        .await;
        assert_eq!(page.attribute("pending-right", "data-state").await, None);
    });
}
