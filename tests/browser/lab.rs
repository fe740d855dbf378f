//! The page's laboratory: settings of attacks, steps, epsilons, disturbances, links and saved files.

use std::collections::HashSet;

use fantoccini::Client;
use serde_json::{Value, json};

use crate::page::{Attack, CPU_TIMEOUT, Page, SIDES};
use crate::server::{Server, page_folder};
use crate::session::{Graphics, allow, browse};

const BIM: Attack = Attack { kind: "bim", epsilon_255: 8, steps: 6 };

/// Runs `test` on a page on the CPU whose networks have classified a sample.
fn visit(test: impl AsyncFnOnce(&Page<'_>, &Server)) {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        page.choose_sample(1).await;
        for folded in ["more-settings", "disturb"] {
            page.run_script("arguments[0].open = true", folded, vec![]).await;
        }
        test(&page, &server).await;
    });
}

/// Returns the RGB values of both networks' attacked pictures.
async fn attacked(page: &Page<'_>) -> [Vec<u8>; 2] {
    [page.pixels("attacked-canvas-left").await, page.pixels("attacked-canvas-right").await]
}

async fn click_hidden(page: &Page<'_>, testid: &str) {
    page.run_script("arguments[0].click()", testid, vec![]).await;
}

/// Reads the clipboard's content of a media type.
async fn clipboard(client: &Client, media_type: &str) -> Vec<u8> {
    let script = "const [type, done] = arguments;
        navigator.clipboard.read()
            .then(async ([item]) => done([...new Uint8Array(await (await item.getType(type)).arrayBuffer())]))
            .catch(error => done(String(error)))";
    let bytes = client.execute_async(script, vec![json!(media_type)]).await.unwrap();
    serde_json::from_value(bytes.clone()).unwrap_or_else(|_| panic!("{bytes}"))
}

/// Waits until the attack that a changed setting has started is over.
async fn settle(page: &Page<'_>) {
    tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    page.wait_until_idle().await;
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn one_press_gives_two_verdicts() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        page.wait_until_idle().await;
        page.click("attack-button").await;
        page.until("both verdicts", async || {
            page.column_state("left").await == "done" && page.column_state("right").await == "done"
        })
        .await;
        for side in SIDES {
            let verdict = page.attribute(&format!("verdict-{side}"), "data-verdict").await.unwrap();
            let (before, now) = (page.answers("clean", side).await[0].0, page.answers("attacked", side).await[0].0);
            // The hardened network may be fooled, too, or wrong before the attack.
            match verdict.as_str() {
                "fooled" => assert_ne!(before, now, "{side}"),
                "held" => assert_eq!(before, now, "{side}"),
                other => assert_eq!(other, "wrong-already", "{side}"),
            }
            assert!(!page.text(&format!("verdict-words-{side}")).await.unwrap().is_empty());
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn an_attack_can_be_looked_at_step_by_step() {
    visit(async |page, _| {
        page.attack(BIM).await;
        let end = attacked(page).await;
        let last_words = page.text("step-left").await.unwrap();
        page.set_slider("scrubber", 0).await;
        page.until("the beginning", async || attacked(page).await[0] != end[0]).await;
        let clean = page.pixels("input-canvas").await;
        assert!(attacked(page).await.iter().all(|pixels| *pixels == clean), "BIM begins at the picture itself");
        assert_ne!(page.text("step-left").await.unwrap(), last_words);
        page.set_slider("scrubber", 3).await;
        page.until("the third step", async || {
            page.text("verdict-left").await.is_some_and(|it| it.contains("this step"))
        })
        .await;
        page.set_slider("scrubber", BIM.steps).await;
        page.until("the end", async || attacked(page).await == end).await;
        assert_eq!(page.text("step-left").await.unwrap(), last_words);
        // The start of the attack is a point as well.
        for plot in ["loss-plot", "share-plot"] {
            assert_eq!(page.number(plot, "data-points").await, u64::from(BIM.steps) + 1);
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn transfer_shows_both_networks_the_same_picture() {
    visit(async |page, _| {
        page.attack(BIM).await;
        let [left, right] = attacked(page).await;
        assert_ne!(left, right, "each through its own gradients");
        page.select("crafted-on", "left").await;
        settle(page).await;
        let [left_now, right_now] = attacked(page).await;
        assert!(left_now == right_now && left_now == left, "not what the left network's gradients give");
        page.select("crafted-on", "right").await;
        settle(page).await;
        assert_eq!(attacked(page).await, [right.clone(), right]);
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn more_settings_do_what_they_say() {
    visit(async |page, _| {
        // Half a level in each step: after two steps no value has moved by more than one level.
        page.attack(Attack { steps: 2, ..BIM }).await;
        page.set_slider("step-size", 5).await;
        settle(page).await;
        assert_eq!(page.number("change-left", "data-levels").await, 1);
        click_hidden(page, "step-size-auto").await;
        settle(page).await;
        assert!(page.number("change-left", "data-levels").await > 1);

        // An attack that stops at the first success takes no further step.
        page.attack(Attack { epsilon_255: 16, steps: 20, ..BIM }).await;
        click_hidden(page, "stop-at-success").await;
        settle(page).await;
        for side in SIDES {
            let (clean, now) = (page.answers("clean", side).await[0].0, page.answers("attacked", side).await[0].0);
            let [done, total] = [
                page.number(&format!("column-{side}"), "data-steps-done").await,
                page.number(&format!("column-{side}"), "data-steps-total").await,
            ];
            assert_eq!(done, total);
            assert!(done == 20 || clean != now, "{side}: {done} steps, {clean} became {now}");
        }
        click_hidden(page, "stop-at-success").await;
        settle(page).await;

        // PGD has another random start with another seed; noise moves every value by epsilon.
        page.attack(Attack { kind: "pgd", epsilon_255: 8, steps: 3 }).await;
        let first = attacked(page).await;
        click_hidden(page, "another-start").await;
        settle(page).await;
        assert_ne!(attacked(page).await, first);
        page.choose_attack("noise").await;
        settle(page).await;
        let [left, right] = attacked(page).await;
        assert_eq!(left, right);
        assert_eq!(page.number("change-left", "data-levels").await, 8);
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_target_is_found_by_typing() {
    visit(async |page, _| {
        let type_in =
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))";
        page.run_script(type_in, "target-search", vec![json!("goldf")]).await;
        page.until("one class", async || page.text("target-found").await.is_some_and(|it| it.starts_with("1 class")))
            .await;
        let enter =
            "arguments[0].dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, cancelable: true}))";
        page.run_script(enter, "target-search", vec![]).await;
        let chosen = page.run_script("return arguments[0].selectedOptions[0].text", "target-class", vec![]).await;
        assert_eq!(chosen, json!("goldfish"));
        // The target's probability is shown after the attack, whatever its rank.
        page.attack(BIM).await;
        for side in SIDES {
            let told = page.text(&format!("target-{side}")).await.unwrap();
            assert!(told.starts_with("goldfish, ") && told.ends_with('%'), "{side}: {told}");
        }
        page.run_script(type_in, "target-search", vec![json!("no such thing")]).await;
        page.until("none", async || page.text("target-found").await.is_some_and(|it| it.starts_with("No class"))).await;
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn the_change_can_be_seen_in_several_ways() {
    visit(async |page, _| {
        page.attack(BIM).await;
        let usual = page.pixels("perturbation-canvas-left").await;
        page.set_slider("gain", 1).await;
        page.until("less", async || page.pixels("perturbation-canvas-left").await != usual).await;
        let faint = page.pixels("perturbation-canvas-left").await;
        assert!(faint.iter().all(|value| value.abs_diff(128) <= 8), "amplified once");
        click_hidden(page, "drawing-signed").await;
        page.until("signed colours", async || page.pixels("perturbation-canvas-left").await != faint).await;
        click_hidden(page, "drawing-channels").await;
        click_hidden(page, "gain-auto").await;
        page.until("the usual", async || page.pixels("perturbation-canvas-left").await == usual).await;

        page.run_script("arguments[0].open = true", "compare-left", vec![]).await;
        page.set_slider("wipe-left", 20).await;
        page.until("the curtain", async || {
            page.attribute("stack-left", "style").await.is_some_and(|style| style.contains("20%"))
        })
        .await;
        assert_eq!(page.pixels("wipe-after-left").await, attacked(page).await[0]);
        click_hidden(page, "flicker-left").await;
        page.until("flicker", async || page.attribute("stack-left", "data-flickers").await.as_deref() == Some("true"))
            .await;
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn the_smallest_epsilon_changes_the_answer_and_one_less_does_not() {
    visit(async |page, _| {
        page.attack(Attack { kind: "fgsm", epsilon_255: 2, steps: 1 }).await;
        page.click("sweep-button").await;
        page.until("the curves", async || {
            page.work().await == "idle" && page.attribute("smallest-right", "data-epsilon").await.is_some()
        })
        .await;
        assert_eq!(page.number("epsilon-share-plot", "data-points").await, 11);
        let smallest = page.attribute("smallest-left", "data-epsilon").await.unwrap();
        let changed = async |epsilon_255: u8| {
            page.attack(Attack { kind: "fgsm", epsilon_255, steps: 1 }).await;
            page.answers("clean", "left").await[0].0 != page.answers("attacked", "left").await[0].0
        };
        let Ok(epsilon_255) = smallest.parse::<u8>() else {
            assert!(smallest == "none" && !changed(32).await, "{smallest}");
            return;
        };
        assert!(changed(epsilon_255).await, "{epsilon_255}/255 is said to be enough");
        assert!(epsilon_255 == 0 || !changed(epsilon_255 - 1).await, "{epsilon_255}/255 is not the smallest");
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn the_real_world_disturbs_what_the_networks_see() {
    visit(async |page, _| {
        let plain = page.pixels("input-canvas").await;
        let before = page.answers("clean", "left").await;
        click_hidden(page, "disturb-mirror").await;
        page.until("a mirrored picture", async || page.pixels("input-canvas").await != plain).await;
        settle(page).await;
        let mirrored = page.pixels("input-canvas").await;
        let row = |pixels: &[u8]| pixels[..64 * 3].chunks_exact(3).map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(row(&mirrored), row(&plain).into_iter().rev().collect::<Vec<_>>());

        page.set_slider("disturb-rotation", 30).await;
        page.select("corruption", "fog").await;
        settle(page).await;
        assert_ne!(page.pixels("input-canvas").await, mirrored);
        assert_ne!(page.answers("clean", "left").await, before, "the networks saw the picture as it was");
        // An attack begins at the disturbed picture, and starts again when the disturbance changes.
        page.attack(BIM).await;
        click_hidden(page, "disturb-reset").await;
        settle(page).await;
        page.until("the attack", async || page.column_state("left").await == "done").await;
        assert_eq!(page.pixels("input-canvas").await, plain);
        assert_eq!(page.answers("clean", "left").await, before);
        assert!(page.number("change-left", "data-levels").await <= 8);
    });
}

/// Returns the content of the file that the page saved last, as text.
async fn last_file(page: &Page<'_>) -> Option<String> {
    let text = page.run_script("return window.files?.at(-1)?.text ?? null", "picture", vec![]).await;
    text.as_str().map(str::to_owned)
}

/// Records the files that the page saves from now on.
async fn catch_files(page: &Page<'_>) {
    let script = "window.files = []; const make = URL.createObjectURL;
        URL.createObjectURL = blob => {
            const file = { type: blob.type, size: blob.size };
            window.files.push(file);
            blob.text().then(text => file.text = text);
            return make.call(URL, blob);
        };";
    page.run_script(script, "picture", vec![]).await;
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn what_is_kept_is_what_was_shown() {
    visit(async |page, _| {
        page.attack(BIM).await;
        catch_files(page).await;
        page.click("save-left").await;
        page.until("the file", async || page.text("saved-left").await.is_some_and(|it| !it.is_empty())).await;
        let now = page.answers("attacked", "left").await[0];
        let words = page.text("saved-left").await.unwrap();
        assert!(words.contains("As saved"), "{words}");
        let kind = page.run_script("return window.files.at(-1).type", "picture", vec![]).await;
        assert_eq!(kind, json!("image/png"));

        page.click("save-report").await;
        page.until("the report", async || last_file(page).await.is_some_and(|text| text.starts_with('{'))).await;
        let report: Value = serde_json::from_str(&last_file(page).await.unwrap()).unwrap();
        assert_eq!(report["attack"]["settings"]["epsilon_255"], json!(8));
        let left = &report["networks"][0];
        assert_eq!(left["steps"].as_array().unwrap().len() as u32, BIM.steps + 1);
        let best = &left["steps"].as_array().unwrap().last().unwrap()["top"][0];
        assert_eq!(best["class"]["index"], json!(now.0));
        assert!((best["probability"].as_f64().unwrap() - now.1).abs() < 1e-5);
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_link_restores_what_was_shown() {
    visit(async |page, server| {
        page.set_slider("disturb-rotation", 20).await;
        settle(page).await;
        page.attack(Attack { kind: "pgd", epsilon_255: 6, steps: 4 }).await;
        let shown = [attacked(page).await.concat(), page.pixels("input-canvas").await];
        catch_files(page).await;
        page.click("save-report").await;
        page.until("the report", async || last_file(page).await.is_some_and(|text| text.starts_with('{'))).await;
        let report: Value = serde_json::from_str(&last_file(page).await.unwrap()).unwrap();
        let link = report["attack"]["link"].as_str().unwrap();
        assert!(link.contains("attack=pgd") && link.contains("disturb=rotate.20"), "{link}");

        page.go_to(&format!("{}?backend=cpu&{link}", server.url)).await;
        page.wait_until_ready().await;
        page.until("the attack", async || {
            page.column_state("left").await == "done" && page.column_state("right").await == "done"
        })
        .await;
        assert!(shown == [attacked(page).await.concat(), page.pixels("input-canvas").await], "another picture");

        // A link, and both results as one picture, on the clipboard.
        allow(page.client, &["clipboard-read", "clipboard-write"]).await;
        let said = async |words: &str| {
            page.until(words, async || page.text("keep-said").await.is_some_and(|it| it.contains(words))).await;
        };
        page.click("copy-link").await;
        said("The link is on the clipboard").await;
        let link = clipboard(page.client, "text/plain").await;
        assert!(String::from_utf8(link).unwrap().starts_with(&server.url));
        page.click("copy-picture").await;
        said("A picture of both results is on the clipboard").await;
        let copied = image::load_from_memory(&clipboard(page.client, "image/png").await).unwrap().to_rgb8();
        let colours: HashSet<_> = copied.pixels().collect();
        assert!(copied.width() > 600 && colours.len() > 500, "{} wide, {} colours", copied.width(), colours.len());
    });
}
