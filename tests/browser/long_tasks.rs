//! The main thread stays free while the engine attacks: no task of 50 ms or more, a long task in browsers' terms.

use fantoccini::Client;
use serde_json::{Value, json};

use crate::page::{Attack, CPU_TIMEOUT, Page};
use crate::server::{Server, page_folder};
use crate::session::{Graphics, browse_alone};
use crate::visit;

/// Starts to collect long tasks, and drops the tasks collected before.
pub async fn observe(client: &Client) {
    let script = "window.longTasks = [];
        window.longTaskObserver?.disconnect();
        window.longTaskObserver = new PerformanceObserver(list => window.longTasks.push(...list.getEntries()));
        window.longTaskObserver.observe({ type: 'longtask', buffered: false })";
    client.execute(script, vec![]).await.unwrap();
}

/// Returns the durations of the long tasks since [`observe`], in milliseconds.
pub async fn durations_ms(client: &Client) -> Vec<f64> {
    // The browser reports a task some time after its end.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let script = "return window.longTasks.concat(window.longTaskObserver.takeRecords()).map(task => task.duration)";
    serde_json::from_value(client.execute(script, vec![]).await.unwrap()).unwrap()
}

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn no_long_task_while_an_attack_runs() {
    browse_alone(Graphics::NoAdapter, async |client| {
        let supported = "return PerformanceObserver.supportedEntryTypes.includes('longtask')";
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        assert_eq!(
            client.execute(supported, vec![]).await.unwrap(),
            json!(true),
            "this browser tells of no long tasks"
        );
        visit::classify_a_sample(&page).await;
        assert_observer_works(client).await;

        // The engine has one core and the page another, and other programs on this machine share both: a task that waits for a
        // core counts as long as well. So of up to six attacks the best counts. A long task of the page itself would occur in
        // all six.
        let mut all = Vec::new();
        for _ in 0..6 {
            observe(client).await;
            page.attack(Attack { kind: "bim", epsilon_255: 8, steps: 12 }).await;
            let tasks = durations_ms(client).await;
            println!("long tasks, in ms: {tasks:?}");
            if tasks.is_empty() {
                return;
            }
            all.push(tasks);
        }
        panic!("the page's main thread was busy for 50 ms or more at a time in each of six attacks: {all:?}");
    });
}

/// Checks that the observer reports a long task, without which the test could not fail.
async fn assert_observer_works(client: &Client) {
    observe(client).await;
    let busy = "setTimeout(() => { const end = performance.now() + 120; while (performance.now() < end); }, 0)";
    client.execute(busy, Vec::<Value>::new()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let tasks = durations_ms(client).await;
    assert!(tasks.iter().any(|ms| *ms >= 100.0), "a task of 120 ms was not seen: {tasks:?}");
}
