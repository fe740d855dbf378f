//! Costs of a visit on this machine, written to a file for `cargo xtask bench page`.

use std::fmt::Write;
use std::fs;

use fantoccini::Client;
use serde_json::json;

use crate::long_tasks;
use crate::page::{Attack, CPU_TIMEOUT, Page, SIDES};
use crate::server::{Server, page_folder};
use crate::session::{Graphics, browse, chrome_command};
use crate::visit;

/// Steps of the measured attack.
const STEPS: u32 = 20;

#[test]
#[ignore = "measures for `cargo xtask bench page`, and needs its page and Chromium"]
fn what_a_visit_costs() {
    let Some(file) = std::env::var_os("BASTION_MEASURE") else {
        println!("skipped: only `cargo xtask bench page` asks for figures");
        return;
    };
    let mut figures = String::new();
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        note_when_ready(client).await;
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        write_load_times(client, &page, "first visit", &mut figures).await;
        page.until("the page to be kept", async || {
            page.attribute("offline-status", "data-state").await.as_deref() == Some("kept")
        })
        .await;
        page.reload().await;
        write_load_times(client, &page, "second visit", &mut figures).await;

        visit::classify_a_sample(&page).await;
        page.measure_responsiveness("engine-status", "work", "attacking").await;
        long_tasks::observe(client).await;
        page.attack(Attack { kind: "bim", epsilon_255: 8, steps: STEPS }).await;
        let longest = long_tasks::durations_ms(client).await.into_iter().fold(0.0, f64::max);
        let task = if longest > 0.0 { format!("{longest:.0} ms") } else { "below 50 ms".into() };
        line(&mut figures, "longest task of the main thread during an attack", &task);
        let stall = page.responsiveness().await.longest_stall_ms;
        line(&mut figures, "longest time without a turn of its event loop", &format!("{stall:.0} ms"));

        for side in SIDES {
            let network = page.attribute(&format!("column-{side}"), "data-network").await.unwrap_or_default();
            let elapsed: Option<f64> =
                page.attribute(&format!("elapsed-{side}"), "data-ms").await.and_then(|ms| ms.parse().ok());
            let ms = elapsed.map_or("not told".into(), |ms| format!("{:.1} ms", ms / f64::from(STEPS)));
            line(&mut figures, &format!("a step of BIM on {network}"), &ms);
        }
        // The page measures a forward pass and a step itself, and shows the times.
        if let Some(words) = page.text("timing").await {
            line(&mut figures, "as the page says", &words);
        }
    });
    print!("{figures}");
    fs::write(file, figures).unwrap();
}

fn line(figures: &mut String, what: &str, value: &str) {
    writeln!(figures, "{what:50}  {value:>12}").unwrap();
}

/// Makes each page opened from now on record the time at which its engine was ready.
async fn note_when_ready(client: &Client) {
    let source = "const noted = setInterval(() => {
            if (document.querySelector(\"[data-testid='engine-status'][data-state='ready']\")) {
                window.readyAt = performance.now();
                clearInterval(noted);
            }
        }, 5)";
    chrome_command(client, "Page.addScriptToEvaluateOnNewDocument", json!({ "source": source })).await;
}

/// Writes the times of the first paint and of the ready engine, in milliseconds since the start of the navigation.
async fn write_load_times(client: &Client, page: &Page<'_>, visit: &str, figures: &mut String) {
    page.wait_until_ready().await;
    page.until("the page's own note", async || {
        client.execute("return window.readyAt ?? null", vec![]).await.unwrap().is_number()
    })
    .await;
    let script =
        "const first = performance.getEntriesByType('paint').find(entry => entry.name === 'first-contentful-paint');
        return [first?.startTime ?? null, window.readyAt]";
    let times = client.execute(script, vec![]).await.unwrap();
    let ms = |index: usize| times[index].as_f64().map_or("not told".into(), |ms| format!("{ms:.0} ms"));
    line(figures, &format!("{visit}: first contentful paint"), &ms(0));
    line(figures, &format!("{visit}: engine ready"), &ms(1));
}
