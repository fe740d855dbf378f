//! What every visit must be able to do, whatever computes. Each step asserts what a visitor would see.

use std::fs;

use image::ImageFormat;
use tempfile::TempDir;

use crate::native::Native;
use crate::page::{Attack, Page, SIDES};
use crate::pictures::{encode, striped_disc};
use crate::server::Server;

/// Both networks answer to a picture of the gallery, with shares that add up. Gives their answers.
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

/// The answers to the clean picture, left network first.
pub async fn clean_answers(page: &Page<'_>) -> [Vec<(u64, f64)>; 2] {
    [page.answers("clean", SIDES[0]).await, page.answers("clean", SIDES[1]).await]
}

/// A file of the visitor's is what the networks see: 64x64 in a lossless format must not change by a single value.
pub async fn upload_a_file(page: &Page<'_>, folder: &TempDir) {
    let picture = striped_disc();
    let file = folder.path().join("striped disc.png");
    fs::write(&file, encode(&picture, ImageFormat::Png)).unwrap();
    page.upload(&file).await;
    for canvas in ["input-canvas", "clean-canvas-left", "clean-canvas-right"] {
        assert!(page.pixels(canvas).await == *picture.as_raw(), "{canvas} shows another picture than the file");
    }
}

/// An attack on [`upload_a_file`]'s picture changes what is shown, by as much as epsilon and no more.
pub async fn attack_within_epsilon(page: &Page<'_>, attack: Attack) {
    page.attack(attack).await;
    for side in SIDES {
        let clean = page.pixels(&format!("clean-canvas-{side}")).await;
        let attacked = page.pixels(&format!("attacked-canvas-{side}")).await;
        let changes: Vec<u8> = clean.iter().zip(&attacked).map(|(before, after)| before.abs_diff(*after)).collect();
        let largest = *changes.iter().max().unwrap();
        let changed = changes.iter().filter(|change| **change > 0).count();
        // The picture keeps clear of black and white, so the attacks reach the edge of what they may do.
        assert_eq!(largest, attack.epsilon_255, "{attack:?} on the {side} network");
        assert!(changed > changes.len() / 2, "{attack:?} on the {side} network changed {changed} values only");

        let said = page.number(&format!("change-{side}"), "data-levels").await;
        assert_eq!(said, u64::from(largest), "what the page says about the {side} network");
        let (before, after) = (page.answers("clean", side).await, page.answers("attacked", side).await);
        let verdict = page.attribute(&format!("verdict-{side}"), "data-verdict").await.unwrap();
        // Nobody has said what it shows.
        let expected = if before[0].0 == after[0].0 { "kept" } else { "changed" };
        assert_eq!(verdict, expected, "{attack:?} on the {side} network: {before:?} became {after:?}");
    }
}

/// FGSM on [`upload_a_file`]'s picture, whose every number must be what the same networks give natively.
pub async fn attack_as_natively(page: &Page<'_>, native: &Native) {
    /// Where the gradient is next to nothing, rounding decides on its sign, and the value goes the other way.
    const MOST_DIFFERING: f64 = 0.03;
    let attack = Attack { kind: "fgsm", epsilon_255: 8, steps: 1 };
    attack_within_epsilon(page, attack).await;
    for side in SIDES {
        let clean = page.pixels(&format!("clean-canvas-{side}")).await;
        let attacked = page.pixels(&format!("attacked-canvas-{side}")).await;
        assert_shares(&page.answers("clean", side).await, &native.shares(side, &clean));
        // What is shown is what is scored, whether or not it is the native attack's picture to the last value.
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

/// Asserts that the page's guesses have the shares of all classes that `native` lists, and that none is missing on top.
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

/// A targeted attack on [`upload_a_file`]'s picture moves both networks towards the class that was chosen, and the page
/// marks that class.
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

/// A long attack stops when told to, by button or by key, and the page goes on from there.
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

/// Takes the server away and loads the page again, from what the browser has kept.
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
