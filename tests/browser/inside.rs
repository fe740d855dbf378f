//! What is inside of the networks: evidence, detectors and feature maps, computed when the visitor asks and not before.

use std::fs;

use shared::bundle::Card;

use crate::page::{Attack, CPU_TIMEOUT, Page, SIDES};
use crate::server::{Server, page_folder};
use crate::session::{Graphics, browse};

/// Returns how many detectors the shipped network of a side has.
fn detectors(side: &str) -> usize {
    let network = if side == "left" { "standard" } else { "hardened" };
    let card = fs::read(page_folder().join("models").join(network).join("model.json")).unwrap();
    Card::from_json(&card).unwrap().detectors.len()
}

const BIM: Attack = Attack { kind: "bim", epsilon_255: 8, steps: 5 };

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_look_inside_is_told_and_drawn_and_goes_with_its_picture() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        page.choose_sample(1).await;
        let found = async |side: &str| page.attribute(&format!("inside-{side}"), "data-found").await.unwrap();
        assert_eq!(found("left").await, "false", "nothing is computed before it is asked for");
        let of_detectors =
            "return performance.getEntriesByType('resource').filter(e => e.name.includes('detector')).length";
        assert_eq!(client.execute(of_detectors, vec![]).await.unwrap(), 0);

        page.attack(BIM).await;
        page.click("look-button").await;
        page.wait_until_idle().await;
        for side in SIDES {
            assert_eq!(found(side).await, "true", "{side}");
            // The words are made of the numbers that the page shows.
            let words = page.text(&format!("words-{side}")).await.unwrap();
            for when in ["clean", "attacked"] {
                let (_, share) = page.answers(when, side).await[0];
                let percent = match share {
                    share if share >= 0.9995 => "over 99.9%".into(),
                    share => format!("({:.1}%)", 100.0 * share),
                };
                assert!(words.contains(&percent), "{percent} is not in: {words}");
            }
            assert!(words.contains("BIM within 8/255") && words.contains("untouched pictures"), "{words}");
            for canvas in ["evidence-before", "evidence-after", "maps-layer1", "maps-layer2", "maps-layer3"] {
                let drawn = page.picture(&format!("{canvas}-{side}")).await.into_raw();
                let first = &drawn[..3];
                assert!(drawn.chunks(3).any(|pixel| pixel != first), "{canvas} of {side} is of one colour");
            }
            let rates =
                "return [...arguments[0].querySelectorAll('.gauges td')].map(cell => Number(cell.dataset.share))";
            let rates = page.run_script(rates, &format!("inside-{side}"), vec![]).await;
            let rates: Vec<f64> = serde_json::from_value(rates).unwrap();
            // A row for each detector of the card, before and after.
            assert_eq!(rates.len(), 2 * detectors(side), "{side}");
            assert!(rates.iter().all(|rate| (0.0..=1.0).contains(rate)), "{rates:?}");
        }
        // An attacker who knows the detector attacks both, and the verdict is about both.
        // A browser that translates the page puts elements of its own around texts.
        let translate = "const [button] = arguments, font = document.createElement('font');
            font.append(...button.childNodes);
            button.append(font)";
        page.run_script(translate, "evade-maps-left", vec![]).await;
        page.click("evade-maps-left").await;
        page.wait_until_idle().await;
        for side in SIDES {
            let words = page.text(&format!("words-{side}")).await.unwrap();
            let verdicts = ["raised no alarm", "raised an alarm", "did not fool the network"];
            assert!(verdicts.iter().any(|verdict| words.contains(verdict)), "{words}");
            assert!(words.contains("The attack on network and detector within 8/255"), "{words}");
        }
        page.choose_sample(2).await;
        assert_eq!(found("left").await, "false", "what was found is of another picture");
        // Without an attack there are neither maps to compare nor a second column.
        page.click("look-button").await;
        page.wait_until_idle().await;
        assert_eq!(found("right").await, "true");
        assert!(page.text("maps-layer1-right").await.is_none());
    });
}
