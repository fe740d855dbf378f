//! Steps of a visit that must work on every backend. Each step asserts the results that a visitor is shown.

use std::fs;

use image::ImageFormat;
use tempfile::TempDir;

use crate::native::Native;
use crate::page::{Attack, Page, SIDES};
use crate::pictures::{encode, striped_disc};
use crate::server::Server;

/// Opens a picture of the gallery, asserts that both networks' probabilities add up, and returns their predictions.
pub async fn classify_a_sample(page: &Page<'_>) -> [Vec<(u64, f64)>; 2] {
    page.choose_sample(0).await;
    let answers = clean_answers(page).await;
    for answers in &answers {
        assert_eq!(answers.len(), 5, "{answers:?}");
        assert!(answers.is_sorted_by(|better, worse| better.1 >= worse.1), "{answers:?}");
        let sum: f64 = answers.iter().map(|answer| answer.1).sum();
        assert!(sum > 0.0 && sum < 1.0 + 1e-3, "the shares {answers:?} add up to {sum}");
    }
    answers
}

/// Returns the predictions of the clean picture, left network first.
pub async fn clean_answers(page: &Page<'_>) -> [Vec<(u64, f64)>; 2] {
    [page.answers("clean", SIDES[0]).await, page.answers("clean", SIDES[1]).await]
}

/// Looks into both networks, and returns the shares of all detectors, left network first.
pub async fn gauges(page: &Page<'_>) -> Vec<f64> {
    page.click("look-button").await;
    page.wait_until_idle().await;
    let script = "return [...arguments[0].querySelectorAll('.gauges td')].map(cell => Number(cell.dataset.share))";
    let mut all = vec![];
    for side in SIDES {
        let shares = page.run_script(script, &format!("inside-{side}"), vec![]).await;
        all.extend(serde_json::from_value::<Vec<f64>>(shares).unwrap());
    }
    all
}

/// Opens a file, and asserts that a 64x64 picture in a lossless format is shown without a changed value.
pub async fn upload_a_file(page: &Page<'_>, folder: &TempDir) {
    let picture = striped_disc();
    let file = folder.path().join("striped disc.png");
    fs::write(&file, encode(&picture, ImageFormat::Png)).unwrap();
    page.upload(&file).await;
    for canvas in ["input-canvas", "clean-canvas-left", "clean-canvas-right"] {
        assert!(page.pixels(canvas).await == *picture.as_raw(), "{canvas} shows another picture than the file");
    }
}

/// Attacks [`upload_a_file`]'s picture, and asserts that the largest change is epsilon.
pub async fn attack_within_epsilon(page: &Page<'_>, attack: Attack) {
    page.attack(attack).await;
    for side in SIDES {
        let clean = page.pixels(&format!("clean-canvas-{side}")).await;
        let attacked = page.pixels(&format!("attacked-canvas-{side}")).await;
        let changes: Vec<u8> = clean.iter().zip(&attacked).map(|(before, after)| before.abs_diff(*after)).collect();
        let largest = *changes.iter().max().unwrap();
        let changed = changes.iter().filter(|change| **change > 0).count();
        // The picture is far from black and white, so the attacks reach the edge of the ball.
        assert_eq!(largest, attack.epsilon_255, "{attack:?} on the {side} network");
        assert!(changed > changes.len() / 2, "{attack:?} on the {side} network changed {changed} values only");

        let said = page.number(&format!("change-{side}"), "data-levels").await;
        assert_eq!(said, u64::from(largest), "what the page says about the {side} network");
        let (before, after) = (page.answers("clean", side).await, page.answers("attacked", side).await);
        let verdict = page.attribute(&format!("verdict-{side}"), "data-verdict").await.unwrap();
        // A visitor's own picture has no label.
        let expected = if before[0].0 == after[0].0 { "kept" } else { "changed" };
        assert_eq!(verdict, expected, "{attack:?} on the {side} network: {before:?} became {after:?}");
    }
}

/// Runs FGSM on [`upload_a_file`]'s picture, and asserts that all numbers equal those of the same networks natively.
pub async fn attack_as_natively(page: &Page<'_>, native: &Native) {
    /// Largest share of values that may move the other way, because rounding decides the sign of a gradient near zero.
    const MOST_DIFFERING: f64 = 0.03;
    let attack = Attack { kind: "fgsm", epsilon_255: 8, steps: 1 };
    attack_within_epsilon(page, attack).await;
    for side in SIDES {
        let clean = page.pixels(&format!("clean-canvas-{side}")).await;
        let attacked = page.pixels(&format!("attacked-canvas-{side}")).await;
        assert_shares(&page.answers("clean", side).await, &native.shares(side, &clean));
        // The picture that is shown is the picture that is classified, even where it differs from the native attack's.
        assert_shares(&page.answers("attacked", side).await, &native.shares(side, &attacked));

        let expected = native.fgsm(side, &clean, attack.epsilon_255);
        let distances: Vec<u8> =
            attacked.iter().zip(&expected).map(|(found, native)| found.abs_diff(*native)).collect();
        let differing = distances.iter().filter(|distance| **distance > 0).count() as f64 / distances.len() as f64;
        println!("{side}: {:.3}% of the attacked values differ from the native ones", 100.0 * differing);
        assert!(differing <= MOST_DIFFERING, "{side}: {differing} of the values differ from the native attack's");
        assert!(distances.iter().all(|distance| *distance <= 2 * attack.epsilon_255), "{side}: out of epsilon");
    }
}

/// Asserts that the page's predictions have the probabilities of `native`, and that no better class is missing.
#[track_caller]
pub fn assert_shares(answers: &[(u64, f64)], native: &[f32]) {
    const TOLERANCE: f64 = 1e-3;
    let of_class = |class: u64| f64::from(native[usize::try_from(class).unwrap()]);
    for (class, share) in answers {
        let expected = of_class(*class);
        assert!(
            (share - expected).abs() < TOLERANCE,
            "class {class} has {share}, and natively {expected}: {answers:?}"
        );
    }
    let best = native.iter().copied().map(f64::from).fold(0.0, f64::max);
    assert!(best - of_class(answers[0].0) < TOLERANCE, "natively another class is best, with {best}: {answers:?}");
}

/// Runs a targeted attack on [`upload_a_file`]'s picture, and asserts that it moves both networks towards the chosen class and
/// that the page marks that class.
pub async fn attack_towards_a_class(page: &Page<'_>, native: &Native) {
    let [standard, hardened] = clean_answers(page).await;
    let own_answers = [standard[0].0, hardened[0].0];
    let target = standard.iter().map(|answer| answer.0).find(|class| !own_answers.contains(class)).unwrap();
    page.select("target-class", &target.to_string()).await;
    page.attack(Attack { kind: "bim", epsilon_255: 8, steps: 10 }).await;
    for side in SIDES {
        let share = async |canvas: &str| {
            let pixels = page.pixels(&format!("{canvas}-canvas-{side}")).await;
            native.shares(side, &pixels)[usize::try_from(target).unwrap()]
        };
        let (before, after) = (share("clean").await, share("attacked").await);
        println!("{side}: the share of the class aimed at went from {before} to {after}");
        assert!(after > before, "{side}: the share of the class aimed at went from {before} to {after}");
    }
    // The standard network cannot withstand this much.
    assert_eq!(page.answers("attacked", "left").await[0].0, target);
    assert_eq!(page.marked_targets("left").await, [target]);
    assert_eq!(page.attribute("verdict-left", "data-verdict").await.unwrap(), "led");
    page.select("target-class", "").await;
}

/// Stops a long attack by `stop`, a button or a key, and asserts that the page stays usable.
pub async fn cancel(page: &Page<'_>, attack: Attack, stop: impl AsyncFnOnce()) {
    page.begin_attack(attack).await;
    page.until("the first step", async || page.number("column-left", "data-steps-done").await > 0).await;
    stop().await;
    page.until("the engine to stop", async || page.work().await == "idle").await;
    assert_eq!(page.column_state("left").await, "stopped");
    let [done, _] = page.steps("data-steps-done").await;
    assert!(done < u64::from(attack.steps), "it ran to its end");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(page.steps("data-steps-done").await[0], done, "it went on after it was stopped");
}

/// Stops the server and reloads the page from the browser's cache.
pub async fn reload_without_network(page: &Page<'_>, server: Server) {
    page.until("the page to be kept", async || {
        page.attribute("offline-status", "data-state").await.as_deref() == Some("kept")
    })
    .await;
    drop(server);
    page.reload().await;
    page.wait_until_ready().await;
    assert_eq!(page.attribute("engine-status", "data-weights").await.unwrap(), "cache");
}
