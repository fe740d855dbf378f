//! Chromium and chromedriver for the browser tests: found, else installed, else an error with instructions.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process;

/// Chromium and the matching chromedriver.
pub struct Browser {
    chrome: PathBuf,
    chromedriver: PathBuf,
}

const CHROME_NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const MAC_CHROME: &str = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

impl Browser {
    /// Finds both programs through the variables CHROME and CHROMEDRIVER, else on PATH; installs them if they are
    /// missing, on Debian as root.
    ///
    /// # Errors
    /// If a program is missing or does not start.
    pub fn ensure() -> Result<Self> {
        if find().is_err() && process::may_use_apt() {
            process::apt_install(&["chromium", "chromium-driver"])?;
        }
        let browser = find()?;
        println!("    {}", version(&browser.chrome)?);
        println!("    {}", version(&browser.chromedriver)?);
        Ok(browser)
    }

    /// Returns the path of the browser.
    pub fn chrome(&self) -> &Path {
        &self.chrome
    }

    /// Runs the browser tests whose names contain `filter` against the page in `dist`, served by this program.
    ///
    /// `selection` is cargo's selection of packages and features, the same as for the native tests; `settings` are
    /// further environment variables.
    ///
    /// # Errors
    /// If the tests do not compile or one of them fails.
    pub fn test(&self, dist: &Path, selection: &[&str], filter: &str, settings: &[(&str, &Path)]) -> Result<()> {
        // Most tests wait for the page. With more of them than cores, each would be slower than it allows the page to be.
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4)).to_string();
        let this_program = env::current_exe().context("cannot find this program's own file")?;
        process::run(
            process::cargo()?
                .args(["test", "--locked"])
                .args(selection)
                .args(["--test", "browser", "--", "--ignored", "--test-threads", &threads, filter])
                .env("BASTION_PAGE", dist)
                .env("BASTION_XTASK", this_program)
                .env("CHROME", &self.chrome)
                .env("CHROMEDRIVER", &self.chromedriver)
                .envs(settings.iter().copied()),
        )
    }
}

fn find() -> Result<Browser> {
    let from_env = |name| env::var_os(name).map(PathBuf::from);
    let mac_chrome = || Some(PathBuf::from(MAC_CHROME)).filter(|path| path.is_file());
    let chrome = from_env("CHROME").or_else(|| process::find_on_path(&CHROME_NAMES)).or_else(mac_chrome);
    let chromedriver = from_env("CHROMEDRIVER").or_else(|| process::find_on_path(&["chromedriver"]));
    match (chrome, chromedriver) {
        (Some(chrome), Some(chromedriver)) => Ok(Browser { chrome, chromedriver }),
        (chrome, chromedriver) => {
            let mut missing = Vec::new();
            if chrome.is_none() {
                missing.push("Chromium (or Chrome; variable CHROME)");
            }
            if chromedriver.is_none() {
                missing.push("chromedriver of the same version (variable CHROMEDRIVER)");
            }
            bail!(
                "the browser tests need {}. Debian: `apt install chromium chromium-driver`; Fedora: `dnf install chromium \
                 chromedriver`; Arch: `pacman -S chromium`; macOS: `brew install --cask google-chrome chromedriver`; \
                 elsewhere see https://googlechromelabs.github.io/chrome-for-testing. Put both on PATH or name them in the \
                 variables, or leave these tests out with --skip-browser",
                missing.join(" and ")
            )
        }
    }
}

fn version(program: &Path) -> Result<String> {
    process::output(process::command(program)?.arg("--version"))
        .with_context(|| format!("{} does not start", program.display()))
}
