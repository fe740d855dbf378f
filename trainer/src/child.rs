//! The same program once more, as a process of its own: what it does to the memory stays there, and the system may kill it
//! without killing its parent.

use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::device::DeviceChoice;
use crate::progress::ProgressChoice;

/// The environment variable that tells a child its parent's process number.
const PARENT: &str = "BASTION_PARENT";

/// The environment variable that names a file for what a child failed of.
const FAILURE: &str = "BASTION_FAILURE";

/// The environment variable with the command that was given to the parent, for the record of what a child makes.
pub const COMMAND: &str = "BASTION_COMMAND";

/// This very program on the device `choice`, with progress in the form `progress`, to be given a subcommand.
///
/// # Errors
/// When the program does not find itself.
pub fn command(choice: DeviceChoice, progress: ProgressChoice) -> Result<Command> {
    let program = std::env::current_exe().context("this program cannot find its own file")?;
    let mut command = Command::new(program);
    for (flag, value) in [("--device", choice.to_possible_value()), ("--progress", progress.to_possible_value())] {
        if let Some(value) = value {
            command.args([flag, value.get_name()]);
        }
    }
    // What this one is to tell its own parent is no child's business.
    command.env(PARENT, std::process::id().to_string()).env_remove(FAILURE);
    Ok(command)
}

/// Has the child of `command` write into `file` what it failed of, if it can still speak. Its stderr stays the user's.
pub fn hear_failure(command: &mut Command, file: &Path) {
    command.env(FAILURE, file);
}

/// Tells a parent that wants to hear it what this program failed of.
pub fn tell_failure(failure: &str) {
    if let Some(file) = std::env::var_os(FAILURE) {
        // The exit code tells that it failed, and the user has read why.
        let _ = std::fs::write(file, failure);
    }
}

/// Has a child end as by Ctrl-C when its parent is gone: nobody would wait for it, and another one might be started in the
/// same folder. Where the system offers no such thing, it goes on.
pub fn follow_parent() {
    #[cfg(target_os = "linux")]
    {
        let Some(parent) = std::env::var(PARENT).ok().and_then(|text| text.parse::<i32>().ok()) else { return };
        // Should it fail, the child only outlives its parent.
        let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGINT);
        if nix::unistd::getppid().as_raw() != parent {
            std::process::exit(crate::error::Stopped::EXIT_CODE.into());
        }
    }
}

/// Passes a Ctrl-C on to the child of number `id`. One that has heard it from the terminal takes both for one.
pub fn interrupt(id: u32) {
    #[cfg(unix)]
    if let Ok(id) = i32::try_from(id) {
        // One that has ended needs to hear no more.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGINT);
    }
    // Elsewhere the console itself tells it.
    #[cfg(not(unix))]
    let _ = id;
}

/// The signal that ended a process, if one did.
pub fn signal(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    {
        let _ = status;
        None
    }
}

/// Whether the user ended it: Ctrl-C goes to all processes of a terminal.
pub fn was_stopped(status: ExitStatus) -> bool {
    const STOPS: [i32; 3] = [1, 2, 15]; // SIGHUP, SIGINT, SIGTERM
    status.code() == Some(crate::error::Stopped::EXIT_CODE.into())
        || signal(status).is_some_and(|signal| STOPS.contains(&signal))
}
