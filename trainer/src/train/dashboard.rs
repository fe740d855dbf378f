//! burn-train's dashboard, taught to hear Ctrl-C.
//!
//! It puts the terminal into raw mode, in which Ctrl-C is a key like any other, and does nothing with that key. Here the
//! terminal is told to make a signal of it again, as everywhere else.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use burn::train::renderer::tui::TuiMetricsRendererWrapper;

use tty::Tty;

use crate::progress::{Event, View};

/// Switches off what the dashboard has switched on: mouse reports, its own screen, the hidden cursor.
const LEAVE: &str = "\x1b[?1006l\x1b[?1015l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?1049l\x1b[?25h";

/// A terminal on which the dashboard can be drawn.
pub struct Dashboard {
    tty: Tty,
    /// The last warning, which the dashboard draws over again and again.
    warning: Mutex<Option<String>>,
}

impl Dashboard {
    /// `None` where there is no terminal, or none on which Ctrl-C could be heard.
    pub fn open() -> Option<Self> {
        Some(Self { tty: Tty::open()?, warning: Mutex::default() })
    }

    /// Starts drawing; the dashboard's own way to stop goes to `stop`.
    pub(super) fn start(&self, stop: Interrupter, round: Option<usize>) -> Box<dyn MetricsRenderer> {
        let renderer = TuiMetricsRendererWrapper::new(stop, round);
        self.tty.hear_ctrl_c();
        self.remind();
        Box::new(renderer)
    }

    /// Shows the last warning, if there is one.
    fn remind(&self) {
        if let Some(warning) = &*self.warning.lock().unwrap_or_else(PoisonError::into_inner) {
            self.notify(warning);
        }
    }

    /// Shows `text` in the last line, over whatever is there.
    fn notify(&self, text: &str) {
        // The cursor is kept; reverse video. Without a reader there is no one to tell.
        print(&format!("\x1b7\x1b[999;1H\x1b[7m {text} \x1b[0m\x1b8"));
    }

    /// Gives the terminal back as it was, for an end of the program in which the dashboard does not.
    pub fn restore(&self) {
        print(LEAVE);
        self.tty.restore();
    }
}

/// Shows texts in the last line; all else burn-train draws by itself.
impl View for Dashboard {
    fn show(&self, event: &Event) {
        match event {
            Event::Note { text } => self.notify(text),
            Event::Warning { .. } | Event::Collapse { .. } => {
                *self.warning.lock().unwrap_or_else(PoisonError::into_inner) = event.text();
                self.remind();
            }
            Event::Round { .. } => self.remind(),
            _ => {}
        }
    }
}

fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(unix)]
mod tty {
    use std::fs::File;
    use std::io::{self, IsTerminal};
    use std::thread;
    use std::time::{Duration, Instant};

    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

    /// How long the dashboard may take to start. It takes milliseconds; where it fails, it says so itself.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// The terminal that the program was started from.
    pub struct Tty {
        file: File,
        /// As the shell left it.
        modes: Termios,
    }

    impl Tty {
        pub fn open() -> Option<Self> {
            if !io::stdout().is_terminal() {
                return None;
            }
            let file = File::open("/dev/tty").ok()?;
            let modes = tcgetattr(&file).ok()?;
            Some(Self { file, modes })
        }

        /// Waits until the dashboard has set raw mode, and takes the keys that raise signals out of it.
        pub fn hear_ctrl_c(&self) {
            let started = Instant::now();
            while started.elapsed() < PATIENCE {
                let Ok(mut modes) = tcgetattr(&self.file) else { return };
                if !modes.local_modes.contains(LocalModes::ICANON) {
                    modes.local_modes.insert(LocalModes::ISIG);
                    // Of these only Ctrl-C: Ctrl-Z and Ctrl-\ would leave the shell with the dashboard's terminal.
                    for key in [SpecialCodeIndex::VSUSP, SpecialCodeIndex::VQUIT] {
                        modes.special_codes[key] = NO_KEY;
                    }
                    // Where it fails, `q` still stops the run.
                    let _ = tcsetattr(&self.file, OptionalActions::Now, &modes);
                    return;
                }
                thread::sleep(Duration::from_millis(5));
            }
        }

        pub fn restore(&self) {
            let _ = tcsetattr(&self.file, OptionalActions::Now, &self.modes);
        }
    }

    /// `_POSIX_VDISABLE`: what a signal's key is set to so that there is none.
    const NO_KEY: u8 = if cfg!(any(target_os = "linux", target_os = "android")) { 0 } else { 0xff };
}

#[cfg(not(unix))]
mod tty {
    /// No terminal here can be told to raise a signal in raw mode.
    pub struct Tty;

    impl Tty {
        pub fn open() -> Option<Self> {
            None
        }

        pub fn hear_ctrl_c(&self) {}

        pub fn restore(&self) {}
    }
}
