//! What the browser keeps of the page: it stands in for a network that fails, and never in the way of one that works.

use fantoccini::Client;
use serde_json::{Value, json};

use crate::faulty::{Fault, FaultyServer};
use crate::page::{CPU_TIMEOUT, Page};
use crate::session::{Graphics, browse};
use crate::visit;

/// Opens the page and waits until all of it is kept.
async fn kept_page<'a>(client: &'a Client, server: &FaultyServer) -> Page<'a> {
    let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
    page.wait_until_ready().await;
    wait_until_kept(&page).await;
    page
}

async fn wait_until_kept(page: &Page<'_>) {
    page.until("the page to be kept", async || offline(page).await == "kept").await;
}

async fn offline(page: &Page<'_>) -> String {
    page.attribute("offline-status", "data-state").await.unwrap_or_default()
}

/// Runs the body of an asynchronous function in the page.
async fn run(client: &Client, body: &str, arguments: Vec<Value>) -> Value {
    let script = format!(
        "const done = arguments[arguments.length - 1]; (async (...args) => {{ {body} }})(...arguments).then(done, error => done(String(error)))"
    );
    client.execute_async(&script, arguments).await.unwrap()
}

/// Puts a response into the service worker's cache, as an older service worker kept it.
async fn put(client: &Client, address: &str, content: &str, media_type: &str) {
    let body = "const [address, content, type] = args;
        const cache = await caches.open('bastion-page');
        await cache.put(address, new Response(content, { headers: { 'Content-Type': type } }))";
    let outcome = run(client, body, vec![json!(address), json!(content), json!(media_type)]).await;
    assert_eq!(outcome, Value::Null);
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_second_visit_bears_a_network_that_is_silent_or_answers_with_errors() {
    browse(Graphics::NoAdapter, async |client| {
        let server = FaultyServer::start();
        let page = kept_page(client, &server).await;
        let answers = visit::classify_a_sample(&page).await;
        for fault in [Fault::Silence, Fault::Status(503), Fault::Status(500), Fault::Stall, Fault::WebPage] {
            if fault == Fault::WebPage {
                // The page of a hotel's network comes itself, for its visitor to log in; all else is kept.
                server.fail(&[
                    ("/models/", fault),
                    ("/samples/", fault),
                    (".js", fault),
                    (".wasm", fault),
                    (".css", fault),
                ]);
            } else {
                server.fail(&[("", fault)]);
            }
            page.reload().await;
            page.wait_until_ready().await;
            assert_eq!(visit::classify_a_sample(&page).await, answers, "{fault:?}");
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_foreign_page_does_not_take_the_place_of_the_kept_one() {
    browse(Graphics::NoAdapter, async |client| {
        let server = FaultyServer::start();
        let page = kept_page(client, &server).await;
        server.fail(&[("", Fault::WebPage)]);
        page.reload().await;
        assert_eq!(client.title().await.unwrap(), "Elsewhere", "a login page has to be seen");
        server.fail(&[("", Fault::Silence)]);
        page.go_to(&server.url).await;
        page.wait_until_ready().await;
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_web_page_under_a_programs_name_is_neither_kept_nor_served() {
    browse(Graphics::NoAdapter, async |client| {
        let server = FaultyServer::start();
        let page = kept_page(client, &server).await;
        // A new build, whose index.html is there before its script is.
        let (old, new) = (server.file("app-", ".js"), "app-0123456789abcdef.js");
        std::fs::copy(server.folder.path().join(&old), server.folder.path().join(new)).unwrap();
        server.edit("index.html", |page| page.replace(&old, new));
        server.fail(&[(new, Fault::WebPage)]);
        page.reload().await;
        page.until("the page to say so", async || {
            let script = "return document.querySelector('#boot[data-broken]')?.innerText ?? ''";
            client
                .execute(script, vec![])
                .await
                .is_ok_and(|said| said.as_str().is_some_and(|said| said.contains("web page")))
        })
        .await;
        server.fail(&[]);
        page.reload().await;
        page.wait_until_ready().await;

        // What an older service worker kept.
        wait_until_kept(&page).await;
        for (name, media_type) in
            [(new, "text/html"), (new, "text/plain"), (&server.file("app-", ".wasm"), "text/html")]
        {
            put(client, name, "<!doctype html><p>no such file", media_type).await;
            page.reload().await;
            page.wait_until_ready().await;
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_kept_program_that_is_damaged_is_dropped_once_and_loaded_anew() {
    browse(Graphics::NoAdapter, async |client| {
        let server = FaultyServer::start();
        let page = kept_page(client, &server).await;
        let script = server.file("app-", ".js");
        put(client, &script, "no script", "text/javascript").await;
        page.reload().await;
        page.wait_until_ready().await;
        wait_until_kept(&page).await;

        // Where the server has nothing better, the page says so and does not reload for ever.
        server.edit(&script, |_| "no script".into());
        put(client, &script, "no script", "text/javascript").await;
        page.reload().await;
        tokio::time::sleep(std::time::Duration::from_secs(6)).await;
        client.execute("window.stays = true", vec![]).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        let script = "return [window.stays, !!document.querySelector('#boot[data-broken]')]";
        assert_eq!(client.execute(script, vec![]).await.unwrap(), json!([true, true]));
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn the_network_answers_whatever_the_cache_does() {
    let broken = [
        "caches.open = () => { throw new Error('no storage') };",
        "caches.open = () => Promise.reject(new Error('no storage')); caches.has = caches.open; caches.delete = caches.open;",
        "Cache.prototype.match = () => Promise.reject(new Error('no storage'));",
        "Cache.prototype.put = () => Promise.reject(new DOMException('full', 'QuotaExceededError'));",
        "caches.open = () => new Promise(() => {});",
        "Object.defineProperty(self, 'caches', { get() { throw new DOMException('no', 'SecurityError') } });",
        "Object.defineProperty(self, 'caches', { value: undefined });",
    ];
    for prelude in broken {
        browse(Graphics::NoAdapter, async |client| {
            let server = FaultyServer::start();
            server.edit("sw.js", |script| format!("{prelude}\n{script}"));
            let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
            page.wait_until_ready().await;
            run(client, "await navigator.serviceWorker.ready", vec![]).await;
            page.reload().await;
            page.wait_until_ready().await;
            let controlled = client.execute("return !!navigator.serviceWorker.controller", vec![]).await.unwrap();
            assert_eq!(controlled, json!(true), "{prelude}");
            visit::classify_a_sample(&page).await;
            assert_eq!(offline(&page).await, "not-kept", "{prelude}");
        });
    }
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn space_that_one_tab_frees_is_not_kept_in_another_either() {
    browse(Graphics::NoAdapter, async |client| {
        let server = FaultyServer::start();
        let page = kept_page(client, &server).await;
        let body = "let bytes = 0;
            for (const name of await caches.keys()) {
                const cache = await caches.open(name);
                for (const request of await cache.keys()) bytes += (await (await cache.match(request)).blob()).size;
            }
            return bytes";
        let first = client.window().await.unwrap();
        let second = client.new_window(true).await.unwrap().handle;
        client.switch_to_window(second).await.unwrap();
        page.go_to(&format!("{}?backend=cpu", server.url)).await;
        page.wait_until_ready().await;
        wait_until_kept(&page).await;
        let bytes = run(client, body, vec![]).await.as_f64().unwrap();

        client.switch_to_window(first.clone()).await.unwrap();
        page.run_script("arguments[0].click()", "free-space", vec![]).await;
        page.until("the space to be freed", async || {
            page.text("space-freed").await.is_some_and(|words| words.contains("freed"))
        })
        .await;
        let words = page.text("space-freed").await.unwrap();
        let said = format!("{:.1} MB freed", bytes / 1e6);
        assert!(words.contains(&said), "{words}: {bytes} bytes were kept");

        client
            .switch_to_window(client.windows().await.unwrap().into_iter().find(|it| *it != first).unwrap())
            .await
            .unwrap();
        page.until("the other tab to know", async || offline(&page).await == "not-kept").await;
        // The next visit keeps it again, though another tab of before is open.
        client.switch_to_window(first).await.unwrap();
        page.reload().await;
        page.wait_until_ready().await;
        wait_until_kept(&page).await;
    });
}
