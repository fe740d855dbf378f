//! What a visit survives: workers that are killed, no storage, another page and back, translation, a great haste, large letters.

use fantoccini::Client;
use serde_json::json;

use crate::faulty::FaultyServer;
use crate::page::{Attack, CPU_TIMEOUT, Page};
use crate::server::{Server, page_folder};
use crate::session::{Graphics, browse, chrome_command};
use crate::visit;

/// Runs a script in each page before the page's own.
async fn before_each_page(client: &Client, script: &str) {
    chrome_command(client, "Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
}

/// Keeps the page's last worker of each program as `window.workers.engine` and `window.workers.decoder`.
const REMEMBER_WORKERS: &str = "window.workers = {};
    window.Worker = class extends Worker {
        constructor(url, options) {
            super(url, options);
            window.workers[options.name.match(/^bastion-(?:cpu-|gpu-)?(\\w+)-/)[1]] = this;
        }
    }";

/// A long attack.
const LONG: Attack = Attack { kind: "bim", epsilon_255: 8, steps: 40 };

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_worker_that_ends_in_the_middle_of_an_attack_is_replaced_and_the_attack_goes_on() {
    browse(Graphics::NoAdapter, async |client| {
        let server = FaultyServer::start();
        let loader = server.file("cpu-engine_loader-", ".js");
        let closing = "new BroadcastChannel('test').onmessage = () => self.close();";
        server.edit(&loader, |script| format!("{closing}\n{script}"));
        before_each_page(client, REMEMBER_WORKERS).await;
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        visit::classify_a_sample(&page).await;
        let picture = page.pixels("input-canvas").await;
        for end in ["new BroadcastChannel('test').postMessage(0)", "window.workers.engine.terminate()"] {
            page.begin_attack(LONG).await;
            page.until("a step", async || page.number("column-left", "data-steps-done").await > 0).await;
            client.execute(end, vec![]).await.unwrap();
            page.wait_for_alert(&["started again"]).await;
            page.until("the attack to end", async || page.column_state("right").await == "done").await;
            assert!(page.pixels("input-canvas").await == picture, "{end}: another picture is shown");
            page.click("alert-dismiss").await;
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn idle_workers_that_end_are_replaced() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        before_each_page(client, REMEMBER_WORKERS).await;
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        visit::classify_a_sample(&page).await;
        client.execute("window.workers.engine.terminate()", vec![]).await.unwrap();
        page.wait_for_alert(&["started again"]).await;
        page.wait_until_ready().await;
        page.click("alert-dismiss").await;
        page.choose_sample(1).await;
        visit::clean_answers(&page).await;

        // A decoder without a picture to read is replaced without a message.
        client.execute("window.workers.decoder.terminate()", vec![]).await.unwrap();
        page.choose_sample(2).await;
        visit::clean_answers(&page).await;
        assert_eq!(page.alert().await, None);
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_browser_that_stores_nothing_shows_the_page() {
    let denied = |name: &str| {
        format!(
            "Object.defineProperty(window, '{name}', {{ get() {{ throw new DOMException('no', 'SecurityError') }} }});"
        )
    };
    let all = ["localStorage", "sessionStorage", "caches", "indexedDB"].map(denied).join("\n");
    let full = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') };
        Cache.prototype.put = () => Promise.reject(new DOMException('full', 'QuotaExceededError'));
        navigator.storage.estimate = () => Promise.reject(new TypeError('no'));";
    let nothing = "delete Navigator.prototype.serviceWorker; delete window.caches; delete Navigator.prototype.locks;
        delete Navigator.prototype.storage;";
    let refused =
        "ServiceWorkerContainer.prototype.register = () => Promise.reject(new DOMException('no', 'SecurityError'));
        Object.defineProperty(ServiceWorkerContainer.prototype, 'ready', { get: () => new Promise(() => {}) });";
    for script in [all.as_str(), full, nothing, refused] {
        browse(Graphics::NoAdapter, async |client| {
            let server = Server::start(&page_folder());
            before_each_page(client, script).await;
            let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
            page.wait_until_ready().await;
            visit::classify_a_sample(&page).await;
            page.attack(Attack { kind: "fgsm", epsilon_255: 4, steps: 1 }).await;
            page.run_script("arguments[0].click()", "free-space", vec![]).await;
            page.until("an answer of the button", async || {
                page.text("space-freed").await.is_some_and(|words| !words.is_empty())
            })
            .await;
        });
    }
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn back_and_forward_in_the_middle_of_an_attack() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        visit::classify_a_sample(&page).await;
        for _ in 0..2 {
            page.begin_attack(LONG).await;
            page.until("a step", async || page.number("column-left", "data-steps-done").await > 0).await;
            page.go_to(&format!("{}manifest.webmanifest", server.url)).await;
            client.back().await.unwrap();
            page.wait_until_ready().await;
            page.wait_until_idle().await;
            page.attack(Attack { kind: "fgsm", epsilon_255: 4, steps: 1 }).await;
            client.forward().await.unwrap();
            client.back().await.unwrap();
            page.wait_until_ready().await;
            page.wait_until_idle().await;
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_page_that_is_frozen_for_a_while_goes_on() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        visit::classify_a_sample(&page).await;
        page.begin_attack(LONG).await;
        chrome_command(client, "Page.setWebLifecycleState", json!({ "state": "frozen" })).await;
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        chrome_command(client, "Page.setWebLifecycleState", json!({ "state": "active" })).await;
        page.until("the attack to end", async || page.column_state("right").await == "done").await;
        assert_eq!(page.alert().await, None);
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn three_hundred_moves_of_a_slider_come_to_the_last_one() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        visit::classify_a_sample(&page).await;
        // So many that the attack comes to the edge of its ball.
        page.attack(Attack { kind: "bim", epsilon_255: 4, steps: 10 }).await;
        let script = "const [slider] = arguments;
            for (let move = 0; move < 300; move++) {
                slider.value = move === 299 ? 9 : 1 + move % 16;
                slider.dispatchEvent(new Event('input', { bubbles: true }));
            }";
        page.run_script(script, "epsilon", vec![]).await;
        page.until("the last epsilon", async || {
            page.work().await == "idle" && page.number("change-left", "data-levels").await == 9
        })
        .await;
        assert_eq!(page.alert().await, None);
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn texts_of_a_translated_page_go_on_changing() {
    // As translators do it: `font` elements in the place of texts, or around them.
    let ways = [
        "text.replaceWith(font)",
        "text.before(font); text.remove()",
        "text.parentNode.replaceChild(font, text)",
        "text.replaceWith(font); font.replaceChildren(text)",
    ];
    for way in ways {
        browse(Graphics::NoAdapter, async |client| {
            let server = Server::start(&page_folder());
            let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
            page.wait_until_ready().await;
            visit::classify_a_sample(&page).await;
            page.attack(Attack { kind: "bim", epsilon_255: 1, steps: 2 }).await;
            let translate = format!(
                "const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), texts = [];
                while (walk.nextNode()) texts.push(walk.currentNode);
                for (const text of texts) {{
                    if (!text.data.trim() || text.parentElement.closest('script, style, option, [translate=no]')) continue;
                    const font = document.createElement('font');
                    font.textContent = '«' + text.data + '»';
                    {way};
                }}"
            );
            client.execute(&translate, vec![]).await.unwrap();
            page.attack(Attack { kind: "bim", epsilon_255: 16, steps: 10 }).await;
            assert_eq!(page.attribute("verdict-left", "data-verdict").await.as_deref(), Some("fooled"), "{way}");
            assert_eq!(page.text("verdict-left").await.unwrap().replace(['«', '»'], ""), "fooled", "{way}");
            let words = page.text("verdict-words-left").await.unwrap();
            assert!(words.contains("and now says") && !words.contains("Still"), "{way}: {words}");
            assert_eq!(page.text("change-left").await.unwrap(), "16/255", "{way}");
            // Texts that go and come, and whole lists.
            page.choose_sample(1).await;
            assert_eq!(page.text("verdict-left").await.unwrap().replace(['«', '»'], ""), "not attacked", "{way}");
            let fonts = "return [...document.querySelectorAll('#app font')].filter(font => font.isConnected && !font.parentNode).length";
            assert_eq!(client.execute(fonts, vec![]).await.unwrap(), json!(0));
        });
    }
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn narrow_screens_and_large_letters_scroll_down_only() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        visit::classify_a_sample(&page).await;
        chrome_command(client, "Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
        let screens = [(320, 200), (320, 100), (240, 100), (640, 200)];
        // Before an attack and after it: verdicts have other words.
        for (number, (width, letters)) in screens.iter().chain(&screens).copied().enumerate() {
            if number == screens.len() {
                page.attack(Attack { kind: "bim", epsilon_255: 4, steps: 3 }).await;
            }
            let screen = json!({ "width": width, "height": 700, "deviceScaleFactor": 1, "mobile": false });
            chrome_command(client, "Emulation.setDeviceMetricsOverride", screen).await;
            let script = "document.documentElement.style.fontSize = arguments[0] + '%';
                document.querySelectorAll('details').forEach(it => it.open = true);
                const wide = [...document.querySelectorAll('body *')]
                    .filter(it => it.getBoundingClientRect().right > innerWidth + 1 && it.getClientRects().length)
                    .map(it => it.tagName + '.' + it.className + ' ' + Math.round(it.getBoundingClientRect().right));
                return [document.documentElement.scrollWidth - innerWidth, wide.slice(0, 12)]";
            let measured = client.execute(script, vec![json!(letters)]).await.unwrap();
            let overflow = measured[0].as_i64().unwrap();
            assert!(
                overflow <= 0,
                "{width} pixels, letters of {letters}%: {overflow} pixels too wide: {}",
                measured[1]
            );
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_browser_that_is_silent_about_its_adapter_computes_on_the_cpu() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let silent =
            "Object.defineProperty(navigator, 'gpu', { value: { requestAdapter: () => new Promise(() => {}) } })";
        before_each_page(client, silent).await;
        let page = Page::open(client, &server.url, "", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let reason = page.text("backend-reason").await.unwrap();
        assert!(reason.starts_with("This browser did not answer when it was asked for a graphics adapter"), "{reason}");
        let script = "return performance.getEntriesByType('resource').map(entry => entry.name)
            .filter(name => name.includes('-engine_loader')).map(name => name.split('/').pop())";
        let loaders: Vec<String> = serde_json::from_value(client.execute(script, vec![]).await.unwrap()).unwrap();
        assert!(!loaders.is_empty() && loaders.iter().all(|name| name.starts_with("cpu-engine")), "{loaders:?}");
    });
}
