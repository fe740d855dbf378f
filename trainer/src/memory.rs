//! Peak memory of a run, as far as the system reports it.

use std::fs;
use std::path::Path;

use burn::prelude::*;
use indicatif::BinaryBytes;
use serde::{Deserialize, Serialize};

use crate::files::write_atomically;

const FILE: &str = "memory.json";

/// Peak memory of a run, in bytes; `None` where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Peak resident memory of the process, which Linux records.
    pub process: Option<u64>,
    /// Memory of a GPU that its allocator has reserved.
    pub device: Option<u64>,
}

impl Memory {
    /// Reads the peak memory of this process and of `device`.
    pub fn taken(device: &Device) -> Self {
        let process = fs::read_to_string("/proc/self/status").ok().and_then(|text| field(&text, "VmHWM"));
        Self { process, device: device.memory_pool_usage().map(|usage| usage.bytes_reserved) }
    }

    /// Reads the record in the run folder `run`; empty where there is none.
    pub fn of_run(run: &Path) -> Self {
        let text = fs::read(run.join(FILE)).ok();
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Records the peak over this process and earlier ones in the run folder `run`. Errors are ignored: only reports read the
    /// record.
    pub fn note(run: &Path, device: &Device) {
        let (now, before) = (Self::taken(device), Self::of_run(run));
        let most = Self { process: now.process.max(before.process), device: now.device.max(before.device) };
        if let Ok(json) = serde_json::to_vec_pretty(&most) {
            let _ = write_atomically(&run.join(FILE), &json);
        }
    }
}

/// Returns a size as `1.50 GiB`.
pub fn in_words(bytes: u64) -> String {
    BinaryBytes(bytes).to_string()
}

/// Returns the value of a line such as `VmHWM:   123 kB`, in bytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(1024 * line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn what_linux_says_is_read() {
        let text = "VmPeak:       24684096 kB\nVmHWM:   19861172 kB\n";
        assert_eq!(field(text, "VmHWM"), Some(19_861_172 * 1024));
        assert_eq!((field(text, "Vm"), field("", "VmHWM")), (None, None));
        assert_eq!(in_words(3 << 29), "1.50 GiB");
    }

    #[test]
    fn a_run_notes_the_most_it_has_ever_taken() {
        let dir = TempDir::new().unwrap();
        assert_eq!(Memory::of_run(dir.path()), Memory::default());
        let earlier = Memory { process: Some(u64::MAX), device: Some(5) };
        fs::write(dir.path().join(FILE), serde_json::to_vec(&earlier).unwrap()).unwrap();
        Memory::note(dir.path(), &Device::flex());
        assert_eq!(Memory::of_run(dir.path()), earlier);
    }
}
