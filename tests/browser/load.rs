//! Parts of the page that do not come, or come as something else: the page comes up, or says why within seconds, with a way on.

use std::fs;
use std::time::{Duration, Instant};

use fantoccini::Client;
use serde_json::json;

use crate::faulty::{Fault, FaultyServer};
use crate::page::{Attack, CPU_TIMEOUT, Page};
use crate::session::{Graphics, browse};

/// Longest time until the page says what it lacks: 15 seconds of silence, and a busy machine.
const SAID_WITHIN: Duration = Duration::from_secs(40);

/// Returns what index.html says in the program's place, once it says that something went wrong.
async fn told(client: &Client) -> String {
    let script = "const boot = document.querySelector('#boot[data-broken]');
        return boot && !boot.querySelector('button').hidden ? boot.innerText : ''";
    let started = Instant::now();
    loop {
        let words = client.execute(script, vec![]).await.unwrap_or_default();
        if let Some(words) = words.as_str().filter(|words| !words.is_empty()) {
            return words.to_owned();
        }
        assert!(started.elapsed() < SAID_WITHIN, "nothing is said after {:?}", started.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Has the browser keep nothing of the open page for the next one.
async fn forget(client: &Client) {
    let script = "const [done] = arguments; bastion.forget('bastion-').then(() => done(true), () => done(false))";
    assert_eq!(client.execute_async(script, vec![]).await.unwrap(), json!(true));
}

/// Presses the button that index.html offers.
async fn press_reload(client: &Client) {
    client.execute("document.querySelector('#boot button').click()", vec![]).await.unwrap();
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_part_of_the_program_that_does_not_come_is_told_with_a_button_to_reload() {
    browse(Graphics::NoAdapter, async |client| {
        let server = FaultyServer::start();
        let script = server.file("app-", ".js");
        let program = server.file("app-", ".wasm");
        let cases = [
            (&script, Fault::Status(404), "answered 404"),
            (&script, Fault::WebPage, "a web page in place of"),
            (&script, Fault::Short, ""),
            (&program, Fault::Status(404), "answered 404"),
            (&program, Fault::Status(503), "answered 503"),
            (&program, Fault::WebPage, "a web page in place of"),
            (&program, Fault::Short, "damaged"),
        ];
        for (file, fault, words) in cases {
            server.fail(&[(file, fault)]);
            client.goto(&server.url).await.unwrap();
            let said = told(client).await;
            assert!(said.contains(words) && said.contains("could not start"), "{file}, {fault:?}: {said}");
        }
        server.fail(&[]);
        press_reload(client).await;
        Page { client, timeout: CPU_TIMEOUT }.wait_until_ready().await;
        let left = client.execute("return document.querySelectorAll('#boot').length", vec![]).await.unwrap();
        assert_eq!(left, json!(0), "the message stands beside the page");
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_server_that_falls_silent_is_told_and_a_slow_one_is_not() {
    browse(Graphics::NoAdapter, async |client| {
        let server = FaultyServer::start();
        let (script, program) = (server.file("app-", ".js"), server.file("app-", ".wasm"));
        for (file, fault) in [(&script, Fault::Silence), (&program, Fault::Silence), (&program, Fault::Stall)] {
            server.fail(&[(file, fault)]);
            client.goto(&server.url).await.unwrap();
            let said = told(client).await;
            assert!(said.contains("sent nothing for 15 seconds"), "{file}, {fault:?}: {said}");
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_style_sheet_that_does_not_come_is_told_and_the_page_works() {
    browse(Graphics::NoAdapter, async |client| {
        let server = FaultyServer::start();
        let style = server.file("styles-", ".css");
        for fault in [Fault::Status(404), Fault::WebPage, Fault::Silence] {
            server.fail(&[(&style, fault)]);
            // A browser does not call a page loaded that waits for a style sheet.
            let opened = client.execute("location.href = arguments[0]", vec![json!(server.url)]).await;
            opened.unwrap();
            let said = told(client).await;
            assert!(said.contains("style sheet"), "{fault:?}: {said}");
            Page { client, timeout: CPU_TIMEOUT }.wait_until_ready().await;
        }
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_program_of_another_build_is_told() {
    browse(Graphics::NoAdapter, async |client| {
        let server = FaultyServer::start();
        let [app, engine] = ["app-", "cpu-engine-"].map(|name| server.folder.path().join(server.file(name, ".wasm")));
        fs::copy(engine, app).unwrap();
        client.goto(&server.url).await.unwrap();
        let said = told(client).await;
        assert!(said.contains("of another build"), "{said}");
        server.edit(&server.file("app-", ".js"), |_| "export const nothing = 0;".into());
        client.refresh().await.unwrap();
        told(client).await;
        server.edit(&server.file("app-", ".js"), |_| "no script".into());
        client.refresh().await.unwrap();
        told(client).await;
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_page_that_is_opened_as_a_file_asks_for_a_server() {
    browse(Graphics::NoAdapter, async |client| {
        let server = FaultyServer::start();
        let file = server.folder.path().join("index.html");
        client.goto(&format!("file://{}", file.display())).await.unwrap();
        let script = "return document.querySelector('#boot[data-broken]')?.innerText ?? ''";
        let said = client.execute(script, vec![]).await.unwrap();
        assert!(said.as_str().unwrap().contains("needs a web server"), "{said}");
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn an_engine_that_does_not_come_is_told_with_two_ways_on() {
    let server = FaultyServer::start();
    let (loader, script) = (server.file("cpu-engine_loader-", ".js"), server.file("cpu-engine-", ".js"));
    let program = server.file("cpu-engine-", ".wasm");
    let cases = [
        (&loader, Fault::Status(404), ""),
        (&loader, Fault::WebPage, ""),
        (&loader, Fault::Silence, "did not answer for 20 seconds"),
        (&script, Fault::Status(404), ""),
        (&script, Fault::Silence, "sent nothing for 15 seconds"),
        (&program, Fault::Status(404), "404"),
        (&program, Fault::WebPage, "a web page in place of"),
        (&program, Fault::Stall, "sent nothing for 15 seconds"),
    ];
    for (file, fault, words) in cases {
        // A browser of its own, since what is silent in one visit is waited for in the next.
        browse(Graphics::NoAdapter, async |client| {
            server.fail(&[(file, fault)]);
            let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
            page.until(&format!("{file}, {fault:?} to be told"), async || page.engine_state().await == "failed").await;
            let said = page.text("engine-error").await.unwrap();
            assert!(said.contains("could not be loaded") && said.contains(words), "{file}, {fault:?}: {said}");
            assert!(page.text("engine-reload").await.is_some_and(|label| label.contains("Reload")));
            if fault != Fault::Silence {
                server.fail(&[]);
                page.click("engine-retry").await;
                page.until("the engine", async || page.engine_state().await == "ready").await;
            }
        });
    }
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn one_network_works_alone_while_the_other_cannot_be_had() {
    browse(Graphics::NoAdapter, async |client| {
        let server = FaultyServer::start();
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        let cases = [
            ("hardened/model.safetensors", Fault::Stall, "right", "sent nothing for 15 seconds"),
            ("hardened/model.json", Fault::Silence, "right", "sent nothing for 15 seconds"),
            ("standard/model.json", Fault::WebPage, "left", "a web page in its place"),
            ("standard/model.json", Fault::Status(404), "left", "404"),
            ("hardened/model.safetensors", Fault::Short, "right", "broke off"),
        ];
        for (file, fault, side, words) in cases {
            forget(client).await;
            server.fail(&[(file, fault)]);
            client.goto(&server.url).await.unwrap();
            page.wait_until_ready().await;
            let other = if side == "left" { "right" } else { "left" };
            page.until("the other network to answer", async || page.column_state(other).await == "clean").await;
            let said = page.text(&format!("pending-{side}")).await.unwrap_or_default();
            assert!(said.contains(words), "{file}, {fault:?}: {said}");
            page.begin_attack(Attack { kind: "bim", epsilon_255: 4, steps: 2 }).await;
            page.until("the attack to end", async || page.column_state(other).await == "done").await;
            assert_eq!(page.column_state(side).await, "empty");
        }
        server.fail(&[]);
        page.click("go-on-right").await;
        page.until("the second network", async || page.column_state("right").await == "clean").await;
        page.wait_until_idle().await;
        page.attack(Attack { kind: "fgsm", epsilon_255: 4, steps: 1 }).await;
    });
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn a_list_of_networks_that_does_not_come_is_done_without() {
    browse(Graphics::NoAdapter, async |client| {
        let server = FaultyServer::start();
        for fault in [Fault::Silence, Fault::WebPage, Fault::Stall] {
            server.fail(&[("models/index.json", fault)]);
            let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
            page.wait_until_ready().await;
        }
        server.fail(&[("samples/index.json", Fault::Status(500))]);
        let page = Page::open(client, &server.url, "?backend=cpu&again", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let script = "return document.querySelectorAll('[data-testid^=sample-]').length";
        if client.execute(script, vec![]).await.unwrap() == json!(0) {
            page.wait_for_alert(&["sample pictures", "answered 500"]).await;
        }
    });
}
