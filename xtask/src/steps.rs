//! Named, timed steps: the progress that `cargo xtask` prints, and the table at its end.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The steps of one run so far.
pub struct Steps {
    finished: Vec<Step>,
    started: Instant,
}

struct Step {
    name: String,
    wall: Duration,
    cpu: Option<Duration>,
    failed: bool,
}

impl Steps {
    /// Starts the clock, with no steps yet.
    pub fn new() -> Self {
        Self { finished: Vec::new(), started: Instant::now() }
    }

    /// Runs one step; prints its name before and its time after.
    ///
    /// # Errors
    /// Returns the error of `action`, preceded by the step's name.
    pub fn run<T>(&mut self, name: &str, action: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("==> {name}");
        let (started, cpu_before) = (Instant::now(), children_cpu_time());
        let outcome = action();
        let wall = started.elapsed();
        let cpu = cpu_before.zip(children_cpu_time()).map(|(before, after)| after.saturating_sub(before));
        let failed = outcome.is_err();
        println!("    {} after {}\n", if failed { "FAILED" } else { "done" }, human(wall));
        self.finished.push(Step { name: name.to_owned(), wall, cpu, failed });
        outcome.with_context(|| format!("step `{name}`"))
    }

    /// Returns the wall-clock time since [`Steps::new`].
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns a table with one line per step: name, wall-clock seconds, and CPU seconds where the system reports them.
    pub fn table(&self) -> String {
        let width = self.finished.iter().map(|step| step.name.chars().count()).max().unwrap_or(0).max(5);
        let mut table = format!("{:width$}  {:>9}  {:>9}\n", "step", "seconds", "CPU s");
        let row = |name: &str, wall: Duration, cpu: Option<Duration>, mark: &str| {
            let cpu = cpu.map_or_else(|| "-".to_owned(), |cpu| format!("{:.1}", cpu.as_secs_f64()));
            format!("{name:width$}  {:>9.1}  {cpu:>9}{mark}\n", wall.as_secs_f64())
        };
        for step in &self.finished {
            table += &row(&step.name, step.wall, step.cpu, if step.failed { "  FAILED" } else { "" });
        }
        let cpu = self.finished.iter().map(|step| step.cpu).sum::<Option<Duration>>();
        table + &row("total", self.elapsed(), cpu, "")
    }
}

/// Formats a duration for people: `12.3 s`, `4 min 05 s`.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        let whole = duration.as_secs();
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

/// Returns the CPU time of all child processes that have ended; `None` except on Linux.
fn children_cpu_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    parse_children_cpu_time(&stat)
}

/// Adds fields 16 and 17 of `/proc/self/stat`, in hundredths of a second; see proc_pid_stat(5).
fn parse_children_cpu_time(stat: &str) -> Option<Duration> {
    // The second field, the program's name in parentheses, may itself hold spaces and parentheses.
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_whitespace().skip(13);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_and_marked() {
        let mut steps = Steps::new();
        steps.run("first", || Ok(())).unwrap();
        let error = steps.run("second", || -> Result<()> { anyhow::bail!("no luck") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "step `second`: no luck");
        let table = steps.table();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[1].starts_with("first") && !lines[1].contains("FAILED"));
        assert!(lines[2].starts_with("second") && lines[2].ends_with("FAILED"));
        assert!(lines[3].starts_with("total"));
    }

    #[test]
    fn durations_read_naturally() {
        assert_eq!(human(Duration::from_millis(340)), "0.3 s");
        assert_eq!(human(Duration::from_secs(61)), "1 min 01 s");
        assert_eq!(human(Duration::from_secs(3600)), "60 min 00 s");
    }

    #[test]
    fn cpu_time_survives_a_strange_program_name() {
        let stat = "12 (a b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 250 50 20 0";
        assert_eq!(parse_children_cpu_time(stat), Some(Duration::from_secs(3)));
    }
}
