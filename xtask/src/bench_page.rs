//! `cargo xtask bench page`: the cost of a visit to the page on this machine, in bytes and in milliseconds.

use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::browser::Browser;
use crate::checks::CPU_ONLY;
use crate::dist::{self, Budgets, Effort};
use crate::server::Server;
use crate::steps::Steps;
use crate::{npm, process};

/// Folder of the measured page, below `target`.
const MEASURED_PAGE: &str = "measured-page";

/// Lighthouse's categories.
const CATEGORIES: [&str; 3] = ["performance", "accessibility", "best-practices"];

/// Builds the page as `cargo xtask dist` does, opens it in Chromium and prints sizes and times.
///
/// # Errors
/// If something cannot be built or measured, and if a part of the page is over its budget.
pub fn run() -> Result<()> {
    let mut steps = Steps::new();
    let browser = steps.run("Chromium", Browser::ensure)?;
    let page = dist::ensure_for(MEASURED_PAGE, &mut steps, Effort::Thorough)?;
    let budgets = Budgets::of(&page)?;
    let figures = process::root()?.join("target/page-figures.txt");
    if figures.exists() {
        fs::remove_file(&figures).with_context(|| format!("cannot remove {}", figures.display()))?;
    }
    steps.run("visits", || browser.test(&page, CPU_ONLY, "measure::", &[("BASTION_MEASURE", figures.as_path())]))?;
    let measured =
        fs::read_to_string(&figures).context("the browser test that measures left no figures; was it renamed?")?;
    // Optional: nothing below depends on Lighthouse, and not every machine has Node.js.
    let scores = steps.run("Lighthouse", || Ok(lighthouse(&page, &browser)))?;

    println!("Over the wire, in Brotli:\n{budgets}\nIn this Chromium, on the CPU, served by this machine:\n{measured}");
    match scores {
        Ok(scores) => println!("Lighthouse {}, of 100:\n{scores}", npm::LIGHTHOUSE.version),
        Err(error) => println!("No scores of Lighthouse: {error:#}"),
    }
    let overruns = budgets.overruns();
    ensure!(overruns.is_empty(), "over budget: {}", overruns.join("; "));
    Ok(())
}

/// Runs Lighthouse on the page and returns its scores, one line per category.
fn lighthouse(page: &Path, browser: &Browser) -> Result<String> {
    let package = npm::LIGHTHOUSE.ensure()?;
    let node = npm::node().context("Node.js is not on PATH")?;
    let server = Server::bind(page, 0)?;
    // On the CPU, so that scores do not depend on the browser's WebGPU.
    let url = format!("{}?backend=cpu", server.url());
    thread::spawn(move || server.run());
    let report = process::root()?.join("target/lighthouse.json");
    process::run(
        process::command(node)?
            .arg(package.join("cli/index.js"))
            .args([&url, "--quiet", "--output=json", "--chrome-flags=--headless --no-sandbox --disable-dev-shm-usage"])
            .arg(format!("--only-categories={}", CATEGORIES.join(",")))
            .arg(format!("--output-path={}", report.display()))
            .env("CHROME_PATH", browser.chrome()),
    )?;
    let report = fs::read(&report).with_context(|| format!("cannot read {}", report.display()))?;
    scores(&serde_json::from_slice(&report).context("Lighthouse's report is no JSON")?)
}

/// Returns a line for each category of a Lighthouse report, followed by the audits that lower its score.
fn scores(report: &Value) -> Result<String> {
    let mut text = String::new();
    for name in CATEGORIES {
        let category = &report["categories"][name];
        let score = category["score"].as_f64().with_context(|| format!("Lighthouse gave no score for {name}"))?;
        text += &format!("{name:14}  {:>3.0}\n", 100.0 * score);
        for reference in category["auditRefs"].as_array().into_iter().flatten() {
            let audit = &report["audits"][reference["id"].as_str().unwrap_or_default()];
            let counts = reference["weight"].as_f64().is_some_and(|weight| weight > 0.0);
            if counts && audit["score"].as_f64().is_some_and(|score| score < 0.9) {
                let shown = audit["displayValue"].as_str().map(|value| format!(": {value}")).unwrap_or_default();
                text += &format!("    {}{shown}\n", audit["title"].as_str().unwrap_or_default());
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scores_are_listed_with_the_audits_that_lower_them() {
        let category =
            |score| json!({ "score": score, "auditRefs": [{ "id": "a", "weight": 1 }, { "id": "b", "weight": 0 }] });
        let report = json!({
            "categories": { "performance": category(0.87), "accessibility": category(1.0), "best-practices": category(1.0) },
            "audits": { "a": { "score": 0.5, "title": "Speed", "displayValue": "2 s" }, "b": { "score": 0.1, "title": "Other" } },
        });
        let text = scores(&report).unwrap();
        assert!(text.starts_with("performance      87\n    Speed: 2 s\naccessibility   100\n"), "{text}");
        assert!(!text.contains("Other"), "{text}");
        assert!(scores(&json!({})).unwrap_err().to_string().contains("performance"));
    }
}
