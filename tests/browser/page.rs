//! The page as a visitor uses it. Tests name actions and results; this module finds the elements (`data-testid`, listed in
//! `docs/page-test-ids.md`).

use std::path::Path;
use std::time::{Duration, Instant};

use fantoccini::{Client, Locator, key::Key};
use image::RgbImage;
use serde_json::{Value, json};

/// Sides of the two networks that the page compares.
pub const SIDES: [&str; 2] = ["left", "right"];

/// Folders of the networks that the page compares at first.
pub const NETWORKS: [&str; 2] = ["standard", "hardened"];

/// Timeout of the engine on the CPU.
pub const CPU_TIMEOUT: Duration = Duration::from_secs(120);
/// Timeout of the engine on emulated WebGPU, which on two cores compiles shaders for a minute and computes slowly.
pub const SOFTWARE_GPU_TIMEOUT: Duration = Duration::from_secs(1200);

/// An open page.
pub struct Page<'a> {
    /// Client of the browser.
    pub client: &'a Client,
    /// Longest time that is waited for anything.
    pub timeout: Duration,
}

/// Settings of an attack.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// `fgsm`, `bim`, `pgd`.
    pub kind: &'static str,
    /// Largest change of a pixel, in 255ths.
    pub epsilon_255: u8,
    /// Gradient steps; ignored for FGSM.
    pub steps: u32,
}

/// Responsiveness of the page while one of its workers was at work.
#[derive(Clone, Copy, Debug)]
pub struct Responsiveness {
    /// Time during which the page showed that the worker was at work, in milliseconds.
    pub work_ms: f64,
    /// Longest time between two turns of the page's event loop meanwhile, in milliseconds.
    pub longest_stall_ms: f64,
}

impl<'a> Page<'a> {
    /// Opens the page of a server with `query` (`?backend=cpu`, say), without waiting for the engine.
    pub async fn open(client: &'a Client, server: &str, query: &str, timeout: Duration) -> Self {
        client.goto(&format!("{server}{query}")).await.unwrap();
        Self { client, timeout }
    }

    /// Opens another address of the page.
    pub async fn go_to(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    /// Reloads the page.
    pub async fn reload(&self) {
        self.client.refresh().await.unwrap();
    }

    /// Waits until the engine is ready; panics with the page's message if the engine fails.
    pub async fn wait_until_ready(&self) {
        self.until("the engine to be ready", async || {
            if let Some(error) = self.text("engine-error").await {
                panic!("the engine failed: {error}");
            }
            self.engine_state().await == "ready"
        })
        .await;
    }

    /// Returns the state of the engine: `starting` to `ready`, or `failed`; empty before there is a page.
    pub async fn engine_state(&self) -> String {
        self.attribute("engine-status", "data-state").await.unwrap_or_default()
    }

    /// Chooses a picture of the gallery and waits for both networks' predictions.
    pub async fn choose_sample(&self, index: usize) {
        let sample = format!("sample-{index}");
        self.until(&sample, async || self.exists(&sample).await).await;
        self.open_picture(async || self.click(&sample).await).await;
    }

    /// Chooses a file and waits for both networks' predictions.
    pub async fn upload(&self, file: &Path) {
        self.open_picture(async || self.choose_file(file).await).await;
    }

    /// Opens a picture by `choose` and waits for both networks' predictions of that picture.
    pub async fn open_picture(&self, choose: impl AsyncFnOnce()) {
        self.wait_until_idle().await;
        let opened_before = self.pictures_opened().await;
        choose().await;
        self.until("both networks to classify", async || {
            if let Some(alert) = self.alert().await {
                panic!("the page refused the picture: {alert}");
            }
            self.pictures_opened().await > opened_before && self.columns_are("clean").await
        })
        .await;
    }

    /// Waits until the engine is idle. At first the page opens a picture by itself, which must not be mistaken for another.
    pub async fn wait_until_idle(&self) {
        self.until("the engine to be done", async || self.work().await == "idle" && self.pictures_opened().await > 0)
            .await;
    }

    /// Returns the present work of the engine: `idle`, `opening`, `classifying`, `attacking`.
    pub async fn work(&self) -> String {
        self.attribute("engine-status", "data-work").await.unwrap_or_default()
    }

    /// Chooses a file, without waiting.
    pub async fn choose_file(&self, file: &Path) {
        let path = file.to_str().unwrap();
        self.client.find(locate("file-input").as_locator()).await.unwrap().send_keys(path).await.unwrap();
    }

    async fn pictures_opened(&self) -> u64 {
        self.number("picture", "data-picture").await
    }

    async fn columns_are(&self, state: &str) -> bool {
        for side in SIDES {
            if self.column_state(side).await != state {
                return false;
            }
        }
        true
    }

    /// Returns the state of a column: `empty`, `classifying`, `clean`, `attacking`, `stopped`, `done`.
    pub async fn column_state(&self, side: &str) -> String {
        self.attribute(&format!("column-{side}"), "data-state").await.unwrap_or_default()
    }

    /// Runs an attack and waits for its end.
    pub async fn attack(&self, attack: Attack) {
        self.begin_attack(attack).await;
        let total = if attack.kind == "fgsm" { 1 } else { attack.steps };
        self.until(&format!("{attack:?} to end"), async || {
            self.columns_are("done").await && self.steps("data-steps-total").await == [u64::from(total); 2]
        })
        .await;
    }

    /// Sets the controls and presses the button, without waiting for the end.
    ///
    /// A setting that is changed while a result is shown starts an attack by itself; the button starts another one afterwards.
    pub async fn begin_attack(&self, attack: Attack) {
        self.choose_attack(attack.kind).await;
        self.set_slider("epsilon", u32::from(attack.epsilon_255)).await;
        if attack.kind != "fgsm" {
            self.set_slider("steps", attack.steps).await;
        }
        // The page waits until the movement has ended.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let run = self.number("column-left", "data-run").await;
        self.click("attack-button").await;
        self.until("the attack to begin", async || self.number("column-left", "data-run").await > run).await;
    }

    /// Chooses an attack in the menu, by its name on the command line.
    pub async fn choose_attack(&self, kind: &str) {
        let script =
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change', {bubbles: true}))";
        self.run_script(script, "attack-kind", vec![json!(kind)]).await;
    }

    /// Moves a slider and sends the events of a movement by hand.
    pub async fn set_slider(&self, slider: &str, value: u32) {
        let script =
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))";
        self.run_script(script, slider, vec![json!(value.to_string())]).await;
    }

    /// Returns the steps done (`data-steps-done`) or asked for (`data-steps-total`), left network first.
    pub async fn steps(&self, which: &str) -> [u64; 2] {
        [self.number("column-left", which).await, self.number("column-right", which).await]
    }

    /// Returns the classes marked as the target among the predictions of the attacked picture.
    pub async fn marked_targets(&self, side: &str) -> Vec<u64> {
        let script = "return [...arguments[0].querySelectorAll('[data-role=target]')]
            .map(item => Number(item.dataset.class))";
        let classes = self.run_script(script, &format!("attacked-top5-{side}"), vec![]).await;
        serde_json::from_value(classes).unwrap()
    }

    /// Returns classes and probabilities of the shown predictions, best first; `when` is `clean` or `attacked`.
    pub async fn answers(&self, when: &str, side: &str) -> Vec<(u64, f64)> {
        let script = "return [...arguments[0].querySelectorAll('[data-class]')]
            .map(item => [Number(item.dataset.class), Number(item.dataset.share)])";
        let answers = self.run_script(script, &format!("{when}-top5-{side}"), vec![]).await;
        serde_json::from_value(answers).unwrap()
    }

    /// Returns the RGB values of a canvas of 64x64, row by row.
    pub async fn pixels(&self, canvas: &str) -> Vec<u8> {
        let picture = self.picture(canvas).await;
        assert_eq!(picture.dimensions(), (64, 64), "{canvas}");
        picture.into_raw()
    }

    /// Returns what a canvas of any size shows, which is opaque.
    pub async fn picture(&self, canvas: &str) -> RgbImage {
        let script = "let [canvas] = arguments;
            if (canvas.tagName === 'IMG') {
                const image = canvas;
                canvas = Object.assign(document.createElement('canvas'), { width: image.naturalWidth, height: image.naturalHeight });
                canvas.getContext('2d').drawImage(image, 0, 0);
            }
            const { width, height } = canvas;
            return [width, height, [...canvas.getContext('2d').getImageData(0, 0, width, height).data]]";
        let found = self.run_script(script, canvas, vec![]).await;
        let (width, height, rgba): (u32, u32, Vec<u8>) = serde_json::from_value(found).unwrap();
        assert!(rgba.chunks_exact(4).all(|pixel| pixel[3] == 255), "{canvas} is transparent somewhere");
        let rgb = rgba.chunks_exact(4).flat_map(|pixel| pixel[..3].to_vec()).collect();
        RgbImage::from_raw(width, height, rgb).unwrap()
    }

    /// Returns the shown error, if any.
    pub async fn alert(&self) -> Option<String> {
        self.text("alert").await
    }

    /// Waits for an alert that contains all of `words`.
    pub async fn wait_for_alert(&self, words: &[&str]) {
        self.until(&format!("an alert with {words:?}"), async || {
            self.alert().await.is_some_and(|alert| words.iter().all(|word| alert.contains(word)))
        })
        .await;
    }

    /// Starts to measure the page's responsiveness while `testid` has this value of an attribute, `data-name`.
    pub async fn measure_responsiveness(&self, testid: &str, name: &str, value: &str) {
        let script = "const [status, name, value] = arguments;
            const watch = window.watch = { work_ms: 0, longest_stall_ms: 0 };
            let last = performance.now(), began = null;
            const tick = () => {
                const now = performance.now(), working = status.dataset[name] === value;
                if (working) began ??= now;
                if (began !== null) {
                    // From the last tick before the work to the first one after it.
                    watch.longest_stall_ms = Math.max(watch.longest_stall_ms, now - last);
                    watch.work_ms = now - began;
                    if (!working) return;
                }
                last = now;
                setTimeout(tick, 0);
            };
            tick();";
        self.run_script(script, testid, vec![json!(name), json!(value)]).await;
    }

    /// Returns the measurement of [`Self::measure_responsiveness`] so far.
    pub async fn responsiveness(&self) -> Responsiveness {
        let watch = self.client.execute("return window.watch", vec![]).await.unwrap();
        let ms = |name: &str| watch[name].as_f64().unwrap();
        Responsiveness { work_ms: ms("work_ms"), longest_stall_ms: ms("longest_stall_ms") }
    }

    /// Presses a button.
    pub async fn click(&self, testid: &str) {
        self.client.find(locate(testid).as_locator()).await.unwrap().click().await.unwrap();
    }

    /// Presses Escape, whichever element has the focus.
    pub async fn press_escape(&self) {
        self.client.active_element().await.unwrap().send_keys(&char::from(Key::Escape).to_string()).await.unwrap();
    }

    /// Chooses an option of a select.
    pub async fn select(&self, testid: &str, value: &str) {
        self.client.find(locate(testid).as_locator()).await.unwrap().select_by_value(value).await.unwrap();
    }

    /// Returns the text of an element; none without the element.
    pub async fn text(&self, testid: &str) -> Option<String> {
        let script = "return document.querySelector(arguments[0])?.innerText ?? null";
        let text = self.client.execute(script, vec![json!(locate(testid).0)]).await.unwrap();
        text.as_str().map(str::to_owned)
    }

    /// Returns the value of an attribute; none without the element or the attribute.
    pub async fn attribute(&self, testid: &str, name: &str) -> Option<String> {
        let script = "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) ?? null";
        let value = self.client.execute(script, vec![json!(locate(testid).0), json!(name)]).await.unwrap();
        value.as_str().map(str::to_owned)
    }

    /// Returns the value of an attribute that holds a whole number; 0 if the attribute is missing.
    pub async fn number(&self, testid: &str, name: &str) -> u64 {
        self.attribute(testid, name).await.and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    async fn exists(&self, testid: &str) -> bool {
        self.client.find(locate(testid).as_locator()).await.is_ok()
    }

    /// Runs a script whose first argument is the element.
    pub async fn run_script(&self, script: &str, testid: &str, mut arguments: Vec<Value>) -> Value {
        let find = format!("arguments[0] = document.querySelector(arguments[0]); {script}");
        arguments.insert(0, json!(locate(testid).0));
        let outcome = self.client.execute(&find, arguments).await;
        outcome.unwrap_or_else(|error| panic!("on {testid}: {error}"))
    }

    /// Polls until `condition` holds; panics with the page's state after the timeout.
    pub async fn until(&self, what: &str, mut condition: impl AsyncFnMut() -> bool) {
        let started = Instant::now();
        while !condition().await {
            if started.elapsed() > self.timeout {
                let body = self.client.execute("return document.body.innerText", vec![]).await;
                let shown = body.ok().and_then(|body| body.as_str().map(str::to_owned)).unwrap_or_default();
                panic!("waited {:?} in vain for {what}; the page shows:\n{shown}", self.timeout);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

/// A selector for a `data-testid`.
struct Selector(String);

fn locate(testid: &str) -> Selector {
    Selector(format!("[data-testid='{testid}']"))
}

impl Selector {
    fn as_locator(&self) -> Locator<'_> {
        Locator::Css(&self.0)
    }
}
