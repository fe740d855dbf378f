//! The page as `cargo xtask dist` makes it: content security policy, compressed files, any folder, installation and removal.

use std::fs;

use fantoccini::Client;
use serde_json::{Value, json};

use crate::page::{Attack, CPU_TIMEOUT, NETWORKS, Page};
use crate::server::{Server, copy_of_page_in, page_folder};
use crate::session::{Graphics, browse, console};
use crate::visit;

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn the_page_keeps_to_its_own_policy() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let policy = header(client, "", "content-security-policy").await;
        let policy = policy.expect("no policy: these tests open the page that `cargo xtask test` makes of dist/");
        let scripts = policy.split("; ").find(|directive| directive.starts_with("script-src ")).unwrap();
        assert!(!scripts.contains("'unsafe-eval'") && !scripts.contains("'unsafe-inline'"), "{scripts}");

        // The policy holds: an injected script does not run.
        let script = "const script = document.createElement('script');
            script.textContent = 'window.smuggled = true';
            document.head.append(script);
            return window.smuggled ?? false";
        assert_eq!(client.execute(script, vec![]).await.unwrap(), json!(false));
        let violations = policy_violations(client).await;
        assert_eq!(violations.len(), 1, "the one script that was smuggled in: {violations:?}");

        // The page itself does not violate the policy.
        visit::classify_a_sample(&page).await;
        page.attack(Attack { kind: "bim", epsilon_255: 4, steps: 3 }).await;
        assert_eq!(policy_violations(client).await, Vec::<String>::new());
    });
}

/// Returns the console's messages about violations of the policy since the last call.
async fn policy_violations(client: &Client) -> Vec<String> {
    console(client).await.into_iter().filter(|line| line.contains("Content Security Policy")).collect()
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn programs_come_compressed_and_are_kept_for_ever_and_the_page_is_asked_for_again() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let card = format!("models/{}/model.json", NETWORKS[0]);
        assert_eq!(header(client, "", "cache-control").await.as_deref(), Some("no-cache"));
        assert_eq!(header(client, &card, "cache-control").await.as_deref(), Some("no-cache"));

        let script = "return performance.getEntriesByType('resource').map(entry => entry.name)";
        let loaded = client.execute(script, vec![]).await.unwrap();
        let mut programs: Vec<String> =
            loaded.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        programs.retain(|name| {
            [".js", ".wasm", ".css"].iter().any(|ending| name.ends_with(ending)) && !name.ends_with("/sw.js")
        });
        let workers =
            "const named = document.querySelectorAll('meta[name=bastion-cpu-engine], meta[name=bastion-gpu-engine], meta[name=bastion-decoder]');
            return [...named].map(named => named.content).join(' ')";
        let workers = client.execute(workers, vec![]).await.unwrap();
        let workers: Vec<&str> = workers.as_str().unwrap().split_whitespace().collect();
        assert_eq!(workers.len(), 9, "the page does not name three files of each of three workers");
        programs.extend(workers.iter().map(|name| (*name).to_owned()));
        // Two files of the app, three of each worker, and at least one style sheet.
        assert!(programs.len() >= 12, "{programs:?}");
        for program in &programs {
            let kept = header(client, program, "cache-control").await.unwrap_or_default();
            assert!(kept.contains("immutable"), "{program} may be kept as long as {kept:?} says");
        }
        for program in programs.iter().filter(|name| name.ends_with(".wasm")) {
            assert_eq!(header(client, program, "content-encoding").await.as_deref(), Some("br"), "{program}");
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn the_engines_download_is_told_in_the_bytes_that_are_sent() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        // Another engine is loaded, whose download is observed from its beginning.
        let script = "window.told = [];
            new MutationObserver(() => {
                const told = document.querySelector('[data-testid=progress-engine]')?.dataset;
                if (told) window.told.push([Number(told.received), Number(told.total)]);
            }).observe(document.body, { attributes: true, childList: true, subtree: true })";
        client.execute(script, vec![]).await.unwrap();
        page.select("backend-select", "auto").await;
        page.until("an engine that is loaded", async || page.engine_state().await != "ready").await;
        page.wait_until_ready().await;
        let told: Vec<[u64; 2]> =
            serde_json::from_value(client.execute("return window.told", vec![]).await.unwrap()).unwrap();
        let packed = fs::read_dir(page_folder()).unwrap().map(|entry| entry.unwrap());
        let packed = packed
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("cpu-engine"))
            .find(|entry| entry.file_name().to_string_lossy().ends_with(".wasm.br"));
        let packed = packed.expect("the engine lies packed beside itself").metadata().unwrap().len();
        let on_the_way = told.iter().filter(|[received, total]| (1..*total).contains(received)).count();
        assert!(on_the_way > 0 && told.contains(&[packed, packed]), "{packed} bytes were sent, and told was {told:?}");
    });
}

/// Returns a header of the response at an address, or the status of an error.
async fn header(client: &Client, address: &str, name: &str) -> Option<String> {
    let script = "const [address, name, done] = arguments;
        fetch(address || location.href, { method: 'HEAD', cache: 'no-store' })
            .then(response => done(response.ok ? response.headers.get(name) : `${response.status}`), () => done(null))";
    let value = client.execute_async(script, vec![json!(address), json!(name)]).await.unwrap();
    value.as_str().map(str::to_owned)
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn the_page_works_in_a_folder_of_another_site() {
    browse(Graphics::NoAdapter, async |client| {
        // Without the page's headers, which such a host does not send, and with the site's front page beside it.
        let copy = copy_of_page_in("some/folder");
        fs::write(copy.path().join("index.html"), "<p>another page</p>").unwrap();
        let server = Server::start(copy.path());
        let address = format!("{}some/folder/", server.url);
        let page = Page::open(client, &address, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let answers = visit::classify_a_sample(&page).await;
        visit::reload_without_network(&page, server).await;
        assert_eq!(visit::classify_a_sample(&page).await, answers);
        let script = "return performance.getEntriesByType('resource').map(entry => entry.name)";
        for name in client.execute(script, vec![]).await.unwrap().as_array().unwrap() {
            let name = name.as_str().unwrap();
            assert!(name.starts_with(&address) || !name.starts_with("http"), "{name} is not in {address}");
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn the_page_can_be_installed() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let script = "const done = arguments[0];
            (async () => {
                const link = document.querySelector('link[rel=manifest]');
                const response = await fetch(link.href);
                const manifest = await response.json();
                const icons = await Promise.all(manifest.icons.map(async icon => {
                    const picture = new Image();
                    picture.src = new URL(icon.src, link.href);
                    await picture.decode();
                    return { sizes: icon.sizes, width: picture.naturalWidth, height: picture.naturalHeight,
                        purpose: icon.purpose ?? 'any' };
                }));
                return { type: response.headers.get('content-type'), display: manifest.display,
                    start: new URL(manifest.start_url, link.href).href, name: manifest.short_name, icons };
            })().then(done, error => done(String(error)))";
        let manifest = client.execute_async(script, vec![]).await.unwrap();
        assert_eq!(manifest["type"], json!("application/manifest+json"), "{manifest}");
        assert_eq!(manifest["display"], json!("standalone"), "{manifest}");
        assert_eq!(manifest["start"], json!(server.url), "{manifest}");
        assert!(!manifest["name"].as_str().unwrap().is_empty(), "{manifest}");
        let icons = manifest["icons"].as_array().unwrap();
        for icon in icons.iter().filter(|icon| icon["sizes"] != json!("any")) {
            let size = format!("{}x{}", icon["width"], icon["height"]);
            assert_eq!(icon["sizes"], json!(size), "{icon}");
        }
        let has = |sizes: &str, purpose: &str| {
            icons.iter().any(|icon| icon["sizes"] == json!(sizes) && icon["purpose"] == json!(purpose))
        };
        assert!(has("192x192", "any") && has("512x512", "any") && has("512x512", "maskable"), "{manifest}");
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn what_the_page_keeps_is_gone_once_the_visitor_says_so() {
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let offline = async || page.attribute("offline-status", "data-state").await.unwrap_or_default();
        page.until("the page to be kept", async || offline().await == "kept").await;
        let before = kept(client).await;
        assert!(before["addresses"].as_u64().unwrap() > 5 && before["workers"] == json!(1), "{before}");

        page.run_script("arguments[0].click()", "free-space", vec![]).await;
        page.until("the space to be freed", async || {
            page.text("space-freed").await.is_some_and(|words| !words.is_empty())
        })
        .await;
        let words = page.text("space-freed").await.unwrap();
        assert!(words.contains("freed"), "{words}");
        assert_eq!(kept(client).await, json!({ "addresses": 0, "workers": 0 }));
        assert_eq!(offline().await, "not-kept");

        // The open page still works, and stores nothing.
        visit::classify_a_sample(&page).await;
        assert_eq!(kept(client).await["addresses"], json!(0));
        // The next visit stores the page again.
        page.reload().await;
        page.wait_until_ready().await;
        assert_eq!(page.attribute("engine-status", "data-weights").await.unwrap(), "network");
        page.until("the page to be kept again", async || offline().await == "kept").await;
    });
}

/// Counts the cached addresses and the service workers of the page.
async fn kept(client: &Client) -> Value {
    let script = "const done = arguments[0];
        (async () => {
            let addresses = 0;
            for (const name of await caches.keys()) addresses += (await (await caches.open(name)).keys()).length;
            return { addresses, workers: (await navigator.serviceWorker.getRegistrations()).length };
        })().then(done, error => done(String(error)))";
    client.execute_async(script, vec![]).await.unwrap()
}
