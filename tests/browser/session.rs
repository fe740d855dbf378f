//! A separate Chromium for each test, driven through chromedriver, with a screenshot and the console of a failed test.

use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

use crate::server::from_environment;

/// Graphics that the browser offers to the page.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Graphics {
    /// `navigator.gpu` without an adapter, as in headless Chromium on a machine without a GPU.
    NoAdapter,
    /// WebGPU on SwiftShader, the browser's software adapter: correct, and some 70 times slower than the CPU path.
    SwiftShader,
}

/// Held by each test that runs beside others, and by a test that runs alone for itself.
static TURNS: RwLock<()> = RwLock::new(());

/// Starts a browser, runs `test` in it, and closes it, also if the test fails. A failed test leaves a screenshot and the
/// browser's console.
///
/// Tests run side by side, since most of them wait; those on the software adapter, which takes all cores, run alone.
pub fn browse(graphics: Graphics, test: impl AsyncFnOnce(&Client)) {
    if graphics == Graphics::SwiftShader {
        return browse_alone(graphics, test);
    }
    let _turn = TURNS.read().unwrap_or_else(PoisonError::into_inner);
    browse_now(graphics, test);
}

/// Runs `test` as [`browse`] does, while no other test runs: for tests of how long something takes.
pub fn browse_alone(graphics: Graphics, test: impl AsyncFnOnce(&Client)) {
    let _turn = TURNS.write().unwrap_or_else(PoisonError::into_inner);
    browse_now(graphics, test);
}

fn browse_now(graphics: Graphics, test: impl AsyncFnOnce(&Client)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let driver = Driver::start();
    let profile = tempfile::tempdir().unwrap();
    let client = runtime.block_on(open_browser(&driver, graphics, &profile));
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(test(&client))));
    if outcome.is_err() {
        runtime.block_on(save_failure(&client));
    }
    let closed = runtime.block_on(client.close());
    match outcome {
        Err(panic) => resume_unwind(panic),
        Ok(()) => closed.unwrap(),
    }
}

async fn open_browser(driver: &Driver, graphics: Graphics, profile: &TempDir) -> Client {
    let mut arguments = vec![
        "--headless".to_owned(),
        // Chromium's own sandbox does not work for root, nor in containers without kernel support.
        "--no-sandbox".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-quic".to_owned(),
        // A fake camera, and automatic permission to use it.
        "--use-fake-device-for-media-stream".to_owned(),
        "--use-fake-ui-for-media-stream".to_owned(),
        "--window-size=1280,1000".to_owned(),
        format!("--user-data-dir={}", profile.path().display()),
    ];
    if graphics == Graphics::SwiftShader {
        arguments.extend(
            ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]
                .map(str::to_owned),
        );
    }
    let capabilities = json!({
        "goog:chromeOptions": { "binary": from_environment("CHROME"), "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL" },
        // A page that computes on a software adapter is slow to respond.
        "timeouts": { "script": 120_000, "pageLoad": 120_000 },
    });
    let Value::Object(capabilities) = capabilities else { unreachable!("it is written as an object") };
    let url = format!("http://127.0.0.1:{}", driver.port);
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    builder.connect(&url).await.unwrap_or_else(|error| panic!("Chromium does not start: {error}"))
}

/// A running chromedriver, which ends when this value is dropped.
struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    /// Starts a driver on a port of its choice. Another program may take that port first, so this is tried again.
    fn start() -> Self {
        (0..3).find_map(|_| Self::started()).expect("chromedriver ended three times without naming its port")
    }

    fn started() -> Option<Self> {
        let mut process = Command::new(from_environment("CHROMEDRIVER"))
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
        // "ChromeDriver was started successfully on port 35347."
        let port = said.find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        drop(said);
        match port {
            Some(port) => Some(Self { process, port }),
            // Its output has ended, and so does the process.
            None => process.wait().ok().and(None),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // On SIGTERM chromedriver closes the browsers that it has started; on SIGKILL they would keep running.
        if cfg!(unix) {
            let _ = Command::new("kill").arg(self.process.id().to_string()).status();
            let deadline = Instant::now() + Duration::from_secs(5);
            while Instant::now() < deadline && matches!(self.process.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a command of the Chrome DevTools Protocol and returns its result.
pub async fn chrome_command(client: &Client, name: &str, parameters: Value) -> Value {
    let command = Extension { path: "goog/cdp/execute", body: json!({ "cmd": name, "params": parameters }) };
    client.issue_cmd(command).await.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A command of chromedriver that is not in the WebDriver standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// Grants permissions to the page.
pub async fn allow(client: &Client, permissions: &[&str]) {
    for name in permissions {
        let body = json!({ "descriptor": { "name": name }, "state": "granted" });
        client.issue_cmd(Extension { path: "permissions", body }).await.unwrap();
    }
}

/// Saves a screenshot of a failed test under `target/browser-failures` and prints the page's console. Never panics, which would
/// hide the test's own message.
async fn save_failure(client: &Client) {
    let name = std::thread::current().name().unwrap_or("test").replace("::", "-");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/browser-failures");
    let _ = std::fs::create_dir_all(&folder);
    if let Ok(png) = client.screenshot().await {
        let file = folder.join(format!("{name}.png"));
        if std::fs::write(&file, png).is_ok() {
            eprintln!("screenshot: {}", file.display());
        }
    }
    match client.issue_cmd(console_command()).await {
        Ok(lines) => console_lines(&lines).for_each(|line| eprintln!("console of the page: {line}")),
        Err(error) => eprintln!("no console of the page: {error}"),
    }
}

/// Returns the messages of the page's console since the last call.
pub async fn console(client: &Client) -> Vec<String> {
    console_lines(&client.issue_cmd(console_command()).await.unwrap()).collect()
}

fn console_command() -> Extension {
    Extension { path: "se/log", body: json!({ "type": "browser" }) }
}

fn console_lines(log: &Value) -> impl Iterator<Item = String> {
    log.as_array().into_iter().flatten().map(|line| format!("{}: {}", line["level"], line["message"]))
}
