//! Child processes of the same program: the system may kill a child for want of memory without killing its parent.

use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::device::DeviceChoice;
use crate::progress::ProgressChoice;

/// Environment variable with the process number of a child's parent.
const PARENT: &str = "BASTION_PARENT";

/// Environment variable with the path of the file for a child's error.
const FAILURE: &str = "BASTION_FAILURE";

/// Environment variable with the command that was given to the parent, for the record of the files that a child makes.
pub const COMMAND: &str = "BASTION_COMMAND";

/// Returns a command of this program on the device `choice`, with progress in the form `progress`; a subcommand must be added.
///
/// # Errors
/// When the path of this program cannot be found.
pub fn command(choice: DeviceChoice, progress: ProgressChoice) -> Result<Command> {
    let program = std::env::current_exe().context("this program cannot find its own file")?;
    let mut command = Command::new(program);
    for (flag, value) in [("--device", choice.to_possible_value()), ("--progress", progress.to_possible_value())] {
        if let Some(value) = value {
            command.args([flag, value.get_name()]);
        }
    }
    // A child must not overwrite the file that its grandparent reads.
    command.env(PARENT, std::process::id().to_string()).env_remove(FAILURE);
    Ok(command)
}

/// Makes the child of `command` write its error to `file`, if it ends by itself. Its stderr stays the user's.
pub fn write_failure_to(command: &mut Command, file: &Path) {
    command.env(FAILURE, file);
}

/// Writes this program's error to the file that its parent has named by [`write_failure_to`], if any.
pub fn write_failure(failure: &str) {
    if let Some(file) = std::env::var_os(FAILURE) {
        // An error here changes nothing: the exit code shows the failure, and stderr has the text.
        let _ = std::fs::write(file, failure);
    }
}

/// Returns whether this process is a child of another one of this program.
pub fn has_parent() -> bool {
    std::env::var_os(PARENT).is_some()
}

/// Makes this process end as by Ctrl-C when its parent has ended, since the parent may be started again in the same folder.
/// Does nothing outside Linux, or without a parent that is Bastion.
pub fn follow_parent() {
    #[cfg(target_os = "linux")]
    {
        let Some(parent) = std::env::var(PARENT).ok().and_then(|text| text.parse::<i32>().ok()) else { return };
        // On an error the child only outlives its parent.
        let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGINT);
        if nix::unistd::getppid().as_raw() != parent {
            std::process::exit(crate::error::Stopped::EXIT_CODE.into());
        }
    }
}

/// Passes a Ctrl-C on to the child of number `id`. A child that also got it from the terminal takes both for one.
pub fn interrupt(id: u32) {
    #[cfg(unix)]
    if let Ok(id) = i32::try_from(id) {
        // Fails only for a child that has ended.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGINT);
    }
    // Elsewhere the console itself sends Ctrl-C to the child.
    #[cfg(not(unix))]
    let _ = id;
}

/// Returns the signal that ended a process, if one did.
pub fn signal(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    {
        let _ = status;
        None
    }
}

/// Returns whether the user ended a process: Ctrl-C goes to all processes of a terminal.
pub fn was_stopped(status: ExitStatus) -> bool {
    const STOPS: [i32; 3] = [1, 2, 15]; // SIGHUP, SIGINT, SIGTERM
    status.code() == Some(crate::error::Stopped::EXIT_CODE.into())
        || signal(status).is_some_and(|signal| STOPS.contains(&signal))
}
