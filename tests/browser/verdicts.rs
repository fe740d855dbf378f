//! The page's verdict on an attack: which network was fooled, which setting started the attack, the picture of the change.

use serde_json::Value;

use crate::page::{Attack, CPU_TIMEOUT, Page, SIDES};
use crate::server::{Server, page_folder};
use crate::session::{Graphics, browse, console};

/// Returns the true classes of the samples, in order.
fn truths() -> Vec<u64> {
    let read =
        |file: &str| -> Value { serde_json::from_slice(&std::fs::read(page_folder().join(file)).unwrap()).unwrap() };
    let (card, samples) = (read("models/standard/model.json"), read("samples/index.json"));
    let classes = card["classes"].as_array().unwrap();
    let class_of = |sample: &Value| classes.iter().position(|class| class["wnid"] == sample["wnid"]).unwrap() as u64;
    samples.as_array().unwrap().iter().map(class_of).collect()
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn who_was_wrong_before_is_not_called_fooled() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let mut seen = Vec::new();
        for (sample, truth) in truths().into_iter().enumerate() {
            page.choose_sample(sample).await;
            page.attack(Attack { kind: "bim", epsilon_255: 4, steps: 2 }).await;
            for side in SIDES {
                let (before, after) = (page.answers("clean", side).await, page.answers("attacked", side).await);
                let expected = match (before[0].0 == truth, after[0].0 == truth) {
                    (true, true) => "held",
                    (true, false) => "fooled",
                    (false, _) => "wrong-already",
                };
                let verdict = page.attribute(&format!("verdict-{side}"), "data-verdict").await.unwrap();
                assert_eq!(verdict, expected, "sample {sample}, {side}: {before:?} became {after:?}");
                let words = page.text(&format!("verdict-words-{side}")).await.unwrap();
                assert_eq!(words.contains("before any attack"), expected == "wrong-already", "{words}");
                seen.push(verdict);
            }
        }
        for verdict in ["held", "fooled", "wrong-already"] {
            assert!(seen.iter().any(|one| one == verdict), "no sample shows {verdict}: {seen:?}");
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn nothing_happens_unsaid() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        page.choose_sample(0).await;
        let mut complaints = console(client).await;
        // On a busy machine a program that is loaded ahead is compiled later than the browser expects.
        complaints.retain(|line| !line.contains("was preloaded using link preload but not used"));
        assert_eq!(complaints, Vec::<String>::new(), "a page that is well has nothing to complain of");

        page.attack(Attack { kind: "bim", epsilon_255: 4, steps: 2 }).await;
        assert_eq!(page.text("amplified-right").await.as_deref(), Some("Perturbation, amplified 31 times"));
        assert_eq!(page.text("attacked-again").await.as_deref(), Some(""), "a button began it");
        let hint = page.text("hint").await.unwrap();
        assert!(hint.contains("attacked again at once"), "{hint}");

        let run = page.number("column-left", "data-run").await;
        page.set_slider("epsilon", 8).await;
        page.until("the attack to begin by itself", async || page.number("column-left", "data-run").await > run).await;
        let words = "Attacked again after a change: BIM, 2 steps, epsilon 8/255.";
        page.until(words, async || page.text("attacked-again").await.as_deref() == Some(words)).await;
        assert_eq!(page.attribute("attacked-again", "role").await.as_deref(), Some("status"));
    });
}
