//! burn-train's dashboard, with Ctrl-C as a signal.
//!
//! The dashboard puts the terminal into raw mode, in which Ctrl-C is a key like any other, and ignores that key. Here the
//! terminal is set to raise the signal again.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use burn::train::renderer::tui::TuiMetricsRendererWrapper;

use tty::Tty;

use crate::progress::{Event, View};

/// Control sequences that undo the dashboard's: mouse reports, the alternate screen, the hidden cursor.
const LEAVE: &str = "\x1b[?1006l\x1b[?1015l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?1049l\x1b[?25h";

/// A terminal on which the dashboard can be drawn.
pub struct Dashboard {
    tty: Tty,
    /// The last warning, which the dashboard draws over again and again.
    warning: Mutex<Option<String>>,
}

impl Dashboard {
    /// Opens the terminal; `None` where there is none, or none on which Ctrl-C can raise a signal.
    pub fn open() -> Option<Self> {
        Some(Self { tty: Tty::open()?, warning: Mutex::default() })
    }

    /// Starts drawing; the dashboard's stop key sets `stop`.
    pub(super) fn start(&self, stop: Interrupter, round: Option<usize>) -> Box<dyn MetricsRenderer> {
        let renderer = TuiMetricsRendererWrapper::new(stop, round);
        self.tty.enable_ctrl_c();
        self.show_warning();
        Box::new(renderer)
    }

    /// Shows the last warning, if there is one.
    fn show_warning(&self) {
        if let Some(warning) = &*self.warning.lock().unwrap_or_else(PoisonError::into_inner) {
            self.draw_last_line(warning);
        }
    }

    /// Draws `text` over the terminal's last line.
    fn draw_last_line(&self, text: &str) {
        // Saves and restores the cursor; reverse video.
        print(&format!("\x1b7\x1b[999;1H\x1b[7m {text} \x1b[0m\x1b8"));
    }

    /// Restores the terminal, for an end of the program in which the dashboard does not.
    pub fn restore(&self) {
        print(LEAVE);
        self.tty.restore();
    }
}

/// Shows texts in the last line; burn-train draws all else.
impl View for Dashboard {
    fn show(&self, event: &Event) {
        match event {
            Event::Note { text } => self.draw_last_line(text),
            Event::Warning { .. } | Event::Collapse { .. } => {
                *self.warning.lock().unwrap_or_else(PoisonError::into_inner) = event.text();
                self.show_warning();
            }
            Event::Round { .. } => self.show_warning(),
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

    /// Time that the dashboard may take to start, which takes milliseconds; the dashboard reports its own failure.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// The terminal that the program was started from.
    pub struct Tty {
        file: File,
        /// Modes of the terminal before the dashboard.
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

        /// Waits until the dashboard has set raw mode, and lets Ctrl-C raise a signal again.
        pub fn enable_ctrl_c(&self) {
            let started = Instant::now();
            while started.elapsed() < PATIENCE {
                let Ok(mut modes) = tcgetattr(&self.file) else { return };
                if !modes.local_modes.contains(LocalModes::ICANON) {
                    modes.local_modes.insert(LocalModes::ISIG);
                    // Only Ctrl-C: Ctrl-Z and Ctrl-\ would leave the shell with the dashboard's terminal.
                    for key in [SpecialCodeIndex::VSUSP, SpecialCodeIndex::VQUIT] {
                        modes.special_codes[key] = NO_KEY;
                    }
                    // On an error, `q` still stops the run.
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

    /// `_POSIX_VDISABLE`: the value of a signal's key that disables the signal.
    const NO_KEY: u8 = if cfg!(any(target_os = "linux", target_os = "android")) { 0 } else { 0xff };
}

#[cfg(not(unix))]
mod tty {
    /// A terminal that can raise a signal in raw mode, of which this system has none.
    pub struct Tty;

    impl Tty {
        pub fn open() -> Option<Self> {
            None
        }

        pub fn enable_ctrl_c(&self) {}

        pub fn restore(&self) {}
    }
}
